"""What the alerts' own tables promise, on every database they run on."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from broker.alerts.book import Book, State
from broker.alerts.dispatch import ended
from broker.alerts.places import Places
from broker.alerts.routing import Router
from broker.alerts.watch import AlertWatch
from broker.config.alerting import Alerting
from broker.config.loader import load_configuration
from broker.store.base import EventType
from broker.store.database import Database
from broker.store.reader import SqlReader
from tests.house import ManualClock
from tests.parts.ledgers import change, running
from tests.unit.broker.config.paper import CONNECTORS, write


@pytest.mark.req("L3")
async def test_alerts_are_raised_routed_and_ended_once_by_any_number_of_processes(
    database: Database, tmp_path: Path
) -> None:
    clock, configuration = ManualClock(), load_configuration(write(tmp_path / "config"), CONNECTORS)
    places, book, reader = Places(database), Book(database), SqlReader(database)
    data: dict[str, Any] = {"problem": {"rule": "a"}, "resources": ["sheets/a", "sheets/b"]}
    async with running(database, clock) as ledger:
        watches = [
            AlertWatch(
                reader=reader, committer=ledger, places=places, configuration=lambda: configuration, clock=clock,
                owner=f"ins_{number}",
            )
            for number in range(3)
        ]  # fmt: skip
        routers = [Router(book, lambda: Alerting(("ops", "soc")), clock) for _ in range(3)]
        for kind in (EventType.INTENT_DENIED, EventType.INTENT_EXECUTING, EventType.HALT_STARTED):
            for _ in range(4):
                await ledger.commit(change(kind=kind, data=data, agent="\u00e4gent"))
            await asyncio.gather(*(each.look() for each in watches))
            clock.advance(11)
        await asyncio.gather(*(each.look() for each in watches), *(each.round() for each in routers))
        await asyncio.gather(*(each.round() for each in routers))
        rows = await book.alerts()
        assert Counter(row.alert.kind.value for row in rows) == {"denied": 1, "halt": 4}
        assert [calls for hours in (await places.hours(["\u00e4gent"], 0)).values() for _, calls in hours] == [8]
        assert len(await places.touched([("\u00e4gent", f"s3 sheets/{name}") for name in "abc"])) == 2
        assert (await places.first_touches(["\u00e4gent", "nobody"])).keys() == {"\u00e4gent"}
        due = await book.due(clock.now_ns())
        assert len(due) == 10
        claims = [book.claim(due[0], next_at_ns=1, now_ns=clock.now_ns()) for _ in range(5)]
        assert sorted(await asyncio.gather(*claims)) == [False] * 4 + [True]
        [taken] = [each for each in await book.due(clock.now_ns()) if each.id == due[0].id]
        await ledger.commit(ended(clock, taken, State.DELIVERED))
        assert len(await book.due(clock.now_ns())) == 9
        await places.forget_hours(1 << 62)
        assert await places.hours(["\u00e4gent"], 0) == {}
