from __future__ import annotations

import json
from dataclasses import replace

import pytest

from policies.answers.explain import Explanation, explain, to_json
from policies.answers.near_misses import Part
from policies.digest import rule_key
from policies.engine import compile_policy
from policies.layers import LayeredPolicy, compile_layers
from policies.model import (
    AccessRequest,
    ApprovalTerms,
    Condition,
    Effect,
    Layer,
    PolicySet,
    PolicyVersion,
    Requirement,
    Rule,
    Span,
)
from policies.patterns.pattern import UNKNOWN
from policies.resources.catalogue import UNCHECKED

MAIN = "repos/acme/app/branches/main"
TERMS = ApprovalTerms("approvals", 60)
REQUEST = AccessRequest("bot", "web", (Requirement("git:push", MAIN),))
ALLOW_ALL = Rule("all", Effect.ALLOW, ("git:*",), ("repos/**",), Span("bot.yaml", 2), text="git:* on repos/**")
ASK_MAIN = Rule("ask", Effect.REQUIRE_APPROVAL, ("git:push",), ("repos/*/*/branches/main",), Span("bot.yaml", 3), TERMS)
DENY_MAIN = Rule("deny", Effect.DENY, ("git:push",), ("repos/*/*/branches/main",), Span("bot.yaml", 4))
ALLOW_DEV = Rule("dev", Effect.ALLOW, ("git:push",), ("repos/*/*/branches/dev",), Span("bot.yaml", 5))


def layered(*layers: tuple[Layer, tuple[Rule, ...]]) -> LayeredPolicy:
    sets = [
        PolicySet("" if layer is Layer.GUARDRAIL else "bot", rules, PolicyVersion(f"{number:064d}"), layer)
        for number, (layer, rules) in enumerate(layers)
    ]
    return compile_layers("bot", tuple(map(compile_policy, sets)))


def explained(*layers: tuple[Layer, tuple[Rule, ...]], request: AccessRequest = REQUEST) -> Explanation:
    policy = layered(*layers)
    explanation = explain(policy, request)
    assert explanation.decision == policy.decide(request)
    return explanation


def test_every_rule_that_applies_is_told_the_deciding_one_first() -> None:
    explanation = explained((Layer.AGENT, (ALLOW_ALL, ALLOW_DEV, ASK_MAIN)))
    (layer,) = explanation.layers
    assert [match.rule.id for match in layer.matches] == ["ask", "all"]
    assert [match.pattern for match in layer.matches] == ["repos/*/*/branches/main", "repos/**"]
    assert (layer.effect, layer.near_misses) == (Effect.REQUIRE_APPROVAL, ())
    assert explanation.decision.effect is Effect.REQUIRE_APPROVAL
    assert explanation.fix == ""


def test_a_layer_that_denies_by_silence_tells_what_came_near_and_a_fix() -> None:
    explanation = explained((Layer.AGENT, (ALLOW_DEV,)))
    (layer,) = explanation.layers
    assert (layer.effect, layer.matches) == (Effect.DENY, ())
    assert [(miss.rule.id, miss.part) for miss in layer.near_misses] == [("dev", Part.RESOURCE)]
    assert f"git:push on {MAIN}" in explanation.fix


def test_a_layer_that_forbids_tells_no_near_miss() -> None:
    (layer,) = explained((Layer.AGENT, (ALLOW_ALL, ALLOW_DEV, DENY_MAIN))).layers
    assert [match.rule.id for match in layer.matches] == ["deny", "all"]
    assert (layer.effect, layer.near_misses) == (Effect.DENY, ())


def test_each_layer_answers_for_itself_so_that_people_see_which_one_to_change() -> None:
    explanation = explained(
        (Layer.GUARDRAIL, ()),
        (Layer.BOUNDARY, (ALLOW_DEV,)),
        (Layer.AGENT, (ALLOW_ALL,)),
        (Layer.SESSION, (ALLOW_ALL, ALLOW_DEV)),
    )
    assert [
        (layer.layer, layer.effect, len(layer.matches), len(layer.near_misses)) for layer in explanation.layers
    ] == [
        (Layer.GUARDRAIL, None, 0, 0),
        (Layer.BOUNDARY, Effect.DENY, 0, 1),
        (Layer.AGENT, Effect.ALLOW, 1, 0),
        (Layer.SESSION, Effect.ALLOW, 1, 0),
    ]
    assert explanation.decision.reasons[0].layer is Layer.BOUNDARY


