from __future__ import annotations

import pytest

from broker.config.limits import OnRate, Per, RateLimit, read_rates
from broker.limits.gcra import MAX_PATIENCE_NS
from policies.document.nodes import Reader
from policies.document.strict_yaml import parse


def read(text: str, per: Per = Per.SESSION) -> tuple[tuple[RateLimit, ...], list[tuple[str, int, int]]]:
    """What a value says, and what is wrong with it and where."""
    reader = Reader("ostiary.yaml")
    limits = read_rates(reader, parse(text.encode(), "ostiary.yaml"), per)
    return limits, [(each.message, each.line, each.column) for each in reader.findings]


@pytest.mark.req("L2")
def test_the_line_of_the_mission_is_a_rate_of_a_session_that_waits() -> None:
    limits, faults = read("{max_requests_per_minute: 30, on_exceed: throttle_and_alert}")
    assert faults == []
    assert limits == (
        RateLimit(
            "requests",
            Per.SESSION,
            30,
            5,
            on_exceed=OnRate.THROTTLE_AND_ALERT,
            max_delay_seconds=10.0,
        ),
    )


def test_every_word_is_read() -> None:
    text = """\
max_requests_per_minute: 60
burst: 1
max_concurrent: 4
per: agent
on_exceed: throttle_and_alert
max_delay: 500ms
groups:
  - {name: reads, actions: "s3:Get*", max_requests_per_minute: 600, per: session}
  - {name: pushes, actions: git:push, max_concurrent: 1, on_exceed: deny}
"""
    limits, faults = read(text)
    assert faults == []
    whole, reads, pushes = limits
    assert whole == RateLimit("requests", Per.AGENT, 60, 1, 4, "*", OnRate.THROTTLE_AND_ALERT, 0.5)
    assert reads == RateLimit("reads", Per.SESSION, 600, 100, 0, "s3:Get*", OnRate.DENY, 0.0)
    assert pushes == RateLimit("pushes", Per.SESSION, 0, 1, 1, "git:push", OnRate.DENY, 0.0)


def test_groups_may_stand_alone_and_a_connection_counts_all_that_comes_to_it() -> None:
    limits, faults = read('{groups: [{name: reads, actions: "*", max_requests_per_minute: 3}]}', Per.CONNECTION)
    assert faults == []
    assert [(each.name, each.per, each.burst) for each in limits] == [("reads", Per.CONNECTION, 1)]
    assert read("{max_concurrent: 2, per: connection}", Per.CONNECTION)[1] == []


@pytest.mark.parametrize(
    ("text", "says", "column"),
    [
        ("{}", "neither", 1),
        ("{burst: 3}", "neither", 1),
        ("{max_concurrent: 2, burst: 3}", "`burst` without", 28),
        ("{max_requests_per_minute: 0}", "is 1 to 1000000, found 0", 27),
        ("{max_requests_per_minute: -3}", "is 1 to", 27),
        ("{max_requests_per_minute: 1000001}", "is 1 to", 27),
        ('{max_requests_per_minute: "30"}', "must be a whole number", 27),
        ("{max_requests_per_minute: true}", "must be a whole number", 27),
        ("{max_requests_per_minute: 30, burst: 31}", "more than comes in a minute", 38),
        ("{max_requests_per_minute: 30, burst: 0}", "`burst` is 1 to", 38),
        ("{max_concurrent: 10001}", "is 1 to 10000", 18),
        ("{max_request_per_minute: 30}", "unknown key `max_request_per_minute`", 2),
        ("{max_concurrent: 1, per: project}", "unknown value `project` of `per`", 26),
        ("{max_concurrent: 1, per: connection}", "unknown value `connection` of `per`", 26),
        ("{max_concurrent: 1, per: 1}", "must be text", 26),
        ("{max_concurrent: 1, on_exceed: throttle}", "unknown value `throttle` of `on_exceed`", 32),
        ("{max_concurrent: 1, max_delay: 1s}", "`max_delay` without", 32),
        ("{max_concurrent: 1, on_exceed: throttle_and_alert, max_delay: 61s}", "1ms to 60s", 63),
        ("{max_concurrent: 1, on_exceed: throttle_and_alert, max_delay: 0s}", "1ms to 60s", 63),
        ("{max_concurrent: 1, on_exceed: throttle_and_alert, max_delay: 10}", "must be text", 63),
        ("{max_concurrent: 1, on_exceed: throttle_and_alert, max_delay: 1h}", "does not fit", 63),
        ("{groups: []}", "`groups` has 1 to 32 entries, found 0", 10),
        ("{groups: {}}", "must be a list", 10),
        ("{groups: [{name: a, max_concurrent: 1}]}", "a group has no `actions`", 11),
        ('{groups: [{actions: "*", max_concurrent: 1}]}', "a group has no `name`", 11),
        ('{groups: [{name: A b, actions: "*", max_concurrent: 1}]}', "`name` does not fit", 18),
        ('{groups: [{name: a, actions: "s3:[GP]et", max_concurrent: 1}]}', "`actions` does not fit", 30),
        ('{groups: [{name: a, actions: "*a*b*c*d*", max_concurrent: 1}]}', "`actions` does not fit", 30),
        ('{groups: [{name: a, actions: "*"}]}', "neither", 11),
        ('{max_concurrent: 1, groups: [{name: requests, actions: "*", max_concurrent: 1}]}', "stands twice", 30),
        ("[]", "must be a mapping", 1),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(text: str, says: str, column: int) -> None:
    _, faults = read(text)
    assert [fault for fault in faults if says in fault[0] and fault[1:] == (1, column)], faults


def test_more_groups_than_fit_are_refused() -> None:
    groups = ", ".join(f'{{name: g{number}, actions: "*", max_concurrent: 1}}' for number in range(33))
    limits, faults = read(f"{{groups: [{groups}]}}")
    assert len(limits) == 32
    assert [message for message, *_ in faults] == ["`groups` has 1 to 32 entries, found 33"]


def test_the_longest_delay_is_the_longest_the_meter_believes_in() -> None:
    limits, faults = read("{max_concurrent: 1, on_exceed: throttle_and_alert, max_delay: 1m}")
    assert faults == []
    assert limits[0].max_delay_seconds * 10**9 == MAX_PATIENCE_NS
