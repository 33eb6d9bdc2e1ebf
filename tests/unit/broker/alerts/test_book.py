from __future__ import annotations

from dataclasses import replace

from broker.alerts.book import State
from broker.alerts.model import AlertKind
from broker.alerts.routing import new_delivery
from tests.unit.broker.alerts.desk import Desk


async def test_alerts_are_listed_newest_first_by_kind_and_time(desk: Desk) -> None:
    first = await desk.raised(subject="1")
    desk.clock.advance(10)
    second = await desk.raised(subject="2", kind=AlertKind.RATE)
    third = await desk.raised(subject="3")
    assert [row.id for row in await desk.book.alerts()] == [third.id, second.id, first.id]
    assert [row.id for row in await desk.book.alerts(kind="denied")] == [third.id, first.id]
    assert [row.id for row in await desk.book.alerts(since_ns=first.at_ns + 1)] == [third.id, second.id]
    assert [row.id for row in await desk.book.alerts(limit=1)] == [third.id]
    assert await desk.book.alert("alt_none") is None
    assert await desk.book.alert("alt\0") is None
    assert await desk.book.delivery("dlv_none") is None


async def test_a_try_is_begun_by_one(desk: Desk) -> None:
    delivery = await desk.delivery(await desk.raised())
    now_ns = desk.clock.now_ns()
    assert await desk.book.claim(delivery, next_at_ns=now_ns + 5, now_ns=now_ns)
    assert not await desk.book.claim(delivery, next_at_ns=now_ns + 5, now_ns=now_ns)
    begun = await desk.book.delivery(delivery.id)
    assert begun == replace(delivery, attempts=1, next_at_ns=now_ns + 5, error="no answer yet")
    assert await desk.book.due(now_ns + 4) == []
    assert await desk.book.due(now_ns + 5) == [begun]
    await desk.book.missed(delivery, "status-500", next_at_ns=now_ns + 9, now_ns=now_ns)  # of a try that is over
    assert await desk.book.delivery(delivery.id) == begun


async def test_what_is_held_is_told_of_once(desk: Desk) -> None:
    row = await desk.raised()
    held = [await desk.delivery(row, state=State.HELD) for _ in range(3)]
    digest = new_delivery(desk.clock, row.id, "ops", tries=6, more=3)
    assert await desk.book.fold(digest, held)
    assert not await desk.book.fold(new_delivery(desk.clock, row.id, "ops", tries=6, more=3), held[:2])
    assert {each.state for each in await desk.book.deliveries(row.id)} == {State.FOLDED, State.PENDING}
    assert await desk.book.due(desk.clock.now_ns()) == [digest]
