from __future__ import annotations

import pytest

from policies.conditions.moments import END_OF_TIME_NS, parse_moment, written

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:01Z", SECOND),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("2027-01-01T00:00:00Z", 1_798_761_600 * SECOND),
        ("2027-01-01t00:00:00z", 1_798_761_600 * SECOND),
        ("2027-01-01T02:00:00+02:00", 1_798_761_600 * SECOND),
        ("2026-12-31T18:30:00-05:30", 1_798_761_600 * SECOND),
        ("2027-01-01T00:00:00-00:00", 1_798_761_600 * SECOND),
        ("2027-01-01T00:00:00.25Z", 1_798_761_600 * SECOND + 250_000_000),
        ("2027-01-01T00:00:00.000000001Z", 1_798_761_600 * SECOND + 1),
        ("2028-02-29T00:00:00Z", 1_835_395_200 * SECOND),
    ],
)
def test_a_moment_with_an_offset_is_one_number(text: str, ns: int) -> None:
    assert parse_moment(text) == ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2027-01-01",
        "2027-01-01T00:00:00",
        "2027-01-01T00:00Z",
        "2027-01-01 00:00:00Z",
        "2027-01-01T24:00:00Z",
        "2027-01-01T23:59:60Z",
        "2027-02-29T00:00:00Z",
        "2027-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2027-01-01T00:00:00+24:00",
        "2027-01-01T00:00:00+0200",
        "2027-01-01T00:00:00.Z",
        "2027-01-01T00:00:00.0000000001Z",
        "2027-01-01T00:00:00Z\n",
        "\uff12027-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "9999-12-31T00:00:00Z",
    ],
)
def test_whatever_is_not_one_instant_is_refused(text: str) -> None:
    assert parse_moment(text) is None


def test_the_epoch_is_no_moment_since_a_rule_without_end_holds_it() -> None:
    assert parse_moment("1970-01-01T00:00:00Z") is None


@pytest.mark.parametrize("text", ["2027-01-01T00:00:00Z", "2027-01-01T12:30:59.25Z", "1999-12-31T23:59:59.000000001Z"])
def test_what_is_written_reads_as_the_same_moment(text: str) -> None:
    ns = parse_moment(text)
    assert ns is not None
    assert written(ns) == text


def test_the_epoch_itself_can_be_written() -> None:
    assert written(0) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("ns", [-1, END_OF_TIME_NS, 10**30])
def test_a_number_outside_of_the_calendar_is_written_as_a_number(ns: int) -> None:
    assert str(ns) in written(ns)
