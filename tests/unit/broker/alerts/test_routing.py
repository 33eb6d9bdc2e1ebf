from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from broker.alerts.book import State
from broker.alerts.model import AlertKind, Severity
from broker.alerts.routing import MOST_OF_ONE_AGENT, MOST_ORDINARY, MOST_PER_HOUR, TRIES
from tests.unit.broker.alerts.desk import Desk


async def states(desk: Desk, channel: str = "ops") -> Counter[State]:
    rows = await desk.told()
    found = [each for row in rows for each in await desk.book.deliveries(row.id)]
    return Counter(each.state for each in found if each.channel == channel)


@pytest.mark.req("L3")
async def test_an_alert_goes_to_every_channel_that_is_named_once(desk: Desk) -> None:
    row = await desk.raised()
    routers = [desk.router(channels=("ops", "soc")) for _ in range(3)]
    await asyncio.gather(*(router.round() for router in routers))
    await routers[0].round()
    found = await desk.book.deliveries(row.id)
    assert [(each.channel, each.state, each.tries, each.attempts) for each in found] == [
        ("ops", State.PENDING, TRIES, 0),
        ("soc", State.PENDING, TRIES, 0),
    ]
    assert found == sorted(await desk.book.due(desk.clock.now_ns()), key=lambda each: each.channel)


async def test_without_channels_an_alert_is_in_the_list_only(desk: Desk) -> None:
    row = await desk.raised()
    await desk.router(channels=()).round()
    assert await desk.book.deliveries(row.id) == []
    await desk.router().round()
    assert await desk.book.deliveries(row.id) == []


async def test_kinds_that_nobody_asked_for_are_not_sent(desk: Desk) -> None:
    quiet, loud = await desk.raised(kind=AlertKind.RATE), await desk.raised(kind=AlertKind.HALT)
    await desk.router(kinds=frozenset({AlertKind.HALT})).round()
    assert await desk.book.deliveries(quiet.id) == []
    assert len(await desk.book.deliveries(loud.id)) == 1


@pytest.mark.req("L3")
async def test_one_noisy_agent_cannot_hide_what_others_do(desk: Desk) -> None:
    for number in range(100):
        await desk.raised(subject=str(number), agent="noisy")
    router = desk.router()
    await router.round()
    assert await states(desk) == {State.PENDING: MOST_OF_ONE_AGENT, State.HELD: 100 - MOST_OF_ONE_AGENT}
    other = await desk.raised(agent="other")
    urgent = await desk.raised(agent="noisy", severity=Severity.CRITICAL)
    await router.round()
    for row in (other, urgent):
        assert [each.state for each in await desk.book.deliveries(row.id)] == [State.PENDING]


@pytest.mark.req("L3")
async def test_a_channel_gets_so_many_an_hour_and_the_last_few_are_for_what_is_critical(desk: Desk) -> None:
    router = desk.router()
    for number in range(40):
        await desk.raised(subject=str(number), agent=f"agent-{number}")
    await router.round()
    assert (await states(desk))[State.PENDING] == MOST_ORDINARY
    for number in range(40):
        await desk.raised(subject=f"c{number}", agent="", severity=Severity.CRITICAL)
    await router.round()
    assert (await states(desk))[State.PENDING] == MOST_PER_HOUR


@pytest.mark.req("L3")
async def test_one_message_tells_of_all_that_were_held_and_the_next_an_hour_later(desk: Desk) -> None:
    router = desk.router()
    for number in range(50):
        await desk.raised(subject=str(number), agent="noisy")
    await router.round()
    desk.clock.advance(299)
    await router.round()
    assert (await states(desk))[State.FOLDED] == 0
    desk.clock.advance(2)
    await asyncio.gather(router.round(), desk.router().round())
    digests = [each for each in await desk.book.due(desk.clock.now_ns()) if each.more]
    assert [each.more for each in digests] == [50 - MOST_OF_ONE_AGENT]
    assert await states(desk) == {State.PENDING: MOST_OF_ONE_AGENT + 1, State.FOLDED: 50 - MOST_OF_ONE_AGENT}

    await desk.raised(subject="late", agent="noisy")
    await router.round()
    desk.clock.advance(600)
    await router.round()
    assert (await states(desk))[State.HELD] == 1
    desk.clock.advance(3600)
    await router.round()
    assert (await states(desk))[State.HELD] == 0


async def test_after_an_hour_there_is_room_again(desk: Desk) -> None:
    for number in range(30):
        await desk.raised(subject=str(number), agent="noisy")
    await desk.router().round()
    desk.clock.advance(3601)
    row = await desk.raised(agent="noisy")
    await desk.router().round()
    assert [each.state for each in await desk.book.deliveries(row.id)] == [State.PENDING]
