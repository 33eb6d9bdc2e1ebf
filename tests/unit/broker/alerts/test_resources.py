from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.alerts import resources
from broker.alerts.memory import Memory
from broker.store.base import EventType
from broker.store.statements import MAX_INDEXED_BYTES
from tests.unit.broker.alerts.desk import DAY_NS, FRIDAY_NOON_NS, NOTHING, fresh, seen


@pytest.mark.parametrize(
    ("resource", "container"),
    [
        ("arn:aws:s3:::lake/raw/2027/x.csv", "arn:aws:s3:::lake"),
        ("arn:aws:s3:::lake", "arn:aws:s3:::lake"),
        ("arn:aws:dynamodb:eu-west-1:1:table/users/index/mail", "arn:aws:dynamodb:eu-west-1:1:table/users"),
        ("arn:aws:lambda:eu-west-1:1:function:build:7", "arn:aws:lambda:eu-west-1:1:function:build"),
        ("arn:aws:sqs:eu-west-1:1:jobs", "arn:aws:sqs:eu-west-1:1:jobs"),
        ("arn:aws:ssm:eu-west-1:1:parameter/prod/db/password", "arn:aws:ssm:eu-west-1:1:parameter/prod"),
        ("arn:broken", "arn:broken"),
        ("repos/acme/app/branches/feature/x", "repos/acme/app"),
        ("repos/acme/app", "repos/acme/app"),
        ("orgs/acme/teams/reviewers", "orgs/acme"),
        ("models/anthropic/claude-x", "models/anthropic/claude-x"),
        ("sheets/free", "sheets/free"),
        ("account", "account"),
        ("", ""),
    ],
)
def test_a_resource_is_cut_to_what_contains_it(resource: str, container: str) -> None:
    assert resources.container_of(resource) == container


@given(st.text(max_size=2000))
@settings(max_examples=100)
def test_whatever_it_is_called_it_fits_the_index_and_is_known_again(resource: str) -> None:
    found = resources.container_of(resource)
    assert len(found.encode()) < MAX_INDEXED_BYTES
    assert found == resources.container_of(resource)


def test_two_long_names_with_the_same_head_stay_two() -> None:
    assert resources.container_of("x" * 300 + "a") != resources.container_of("x" * 300 + "b")
    assert resources.container_of("sheets/b\u00e4r") != resources.container_of("sheets/b\u00f6r")


def touch(memory: Memory, *names: str, day: float = 2.0, seq: int = 1, agent: str = "ci-runner") -> int:
    event = seen(
        EventType.INTENT_EXECUTING,
        FRIDAY_NOON_NS + int(day * DAY_NS),
        seq,
        agent=agent,
        data={"resources": list(names)},
    )
    return len(resources.see(event, memory, NOTHING))


@pytest.mark.req("L3")
def test_what_was_never_touched_before_is_told_after_the_first_day() -> None:
    memory = fresh()
    assert touch(memory, "arn:aws:s3:::lake/a", day=0) == 0
    assert touch(memory, "arn:aws:s3:::other/a", day=0.9) == 0
    assert touch(memory, "arn:aws:s3:::lake/b", day=1.5) == 0
    assert touch(memory, "arn:aws:s3:::secret/a", day=1.5) == 1
    assert touch(memory, "arn:aws:s3:::secret/b", day=3) == 0
    assert touch(memory, "arn:aws:s3:::lake/b", day=3, agent="helper") == 0


@pytest.mark.req("L3")
def test_a_walk_over_many_is_told_once_and_then_together() -> None:
    memory = fresh()
    touch(memory, "sheets/0", day=0)
    assert touch(memory, *(f"sheets/{n}" for n in range(1, 100)), day=2) == 1
    [notice] = memory.folds.due(FRIDAY_NOON_NS + 3 * DAY_NS)
    assert notice.count == 98


def test_what_is_remembered_of_one_agent_is_bounded_and_then_everything_new_is_told() -> None:
    memory = fresh()
    memory.first_touch_ns["ci-runner"] = FRIDAY_NOON_NS
    memory.touches["ci-runner"] = resources.MAX_TOUCHED
    assert touch(memory, "sheets/new") == 1
    assert memory.added_touches == {}


def test_of_one_intent_so_many_are_looked_at() -> None:
    event = seen(EventType.INTENT_EXECUTING, data={"resources": [f"sheets/{n}" for n in range(5000)]})
    assert len(resources.touches_of(event)) == resources.MAX_OF_ONE
