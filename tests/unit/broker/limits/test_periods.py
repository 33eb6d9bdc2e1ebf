from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.config.limits import Period
from broker.limits.periods import Periods, span_of
from policies.conditions.zones import load_zone

NS = 10**9
HOUR = 3_600 * NS
ON_THE_CLOCK = (Period.HOUR, Period.DAY, Period.WEEK, Period.MONTH)
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Havana", "America/Scoresbysund", "Africa/Cairo", "Asia/Beirut",
    "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Pacific/Kiritimati", "America/St_Johns",
)  # fmt: skip


def at(text: str) -> int:
    """Return a moment in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS


def span(period: Period, zone: str, text: str) -> tuple[str, str]:
    """Return the name of a period and its end in UTC."""
    found = span_of(period, load_zone(zone) or pytest.fail(zone), at(text))
    return found.label, datetime.fromtimestamp(found.ends_at_ns // NS, UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("period", "moment", "label", "ends"),
    [
        (Period.HOUR, "2026-11-20T12:59:59", "2026-11-20T12+0000", "2026-11-20T13:00"),
        (Period.DAY, "2026-11-20T00:00:00", "2026-11-20", "2026-11-21T00:00"),
        (Period.DAY, "2026-11-20T23:59:59", "2026-11-20", "2026-11-21T00:00"),
        (Period.WEEK, "2026-11-22T23:59:59", "2026-W47", "2026-11-23T00:00"),
        (Period.WEEK, "2026-11-23T00:00:00", "2026-W48", "2026-11-30T00:00"),
        (Period.WEEK, "2027-01-03T12:00:00", "2026-W53", "2027-01-04T00:00"),
        (Period.MONTH, "2026-11-30T23:59:59", "2026-11", "2026-12-01T00:00"),
        (Period.MONTH, "2026-12-31T12:00:00", "2026-12", "2027-01-01T00:00"),
        (Period.MONTH, "2028-02-29T12:00:00", "2028-02", "2028-03-01T00:00"),
        (Period.MONTH, "2027-01-31T12:00:00", "2027-01", "2027-02-01T00:00"),
    ],
)
def test_a_period_has_the_name_of_its_calendar_and_ends_where_the_next_begins(
    period: Period, moment: str, label: str, ends: str
) -> None:
    assert span(period, "UTC", moment) == (label, ends)


def test_a_period_begins_on_the_wall_clock_of_its_zone() -> None:
    assert span(Period.DAY, "Europe/Berlin", "2026-11-20T23:30:00") == ("2026-11-21", "2026-11-21T23:00")
    assert span(Period.DAY, "America/New_York", "2026-11-20T04:59:59") == ("2026-11-19", "2026-11-20T05:00")
    assert span(Period.WEEK, "Pacific/Kiritimati", "2026-11-22T10:00:00") == ("2026-W48", "2026-11-29T10:00")
    assert span(Period.MONTH, "Pacific/Kiritimati", "2026-11-30T10:00:00") == ("2026-12", "2026-12-31T10:00")


def length_of_day(zone: str, moment: str) -> int:
    known = load_zone(zone) or pytest.fail(zone)
    first = span_of(Period.DAY, known, at(moment))
    return (span_of(Period.DAY, known, first.ends_at_ns).ends_at_ns - first.ends_at_ns) // HOUR


def test_a_day_of_a_change_of_the_clocks_has_23_or_25_hours() -> None:
    assert length_of_day("Europe/Berlin", "2026-03-28T12:00:00") == 23
    assert length_of_day("Europe/Berlin", "2026-10-24T12:00:00") == 25
    assert length_of_day("Europe/Berlin", "2026-10-25T12:00:00") == 24


def test_an_hour_that_comes_twice_is_two_periods() -> None:
    assert span(Period.HOUR, "Europe/Berlin", "2026-10-25T00:30:00") == ("2026-10-25T02+0200", "2026-10-25T01:00")
    assert span(Period.HOUR, "Europe/Berlin", "2026-10-25T01:30:00") == ("2026-10-25T02+0100", "2026-10-25T02:00")


def test_a_midnight_that_the_clocks_leave_out_is_the_moment_of_their_change() -> None:
    # In Cairo the clocks go from 00:00 to 01:00 on the last Friday of April.
    assert span(Period.DAY, "Africa/Cairo", "2026-04-23T21:59:59") == ("2026-04-23", "2026-04-23T22:00")
    assert span(Period.DAY, "Africa/Cairo", "2026-04-23T22:00:00") == ("2026-04-24", "2026-04-24T21:00")


def test_a_midnight_that_comes_twice_is_meant_the_first_time() -> None:
    # In Havana the clocks went back from 01:00 to 00:00 on 3 November 2024.
    assert span(Period.DAY, "America/Havana", "2024-11-03T03:59:59") == ("2024-11-02", "2024-11-03T04:00")
    assert span(Period.DAY, "America/Havana", "2024-11-03T04:30:00") == ("2024-11-03", "2024-11-04T05:00")
    assert span(Period.DAY, "America/Havana", "2024-11-03T05:30:00") == ("2024-11-03", "2024-11-04T05:00")


def test_a_day_that_a_zone_left_out_costs_no_other() -> None:
    # Samoa went from the 29th to the 31st.
    assert span(Period.DAY, "Pacific/Apia", "2011-12-30T09:59:59") == ("2011-12-29", "2011-12-30T10:00")
    assert span(Period.DAY, "Pacific/Apia", "2011-12-30T10:00:00") == ("2011-12-31", "2011-12-31T10:00")


@given(
    st.sampled_from(ON_THE_CLOCK), st.sampled_from(ZONES), st.integers(at("2020-01-01") // NS, at("2040-01-01") // NS)
)
@settings(max_examples=300)
def test_a_period_has_one_name_up_to_its_end_and_another_from_there(period: Period, zone: str, seconds: int) -> None:
    known = load_zone(zone) or pytest.fail(zone)
    found = span_of(period, known, seconds * NS)
    assert found.ends_at_ns > seconds * NS
    assert span_of(period, known, found.ends_at_ns - NS).label == found.label
    assert span_of(period, known, found.ends_at_ns).label != found.label
    # Names sort as their periods do, but for the hours of a change, which say their offset.
    assert period is Period.HOUR or span_of(period, known, found.ends_at_ns).label > found.label


def test_the_period_of_a_session_is_not_on_the_clock() -> None:
    with pytest.raises(ValueError, match="session"):
        span_of(Period.SESSION, load_zone("UTC") or pytest.fail("UTC"), 0)
    with pytest.raises(ValueError, match="no such time zone"):
        Periods().at(Period.DAY, "Europe/Atlantis", 0)


def test_what_is_remembered_is_left_at_its_end_and_when_the_clock_goes_back() -> None:
    periods = Periods()
    for moment, label in (
        ("2026-11-20T10:00:00", "2026-11-20"),
        ("2026-11-20T23:59:59", "2026-11-20"),
        ("2026-11-21T00:00:00", "2026-11-21"),
        ("2026-11-20T09:00:00", "2026-11-20"),
    ):
        assert periods.at(Period.DAY, "UTC", at(moment)).label == label
    assert periods.at(Period.DAY, "Pacific/Kiritimati", at("2026-11-20T10:00:00")).label == "2026-11-21"
    assert periods.at(Period.MONTH, "UTC", at("2026-11-20T10:00:00")).label == "2026-11"
