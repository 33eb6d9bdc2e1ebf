"""The engine against a slow, obvious reference, and what must hold whatever the rules are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from policies.digest import policy_version, rule_key
from policies.engine import compile_policy, decide
from policies.layers import LayeredPolicy, compile_layers
from policies.lookup.bounds import BoundError
from policies.model import (
    AccessRequest,
    ApprovalTerms,
    Condition,
    Decision,
    Effect,
    Layer,
    PolicySet,
    Requirement,
    Rule,
    Span,
)
from tests.unit.policies.slow import RANK, decides

ACTIONS = st.sampled_from(["a:R", "a:W", "a:*", "b:R", "*:R", "*", "a:R*", "a:*X"])
ASKED_ACTIONS = st.sampled_from(["a:R", "a:W", "b:R", "b:W", "a:RX"])
PIECES = ["x", "y", "/", ":", "*", "x/", "/*", "x*y", "**/", "${session.s}", "${project}/", "${session.t=**}"]
RESOURCES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join).filter(lambda it: "***" not in it)
ASKED_RESOURCES = st.text(alphabet="xy/:*", min_size=1, max_size=6)
CONDITIONS = st.lists(st.builds(Condition, st.just("session.c"), st.just("is"), st.just(("x",))), max_size=1)
CONTEXTS = st.dictionaries(
    st.sampled_from(["session.s", "session.t", "session.c"]), st.text(alphabet="xy/*", min_size=1, max_size=2)
)
LAYERS = [Layer.GUARDRAIL, Layer.BOUNDARY, Layer.AGENT, Layer.SESSION]


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    made = []
    for line in range(draw(st.integers(0, 7))):
        effect = draw(st.sampled_from(list(Effect)))
        made.append(
            Rule(
                f"r{line}",
                effect,
                tuple(draw(st.lists(ACTIONS, min_size=1, max_size=2))),
                tuple(draw(st.lists(RESOURCES, min_size=1, max_size=2))),
                Span("x.yaml", line + 1),
                ApprovalTerms(f"c{line % 2}", 60) if effect is Effect.REQUIRE_APPROVAL else None,
                conditions=tuple(draw(CONDITIONS)),
                max_uses=draw(st.sampled_from([0, 0, 0, 1])),
                returns_secrets=draw(st.booleans()),
            )
        )
    return tuple(made)


REQUIREMENTS = st.lists(st.builds(Requirement, ASKED_ACTIONS, ASKED_RESOURCES), min_size=1, max_size=3).map(tuple)
USED = st.sets(st.sampled_from([f"r{line}" for line in range(7)]))
REQUESTS = st.builds(
    AccessRequest,
    st.just("bot"),
    st.sampled_from(["p", "x", ""]),
    REQUIREMENTS,
    CONTEXTS,
    uses=USED.map(lambda ids: dict.fromkeys(ids, 1)),
    returns_secrets=st.booleans(),
)
STACKS = st.lists(st.tuples(st.sampled_from(LAYERS), rules()), max_size=4)


def policy_of(made: tuple[Rule, ...], layer: Layer = Layer.AGENT) -> PolicySet:
    return PolicySet("bot", made, policy_version("bot", made, layer), layer)


def keyed(request: AccessRequest, layers: tuple[PolicySet, ...]) -> AccessRequest:
    """Return the request as the engine reads it: uses by key, where the reference reads them by id."""
    every = [rule for layer in layers for rule in layer.rules if rule.id in request.uses]
    return replace(request, uses={rule_key("bot", rule): 1 for rule in every})


def layered(layers: tuple[PolicySet, ...]) -> LayeredPolicy:
    try:
        return compile_layers("bot", layers)
    except BoundError:
        reject()


def answer(made: tuple[Rule, ...], request: AccessRequest) -> Decision:
    policy = policy_of(made)
    return layered((policy,)).decide(keyed(request, (policy,)))


def stacked(stack: list[tuple[Layer, tuple[Rule, ...]]]) -> tuple[PolicySet, ...]:
    return tuple(policy_of(made, layer) for layer, made in stack)


@pytest.mark.req("P1")
@given(rules(), REQUESTS)
def test_the_engine_agrees_with_the_reference(made: tuple[Rule, ...], request: AccessRequest) -> None:
    policy, decision = policy_of(made), answer(made, request)
    expected = [decides((policy,), requirement, request) for requirement in request.requirements]
    assert [reason.effect for reason in decision.reasons] == expected
    assert decision.effect is max(expected, key=RANK.__getitem__)
    assert decision.errors == ()
    assert decision == decide(policy, keyed(request, (policy,)))


@given(STACKS, REQUESTS)
def test_layers_agree_with_the_reference(stack: list[tuple[Layer, tuple[Rule, ...]]], request: AccessRequest) -> None:
    layers = stacked(stack)
    decision = layered(layers).decide(keyed(request, layers))
    expected = [decides(layers, requirement, request) for requirement in request.requirements]
    assert [reason.effect for reason in decision.reasons] == expected
    assert decision.effect is max(expected, key=RANK.__getitem__)
    assert bool(decision.approvals) is (decision.effect is Effect.REQUIRE_APPROVAL)


@given(STACKS, REQUESTS)
def test_a_layered_answer_never_exceeds_any_layer(
    stack: list[tuple[Layer, tuple[Rule, ...]]], request: AccessRequest
) -> None:
    layers = stacked(stack)
    together = layered(layers).decide(keyed(request, layers))
    for layer in layers:
        if layer.layer is not Layer.GUARDRAIL:
            alone = compile_policy(layer).decide(keyed(request, layers))
            assert RANK[together.effect] >= RANK[alone.effect]


@given(STACKS, rules(), REQUESTS)
def test_a_guardrail_more_never_allows_more(
    stack: list[tuple[Layer, tuple[Rule, ...]]], guardrail: tuple[Rule, ...], request: AccessRequest
) -> None:
    layers = stacked(stack)
    more = (policy_of(guardrail, Layer.GUARDRAIL), *layers)
    before = layered(layers).decide(keyed(request, more))
    after = layered(more).decide(keyed(request, more))
    assert RANK[after.effect] >= RANK[before.effect]


@given(rules(), REQUESTS)
def test_the_named_rule_is_one_that_gives_the_effect(made: tuple[Rule, ...], request: AccessRequest) -> None:
    by_id = {rule.id: rule for rule in made}
    for reason in answer(made, request).reasons:
        if not reason.rule_id:
            assert reason.effect is Effect.DENY
            continue
        assert by_id[reason.rule_id].effect is reason.effect
        alone = answer((by_id[reason.rule_id],), replace(request, requirements=(reason.requirement,)))
        assert alone.effect is reason.effect


@given(rules(), REQUESTS)
def test_uses_are_those_of_limited_rules_that_decided(made: tuple[Rule, ...], request: AccessRequest) -> None:
    decision = answer(made, request)
    by_id = {rule.id: rule for rule in made}
    named = {by_id[reason.rule_id] for reason in decision.reasons if reason.rule_id}
    limited = {rule_key("bot", rule) for rule in named if rule.max_uses}
    assert {use.key for use in decision.uses} == (set() if decision.effect is Effect.DENY else limited)
    assert all(use.used < use.max_uses for use in decision.uses)


@given(rules(), REQUESTS, st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(made: tuple[Rule, ...], request: AccessRequest, shuffler: object) -> None:
    shuffled = list(made)
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis's own random.Random; the module is banned here
    one, other = answer(tuple(shuffled), request), answer(made, request)
    assert replace(one, policy_version=other.policy_version) == other


@given(rules(), rules(), REQUESTS)
def test_adding_a_deny_never_allows_more(
    made: tuple[Rule, ...], more: tuple[Rule, ...], request: AccessRequest
) -> None:
    denials = tuple(replace(rule, id=f"d-{rule.id}", effect=Effect.DENY, approval=None) for rule in more)
    assert RANK[answer(made + denials, request).effect] >= RANK[answer(made, request).effect]


@given(rules(), REQUESTS, st.integers(0, 6))
def test_asking_instead_of_allowing_never_weakens(made: tuple[Rule, ...], request: AccessRequest, place: int) -> None:
    # Uses are counted by what a rule says, so a rule that says something else starts anew: leave limits out.
    made = tuple(replace(rule, max_uses=0) for rule in made)
    terms = ApprovalTerms("c", 60)
    changed = tuple(
        replace(rule, effect=Effect.REQUIRE_APPROVAL, approval=terms)
        if number == place and rule.effect is Effect.ALLOW
        else rule
        for number, rule in enumerate(made)
    )
    assert RANK[answer(changed, request).effect] >= RANK[answer(made, request).effect]


@given(rules(), REQUESTS)
def test_no_answer_is_milder_than_that_of_its_strictest_part(made: tuple[Rule, ...], request: AccessRequest) -> None:
    parts = [answer(made, replace(request, requirements=(one,))).effect for one in request.requirements]
    assert answer(made, request).effect is max(parts, key=RANK.__getitem__)


@given(rules(), REQUESTS)
def test_terms_are_there_exactly_when_a_human_is_asked(made: tuple[Rule, ...], request: AccessRequest) -> None:
    decision = answer(made, request)
    assert bool(decision.approvals) is (decision.effect is Effect.REQUIRE_APPROVAL)
    assert len(set(decision.approvals)) == len(decision.approvals)


@given(STACKS, REQUESTS, ASKED_RESOURCES, st.text(alphabet="xy/", max_size=3))
def test_an_unknown_part_is_never_answered_milder_than_any_value_of_it(
    stack: list[tuple[Layer, tuple[Rule, ...]]], request: AccessRequest, value: str, after: str
) -> None:
    layers = stacked(stack)
    policy, asked = layered(layers), keyed(request, layers)
    first = request.requirements[0]
    whole = Requirement(first.action, f"{first.resource}{value}{after}")
    partly = Requirement(first.action, f"{first.resource}\x00{after}")
    strict = policy.decide(replace(asked, requirements=(partly,))).effect
    # A value with separators in it is another resource, and a wildcard may cover the one and not the other.
    if not set("/:") & set(value):
        assert RANK[strict] >= RANK[policy.decide(replace(asked, requirements=(whole,))).effect]
