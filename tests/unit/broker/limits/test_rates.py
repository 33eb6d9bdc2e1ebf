from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.limits.rates import MAX_LOW, MAX_NORMAL, MAX_SESSIONS, WINDOW_SECONDS, RequestRates

NS = 10**9


class Moment:
    """A clock whose monotonic time is set by the test and is far from its wall time."""

    def __init__(self) -> None:
        self.at_ns = 5 * NS
        self._drawn = itertools.count()

    def now_ns(self) -> int:
        raise AssertionError("wall time may jump")

    def monotonic_ns(self) -> int:
        return self.at_ns

    def entropy(self, size: int) -> bytes:
        return next(self._drawn).to_bytes(size, "big")


@pytest.fixture
def clock() -> Moment:
    return Moment()


def test_the_class_rises_with_the_requests_of_the_last_minute(clock: Moment) -> None:
    rates = RequestRates(clock)
    told = [rates.note("a") for _ in range(MAX_NORMAL + 2)]
    assert told == ["low"] * MAX_LOW + ["normal"] * (MAX_NORMAL - MAX_LOW) + ["high"] * 2
    assert type(told[0]) is str
    assert rates.note("b") == "low"


def test_what_is_older_than_a_minute_is_forgotten(clock: Moment) -> None:
    rates = RequestRates(clock)
    for _ in range(500):
        rates.note("a")
    clock.at_ns += WINDOW_SECONDS * NS - 1
    assert rates.note("a") == "high"
    clock.at_ns += 1
    assert rates.note("a") == "low"


def test_the_session_that_asked_longest_ago_is_forgotten_first(clock: Moment) -> None:
    rates = RequestRates(clock)
    for name in ("quiet", "busy"):
        for _ in range(MAX_LOW + 1):
            rates.note(name)
    for number in range(MAX_SESSIONS):
        rates.note("busy")
        rates.note(str(number))
    assert len(rates._moments) == MAX_SESSIONS
    assert rates.note("busy") == "high"
    assert rates.note("quiet") == "low"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3 * NS)), max_size=200))
def test_the_class_is_that_of_the_requests_counted_one_by_one(asked: list[tuple[str, int]]) -> None:
    clock, seen = Moment(), []
    rates = RequestRates(clock)
    for name, pause_ns in asked:
        clock.at_ns += pause_ns
        seen.append((name, clock.at_ns))
        count = sum(1 for other, at_ns in seen if other == name and at_ns > clock.at_ns - WINDOW_SECONDS * NS)
        expected = "low" if count <= MAX_LOW else "normal" if count <= MAX_NORMAL else "high"
        assert rates.note(name) == expected
