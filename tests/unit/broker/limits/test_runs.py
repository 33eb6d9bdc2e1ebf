from __future__ import annotations

import pytest

from broker.limits.failures import Failure, failure_of
from broker.limits.runs import (
    FORGET_SECONDS,
    MAX_PARTS,
    BreakerState,
    News,
    Standing,
    Tally,
    connection_key,
    merged,
    open_seconds,
    session_key,
)
from broker.outcome import Problem, ProblemKind

NS = 10**9
KEY = "session/ses_1"
CONNECTION = connection_key("lake", "aws/prod")


def refused(status: object, code: str = "") -> Problem:
    return Problem(ProblemKind.UPSTREAM_REFUSED, "no", reason=code, extra={"upstream_status": status})


@pytest.mark.parametrize("status", [401, 403, 408, 425, 429, 500, 502, 503, 529])
def test_what_speaks_against_the_upstream_is_a_failure_of_it(status: int) -> None:
    assert failure_of(refused(status)) == Failure(str(status), upstream=True)


@pytest.mark.parametrize("status", [400, 404, 405, 409, 410, 412, 413, 422, 499])
def test_what_the_agent_asked_wrongly_is_a_failure_only_when_it_is_repeated(status: int) -> None:
    assert failure_of(refused(status)) == Failure(str(status), upstream=False)


@pytest.mark.parametrize(
    ("status", "code"), [(400, "ThrottlingException"), (200, "RATE_LIMITED"), (400, "AccessDenied")]
)
def test_a_code_says_it_where_the_status_does_not(status: int, code: str) -> None:
    assert failure_of(refused(status, code)) == Failure(str(status), upstream=True)


@pytest.mark.parametrize("status", [0, None, "429", []])
def test_a_refusal_without_a_status_counts_when_it_is_repeated(status: object) -> None:
    assert failure_of(refused(status, "non-fast-forward")) == Failure("refused", upstream=False)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (ProblemKind.UPSTREAM_UNREACHABLE, Failure("unreachable", upstream=True)),
        (ProblemKind.OUTCOME_UNKNOWN, Failure("unknown", upstream=True)),
        (ProblemKind.STALE_TARGET, Failure("stale-target", upstream=False)),
        (ProblemKind.OUTPUT_TOO_LARGE, Failure("output-too-large", upstream=False)),
        (ProblemKind.CANCELLED, None),
        (ProblemKind.CREDENTIAL_REFUSED, None),
        (ProblemKind.VAULT_UNAVAILABLE, None),
        (ProblemKind.STORE_UNAVAILABLE, None),
        (ProblemKind.LEDGER_UNAVAILABLE, None),
    ],
)
def test_what_we_did_ourselves_says_nothing_of_the_upstream(kind: ProblemKind, says: Failure | None) -> None:
    assert failure_of(Problem(kind, "no")) == says


def test_a_call_that_we_cut_ourselves_is_no_failure() -> None:
    assert failure_of(Problem(ProblemKind.OUTCOME_UNKNOWN, "cut", extra={"killed": True})) is None


def test_a_session_trips_at_five_failures_of_upstreams_or_ten_of_one_request() -> None:
    assert not Tally(4, {"a": 4}).trips(KEY)
    assert Tally(5, {"a": 1, "b": 4}).trips(KEY)
    assert not Tally(0, {"a": 9, "b": 9}).trips(KEY)
    assert Tally(0, {"a": 10}).trips(KEY)


@pytest.mark.parametrize(
    ("parts", "trips"),
    [({"a": 50}, False), ({"a": 50, "b": 4}, False), ({"a": 50, "b": 5}, True), (dict.fromkeys("abcdefghij", 1), True)],
)
def test_no_family_alone_closes_a_connection_to_others(parts: dict[str, int], trips: bool) -> None:
    assert Tally(sum(parts.values()), parts).trips(CONNECTION) is trips


def test_of_very_many_different_requests_those_that_failed_least_are_forgotten() -> None:
    tally = Tally(0, {"often": 7}, "404")
    for number in range(100):
        tally = tally.plus(Tally(0, {str(number): 1}, "409"))
    assert (len(tally.parts), tally.parts["often"], tally.status) == (MAX_PARTS, 7, "409")


def test_a_tally_is_stored_and_read_back() -> None:
    tally = Tally(3, {"a": 2, "b": 1}, "429", "ci-runner", "web")
    assert Tally.of(3, tally.to_text()) == tally
    assert Tally().to_text() == ""
    assert Tally.of(0, "") == Tally()


def test_each_opening_lasts_twice_as_long_up_to_a_quarter_of_an_hour() -> None:
    assert [open_seconds(number) for number in range(1, 8)] == [30, 60, 120, 240, 480, 900, 900]
    assert open_seconds(10_000) == 900


def test_a_breaker_is_open_then_half_open_until_a_success() -> None:
    standing = Standing(KEY).opened(100 * NS)
    assert [Standing(KEY).state(0), standing.state(100 * NS), standing.state(130 * NS)] == list(BreakerState)
    assert standing.opened(130 * NS).open_until_ns == 190 * NS


def test_news_of_several_processes_add_up_and_a_success_forgets_what_was_before() -> None:
    one = merged(Standing(KEY), News(Tally(2, {"a": 2}, "429"), failed_at_ns=5), 10)
    two = merged(one, News(Tally(1, {"b": 1}, "503"), failed_at_ns=11), 12)
    assert (two.tally.failures, two.tally.parts, two.tally.status, two.updated_at_ns) == (
        3,
        {"a": 2, "b": 1},
        "503",
        12,
    )
    opened = two.opened(20)
    assert merged(opened, News(Tally(1, {}, "500"), 21, 22), 25) == Standing(KEY, Tally(1, {}, "500"), updated_at_ns=25)


def test_a_success_before_it_opened_does_not_close_a_breaker() -> None:
    opened = Standing(KEY, Tally(5, {"a": 5}, "429")).opened(20)
    assert merged(opened, News(success_at_ns=19), 25).openings == 1


def test_what_failed_before_a_reset_is_void() -> None:
    reset = Standing(KEY, updated_at_ns=30, reset_at_ns=30)
    assert merged(reset, News(Tally(5, {"a": 5}), failed_at_ns=29), 31) == reset
    assert merged(reset, News(Tally(5, {"a": 5}), failed_at_ns=31), 32).tally.failures == 5


def test_what_failed_long_ago_does_not_count_any_more() -> None:
    opened = Standing(KEY, Tally(5, {"a": 5}, "429")).opened(0)
    end_ns = opened.open_until_ns + FORGET_SECONDS * NS
    assert not opened.forgotten(end_ns - 1)
    news = News(Tally(1, {"a": 1}, "429"), failed_at_ns=end_ns)
    assert merged(opened, news, end_ns - 1).tally.failures == 6
    assert merged(opened, news, end_ns) == Standing(KEY, Tally(1, {"a": 1}, "429"), updated_at_ns=end_ns)


def test_news_that_could_not_be_told_are_told_with_the_later_ones() -> None:
    first, later = News(Tally(2, {"a": 2}), failed_at_ns=3), News(Tally(1, {"a": 1}), failed_at_ns=5)
    assert first.plus(later) == News(Tally(3, {"a": 3}), failed_at_ns=5)
    success = News(Tally(1, {"a": 1}), success_at_ns=4, failed_at_ns=5)
    assert first.plus(success) == success
    assert session_key("ses_1") == KEY
