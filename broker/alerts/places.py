"""Where the watch stands, in the database: its place in the ledger and what its detectors remember, moved together.

One row is the place; it changes by compare-and-set on its version, in the transaction of everything that is remembered
beside it. So of two watches that read the same events one wins, and what the other had counted is not counted twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from broker.alerts.memory import AgentHour, Memory, Touch
from broker.errors import StoreUnavailableError
from broker.model import JsonObject
from broker.store.database import Database, Kind
from broker.store.tables import activity_hours, alert_cursor, touched_resources

_ID: Final = 1
_AT_ONCE: Final = 500
"""Values in one statement; SQLite's limit for parameters is larger on every version there is."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place in the ledger up to which alerts were looked for.

    Args:
        seq: The last event that was looked at.
        version: Counts its changes.
        owner: The process that moved it last.
        until_ns: Until when other processes leave it to that one.
        state: Open bursts, from `Folds.to_json`.
    """

    seq: int
    version: int
    owner: str
    until_ns: int
    state: JsonObject


class Places:
    """Reads and moves the place.

    Args:
        database: Migrated.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def current(self) -> Place:
        """Return the place.

        Raises:
            StoreUnavailableError: it cannot be read, or its row is gone.
        """
        row = await self._database.read(lambda connection: connection.execute(select(alert_cursor)).first())
        if row is None:
            raise StoreUnavailableError("the place up to which alerts were looked for is gone")
        state = orjson.loads(row.state) if row.state else {}
        return Place(row.seq, row.version, row.owner, row.until_ns, state)

    async def move(self, old: Place, new: Place, memory: Memory) -> bool:
        """Move the place and keep what is remembered; False when somebody else moved it first.

        Raises:
            StoreUnavailableError: nobody knows whether it was moved.
        """
        values = {
            "seq": new.seq,
            "version": old.version + 1,
            "owner": new.owner,
            "until_ns": new.until_ns,
            "state": orjson.dumps(new.state).decode() if new.state else "",
        }
        moved = update(alert_cursor).where(alert_cursor.c.id == _ID, alert_cursor.c.version == old.version)

        def work(connection: Connection) -> bool:
            if connection.execute(moved.values(values)).rowcount != 1:
                return False
            for (agent, hour_ns), calls in memory.added_calls.items():
                row = self._insert(activity_hours).values(agent=agent, hour_ns=hour_ns, calls=calls)
                added = {"calls": activity_hours.c.calls + row.excluded.calls}
                connection.execute(row.on_conflict_do_update(index_elements=["agent", "hour_ns"], set_=added))
            if memory.added_touches:
                rows = [
                    {"agent": agent, "resource": name, "at_ns": at_ns}
                    for (agent, name), at_ns in memory.added_touches.items()
                ]
                connection.execute(self._insert(touched_resources).on_conflict_do_nothing(), rows)
            return True

        return await self._database.write(work)

    async def hours(self, agents: Collection[str], since_ns: int) -> dict[str, list[tuple[int, int]]]:
        """Return the hours in which agents called, each with its beginning and how often."""
        column = activity_hours.c
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for some in _pieces(agents):
            wanted = select(column.agent, column.hour_ns, column.calls).where(
                column.agent.in_(some), column.hour_ns >= since_ns
            )
            for row in await self._all(wanted):
                found[row.agent].append((row.hour_ns, row.calls))
        return found

    async def touched(self, touches: Collection[Touch]) -> set[Touch]:
        """Return which of these are known."""
        column = touched_resources.c
        by_agent: dict[str, list[str]] = defaultdict(list)
        for agent, name in touches:
            by_agent[agent].append(name)
        found: set[Touch] = set()
        for agent, names in by_agent.items():
            for some in _pieces(names):
                wanted = select(column.resource).where(column.agent == agent, column.resource.in_(some))
                found.update((agent, row.resource) for row in await self._all(wanted))
        return found

    async def first_touches(self, agents: Collection[str]) -> dict[str, tuple[int, int]]:
        """Return when agents first touched anything, and how much they ever did."""
        column = touched_resources.c
        found: dict[str, tuple[int, int]] = {}
        for some in _pieces(agents):
            wanted = (
                select(column.agent, func.min(column.at_ns).label("first"), func.count().label("many"))
                .where(column.agent.in_(some))
                .group_by(column.agent)
            )
            found.update({row.agent: (row.first, row.many) for row in await self._all(wanted)})
        return found

    async def forget_hours(self, before_ns: int) -> None:
        """Forget calls of hours that began before a moment."""
        gone = delete(activity_hours).where(activity_hours.c.hour_ns < before_ns)
        await self._database.write(lambda connection: connection.execute(gone))

    async def _all(self, wanted: Any) -> list[Any]:  # noqa: ANN401 - statements and rows of SQLAlchemy
        return list(await self._database.read(lambda connection: connection.execute(wanted).all()))

    def _insert(self, table: Any) -> Any:  # noqa: ANN401 - of two dialects, whose types have no common one
        return sqlite.insert(table) if self._database.kind is Kind.SQLITE else postgresql.insert(table)


def calls_in(hours: Iterable[tuple[int, int]], hour: AgentHour) -> int:
    """Return how often an agent called in an hour, by its row of `Places.hours`."""
    return next((calls for begin, calls in hours if begin == hour[1]), 0)


def _pieces(values: Collection[str]) -> Iterable[list[str]]:
    every = list(values)
    return (every[start : start + _AT_ONCE] for start in range(0, len(every), _AT_ONCE))
