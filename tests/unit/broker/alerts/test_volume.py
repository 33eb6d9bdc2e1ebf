from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.alerts import volume
from broker.alerts.memory import HOUR_NS, Memory, Usual, hour_of
from broker.store.base import EventType
from tests.unit.broker.alerts.desk import FRIDAY_NOON_NS, NOTHING, fresh, seen

HOUR = hour_of(FRIDAY_NOON_NS)


def known(*calls: int, first_hours_ago: int = 48) -> Usual:
    hours = [(HOUR - (first_hours_ago - index) * HOUR_NS, each) for index, each in enumerate(calls)]
    return volume.usual_of(hours, HOUR)


def calls(memory: Memory, count: int) -> list[int]:
    """The calls at which something was told."""
    return [
        number
        for number in range(1, count + 1)
        if volume.see(seen(EventType.INTENT_EXECUTING, FRIDAY_NOON_NS + number, number), memory, NOTHING)
    ]


@pytest.mark.req("L3")
def test_ten_times_the_usual_is_told_once_in_an_hour() -> None:
    memory = fresh()
    memory.usual["ci-runner", HOUR] = known(8, 9, 10, 10, 11, 12, 2000)
    assert calls(memory, 400) == [100]
    assert memory.added_calls["ci-runner", HOUR] == 400


@pytest.mark.req("L3")
@pytest.mark.parametrize(
    ("usual", "told_at"),
    [
        (known(1, 1, 1, 1, 1, 1), [volume.MIN_CALLS]),  # few calls are never told
        (known(10, 10, 10, 10, 10), []),  # too few hours are known
        (known(10, 10, 10, 10, 10, 10, first_hours_ago=23), []),  # not known for a day yet
        (known(), []),
        (known(5, 5, 5, 500, 500, 500, 500), []),
    ],
)
def test_nothing_is_said_before_it_is_known_what_is_usual(usual: Usual, told_at: list[int]) -> None:
    memory = fresh()
    memory.usual["ci-runner", HOUR] = usual
    assert calls(memory, 300) == told_at


def test_calls_that_were_counted_before_a_restart_count() -> None:
    memory = fresh()
    memory.usual["ci-runner", HOUR] = known(10, 10, 10, 10, 10, 10)
    memory.calls["ci-runner", HOUR] = 99
    assert calls(memory, 1) == [1]
    assert memory.added_calls["ci-runner", HOUR] == 1


def test_an_event_of_no_agent_counts_for_nobody() -> None:
    memory = fresh()
    assert volume.see(seen(EventType.INTENT_EXECUTING, agent=""), memory, NOTHING) == []
    assert not memory.added_calls


def test_only_the_last_two_weeks_before_the_hour_count() -> None:
    old, future = HOUR - 15 * 24 * HOUR_NS, HOUR + HOUR_NS
    assert volume.usual_of([(old, 7), (HOUR, 8), (future, 9)], HOUR) == Usual()
    assert volume.usual_of([(old, 7), (HOUR - HOUR_NS, 8)], HOUR) == Usual(8, 1, HOUR - HOUR_NS)


@given(st.lists(st.integers(1, 1000), min_size=7, max_size=40), st.integers(1, 3))
@settings(max_examples=60)
def test_a_few_wild_hours_do_not_make_ten_times_as_much_usual(steady: Sequence[int], wild: int) -> None:
    hours = [min(each, 20) for each in steady] + [1_000_000] * wild
    if len(steady) <= 2 * wild:
        return
    assert known(*hours).median <= 20


def test_what_was_written_is_not_written_again_and_old_hours_are_forgotten() -> None:
    memory = fresh()
    memory.usual["ci-runner", HOUR] = memory.usual["ci-runner", HOUR - 2 * HOUR_NS] = known()
    calls(memory, 3)
    memory.added_touches["ci-runner", "s3 x"] = 1
    memory.written(FRIDAY_NOON_NS)
    assert not memory.added_calls
    assert not memory.added_touches
    assert list(memory.usual) == [("ci-runner", HOUR)]
    assert memory.calls["ci-runner", HOUR] == 3