def test_a_guardrail_that_asks_is_told_beside_the_rule_that_allows() -> None:
    explanation = explained((Layer.GUARDRAIL, (ASK_MAIN,)), (Layer.AGENT, (ALLOW_ALL,)))
    assert [layer.effect for layer in explanation.layers] == [Effect.REQUIRE_APPROVAL, Effect.ALLOW]
    assert explanation.decision.effect is Effect.REQUIRE_APPROVAL


def test_a_rule_whose_condition_or_uses_fail_is_a_near_miss() -> None:
    bound = replace(ALLOW_ALL, conditions=(Condition("source_ip", "ip_in", ("10.0.0.0/8",)),))
    limited = replace(ALLOW_ALL, id="few", max_uses=1)
    request = replace(REQUEST, uses={rule_key("bot", limited): 1}, context={"source_ip": "192.0.2.1"})
    (layer,) = explained((Layer.AGENT, (bound, limited)), request=request).layers
    assert {miss.rule.id: miss.part for miss in layer.near_misses} == {"all": Part.CONDITION, "few": Part.MAX_USES}


def test_a_request_that_cannot_be_decided_has_its_errors_and_nothing_else() -> None:
    odd = replace(REQUEST, requirements=(Requirement("push", MAIN),))
    explanation = explained((Layer.AGENT, (ALLOW_ALL,)), request=odd)
    assert explanation.decision.errors != ()
    assert (explanation.layers, explanation.fix) == ((), "")
    assert to_json(explanation)["errors"] == list(explanation.decision.errors)


def test_of_two_rules_that_forbid_the_one_that_surely_matches_comes_first() -> None:
    perhaps = replace(DENY_MAIN, id="perhaps", span=Span("bot.yaml", 1))
    surely = replace(DENY_MAIN, id="surely", resources=("repos/**",))
    request = replace(REQUEST, requirements=(Requirement("git:push", f"repos/acme/app/branches/{UNKNOWN}"),))
    explanation = explained((Layer.AGENT, (perhaps, surely)), request=request)
    assert [match.rule.id for match in explanation.layers[0].matches] == ["surely", "perhaps"]
    assert explanation.decision.reasons[0].rule_id == "surely"


@pytest.mark.parametrize("count", [0, 2])
def test_requirements_are_explained_one_by_one(count: int) -> None:
    with pytest.raises(ValueError, match="unpack"):
        explain(layered((Layer.AGENT, (ALLOW_ALL,))), replace(REQUEST, requirements=REQUEST.requirements * count))


def test_as_data_every_match_has_its_rule_place_text_and_expansion() -> None:
    explanation = explained((Layer.GUARDRAIL, ()), (Layer.AGENT, (ALLOW_ALL,)))
    data = json.loads(json.dumps(to_json(explanation)))
    assert {key: data[key] for key in ("agent", "action", "resource", "effect", "errors", "fix")} == {
        "agent": "bot",
        "action": "git:push",
        "resource": MAIN,
        "effect": "allow",
        "errors": [],
        "fix": "",
    }
    guardrail, agent = data["layers"]
    assert (guardrail["layer"], guardrail["effect"], guardrail["matches"]) == ("guardrail", None, [])
    assert agent["matches"] == [
        {
            "rule": "all",
            "file": "bot.yaml",
            "line": 2,
            "effect": "allow",
            "text": "git:* on repos/**",
            "expansion": ["repos/**"],
            "description": "",
            "pattern": "repos/**",
        }
    ]
    (reason,) = data["reasons"]
    assert (reason["rule"], reason["file"], reason["line"], reason["layer"]) == ("all", "bot.yaml", 2, "agent")


def test_as_data_a_near_miss_says_which_part_failed() -> None:
    explanation = explain(layered((Layer.AGENT, (ALLOW_DEV,))), REQUEST, UNCHECKED)
    data = json.loads(json.dumps(to_json(explanation)))
    (miss,) = data["layers"][0]["near_misses"]
    assert (miss["rule"], miss["part"], miss["pattern"]) == ("dev", "resource", "repos/*/*/branches/dev")
    assert "`dev`" in miss["why_not"]
    assert data["reasons"][0] == {
        "effect": "deny",
        "layer": "agent",
        "rule": "",
        "file": "",
        "line": 0,
        "text": explanation.decision.reasons[0].text,
    }
