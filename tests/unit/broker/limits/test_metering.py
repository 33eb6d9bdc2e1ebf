from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from broker.limits.gcra import Claim, RatesUnavailableError, Short, Taken
from broker.limits.gcra_memory import MemoryRates
from broker.limits.metering import Meter
from tests.house import ManualClock

NS = 10**9
PLACES = [Claim("places", places=2)]


class Distant:
    """Shared rates with real state, which can be lost, and which answers when it is let."""

    def __init__(self, clock: ManualClock) -> None:
        self.rates = MemoryRates(clock)
        self.up = True
        self.asked = 0
        self.let = asyncio.Event()
        self.let.set()
        self.renewed: list[set[str]] = []

    async def _reach(self) -> None:
        self.asked += 1
        await self.let.wait()
        if not self.up:
            raise RatesUnavailableError("away")

    async def take(self, claims: Sequence[Claim], lease: str) -> Taken | Short:
        await self._reach()
        return await self.rates.take(claims, lease)

    async def give_back(self, claims: Sequence[Claim], lease: str) -> None:
        await self._reach()
        await self.rates.give_back(claims, lease)

    async def renew(self, held: Mapping[str, Sequence[Claim]]) -> None:
        await self._reach()
        self.renewed.append(set(held))
        for lease, claims in held.items():
            self.rates.note(claims, lease, Taken())


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def distant(clock: ManualClock) -> Distant:
    return Distant(clock)


async def test_two_processes_share_rates_and_places(clock: ManualClock, distant: Distant) -> None:
    one, two = Meter(clock, distant), Meter(clock, distant)
    rate = [Claim("rate", NS, 2)]
    assert [await each.take(rate, "x") for each in (one, two, one)] == [Taken(), Taken(), Short("rate", NS)]
    assert [await each.take(PLACES, str(each)) for each in (one, two)] == [Taken()] * 2
    assert await one.take(PLACES, "y") == Short("places", places=True)
    two.give_back(PLACES, str(two))
    await two.aclose()
    assert await one.take(PLACES, "y") == Taken()


async def test_a_lost_server_leaves_the_limits_of_this_process_and_is_told_once(
    clock: ManualClock, distant: Distant
) -> None:
    told: list[bool] = []
    meter, claims = Meter(clock, distant, told.append), [Claim("rate", NS, 2)]
    assert await meter.take(claims, "x") == Taken()
    distant.up = False
    assert [await meter.take(claims, "x") for _ in range(2)] == [Taken(), Short("rate", NS)]
    assert (told, meter.degraded, distant.asked) == ([True], True, 2)
    clock.advance(1)
    assert await meter.take(claims, "x") == Taken()
    assert (told, distant.asked) == ([True], 3)
    distant.up = True
    clock.advance(1)
    assert await meter.take(claims, "x") == Taken()
    assert (told, meter.degraded) == ([True, False], False)


async def test_of_many_that_come_while_the_server_is_lost_one_a_second_waits_for_it(
    clock: ManualClock, distant: Distant
) -> None:
    meter = Meter(clock, distant)
    distant.up = False
    await meter.take(PLACES, "x")
    clock.advance(1)
    for number in range(50):
        await meter.take([Claim("rate", NS, 100)], str(number))
    assert distant.asked == 2


async def test_what_was_lent_elsewhere_counts_here_when_the_server_is_lost(
    clock: ManualClock, distant: Distant
) -> None:
    meter = Meter(clock, distant)
    assert [await meter.take(PLACES, name) for name in "ab"] == [Taken()] * 2
    distant.up = False
    assert await meter.take(PLACES, "c") == Short("places", places=True)
    meter.give_back(PLACES, "a")
    await meter.aclose()
    assert (await meter.take(PLACES, "c"), meter.degraded) == (Taken(), True)


async def test_who_is_cancelled_while_the_server_is_asked_gives_the_place_back_there(
    clock: ManualClock, distant: Distant
) -> None:
    meter = Meter(clock, distant)
    distant.let.clear()
    asking = asyncio.create_task(meter.take(PLACES, "a"))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await distant.rates.take(PLACES, "a")  # the script ran all the same
    distant.let.set()
    meter.give_back(PLACES, "a")
    await meter.aclose()
    assert distant.rates._held == {}


async def test_what_is_held_is_renewed_and_what_was_given_back_meanwhile_is_not_held_for_ever(
    clock: ManualClock, distant: Distant
) -> None:
    meter = Meter(clock, distant)
    await meter.renew()
    assert distant.asked == 0
    for name in "ab":
        await meter.take(PLACES, name)
    await meter.take([Claim("rate", NS, 9)], "no place")
    distant.let.clear()
    renewing = asyncio.create_task(meter.renew())
    await asyncio.sleep(0)
    meter.give_back(PLACES, "a")
    await distant.rates.give_back(PLACES, "a")  # it came there before the renewal
    distant.let.set()
    await renewing
    await meter.aclose()
    assert distant.renewed == [{"a", "b"}]
    assert distant.rates._held == {"places": {"b"}}


async def test_a_renewal_that_fails_is_told_and_one_that_works_ends_it(clock: ManualClock, distant: Distant) -> None:
    told: list[bool] = []
    meter = Meter(clock, distant, told.append)
    await meter.take(PLACES, "a")
    distant.up = False
    await meter.renew()
    distant.up = True
    await meter.renew()
    assert told == [True, False]


async def test_a_place_that_the_server_refused_or_lost_is_not_renewed(clock: ManualClock, distant: Distant) -> None:
    meter = Meter(clock, distant)
    for name in "ab":
        await distant.rates.take(PLACES, name)
    assert await meter.take(PLACES, "c") == Short("places", places=True)
    distant.up = False
    await meter.take(PLACES, "d")
    distant.up = True
    await meter.renew()
    assert distant.renewed == []


async def test_one_process_alone_needs_no_server(clock: ManualClock) -> None:
    meter = Meter(clock, None)
    assert await meter.take(PLACES, "a") == Taken()
    await meter.renew()
    meter.give_back(PLACES, "a")
    assert not meter.degraded
