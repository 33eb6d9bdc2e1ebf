from __future__ import annotations

import asyncio

import pytest

from broker.alerts.book import State
from broker.alerts.dispatch import ended
from broker.alerts.model import AlertKind
from broker.alerts.service import Alerts
from broker.config.alerting import Channel, ChannelKind
from broker.store.base import EventType
from tests.house import PaperQueue
from tests.unit.broker.alerts.desk import Desk

CHANNELS = {name: Channel(name, ChannelKind.LOG) for name in ("ops", "soc")}


def service(desk: Desk, queue: PaperQueue, channels: dict[str, Channel] = CHANNELS) -> Alerts:
    return Alerts(desk.book, desk.ledger, queue, clock=desk.clock, channels=lambda: channels)


@pytest.mark.req("L3")
async def test_a_test_goes_to_every_channel_and_waits_for_what_becomes_of_it(desk: Desk) -> None:
    queue = PaperQueue()
    asking = asyncio.create_task(service(desk, queue).test("ana", wait_seconds=20))
    async with asyncio.timeout(10):
        while len(queue.posted) < 2:  # noqa: ASYNC110 - the queue is of paper and rings no bell
            await asyncio.sleep(0.001)
    for (delivery_id, _), state in zip(queue.posted, (State.DELIVERED, State.FAILED), strict=True):
        delivery = await desk.book.delivery(delivery_id)
        assert delivery is not None
        assert delivery.tries == 1
        await desk.ledger.commit(ended(desk.clock, delivery, state, "status-500" if state is State.FAILED else ""))
    row, deliveries = await asking
    assert row.alert.kind is AlertKind.TEST
    assert [(each.channel, each.state) for each in deliveries] == [("ops", State.DELIVERED), ("soc", State.FAILED)]
    [event] = await desk.events(EventType.ALERT_RAISED)
    assert event.operator == "ana"
    await desk.router(channels=("ops",)).round()
    assert len(await desk.book.deliveries(row.id)) == 2


async def test_without_a_worker_the_answer_says_what_waits(desk: Desk) -> None:
    queue = PaperQueue()
    queue.up = False
    _, deliveries = await service(desk, queue).test("ana", wait_seconds=0)
    assert {each.state for each in deliveries} == {State.PENDING}


async def test_without_channels_there_is_nothing_to_wait_for(desk: Desk) -> None:
    row, deliveries = await service(desk, PaperQueue(), {}).test("ana", wait_seconds=20)
    assert deliveries == []
    assert [each.id for each in await service(desk, PaperQueue()).newest(kind="test")] == [row.id]
    assert await service(desk, PaperQueue()).get(row.id) == (row, [])
    assert await service(desk, PaperQueue()).get("alt_none") is None
