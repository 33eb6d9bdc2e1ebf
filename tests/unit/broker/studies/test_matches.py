from __future__ import annotations

import pytest

from broker.studies.matches import Matcher
from policies.layers import compile_layers
from policies.model import Effect, Fact, Layer, Requirement
from policies.patterns.pattern import UNKNOWN
from tests.unit.broker.studies.desk import layered, record

ALLOW, ASK, DENY = Effect.ALLOW, Effect.REQUIRE_APPROVAL, Effect.DENY
READ = "desk:Read on sheets/a/x"

ASKS_FOR_ADDRESS = """\
  - allow: desk:Read on sheets/a/*
    when: {source_ip: [10.0.0.0/8]}
"""
ASKS_FOR_PARAM = """\
  - desk:Read on sheets/a/*
  - deny: desk:Read on sheets/a/*
    when: {params.force: true}
"""
ASKS_FOR_LABEL = "  - desk:Read on sheets/${session.room}/*\n"


def outlook(text: str, context: dict[str, Fact] | None, **layers: str) -> tuple[set[Effect], tuple[str, ...]]:
    found = Matcher(layered("ci", text, **layers)).outlook(record(READ, context=context))
    return set(found.effects), found.missing


def test_every_rule_that_applied_is_found_in_every_layer() -> None:
    policy = layered(
        "ci",
        "  - desk:Read on sheets/*\n  - desk:* on sheets/a/x\n  - git:push on repos/*\n  - desk:Read on sheets/q/*\n",
        guardrails="  - deny desk:Write on sheets/*\n  - deny desk:Read on sheets/a/x\n",
        boundary="  - desk:* on sheets/**\n",
    )
    found = Matcher(policy).matches(record(READ), Requirement("desk:Read", "sheets/a/x"))
    assert [(each.layer, each.depth, each.rule.span.line, each.missing) for each in found] == [
        (Layer.GUARDRAIL, 0, 3, ()),
        (Layer.BOUNDARY, 1, 2, ()),
        (Layer.AGENT, 2, 2, ()),
        (Layer.AGENT, 2, 3, ()),
    ]


@pytest.mark.parametrize(
    ("text", "context", "effects", "missing"),
    [
        (ASKS_FOR_ADDRESS, {"source_ip": "10.1.2.3"}, {ALLOW}, ()),
        (ASKS_FOR_ADDRESS, {"source_ip": "192.0.2.1"}, {DENY}, ()),
        (ASKS_FOR_ADDRESS, {}, {DENY}, ()),
        (ASKS_FOR_ADDRESS, None, {ALLOW, DENY}, ("source_ip",)),
        (ASKS_FOR_PARAM, {}, {ALLOW, DENY}, ("params.force",)),
        ("  - deny desk:Read on sheets/a/x\n" + ASKS_FOR_PARAM, {}, {DENY}, ()),
        (ASKS_FOR_LABEL, {"session.room": "a"}, {ALLOW}, ()),
        (ASKS_FOR_LABEL, {"session.room": "b"}, {DENY}, ()),
        (ASKS_FOR_LABEL, None, {ALLOW, DENY}, ("session.room",)),
        ("  - desk:Read on sheets/${project}/*\n", None, {DENY}, ()),
    ],
)
def test_the_outlook_is_one_answer_unless_it_hangs_on_a_fact_nobody_wrote_down(
    text: str, context: dict[str, Fact] | None, effects: set[Effect], missing: tuple[str, ...]
) -> None:
    assert outlook(text, context) == (effects, missing)


def test_a_fact_that_another_layer_makes_irrelevant_is_not_missed() -> None:
    assert outlook(ASKS_FOR_ADDRESS, None, guardrails="  - deny desk:* on sheets/**\n") == ({DENY}, ())
    gate = "  - allow: desk:* on sheets/**\n    requires_approval: true\n"
    assert outlook(ASKS_FOR_PARAM, {}, guardrails=gate) == ({ASK, DENY}, ("params.force",))


def test_a_guardrail_that_is_silent_objects_to_nothing() -> None:
    silent = "  - deny desk:* on sheets/q/*\n"
    assert outlook(ASKS_FOR_ADDRESS, None, guardrails=silent) == ({ALLOW, DENY}, ("source_ip",))


def test_a_condition_that_surely_fails_settles_a_rule_whatever_else_is_missing() -> None:
    text = "  - allow: desk:Read on sheets/a/*\n    when: {source_ip: [10.0.0.0/8], params.force: true}\n"
    assert outlook(text, {"source_ip": "192.0.2.1"}) == ({DENY}, ())


def test_a_value_may_hang_on_a_variable_nobody_wrote_down() -> None:
    text = "  - allow: desk:Read on sheets/a/*\n    when: {agent.id: '${session.room}'}\n"
    assert outlook(text, None) == ({ALLOW, DENY}, ("session.room",))


def test_a_pattern_with_more_wildcards_than_may_be_compiled_may_match_anything() -> None:
    text = "  - desk:Read on sheets/*a*b*c/*d*e*f*${session.room}/g\n"
    matcher = Matcher(layered("ci", text))
    found = matcher.matches(record(READ), Requirement("desk:Read", "sheets/a/x"))
    assert [each.missing for each in found] in ([("session.room",)], [])


def test_guardrails_alone_allow_nothing() -> None:
    policy = layered("ci", "", guardrails=ASKS_FOR_PARAM.replace("  - desk:Read on sheets/a/*\n", ""))
    assert Matcher(policy).outlook(record(READ, context={})).effects == {DENY}
    assert Matcher(compile_layers("ci", ())).outlook(record(READ)).effects == {DENY}


def test_a_part_of_a_resource_that_is_not_known_may_be_what_a_rule_forbids() -> None:
    policy = layered("ci", "  - desk:Read on sheets/*\n  - deny desk:Read on sheets/q/*\n")
    found = Matcher(policy).matches(record(READ), Requirement("desk:Read", f"sheets/{UNKNOWN}/x"))
    assert [each.rule.effect for each in found] == [ALLOW, DENY]


SECRETS = """\
  - desk:* on sheets/*
  - allow: desk:Read on sheets/a/*
    returns_secrets: true
    when: {params.force: true}
  - allow: desk:* on sheets/a/*
    requires_approval: true
"""


def test_what_returned_secrets_was_granted_by_rules_that_say_so_beside_all_that_ask() -> None:
    secret = record(READ, context={}, returns_secrets=True)
    matcher = Matcher(layered("ci", SECRETS))
    found = matcher.matches(secret, Requirement("desk:Read", "sheets/a/x"))
    assert [(each.rule.span.line, each.missing) for each in found] == [(3, ("params.force",)), (6, ())]
    assert matcher.outlook(secret).effects == {ASK, DENY}
    assert matcher.outlook(record(READ, context={})).effects == {ASK}
    plain = Matcher(layered("ci", "  - desk:* on sheets/*\n"))
    assert plain.outlook(secret).effects == {DENY}


def test_a_boundary_grants_what_returned_secrets_without_saying_so() -> None:
    text = "  - allow: desk:Read on sheets/*\n    returns_secrets: true\n"
    matcher = Matcher(layered("ci", text, boundary=ASKS_FOR_PARAM))
    secret = record(READ, context={}, returns_secrets=True)
    assert matcher.outlook(secret).effects == {ALLOW, DENY}
