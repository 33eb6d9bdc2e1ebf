"""The engine against a slow, obvious reference, and what must hold whatever the rules are."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine import compile_policy, decide
from policies.model import (
    AccessRequest,
    ApprovalTerms,
    Decision,
    Effect,
    PolicySet,
    PolicyVersion,
    Requirement,
    Rule,
    Span,
)

RANK = {Effect.ALLOW: 0, Effect.REQUIRE_APPROVAL: 1, Effect.DENY: 2}
ACTIONS = st.sampled_from(["a:R", "a:W", "a:*", "b:R", "*:R", "*", "a:R*"])
ASKED_ACTIONS = st.sampled_from(["a:R", "a:W", "b:R", "b:W", "a:RX"])
PARTS = st.lists(st.sampled_from(["x", "y", "/", ":", "*", "x/", "/*"]), min_size=1, max_size=5).map("".join)
RESOURCES = (PARTS | PARTS.map(lambda text: text + "/**/x")).filter(lambda text: "***" not in text)
ASKED_RESOURCES = st.text(alphabet="xy/:*", min_size=1, max_size=6)


def covers(pattern: str, asked: str) -> bool:
    @cache
    def at(p: int, a: int) -> bool:
        if p == len(pattern):
            return a == len(asked)
        if pattern[p] != "*":
            return a < len(asked) and asked[a] == pattern[p] and at(p + 1, a + 1)
        end = p + len(pattern[p:]) - len(pattern[p:].lstrip("*"))
        crossing = end - p > 1 or end == len(pattern)
        return at(end, a) or (a < len(asked) and (crossing or asked[a] not in "/:") and at(p, a + 1))

    return at(0, 0)


def reference(policy: PolicySet, requirement: Requirement) -> Effect:
    effects = [
        rule.effect
        for rule in policy.rules
        if any(covers(pattern, requirement.action) for pattern in rule.actions)
        and any(covers(pattern, requirement.resource) for pattern in rule.resources)
    ]
    return max(effects, key=RANK.__getitem__, default=Effect.DENY)


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    made = []
    for line in range(draw(st.integers(0, 7))):
        effect = draw(st.sampled_from(list(Effect)))
        actions = tuple(draw(st.lists(ACTIONS, min_size=1, max_size=2)))
        resources = tuple(draw(st.lists(RESOURCES, min_size=1, max_size=2)))
        terms = ApprovalTerms(f"c{line % 2}", 60) if effect is Effect.REQUIRE_APPROVAL else None
        made.append(Rule(f"r{line}", effect, actions, resources, Span("x.yaml", line + 1), terms))
    return tuple(made)


REQUESTS = st.lists(st.builds(Requirement, ASKED_ACTIONS, ASKED_RESOURCES), min_size=1, max_size=3).map(tuple)


def policy_of(made: tuple[Rule, ...]) -> PolicySet:
    return PolicySet("bot", made, PolicyVersion("0" * 64))


def answer(made: tuple[Rule, ...], asked: tuple[Requirement, ...]) -> Decision:
    return compile_policy(policy_of(made)).decide(AccessRequest("bot", "p", asked))


@pytest.mark.req("P1")
@given(rules(), REQUESTS)
def test_the_engine_agrees_with_the_reference(made: tuple[Rule, ...], asked: tuple[Requirement, ...]) -> None:
    decision = answer(made, asked)
    expected = [reference(policy_of(made), requirement) for requirement in asked]
    assert [reason.effect for reason in decision.reasons] == expected
    assert decision.effect is max(expected, key=RANK.__getitem__)
    assert decision.errors == ()
    assert decision == decide(policy_of(made), AccessRequest("bot", "p", asked))


@given(rules(), REQUESTS)
def test_the_named_rule_is_one_that_gives_the_effect(made: tuple[Rule, ...], asked: tuple[Requirement, ...]) -> None:
    by_id = {rule.id: rule for rule in made}
    for reason in answer(made, asked).reasons:
        if not reason.rule_id:
            assert reason.effect is Effect.DENY
            continue
        assert by_id[reason.rule_id].effect is reason.effect
        alone = answer((by_id[reason.rule_id],), (reason.requirement,))
        assert alone.effect is reason.effect


@given(rules(), REQUESTS, st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(
    made: tuple[Rule, ...], asked: tuple[Requirement, ...], shuffler: object
) -> None:
    shuffled = list(made)
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis's own random.Random; the module is banned here
    assert answer(tuple(shuffled), asked) == answer(made, asked)


@given(rules(), rules(), REQUESTS)
def test_adding_a_deny_never_allows_more(
    made: tuple[Rule, ...], more: tuple[Rule, ...], asked: tuple[Requirement, ...]
) -> None:
    denials = tuple(
        Rule(f"d-{rule.id}", Effect.DENY, rule.actions, rule.resources, Span("d.yaml", rule.span.line)) for rule in more
    )
    assert RANK[answer(made + denials, asked).effect] >= RANK[answer(made, asked).effect]


@given(rules(), REQUESTS)
def test_no_answer_is_milder_than_that_of_its_strictest_part(
    made: tuple[Rule, ...], asked: tuple[Requirement, ...]
) -> None:
    parts = [answer(made, (requirement,)).effect for requirement in asked]
    assert answer(made, asked).effect is max(parts, key=RANK.__getitem__)


@given(rules(), REQUESTS)
def test_terms_are_there_exactly_when_a_human_is_asked(made: tuple[Rule, ...], asked: tuple[Requirement, ...]) -> None:
    decision = answer(made, asked)
    assert bool(decision.approvals) is (decision.effect is Effect.REQUIRE_APPROVAL)
    assert len(set(decision.approvals)) == len(decision.approvals)


@given(rules(), st.builds(Requirement, ASKED_ACTIONS, ASKED_RESOURCES), ASKED_RESOURCES)
def test_an_unknown_part_is_never_answered_milder_than_any_value_of_it(
    made: tuple[Rule, ...], requirement: Requirement, value: str
) -> None:
    whole = Requirement(requirement.action, f"{requirement.resource}{value}")
    partly = Requirement(requirement.action, f"{requirement.resource}\x00")
    # An unknown part is one component: a value with separators in it is another resource.
    if not set("/:") & set(value):
        assert RANK[answer(made, (partly,)).effect] >= RANK[answer(made, (whole,)).effect]
