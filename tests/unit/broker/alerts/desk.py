"""A ledger on SQLite, a clock that stands still, and the parts of the alerts around them."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.alerts.book import Book, Delivery
from broker.alerts.memory import Memory, Seen, Terms
from broker.alerts.model import Alert, AlertKind, AlertRow, Severity, raising
from broker.alerts.places import Places
from broker.alerts.routing import Router, insertion, new_delivery
from broker.alerts.watch import AlertWatch
from broker.clock import fresh_id
from broker.config.alerting import Alerting
from broker.config.loader import load_configuration
from broker.config.model import Configuration
from broker.ledger.events import parse_event
from broker.ledger.log import Ledger
from broker.store.base import Change, Event, EventFilter, EventType
from broker.store.database import Database, open_database
from broker.store.reader import SqlReader
from tests.house import ManualClock
from tests.unit.broker.config.paper import CONNECTORS, MAIN, write

FRIDAY_NOON_NS = 1_800_014_400 * 10**9
"""2027-01-15, a Friday, 12:00 UTC."""
DAY_NS = 86_400 * 10**9


@dataclass
class Desk:
    """Everything a test of alerts looks at."""

    database: Database
    ledger: Ledger
    reader: SqlReader
    clock: ManualClock
    book: Book
    places: Places
    configuration: Configuration

    def watch(self, owner: str = "ins_1", committer: Any = None) -> AlertWatch:
        return AlertWatch(
            reader=self.reader,
            committer=committer or self.ledger,
            places=self.places,
            configuration=lambda: self.configuration,
            clock=self.clock,
            owner=owner,
        )

    def router(self, **terms: Any) -> Router:
        alerting = Alerting(**{"channels": ("ops",), **terms})
        return Router(self.book, lambda: alerting, self.clock)

    async def happen(self, kind: EventType, count: int = 1, **fields: Any) -> None:
        """Write events that happen now."""
        changes = [Change(self.event(kind, **fields)) for _ in range(count)]
        await asyncio.gather(*map(self.ledger.commit, changes))

    def event(self, kind: EventType, **fields: Any) -> Event:
        values = {"agent": "ci-runner", "project": "web", "session_id": "ses_1", "action": "s3:GetObject", **fields}
        return Event(fresh_id(self.clock, "evt"), kind, self.clock.now_ns(), **values)

    async def told(self, *kinds: AlertKind) -> list[AlertRow]:
        """Return the alerts, oldest first."""
        found = await self.book.alerts(limit=500)
        return [row for row in reversed(found) if not kinds or row.alert.kind in kinds]

    async def raised(self, **fields: Any) -> AlertRow:
        """Raise an alert and return it."""
        change = raising(self.clock, some_alert(**fields))
        await self.ledger.commit(change)
        found = await self.book.alert(str(change.event.data["alert"]))
        assert found is not None
        return found

    async def delivery(self, row: AlertRow, channel: str = "ops", **fields: Any) -> Delivery:
        """Add a delivery that is due now."""
        made = dataclasses.replace(new_delivery(self.clock, row.id, channel, tries=6), **fields)
        await self.ledger.commit(Change(self.event(EventType.CONTENT_READ), (insertion(made),)))
        return made

    async def events(self, kind: EventType) -> list[Event]:
        return [parse_event(each.body) for each in await self.reader.events(EventFilter(type=kind.value, limit=1000))]


def some_alert(**fields: Any) -> Alert:
    values: dict[str, Any] = {
        "kind": AlertKind.DENIED, "subject": "agent:ci-runner", "title": "agent `ci-runner` was denied",
        "todo": "look at it", "severity": Severity.WARNING, "agent": "ci-runner", "project": "web",
        "session_id": "ses_1", "facts": {"action": "s3:GetObject"},
    }  # fmt: skip
    return Alert(**{**values, **fields})


def seen(kind: EventType, at_ns: int = FRIDAY_NOON_NS, seq: int = 1, **fields: Any) -> Seen:
    """Return an event as a detector gets it."""
    values = {"agent": "ci-runner", "project": "web", "session_id": "ses_1", "action": "s3:GetObject", **fields}
    return Seen(seq, Event(f"evt_{seq:026d}", kind, at_ns, **values))


NOTHING = Terms()


def fresh() -> Memory:
    return Memory()


@asynccontextmanager
async def open_desk(template: Path, folder: Path) -> AsyncGenerator[Desk, None]:
    shutil.copyfile(template, folder / "ledger.sqlite3")
    (folder / "ledger.sqlite3").chmod(0o600)
    database = open_database(f"sqlite:///{folder / 'ledger.sqlite3'}")
    clock = ManualClock(FRIDAY_NOON_NS)
    ledger = Ledger(database, clock)
    ledger.start()
    configuration = load_configuration(write(folder / "config", MAIN), CONNECTORS)
    try:
        yield Desk(database, ledger, SqlReader(database), clock, Book(database), Places(database), configuration)
    finally:
        await ledger.aclose()
        database.close()
