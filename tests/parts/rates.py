"""What every implementation of `broker.limits.gcra.SharedRates` must do; a test class derives from it."""

from __future__ import annotations

from broker.limits.gcra import Claim, SharedRates, Short, Taken

NS = 10**9
SLACK_NS = NS // 2
"""Real time goes on between two calls."""


class RatesContract:
    """One suite; `rates` makes the implementation, `passes` lets time pass for it."""

    def rates(self) -> SharedRates:
        raise NotImplementedError

    async def passes(self, seconds: float) -> None:
        raise NotImplementedError

    async def test_a_burst_passes_and_the_next_one_is_told_when_it_fits(self) -> None:
        rates, claims = self.rates(), [Claim("burst", 20 * NS, 3)]
        assert [await rates.take(claims, str(number)) for number in range(3)] == [Taken()] * 3
        answer = await rates.take(claims, "late")
        assert isinstance(answer, Short)
        assert (answer.key, answer.places) == ("burst", False)
        assert 20 * NS - SLACK_NS <= answer.wait_ns <= 20 * NS

    async def test_after_an_interval_one_more_passes(self) -> None:
        rates, claims = self.rates(), [Claim("interval", NS // 5, 1)]
        assert await rates.take(claims, "one") == Taken()
        assert isinstance(await rates.take(claims, "two"), Short)
        await self.passes(0.25)
        assert await rates.take(claims, "two") == Taken()

    async def test_those_who_may_wait_get_slots_in_the_order_in_which_they_came(self) -> None:
        rates, claims = self.rates(), [Claim("slots", 3 * NS, 1, patience_ns=10 * NS)]
        answers = [await rates.take(claims, str(number)) for number in range(5)]
        waits = [answer.wait_ns for answer in answers]
        expected = [0, 3 * NS, 6 * NS, 9 * NS, 12 * NS]
        assert all(0 <= due - wait <= SLACK_NS for due, wait in zip(expected, waits, strict=True)), waits
        assert [type(answer) for answer in answers] == [Taken] * 4 + [Short]

    async def test_of_several_limits_all_give_or_none(self) -> None:
        rates = self.rates()
        wide, narrow, places = Claim("wide", 20 * NS, 2), Claim("narrow", 20 * NS, 1), Claim("few", places=1)
        assert await rates.take([wide, narrow, places], "one") == Taken()
        refused = await rates.take([wide, narrow], "two")
        assert (type(refused), getattr(refused, "key", "")) == (Short, "narrow")
        assert await rates.take([wide, places], "two") == Short("few", places=True)
        assert await rates.take([wide], "two") == Taken()
        assert isinstance(await rates.take([wide], "three"), Short)

    async def test_a_slot_that_one_limit_delays_is_counted_there_by_the_others(self) -> None:
        rates = self.rates()
        slow = Claim("slow", 10 * NS, 1, patience_ns=30 * NS)
        other = Claim("other", 5 * NS, 1, patience_ns=30 * NS)
        await rates.take([slow], "one")
        delayed = await rates.take([slow, other], "two")
        behind = await rates.take([other], "three")
        assert isinstance(delayed, Taken)
        assert isinstance(behind, Taken)
        assert 0 <= 10 * NS - delayed.wait_ns <= SLACK_NS
        assert 0 <= 15 * NS - behind.wait_ns <= SLACK_NS

    async def test_places_are_held_until_they_are_given_back_and_twice_is_once(self) -> None:
        rates, claims = self.rates(), [Claim("places", places=2)]
        assert [await rates.take(claims, name) for name in ("one", "two")] == [Taken(), Taken()]
        assert await rates.take(claims, "three") == Short("places", places=True)
        for _ in range(2):
            await rates.give_back(claims, "one")
        assert await rates.take(claims, "three") == Taken()
        assert await rates.take(claims, "four") == Short("places", places=True)
        await rates.give_back(claims, "unheard of")
        assert await rates.take(claims, "four") == Short("places", places=True)

    async def test_a_lease_that_is_renewed_is_held_still(self) -> None:
        rates, claims = self.rates(), [Claim("renewed", places=1), Claim("rate", 1, 1)]
        await rates.take(claims, "one")
        await rates.renew({"one": claims})
        await rates.renew({})
        assert await rates.take(claims[:1], "two") == Short("renewed", places=True)
        await rates.give_back(claims, "one")
        assert await rates.take(claims[:1], "two") == Taken()

    async def test_the_largest_and_the_smallest_numbers_are_counted_exactly(self) -> None:
        rates, claims = self.rates(), [Claim("a minute", 60 * NS, 1_000_000, patience_ns=60 * NS)]
        for _ in range(3):
            assert await rates.take(claims, "x") == Taken()
        quick = [Claim("quick", 60_000, 1)]
        assert await rates.take(quick, "x") == Taken()
        await self.passes(0.001)
        assert await rates.take(quick, "x") == Taken()
