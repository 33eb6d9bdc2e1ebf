"""Differences and scopes against asking for everything there is in a small world."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.analysis.changes import changed_rules
from policies.analysis.comparison import Comparison
from policies.analysis.coverage import Conditions, wider
from policies.analysis.diff import Difference, Kind, diff
from policies.conditions.operators import Op
from policies.engine import compile_policy
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

LEVEL = {Effect.DENY: 0, Effect.REQUIRE_APPROVAL: 1, Effect.ALLOW: 2}
ACTIONS = st.sampled_from(["a:R", "a:W", "a:*", "*:R", "*"])
PIECES = st.sampled_from(["x", "y", "/", "*", "**"])
RESOURCES = st.lists(PIECES, min_size=1, max_size=4).map("".join).filter(lambda text: "***" not in text)
WORLD = [
    Requirement(action, "".join(word))
    for action in ("a:R", "a:W", "b:R", "b:S")
    for length in range(1, 4)
    for word in itertools.product("xy/z", repeat=length)
]
TERMS = ApprovalTerms("people", 60)
CONDITIONS = (Condition("params.c", Op.IS, (1,)), Condition("params.c", Op.IS, (True,)))
STATES = tuple(itertools.product(("yes", "no", "untold"), repeat=len(CONDITIONS)))


@cache
def covers(pattern: str, asked: str) -> bool:
    """The meaning of patterns, slow and obvious."""
    if not pattern:
        return not asked
    if pattern[0] != "*":
        return asked[:1] == pattern[0] and covers(pattern[1:], asked[1:])
    rest = pattern.lstrip("*")
    crossing = not rest or len(pattern) - len(rest) > 1
    return covers(rest, asked) or (bool(asked) and (crossing or asked[0] not in "/:") and covers(pattern, asked[1:]))


def matches(rule: Rule, asked: Requirement) -> bool:
    return any(covers(one, asked.action) for one in rule.actions) and any(
        covers(one, asked.resource) for one in rule.resources
    )


def applies(rule: Rule, layer: Layer, state: Sequence[str]) -> bool:
    told = {state[int(condition is CONDITIONS[1])] for condition in rule.conditions}
    asking = layer is Layer.GUARDRAIL and rule.effect is Effect.REQUIRE_APPROVAL
    return "no" not in told if rule.effect is Effect.DENY or asking else told <= {"yes"}


def level(layers: Sequence[PolicySet], asked: Requirement, state: Sequence[str] = STATES[0]) -> int:
    said = []
    for layer in layers:
        found = [
            LEVEL[rule.effect] for rule in layer.rules if applies(rule, layer.layer, state) and matches(rule, asked)
        ]
        said.append(min(found, default=2 if layer.layer is Layer.GUARDRAIL else 0))
    return min(said) if any(layer.layer is not Layer.GUARDRAIL for layer in layers) else 0


@st.composite
def rules(draw: st.DrawFn, most: int = 4, *, conditional: bool = False) -> tuple[Rule, ...]:
    made = []
    for number in range(draw(st.integers(0, most))):
        effect = draw(st.sampled_from(list(Effect)))
        resources = tuple(draw(st.lists(RESOURCES, min_size=1, max_size=2)))
        terms = TERMS if effect is Effect.REQUIRE_APPROVAL else None
        rule = Rule(f"r{number}", effect, (draw(ACTIONS),), resources, Span("x.yaml", number + 1), terms)
        if conditional:
            rule = replace(rule, conditions=draw(st.sampled_from([(), *((one,) for one in CONDITIONS)])))
        made.append(rule)
    return tuple(made)


def layer_of(made: tuple[Rule, ...], layer: Layer = Layer.AGENT) -> PolicySet:
    return PolicySet("bot", made, PolicyVersion("0" * 64), layer=layer)


def compare(old: Sequence[PolicySet], new: Sequence[PolicySet]) -> tuple[Difference, ...]:
    return diff({"bot": old}, {"bot": new})


def changes(old: Sequence[PolicySet], new: Sequence[PolicySet]) -> set[tuple[int, int]]:
    pairs = {(level(old, asked), level(new, asked)) for asked in WORLD}
    return {(before, after) for before, after in pairs if before != after}


@st.composite
def two_sides(draw: st.DrawFn, *, conditional: bool = False) -> tuple[list[PolicySet], list[PolicySet]]:
    """Two sides that share most of what they say."""
    sides: tuple[list[PolicySet], list[PolicySet]] = [], []
    for layer in draw(st.sampled_from([(Layer.AGENT,), (Layer.GUARDRAIL, Layer.AGENT), (Layer.BOUNDARY, Layer.AGENT)])):
        shared, one, other = (draw(rules(most, conditional=conditional)) for most in (3, 1, 1))
        for side, extra in zip(sides, (one, other), strict=True):
            side.append(layer_of(shared + extra, layer))
    return sides


@pytest.mark.req("P1")
@given(two_sides())
@settings(max_examples=300, deadline=None)
def test_a_difference_is_found_exactly_when_asking_for_everything_finds_it(
    sides: tuple[list[PolicySet], list[PolicySet]],
) -> None:
    old, new = sides
    found = compare(old, new)
    for one in found:
        before, after = level(old, one.requirement), level(new, one.requirement)
        assert (before, after) == (LEVEL[one.old], LEVEL[one.new])
        assert one.widens is (after > before)
    assert {(LEVEL[one.old], LEVEL[one.new]) for one in found} >= changes(old, new)


@given(two_sides())
@settings(max_examples=100, deadline=None)
def test_no_witness_of_the_search_is_longer_than_the_shortest_there_is(
    sides: tuple[list[PolicySet], list[PolicySet]],
) -> None:
    old, new = sides
    comparison = Comparison(old, new)
    findings = [comparison.search(one.lead, one.possible).found for one in changed_rules(old, new)]
    for change in changes(old, new):
        found = [one.requirement for each in findings for pair, one in each.items() if pair == change]
        shortest = min(size(asked) for asked in WORLD if (level(old, asked), level(new, asked)) == change)
        assert min(map(size, found)) <= shortest


def size(asked: Requirement) -> int:
    return len(asked.action) + len(asked.resource)


@given(rules(), rules(2), rules(2))
@settings(max_examples=100, deadline=None)
def test_the_engine_confirms_every_witness(
    shared: tuple[Rule, ...], one: tuple[Rule, ...], other: tuple[Rule, ...]
) -> None:
    old, new = layer_of(shared + one), layer_of(shared + other)
    for found in compare([old], [new]):
        request = AccessRequest("bot", "p", (found.requirement,))
        assert compile_policy(old).decide(request).effect is found.old
        assert compile_policy(new).decide(request).effect is found.new


@given(two_sides(conditional=True))
@settings(max_examples=150, deadline=None)
def test_no_change_hides_behind_a_condition(sides: tuple[list[PolicySet], list[PolicySet]]) -> None:
    old, new = sides
    expected = {
        (before, after)
        for state in STATES
        for asked in WORLD
        if (before := level(old, asked, state)) != (after := level(new, asked, state))
    }
    found = [each for each in compare(old, new) if each.kind is not Kind.TERMS_CHANGED]
    assert {(LEVEL[each.old], LEVEL[each.new]) for each in found} >= expected
    for each in found:
        pair = LEVEL[each.old], LEVEL[each.new]
        assert any((level(old, each.requirement, s), level(new, each.requirement, s)) == pair for s in STATES)


@pytest.mark.req("P1")
@given(rules(3, conditional=True), rules(conditional=True), st.sampled_from([Layer.AGENT, Layer.GUARDRAIL]))
@settings(max_examples=200, deadline=None)
def test_a_scope_is_within_policies_exactly_when_it_grants_nothing_they_do_not(
    scope: tuple[Rule, ...], made: tuple[Rule, ...], layer: Layer
) -> None:
    asked, within = [layer_of(scope, Layer.SESSION)], [layer_of(made, layer)]
    beside = within if layer is Layer.AGENT else [*within, layer_of((), Layer.AGENT)]
    if layer is Layer.GUARDRAIL:
        everything = Rule("all", Effect.ALLOW, ("*",), ("**",), Span("x.yaml", 1))
        beside = [*within, layer_of((everything,))]
        within = beside
    outside = [
        one for one in WORLD if any(level(asked, one, state) > 0 and level(beside, one, state) == 0 for state in STATES)
    ]
    witness = wider(scope, within, conditions=Conditions.STRICT)
    assert not outside or witness is not None
    if witness is not None:
        one = witness.requirement
        assert any(level(asked, one, state) > 0 and level(beside, one, state) == 0 for state in STATES)
