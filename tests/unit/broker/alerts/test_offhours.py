from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.alerts import offhours
from broker.alerts.memory import Memory, Terms
from broker.config.alerting import WorkingHours
from broker.store.base import EventType
from tests.unit.broker.alerts.desk import fresh, seen

BERLIN = WorkingHours(frozenset({1, 2, 3, 4, 5}), 8 * 60, 19 * 60, "Europe/Berlin")
NIGHTS = WorkingHours(frozenset({5}), 22 * 60, 6 * 60)
ALWAYS = WorkingHours(frozenset(range(1, 8)), 0, 24 * 60)


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 10**9


@pytest.mark.req("L3")
@pytest.mark.parametrize(
    ("hours", "moment", "since"),
    [
        (BERLIN, "2027-01-15T12:00:00+01:00", None),
        (BERLIN, "2027-01-15T08:00:00+01:00", None),
        (BERLIN, "2027-01-15T07:59:59+01:00", "2027-01-14T19:00:00+01:00"),
        (BERLIN, "2027-01-15T19:00:00+01:00", "2027-01-15T19:00:00+01:00"),
        (BERLIN, "2027-01-17T23:00:00+01:00", "2027-01-15T19:00:00+01:00"),
        (BERLIN, "2027-01-18T03:00:00+01:00", "2027-01-15T19:00:00+01:00"),
        (BERLIN, "2027-07-15T07:30:00+02:00", "2027-07-14T19:00:00+02:00"),
        (NIGHTS, "2027-01-15T21:59:59+00:00", "2027-01-09T06:00:00+00:00"),
        (NIGHTS, "2027-01-15T22:00:00+00:00", None),
        (NIGHTS, "2027-01-16T05:59:59+00:00", None),
        (NIGHTS, "2027-01-16T06:00:00+00:00", "2027-01-16T06:00:00+00:00"),
        (ALWAYS, "2027-01-16T23:59:59+00:00", None),
        (ALWAYS, "2027-01-17T00:00:00+00:00", None),
    ],
)
def test_free_time_begins_when_the_last_working_day_ended(hours: WorkingHours, moment: str, since: str | None) -> None:
    assert offhours.free_since(hours, ns(moment)) == (None if since is None else ns(since))


@pytest.mark.parametrize(
    ("hours", "moment", "free"),
    [
        # The clock stands twice at half past two; work that begins at three begins once.
        (WorkingHours(frozenset({7}), 180, 240, "Europe/Berlin"), "2027-10-31T00:30:00+00:00", True),
        (WorkingHours(frozenset({7}), 180, 240, "Europe/Berlin"), "2027-10-31T01:30:00+00:00", True),
        (WorkingHours(frozenset({7}), 180, 240, "Europe/Berlin"), "2027-10-31T02:30:00+00:00", False),
        # In spring the clock jumps from two to three.
        (WorkingHours(frozenset({7}), 60, 240, "Europe/Berlin"), "2027-03-28T00:59:59+00:00", False),
        (WorkingHours(frozenset({7}), 60, 240, "Europe/Berlin"), "2027-03-28T01:59:59+00:00", False),
        (WorkingHours(frozenset({7}), 60, 240, "Europe/Berlin"), "2027-03-28T02:00:00+00:00", True),
    ],
)
def test_hours_hold_when_clocks_are_changed(hours: WorkingHours, moment: str, free: bool) -> None:
    assert (offhours.free_since(hours, ns(moment)) is not None) is free


@given(
    st.sets(st.integers(1, 7), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.integers(0, 60 * 24 * 400),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"]),
)
@settings(max_examples=100)
def test_working_time_is_what_the_wall_clock_says(
    days: set[int], begins: int, ends: int, minute: int, zone: str
) -> None:
    if begins == ends:
        return
    hours = WorkingHours(frozenset(days), begins, ends, zone)
    moment = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    local = moment.astimezone(ZoneInfo(zone))
    if local.utcoffset() != (moment - timedelta(days=1)).astimezone(ZoneInfo(zone)).utcoffset():
        return  # the day on which clocks are changed has tests of its own
    at, day, before = local.hour * 60 + local.minute, local.isoweekday(), (local.isoweekday() - 2) % 7 + 1
    if ends > begins:
        working = day in days and begins <= at < ends
    else:
        working = (day in days and at >= begins) or (before in days and at < ends)
    assert (offhours.free_since(hours, int(moment.timestamp()) * 10**9) is None) is working


@pytest.mark.req("L3")
def test_an_agent_at_night_is_told_once_for_each_night() -> None:
    memory, terms = fresh(), Terms({"web": BERLIN})
    told = [
        len(offhours.see(seen(EventType.INTENT_EXECUTING, ns(moment)), memory, terms))
        for moment in (
            "2027-01-14T12:00:00+01:00", "2027-01-14T23:00:00+01:00", "2027-01-15T03:00:00+01:00",
            "2027-01-15T12:00:00+01:00", "2027-01-15T20:00:00+01:00", "2027-01-16T20:00:00+01:00",
        )
    ]  # fmt: skip
    assert told == [0, 1, 0, 0, 1, 0]
    [other] = offhours.see(
        seen(EventType.INTENT_EXECUTING, ns("2027-01-16T20:00:00+01:00"), agent="helper"), memory, terms
    )
    assert (other.alert.agent, other.alert.facts["zone"]) == ("helper", "Europe/Berlin")


def test_a_project_without_hours_works_always() -> None:
    late = seen(EventType.INTENT_EXECUTING, ns("2027-01-16T03:00:00+01:00"))
    assert offhours.see(late, Memory(), Terms({"data": BERLIN})) == []
