from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.alerts.folds import MAX_OPEN, OTHERS, WINDOW_SECONDS, Folds
from tests.unit.broker.alerts.desk import some_alert

SECOND = 10**9
WINDOW = WINDOW_SECONDS * SECOND


@pytest.mark.req("L3")
def test_the_first_is_told_at_once_and_what_follows_together_when_the_window_is_over() -> None:
    folds = Folds()
    assert [each.count for each in folds.note(some_alert(), 0, "1")] == [1]
    for number in range(499):
        assert folds.note(some_alert(), number * SECOND // 10, str(number + 2)) == []
    assert folds.due(WINDOW - 1) == []
    [notice] = folds.due(WINDOW)
    assert notice.count == 499
    assert notice.alert.title.startswith("499 more")
    assert folds.due(WINDOW + 1) == []


def test_a_burst_that_goes_on_is_told_once_in_each_window_and_one_that_ended_is_forgotten() -> None:
    folds = Folds()
    told = [notice for second in range(3600) for notice in folds.note(some_alert(), second * SECOND, str(second))]
    assert len(told) == 6
    assert sum(notice.count for notice in told) + sum(each.count for each in folds.due(3600 * SECOND)) == 3600
    folds.due(3600 * SECOND + 2 * WINDOW)
    assert len(folds) == 0
    assert [each.count for each in folds.note(some_alert(), 9000 * SECOND, "x")] == [1]


def test_two_subjects_are_two_bursts() -> None:
    folds = Folds()
    assert folds.note(some_alert(), 0, "1")
    assert folds.note(some_alert(subject="agent:other"), 0, "2")


def test_what_is_kept_goes_on_where_it_was_left() -> None:
    folds = Folds()
    folds.note(some_alert(), 0, "1")
    folds.note(some_alert(), 1, "2")
    again = Folds(orjson.loads(orjson.dumps(folds.to_json())))
    assert again.note(some_alert(), 2, "3") == []
    [notice] = again.due(WINDOW)
    [same] = folds.due(WINDOW)
    assert (notice.count, same.count) == (2, 1)
    assert (notice.window, notice.alert.subject) == (same.window, same.alert.subject)


def test_bursts_are_bounded_whatever_agents_do() -> None:
    folds = Folds()
    told = [notice for number in range(3 * MAX_OPEN) for notice in folds.note(some_alert(subject=str(number)), 0, "w")]
    assert len(told) == len(folds) == MAX_OPEN + 1
    assert told[-1].alert.subject == OTHERS
    assert told[-1].alert.agent == ""


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 900)), max_size=60))
@settings(max_examples=60)
def test_nothing_is_lost_or_told_twice(steps: list[tuple[int, int]]) -> None:
    folds, now, told = Folds(), 0, 0
    for number, (subject, pause) in enumerate(steps):
        now += pause * SECOND
        notices = folds.note(some_alert(subject=str(subject)), now, str(number))
        told += sum(each.count for each in notices)
        keys = [(each.alert.subject, each.window) for each in notices]
        assert len(set(keys)) == len(keys)
    told += sum(each.count for each in folds.due(now + WINDOW))
    assert told == len(steps)
