"""The small ones: each looks at one event."""

from __future__ import annotations

from typing import Any

import pytest

from broker.alerts import breakers, denied, halts, rates
from broker.alerts.model import AlertKind, Notice, Severity
from broker.store.base import EventType
from tests.unit.broker.alerts.desk import FRIDAY_NOON_NS, NOTHING, fresh, seen

MINUTE = 60 * 10**9


@pytest.mark.req("L3")
def test_a_denial_names_agent_rule_and_what_was_asked() -> None:
    data = {"problem": {"rule": "policies/ci.yaml:3 (no-delete)"}, "resources": ["arn:aws:s3:::lake/x"] * 9}
    [notice] = denied.see(seen(EventType.INTENT_DENIED, data=data, intent_id="int_1"), fresh(), NOTHING)
    alert = notice.alert
    assert alert.kind is AlertKind.DENIED
    assert (alert.agent, alert.project, alert.session_id) == ("ci-runner", "web", "ses_1")
    assert "no-delete" in alert.title
    assert "ostiary session replay ses_1" in alert.todo
    assert alert.facts["action"] == "s3:GetObject"
    assert len(alert.facts["resources"]) == 5


@pytest.mark.req("L3")
def test_two_rules_are_two_alerts_and_one_rule_is_one() -> None:
    memory = fresh()
    rules = ["a (x)", "a (x)", "b (y)", "", "a (x)"]
    told = [
        len(denied.see(seen(EventType.INTENT_DENIED, seq=seq, data={"problem": {"rule": rule}}), memory, NOTHING))
        for seq, rule in enumerate(rules)
    ]
    assert told == [1, 0, 1, 1, 0]


@pytest.mark.req("L2")
@pytest.mark.parametrize(
    ("kind", "data", "told"),
    [
        (EventType.INTENT_REFUSED, {"problem": {"kind": "rate-limited", "reason": "per minute"}}, 1),
        (EventType.INTENT_REFUSED, {"problem": {"kind": "budget-exceeded"}}, 0),
        (EventType.INTENT_REFUSED, {}, 0),
        (EventType.INTENT_EXECUTING, {"throttled_ms": 250}, 1),
        (EventType.INTENT_EXECUTING, {"throttled_ms": 0}, 0),
        (EventType.INTENT_EXECUTING, {}, 0),
    ],
)
def test_what_came_too_fast_is_told(kind: EventType, data: dict[str, Any], told: int) -> None:
    assert len(rates.see(seen(kind, data=data), fresh(), NOTHING)) == told


@pytest.mark.req("L2")
def test_an_agent_that_is_throttled_all_the_time_is_told_once_in_ten_minutes() -> None:
    memory = fresh()
    told: list[Notice] = []
    for number in range(1200):
        at_ns = FRIDAY_NOON_NS + number * 10**9
        event = seen(EventType.INTENT_EXECUTING, at_ns, number, data={"throttled_ms": 100})
        told += rates.see(event, memory, NOTHING)
    assert [notice.count for notice in told] == [1, 599]


@pytest.mark.req("L2")
def test_a_breaker_that_opens_again_and_again_is_one_alert() -> None:
    memory = fresh()
    hour = 60 * MINUTE
    data = {"breaker": "session/ses_1", "failures": 10, "last_status": "429", "nested": {"no": 1}}
    told = [
        breakers.see(
            seen(EventType.BREAKER_OPENED, FRIDAY_NOON_NS + n * hour, n, data={**data, "openings": n + 1}),
            memory,
            NOTHING,
        )
        for n in range(9)
    ]
    assert [len(each) for each in told] == [1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert told[0][0].alert.subject == "breaker:session/ses_1"
    [notice] = breakers.see(seen(EventType.BREAKER_OPENED, agent="", data={}), memory, NOTHING)
    assert notice.alert.subject == "breaker:ses_1"
    assert notice.alert.facts == {}


@pytest.mark.req("L2")
def test_breakers_of_two_connections_are_two_alerts_and_one_that_closed_between_is_told_together() -> None:
    memory = fresh()
    keys = ["connection/a/x", "connection/b/x", "connection/a/x"]
    told = [
        len(
            breakers.see(
                seen(EventType.BREAKER_OPENED, FRIDAY_NOON_NS + n * MINUTE, n, data={"breaker": key, "openings": 1}),
                memory,
                NOTHING,
            )
        )
        for n, key in enumerate(keys)
    ]
    assert told == [1, 1, 0]


@pytest.mark.req("S2")
def test_each_halt_is_told_with_who_and_why_and_so_is_its_end() -> None:
    data = {"scope": "agent", "name": "ci-runner", "reason": "loop", "halt": "hlt_1"}
    memory = fresh()
    [started] = halts.see(seen(EventType.HALT_STARTED, seq=1, operator="ana", data=data), memory, NOTHING)
    [again] = halts.see(seen(EventType.HALT_STARTED, seq=2, operator="ana", data=data), memory, NOTHING)
    [lifted] = halts.see(seen(EventType.HALT_LIFTED, seq=3, operator="ben", data=data), memory, NOTHING)
    assert started.window != again.window
    assert (started.alert.severity, lifted.alert.severity) == (Severity.CRITICAL, Severity.WARNING)
    assert "`ana`" in started.alert.title
    assert started.alert.facts == {"operator": "ana", "scope": "agent", "name": "ci-runner", "reason": "loop"}
    assert "lifted by `ben`" in lifted.alert.title
    pause = seen(EventType.HALT_STARTED, seq=4, data={**data, "kind": "pause"})
    assert halts.see(pause, memory, NOTHING)[0].alert.severity is Severity.WARNING
    [bare] = halts.see(seen(EventType.HALT_STARTED, seq=9), memory, NOTHING)
    assert bare.alert.subject == "halt:9"


@pytest.mark.req("S2")
def test_a_killed_session_is_told_unless_an_agent_ended_its_own() -> None:
    memory = fresh()
    by_person = seen(EventType.SESSION_KILLED, operator="ana", data={"below": ["ses_2", "ses_3"]})
    [notice] = halts.see_kill(by_person, memory, NOTHING)
    assert notice.alert.kind is AlertKind.HALT
    assert notice.alert.facts == {"operator": "ana", "sessions_below": 2}
    assert halts.see_kill(by_person, memory, NOTHING) == []
    for of_another in ({"operator": "agent:ci-runner"}, {"operator": "ben", "data": {"halt": "hlt_1"}}):
        assert halts.see_kill(seen(EventType.SESSION_KILLED, **of_another), memory, NOTHING) == []
