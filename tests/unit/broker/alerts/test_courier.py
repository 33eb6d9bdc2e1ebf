"""The way of a delivery: dispatched, tried, tried again, ended."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from broker.alerts.book import Delivery, State
from broker.alerts.channels.base import Fault, Outgoing
from broker.alerts.courier import LOST_SECONDS, PAUSES_SECONDS, Courier
from broker.alerts.dispatch import Dispatcher
from broker.config.alerting import Channel, ChannelKind
from broker.errors import LedgerUnavailableError
from broker.store.base import Change, EventType, Position
from tests.house import PaperQueue
from tests.unit.broker.alerts.desk import Desk

OPS = Channel("ops", ChannelKind.LOG)


class ScriptedSender:
    """Answers from a script, then takes everything."""

    def __init__(self, *script: Fault | BaseException | None) -> None:
        self.script = list(script)
        self.sent: list[Outgoing] = []

    async def send(self, outgoing: Outgoing) -> Fault | None:
        self.sent.append(outgoing)
        await asyncio.sleep(0)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, BaseException):
            raise step
        return step


def courier(desk: Desk, sender: ScriptedSender, *, committer: Any = None, **channels: Channel) -> Courier:
    return Courier(
        book=desk.book,
        committer=committer or desk.ledger,
        clock=desk.clock,
        channels=lambda: channels or {"ops": OPS},
        senders=dict.fromkeys(ChannelKind, sender),
        base_url="https://ostiary.example",
    )


async def state_of(desk: Desk, delivery: Delivery) -> Delivery:
    found = await desk.book.delivery(delivery.id)
    assert found is not None
    return found


@pytest.mark.req("L3")
async def test_what_a_channel_took_is_on_the_ledger_and_is_not_sent_again(desk: Desk) -> None:
    row, sender = await desk.raised(), ScriptedSender()
    delivery = await desk.delivery(row)
    for _ in range(3):
        await courier(desk, sender).deliver(delivery.id, 0)
    [sent] = sender.sent
    assert (sent.row, sent.channel, sent.url) == (row, OPS, f"https://ostiary.example/v1/alerts/{row.id}")
    assert (await state_of(desk, delivery)).state is State.DELIVERED
    [event] = await desk.events(EventType.ALERT_DELIVERED)
    assert event.data == {"alert": row.id, "delivery": delivery.id, "channel": "ops", "attempts": 1}


@pytest.mark.req("L3")
async def test_five_more_tries_with_longer_pauses_and_then_it_failed(desk: Desk) -> None:
    delivery = await desk.delivery(await desk.raised())
    sender, queue = ScriptedSender(*[Fault("status-500")] * 9), PaperQueue()
    dispatcher, carrying = Dispatcher(desk.book, queue, desk.ledger, desk.clock), courier(desk, sender)
    tried_at: list[int] = []
    for _ in range(4000):
        await dispatcher.round()
        posted, queue.posted = queue.posted, []
        for delivery_id, attempt in posted:
            tried_at.append(desk.clock.now_ns() // 10**9)
            await carrying.deliver(delivery_id, attempt)
        if (await state_of(desk, delivery)).state is not State.PENDING:
            break
        desk.clock.advance(5)
    assert [later - earlier for earlier, later in itertools.pairwise(tried_at)] == list(PAUSES_SECONDS)
    assert {sent.delivery.id for sent in sender.sent} == {delivery.id}
    [event] = await desk.events(EventType.ALERT_FAILED)
    assert (event.data["attempts"], event.data["error"]) == (6, "status-500")
    assert (await state_of(desk, delivery)).error == "status-500"


async def test_a_channel_that_came_back_gets_it_with_the_same_id(desk: Desk) -> None:
    delivery = await desk.delivery(await desk.raised())
    sender = ScriptedSender(Fault("unreachable"))
    carrying = courier(desk, sender)
    await carrying.deliver(delivery.id, 0)
    assert (await state_of(desk, delivery)).error == "unreachable"
    await carrying.deliver(delivery.id, 1)  # nobody may use up the tries by sending messages
    assert len(sender.sent) == 1
    desk.clock.advance(PAUSES_SECONDS[0])
    await carrying.deliver(delivery.id, 1)
    assert (await state_of(desk, delivery)).state is State.DELIVERED
    assert [sent.delivery.id for sent in sender.sent] == [delivery.id] * 2


async def test_what_no_other_try_would_help_is_not_tried_again(desk: Desk) -> None:
    delivery = await desk.delivery(await desk.raised())
    await courier(desk, ScriptedSender(Fault("status-410", lasting=True))).deliver(delivery.id, 0)
    assert (await state_of(desk, delivery)).state is State.FAILED
    gone = await desk.delivery(await desk.raised(), "nowhere")
    sender = ScriptedSender()
    await courier(desk, sender).deliver(gone.id, 0)
    assert (await state_of(desk, gone)).error == "channel-gone"
    assert sender.sent == []


async def test_messages_that_are_doubled_late_or_invented_send_nothing_twice(desk: Desk) -> None:
    delivery = await desk.delivery(await desk.raised())
    sender = ScriptedSender(Fault("status-500"))
    couriers = [courier(desk, sender) for _ in range(4)]
    await asyncio.gather(*(each.deliver(delivery.id, 0) for each in couriers))
    desk.clock.advance(PAUSES_SECONDS[0])
    for attempt in (0, 5, 7):
        await couriers[0].deliver(delivery.id, attempt)
    await couriers[0].deliver("dlv_" + "0" * 26, 0)
    orphan = await desk.delivery(await desk.raised(), alert_id="alt_gone")
    await couriers[0].deliver(orphan.id, 0)
    held = await desk.delivery(await desk.raised(), state=State.HELD)
    await couriers[0].deliver(held.id, 0)
    assert len(sender.sent) == 1


async def test_a_courier_that_died_is_followed_by_another_and_the_last_one_by_the_end(desk: Desk) -> None:
    delivery = await desk.delivery(await desk.raised(), tries=2)
    queue = PaperQueue()
    dispatcher = Dispatcher(desk.book, queue, desk.ledger, desk.clock)
    for attempt in range(2):
        with pytest.raises(KeyboardInterrupt):
            await courier(desk, ScriptedSender(KeyboardInterrupt())).deliver(delivery.id, attempt)
        desk.clock.advance(LOST_SECONDS - 1)
        await dispatcher.round()
        assert queue.posted == [(delivery.id, 1)] * attempt
        desk.clock.advance(1)
        await dispatcher.round()
    assert queue.posted == [(delivery.id, 1)]
    found = await state_of(desk, delivery)
    assert (found.state, found.error) == (State.FAILED, "no answer yet")


async def test_what_was_taken_and_could_not_be_told_is_sent_again_with_the_same_id(desk: Desk) -> None:
    class Away:
        async def commit(self, change: Change) -> Position:
            raise LedgerUnavailableError("away")

    delivery, sender = await desk.delivery(await desk.raised()), ScriptedSender()
    with pytest.raises(LedgerUnavailableError):
        await courier(desk, sender, committer=Away()).deliver(delivery.id, 0)
    assert (await state_of(desk, delivery)).state is State.PENDING
    desk.clock.advance(LOST_SECONDS)
    await courier(desk, sender).deliver(delivery.id, 1)
    assert len({sent.delivery.id for sent in sender.sent}) == 1
    assert len(sender.sent) == 2
    assert len(await desk.events(EventType.ALERT_DELIVERED)) == 1


async def test_a_try_that_another_ended_meanwhile_is_not_told_twice(desk: Desk) -> None:
    delivery = await desk.delivery(await desk.raised(), tries=1)

    class Quick(ScriptedSender):
        async def send(self, outgoing: Outgoing) -> Fault | None:
            desk.clock.advance(LOST_SECONDS)
            await Dispatcher(desk.book, PaperQueue(), desk.ledger, desk.clock).round()
            return None

    await courier(desk, Quick()).deliver(delivery.id, 0)
    assert (await state_of(desk, delivery)).state is State.FAILED
    assert await desk.events(EventType.ALERT_DELIVERED) == []


async def test_a_message_is_sent_again_when_it_may_be_lost_and_not_before(desk: Desk) -> None:
    delivery, queue = await desk.delivery(await desk.raised()), PaperQueue()
    dispatcher = Dispatcher(desk.book, queue, desk.ledger, desk.clock)
    for _ in range(9):
        await dispatcher.round()
        desk.clock.advance(1)
    assert queue.posted == [(delivery.id, 0)]
    desk.clock.advance(2)
    await dispatcher.round()
    assert queue.posted == [(delivery.id, 0)] * 2


@pytest.mark.req("H4")
async def test_without_a_queue_everything_waits_in_the_database(desk: Desk) -> None:
    delivery, queue = await desk.delivery(await desk.raised()), PaperQueue()
    queue.up = False
    dispatcher = Dispatcher(desk.book, queue, desk.ledger, desk.clock)
    await dispatcher.round()
    queue.up = True
    await dispatcher.round()
    assert queue.posted == [(delivery.id, 0)]


async def test_two_processes_that_give_one_up_tell_it_once(desk: Desk) -> None:
    await desk.delivery(await desk.raised(), attempts=6)
    rounds = [Dispatcher(desk.book, PaperQueue(), desk.ledger, desk.clock).round() for _ in range(3)]
    await asyncio.gather(*rounds)
    assert len(await desk.events(EventType.ALERT_FAILED)) == 1
