"""What is explained agrees with what is decided, whatever the rules, layers, conditions and uses are."""

from __future__ import annotations

from hypothesis import given, reject
from hypothesis import strategies as st

from policies.answers.explain import explain, to_json
from policies.answers.matching import matching_rules
from policies.answers.near_misses import MAX_NEAR_MISSES
from policies.digest import rule_key
from policies.engine import compile_policy
from policies.layers import LayeredPolicy, compile_layers
from policies.lookup.bounds import BoundError
from policies.model import (
    AccessRequest,
    ApprovalTerms,
    Condition,
    Effect,
    Fact,
    Layer,
    PolicySet,
    PolicyVersion,
    Requirement,
    ResourceType,
    Rule,
    Span,
)
from policies.patterns.pattern import UNKNOWN
from policies.resources.catalogue import build_catalogue

RANK = {Effect.ALLOW: 0, Effect.REQUIRE_APPROVAL: 1, Effect.DENY: 2}
CATALOGUE = build_catalogue([ResourceType("a/thing", "x/{one}/{rest=**}", ("a:*",))], {})
ACTIONS = st.sampled_from(["a:R", "a:W", "a:*", "b:R", "*"])
PIECES = st.lists(st.sampled_from(["x", "y", "/", ":", "*", "x/", "${project}", "${agent.id}"]), min_size=1, max_size=4)
PATTERNS = (PIECES.map("".join) | PIECES.map(lambda made: f"{''.join(made)}/**/x")).filter(
    lambda text: "***" not in text
)
RESOURCES = st.lists(st.sampled_from(["x", "y", "/", ":", "*", "x/y/"]), min_size=1, max_size=6).map("".join)
ASKED_RESOURCES = RESOURCES | RESOURCES.map(lambda text: text.replace("y", UNKNOWN))
CONDITIONS = st.builds(Condition, st.just("k"), st.sampled_from(["is", "is_not"]), st.sampled_from([("a",), (1,)]))
CONTEXTS: list[dict[str, Fact]] = [{}, {"k": "a"}, {"k": 1}, {"k": ("a", "b")}]
LAYERS = st.sampled_from([[], [Layer.GUARDRAIL], [Layer.GUARDRAIL, Layer.BOUNDARY], [Layer.SESSION]])


@st.composite
def policies(draw: st.DrawFn) -> LayeredPolicy:
    sets = []
    for number, layer in enumerate([*draw(LAYERS), Layer.AGENT]):
        made = tuple(draw(rules(layer, number * 100 + line)) for line in range(draw(st.integers(0, 5))))
        agent = "" if layer is Layer.GUARDRAIL else "bot"
        sets.append(PolicySet(agent, made, PolicyVersion(f"{number:064d}"), layer))
    try:
        return compile_layers("bot", tuple(map(compile_policy, sets)))
    except BoundError:
        reject()


@st.composite
def rules(draw: st.DrawFn, layer: Layer, line: int) -> Rule:
    effect = draw(
        st.sampled_from([each for each in Effect if each is not Effect.ALLOW or layer is not Layer.GUARDRAIL])
    )
    return Rule(
        f"r{line}",
        effect,
        tuple(draw(st.lists(ACTIONS, min_size=1, max_size=2))),
        tuple(draw(st.lists(PATTERNS, min_size=1, max_size=2))),
        Span("x.yaml", line),
        ApprovalTerms("c", 60) if effect is Effect.REQUIRE_APPROVAL else None,
        conditions=tuple(draw(st.lists(CONDITIONS, max_size=1))),
        until_ns=draw(st.sampled_from([0, 0, 5])),
        max_uses=0 if effect is Effect.DENY or layer is Layer.GUARDRAIL else draw(st.sampled_from([0, 0, 2])),
        returns_secrets=layer is Layer.AGENT and effect is not Effect.DENY and draw(st.booleans()),
    )


@st.composite
def questions(draw: st.DrawFn) -> tuple[LayeredPolicy, AccessRequest]:
    policy = draw(policies())
    limited = [(layer.policy.agent, rule) for layer in policy.layers for rule in layer.policy.rules if rule.max_uses]
    uses = {rule_key(agent, rule): draw(st.integers(0, 2)) for agent, rule in limited}
    context = draw(st.sampled_from(CONTEXTS))
    asked = Requirement(draw(st.sampled_from(["a:R", "a:W", "b:R"])), draw(ASKED_RESOURCES))
    return policy, AccessRequest(
        "bot", draw(st.sampled_from(["x", "y*", ""])), (asked,), context, draw(st.sampled_from([None, 1, 9])), uses,
        draw(st.booleans()),
    )  # fmt: skip


@given(questions())
def test_what_is_explained_is_what_is_decided(question: tuple[LayeredPolicy, AccessRequest]) -> None:
    policy, request = question
    explanation = explain(policy, request, CATALOGUE)
    decision = policy.decide(request)
    assert explanation.decision == decision
    assert decision.errors == ()
    answers = [layer.effect for layer in explanation.layers if layer.effect is not None]
    assert max(answers, key=RANK.__getitem__) is decision.effect
    (reason,) = decision.reasons
    speaking = [layer for layer in explanation.layers if layer.layer is reason.layer and layer.effect is reason.effect]
    assert reason.rule_id in {layer.matches[0].rule.id if layer.matches else "" for layer in speaking}
    assert to_json(explanation)["effect"] == decision.effect.value


@given(questions())
def test_every_layer_is_explained_as_it_decides_by_itself(question: tuple[LayeredPolicy, AccessRequest]) -> None:
    policy, request = question
    for compiled, layer in zip(policy.layers, explain(policy, request, CATALOGUE).layers, strict=True):
        if compiled.policy.layer is not Layer.GUARDRAIL:
            (alone,) = compiled.decide(request).reasons
            assert alone.effect is layer.effect
            assert alone.rule_id == (layer.matches[0].rule.id if layer.matches else "")
        assert (layer.effect is None) is (compiled.policy.layer is Layer.GUARDRAIL and not layer.matches)
        assert not layer.matches or layer.matches[0].rule.effect is layer.effect
        assert {match.rule for match in layer.matches} == set(matching_rules(compiled.policy, request))


@given(questions())
def test_a_near_miss_never_applies_and_always_says_what_failed(question: tuple[LayeredPolicy, AccessRequest]) -> None:
    policy, request = question
    for compiled, layer in zip(policy.layers, explain(policy, request, CATALOGUE).layers, strict=True):
        missed = [miss.rule for miss in layer.near_misses]
        assert len(missed) == len(set(missed)) <= MAX_NEAR_MISSES
        assert not set(missed) & set(matching_rules(compiled.policy, request))
        assert all(miss.text.startswith((miss.part.value, "one:", "rest:")) for miss in layer.near_misses)
        assert all(miss.pattern in miss.rule.resources for miss in layer.near_misses)
        assert not missed or (layer.effect is Effect.DENY and not layer.matches)
