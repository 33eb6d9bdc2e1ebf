"""What processes tell each other of circuit breakers, in the table `breakers`.

Counts are no part of the ledger and are written beside it, like heartbeats: what is lost with a process that dies, half
a second of them, costs a few calls. That a breaker opened, or was reset, is an event, and is written with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from broker.limits.runs import News, Standing, Tally, merged
from broker.store.base import Update
from broker.store.database import Database, Kind
from broker.store.tables import breakers

MAX_ASKED: Final = 500
"""Keys that are asked for by name at once; others are found by the time of their change."""

_ONE: Final = select(breakers).where(breakers.c.key == bindparam("key")).with_for_update()
_WRITE: Final = update(breakers).where(breakers.c.key == bindparam("of"))


class SqlBreakers:
    """Reads and writes breakers on SQLite and PostgreSQL.

    Args:
        database: Migrated.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tell(self, news: Mapping[str, News], now_ns: int) -> None:
        """Add what this process learned, by key, to what is known.

        Raises:
            StoreUnavailableError: nothing was told.
        """

        def work(connection: Connection) -> None:
            for key in sorted(news):  # in one order, or two processes could wait for each other
                self._merge(connection, key, news[key], now_ns)

        await self._database.write(work)

    async def read(self, since_ns: int, keys: Collection[str] = ()) -> list[Standing]:
        """Return the breakers that changed at or after ``since_ns``, and those of ``keys``.

        Raises:
            StoreUnavailableError: nothing can be read.
        """
        named = breakers.c.key.in_(list(keys)[:MAX_ASKED])
        wanted = select(breakers).where(or_(breakers.c.updated_at_ns >= since_ns, named))
        return await self._database.read(lambda connection: [_standing(row) for row in connection.execute(wanted)])

    async def expire(self, before_ns: int) -> None:
        """Forget what did not change since.

        Raises:
            StoreUnavailableError: nothing was forgotten.
        """
        gone = delete(breakers).where(breakers.c.updated_at_ns < before_ns, breakers.c.open_until_ns < before_ns)
        await self._database.write(lambda connection: connection.execute(gone))

    def _merge(self, connection: Connection, key: str, news: News, now_ns: int) -> None:
        make = sqlite.insert if self._database.kind is Kind.SQLITE else postgresql.insert
        connection.execute(make(breakers).values(key=key).on_conflict_do_nothing())
        stored = _standing(connection.execute(_ONE, {"key": key}).one())
        fresh = merged(stored, news, now_ns)
        if fresh != stored:
            connection.execute(_WRITE.values(_values(fresh)), {"of": key})


def opening(standing: Standing) -> Update:
    """Return the step that opens a breaker, which one process wins each time."""
    values = _values(standing)
    names = ("openings", "opened_at_ns", "open_until_ns", "updated_at_ns")
    before = {"key": standing.key, "openings": standing.openings - 1}
    return Update("breakers", before, {name: values[name] for name in names})


def resetting(standing: Standing, at_ns: int) -> Update:
    """Return the step that resets a breaker; it loses when there is none of that key."""
    values = _values(Standing(standing.key, updated_at_ns=at_ns, reset_at_ns=at_ns))
    return Update("breakers", {"key": standing.key}, values)


def _standing(row: Row[Any]) -> Standing:
    return Standing(
        row.key,
        Tally.of(row.failures, row.reason),
        row.openings,
        row.opened_at_ns,
        row.open_until_ns,
        row.updated_at_ns,
        row.reset_at_ns,
    )


def _values(standing: Standing) -> dict[str, Any]:
    return {
        "failures": standing.tally.failures,
        "openings": standing.openings,
        "opened_at_ns": standing.opened_at_ns,
        "open_until_ns": standing.open_until_ns,
        "updated_at_ns": standing.updated_at_ns,
        "reset_at_ns": standing.reset_at_ns,
        "reason": standing.tally.to_text(),
    }
