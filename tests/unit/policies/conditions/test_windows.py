from __future__ import annotations

from datetime import datetime

import pytest

from policies.conditions.moments import END_OF_TIME_NS, parse_moment
from policies.conditions.windows import DAYS, compile_window, parse_days, parse_hours
from policies.conditions.zones import load_zone, zone_names

WORK = ("mon-fri", "09:00-17:00")
FRIDAY_NIGHT = ("fri", "22:00-06:00")
SUNDAY_NIGHT = ("sun", "22:00-06:00")


def inside(window: tuple[str, str], local: str, zone_name: str = "Europe/Berlin") -> bool | None:
    zone, days, hours = load_zone(zone_name), parse_days(window[0]), parse_hours(window[1])
    assert zone is not None
    assert days is not None
    assert hours is not None
    moment = datetime.fromisoformat(local)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return compile_window(zone, days, [hours])(int(moment.timestamp()) * 1_000_000_000)


@pytest.mark.parametrize(
    ("window", "local", "expected"),
    [
        (WORK, "2026-11-20T09:00:00", True),
        (WORK, "2026-11-20T08:59:59", False),
        (WORK, "2026-11-20T16:59:59", True),
        (WORK, "2026-11-20T17:00:00", False),
        (WORK, "2026-11-21T12:00:00", False),
        (FRIDAY_NIGHT, "2026-11-20T22:00:00", True),
        (FRIDAY_NIGHT, "2026-11-21T05:59:59", True),
        (FRIDAY_NIGHT, "2026-11-21T06:00:00", False),
        (FRIDAY_NIGHT, "2026-11-21T22:00:00", False),
        (FRIDAY_NIGHT, "2026-11-20T05:00:00", False),
        (SUNDAY_NIGHT, "2026-11-23T05:59:59", True),
        (SUNDAY_NIGHT, "2026-11-23T22:00:00", False),
        (("fri", "09:30-17:45"), "2026-11-20T09:29:59", False),
        (("fri", "09:30-17:45"), "2026-11-20T09:30:00", True),
        (("fri", "09:30-17:45"), "2026-11-20T17:44:59", True),
        (("fri", "09:30-17:45"), "2026-11-20T17:45:00", False),
        (("sat", "00:00-24:00"), "2026-11-21T23:59:59", True),
        (("sat", "00:00-24:00"), "2026-11-22T00:00:00", False),
        (("sat", "18:00-00:00"), "2026-11-21T23:59:59", True),
        (("sat", "18:00-00:00"), "2026-11-22T00:00:00", False),
    ],
)
def test_a_window_holds_from_its_first_minute_to_before_its_last(
    window: tuple[str, str], local: str, expected: object
) -> None:
    assert inside(window, local) is expected


@pytest.mark.parametrize(
    ("utc", "expected"),
    [
        # 2026-03-29: at 01:00Z the clocks of Berlin go from 02:00 to 03:00.
        ("2026-03-29T00:59:59+00:00", False),
        ("2026-03-29T01:00:00+00:00", True),
        # 2026-10-25: at 01:00Z they go from 03:00 back to 02:00, so the hour after 03:00 begins at 02:00Z.
        ("2026-10-25T00:59:59+00:00", False),
        ("2026-10-25T01:00:00+00:00", False),
        ("2026-10-25T02:00:00+00:00", True),
    ],
)
def test_the_wall_clock_of_the_zone_counts_through_its_changes(utc: str, expected: object) -> None:
    assert inside(("sun", "03:00-04:00"), utc) is expected


def test_an_hour_that_comes_twice_is_inside_twice_and_one_left_out_never() -> None:
    window = ("sun", "02:00-03:00")
    assert [inside(window, f"2026-10-25T{hour}:30:00+00:00") for hour in ("00", "01", "02")] == [True, True, False]
    assert [inside(window, f"2026-03-29T{hour}:30:00+00:00") for hour in ("00", "01", "02")] == [False, False, False]


def test_the_same_moment_is_another_hour_in_another_zone() -> None:
    assert inside(WORK, "2026-11-20T08:30:00+00:00", "Europe/Berlin") is True
    assert inside(WORK, "2026-11-20T08:30:00+00:00", "America/New_York") is False


@pytest.mark.parametrize(("now_ns", "answer"), [(-1, None), (0, True), (END_OF_TIME_NS, None), (10**21, None)])
def test_a_moment_no_calendar_reaches_cannot_be_told(now_ns: int, answer: object) -> None:
    zone, hours = load_zone("UTC"), parse_hours("00:00-24:00")
    assert zone is not None
    assert hours is not None
    assert compile_window(zone, DAYS, [hours])(now_ns) is answer


def test_the_last_moment_of_the_calendar_is_inside_all_day_windows_of_every_zone() -> None:
    hours, last = parse_hours("00:00-24:00"), parse_moment("9999-12-30T23:59:59Z")
    assert hours is not None
    assert last is not None
    for name in ("Pacific/Kiritimati", "Etc/GMT+12"):
        zone = load_zone(name)
        assert zone is not None
        assert compile_window(zone, DAYS, [hours])(last) is True


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon", ("mon",)),
        ("mon-wed", ("mon", "tue", "wed")),
        ("fri-mon", ("fri", "sat", "sun", "mon")),
        ("sat-sat", ("sat",)),
        ("mon-", None),
        ("-mon", None),
        ("Mon", None),
        ("mon-fri-sun", None),
        ("", None),
    ],
)
def test_days_are_read_exactly(text: str, days: tuple[str, ...] | None) -> None:
    assert parse_days(text) == days


@pytest.mark.parametrize("text", ["9:00-17:00", "09:00-17", "09:00-09:00", "24:00-09:00", "09:60-10:00", "09:00-24:01"])
def test_hours_that_say_nothing_are_refused(text: str) -> None:
    assert parse_hours(text) is None


@pytest.mark.parametrize(
    "name", ["", "localtime", "europe/berlin", "Europe", "../zones", "/etc/localtime", "Mars/Base"]
)
def test_a_name_outside_of_the_database_is_no_zone(name: str) -> None:
    assert load_zone(name) is None


def test_every_zone_of_the_database_loads() -> None:
    assert [name for name in sorted(zone_names()) if load_zone(name) is None] == []
