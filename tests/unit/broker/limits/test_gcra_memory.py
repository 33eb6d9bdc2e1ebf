from __future__ import annotations

from broker.limits.gcra import Claim, SharedRates, Short, Taken
from broker.limits.gcra_memory import MAX_KEPT, MemoryRates
from tests.house import ManualClock
from tests.parts.rates import RatesContract

NS = 10**9


class TestMemoryRates(RatesContract):
    """What one process counts keeps the contract."""

    clock = ManualClock()

    def rates(self) -> SharedRates:
        return MemoryRates(self.clock)

    async def passes(self, seconds: float) -> None:
        self.clock.advance(seconds)


async def test_what_was_asked_longest_ago_is_forgotten_and_gets_no_more_than_a_new_one() -> None:
    clock = ManualClock()
    rates = MemoryRates(clock)
    first = Claim("first", NS, 2)
    for _ in range(2):
        assert await rates.take([first], "x") == Taken()
    for number in range(MAX_KEPT):
        await rates.take([Claim(str(number), NS, 1)], "x")
    assert len(rates._tats) == MAX_KEPT
    assert [await rates.take([first], "x") for _ in range(3)] == [Taken(), Taken(), Short("first", NS)]


async def test_places_that_are_given_back_leave_nothing_behind() -> None:
    rates = MemoryRates(ManualClock())
    claims = [Claim("a", places=1), Claim("b", NS, 1)]
    await rates.take(claims, "x")
    await rates.renew({"x": claims})
    await rates.give_back(claims, "x")
    await rates.give_back(claims, "x")
    assert rates._held == {}
