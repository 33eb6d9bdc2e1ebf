"""Alerts of the in-memory broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from broker.alerts.book import Delivery, State
from broker.alerts.model import Alert, AlertKind, AlertRow, Severity
from broker.errors import LedgerUnavailableError

if TYPE_CHECKING:
    from tests.unit.broker.doors.world import World


class FakeAlerts:
    """Keeps alerts; a channel takes them, unless its name says otherwise."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.rows: list[AlertRow] = []
        self.deliveries: dict[str, list[Delivery]] = {}
        self.channels: dict[str, State] = {}
        self.ledger_away = False
        self.asked: list[tuple[str, int, int]] = []

    def add(self, alert: Alert) -> AlertRow:
        row = AlertRow(self._world.new_id("alt"), alert, self._world.clock.now_ns(), 1)
        self.rows.insert(0, row)
        self.deliveries[row.id] = [
            Delivery(self._world.new_id("dlv"), row.id, name, state=state, attempts=1)
            for name, state in self.channels.items()
        ]
        return row

    async def newest(self, *, kind: str = "", since_ns: int = 0, limit: int = 100) -> Sequence[AlertRow]:
        self.asked.append((kind, since_ns, limit))
        return [row for row in self.rows if kind in ("", row.alert.kind.value) and row.at_ns >= since_ns][:limit]

    async def get(self, alert_id: str) -> tuple[AlertRow, Sequence[Delivery]] | None:
        found = [row for row in self.rows if row.id == alert_id]
        return (found[0], self.deliveries[alert_id]) if found else None

    async def test(self, operator: str, *, wait_seconds: float) -> tuple[AlertRow, Sequence[Delivery]]:
        if self.ledger_away:
            raise LedgerUnavailableError("away")
        row = self.add(Alert(AlertKind.TEST, "test", f"a test by {operator}", "nothing", Severity.INFO))
        return row, self.deliveries[row.id]
