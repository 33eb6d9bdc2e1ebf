"""Alerts and their ways to people, in the database: what was raised, whom it is to reach, and how far that came.

    pending -> delivered          a channel took it
    pending -> failed             it did not, as often as it was tried
    held -> folded                too many in an hour: one message tells of all that were held

What people and the ledger are told of (delivered, failed) goes through the ledger; the rest is written here, each by
compare-and-set, so that any number of processes may do it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from broker.alerts.model import AlertRow, row_of
from broker.store.database import Database
from broker.store.statements import is_storable
from broker.store.tables import alert_deliveries, alerts

MAX_ROWS: Final = 500
"""Most rows of one answer."""


class State(StrEnum):
    """How far a delivery came; a name may be added, never changed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    HELD = "held"
    FOLDED = "folded"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert on its way to a channel.

    Args:
        id: ``dlv_…``, the same at every try; a receiver knows a message that came twice by it.
        alert_id: Which alert; with ``more``, the last one that was held.
        channel: Name of the channel.
        agent: Whom the alert is about; empty for nobody.
        state: How far it came.
        attempts: How often it was tried, or began to be.
        tries: How often it is tried.
        more: How many alerts it tells of in the place of one; 0 for one that is its alert's own.
        created_at_ns: When it was decided on.
        next_at_ns: When it is tried next.
        updated_at_ns: When it came this far.
        error: What went wrong last, one word of ours.
    """

    id: str
    alert_id: str
    channel: str
    agent: str = ""
    state: State = State.PENDING
    attempts: int = 0
    tries: int = 1
    more: int = 0
    created_at_ns: int = 0
    next_at_ns: int = 0
    updated_at_ns: int = 0
    error: str = ""

    def values(self) -> dict[str, Any]:
        """Return its row."""
        return {name: getattr(self, name) for name in Delivery.__slots__} | {"state": self.state.value}


class Book:
    """Reads and writes alerts and deliveries.

    Args:
        database: Migrated.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def alert(self, alert_id: str) -> AlertRow | None:
        """Return an alert."""
        if not is_storable(alert_id):
            return None
        found = await self._rows(select(alerts).where(alerts.c.id == alert_id))
        return row_of(found[0]._asdict()) if found else None

    async def alerts(self, *, kind: str = "", since_ns: int = 0, limit: int = 100) -> list[AlertRow]:
        """Return alerts, newest first; of one kind, and raised since then, when given."""
        wanted = select(alerts).order_by(alerts.c.at_ns.desc(), alerts.c.id.desc()).limit(max(0, min(limit, MAX_ROWS)))
        if kind:
            wanted = wanted.where(alerts.c.kind == kind)
        if since_ns:
            wanted = wanted.where(alerts.c.at_ns >= since_ns)
        return [row_of(row._asdict()) for row in await self._rows(wanted)]

    async def unrouted(self, limit: int = 100) -> list[AlertRow]:
        """Return alerts of which nobody decided yet whom they are to reach, oldest first."""
        wanted = select(alerts).where(alerts.c.routed == 0).order_by(alerts.c.at_ns, alerts.c.id).limit(limit)
        return [row_of(row._asdict()) for row in await self._rows(wanted)]

    async def delivery(self, delivery_id: str) -> Delivery | None:
        """Return a delivery."""
        found = await self._rows(select(alert_deliveries).where(alert_deliveries.c.id == delivery_id))
        return _delivery(found[0]) if found else None

    async def deliveries(self, alert_id: str) -> list[Delivery]:
        """Return the deliveries of an alert, by channel."""
        column = alert_deliveries.c
        wanted = select(alert_deliveries).where(column.alert_id == alert_id).order_by(column.channel, column.id)
        return [_delivery(row) for row in await self._rows(wanted)]

    async def due(self, now_ns: int, limit: int = 100) -> list[Delivery]:
        """Return pending deliveries whose time has come, longest due first."""
        column = alert_deliveries.c
        wanted = (
            select(alert_deliveries)
            .where(column.state == State.PENDING.value, column.next_at_ns <= now_ns)
            .order_by(column.next_at_ns, column.id)
            .limit(limit)
        )
        return [_delivery(row) for row in await self._rows(wanted)]

    async def held(self, before_ns: int, limit: int = 2_000) -> list[Delivery]:
        """Return deliveries that were held before a moment, oldest first."""
        column = alert_deliveries.c
        wanted = (
            select(alert_deliveries)
            .where(column.state == State.HELD.value, column.created_at_ns < before_ns)
            .order_by(column.created_at_ns, column.id)
            .limit(limit)
        )
        return [_delivery(row) for row in await self._rows(wanted)]

    async def claim(self, delivery: Delivery, *, next_at_ns: int, now_ns: int) -> bool:
        """Begin a try: False when somebody else began it, or it came further.

        Args:
            delivery: As it was read.
            next_at_ns: When it is tried again if nothing more is heard of this try.
            now_ns: Now.
        """
        column = alert_deliveries.c
        begun = (
            update(alert_deliveries)
            .where(column.id == delivery.id, column.state == delivery.state.value)
            .where(column.attempts == delivery.attempts)
            .values(attempts=delivery.attempts + 1, next_at_ns=next_at_ns, updated_at_ns=now_ns, error="no answer yet")
        )
        return await self._database.write(lambda connection: connection.execute(begun).rowcount == 1)

    async def missed(self, delivery: Delivery, error: str, *, next_at_ns: int, now_ns: int) -> None:
        """Note why a try failed, and when the next one is made."""
        column = alert_deliveries.c
        told = (
            update(alert_deliveries)
            .where(column.id == delivery.id, column.state == State.PENDING.value)
            .where(column.attempts == delivery.attempts)
            .values(error=error, next_at_ns=next_at_ns, updated_at_ns=now_ns)
        )
        await self._database.write(lambda connection: connection.execute(told))

    async def route(self, alert_id: str, deliveries: Collection[Delivery]) -> bool:
        """Decide whom an alert is to reach; False when somebody else did."""
        decided = update(alerts).where(alerts.c.id == alert_id, alerts.c.routed == 0).values(routed=1)

        def work(connection: Connection) -> bool:
            if connection.execute(decided).rowcount != 1:
                return False
            _add(connection, deliveries)
            return True

        return await self._database.write(work)

    async def sent_since(self, channel: str, since_ns: int) -> list[Delivery]:
        """Return what a channel was to get since then, without what was held."""
        column = alert_deliveries.c
        wanted = select(alert_deliveries).where(
            column.channel == channel,
            column.created_at_ns >= since_ns,
            column.state.not_in((State.HELD.value, State.FOLDED.value)),
        )
        return [_delivery(row) for row in await self._rows(wanted.limit(MAX_ROWS))]

    async def fold(self, digest: Delivery, held: Collection[Delivery]) -> bool:
        """Send one message in the place of those that were held; False when somebody else did."""
        column = alert_deliveries.c
        folded = (
            update(alert_deliveries)
            .where(column.id.in_([each.id for each in held]), column.state == State.HELD.value)
            .values(state=State.FOLDED.value, updated_at_ns=digest.created_at_ns)
        )

        def work(connection: Connection) -> bool:
            if connection.execute(folded).rowcount != len(held):
                raise _TakenError
            _add(connection, [digest])
            return True

        try:
            return await self._database.write(work)
        except _TakenError:
            return False

    async def _rows(self, wanted: Any) -> list[Row[Any]]:  # noqa: ANN401 - a statement of SQLAlchemy
        return list(await self._database.read(lambda connection: connection.execute(wanted).all()))


class _TakenError(Exception):
    """Somebody else told of some of them; the transaction is undone."""


def _add(connection: Connection, deliveries: Collection[Delivery]) -> None:
    if deliveries:
        connection.execute(insert(alert_deliveries), [each.values() for each in deliveries])


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(**{**row._asdict(), "state": State(row.state)})
