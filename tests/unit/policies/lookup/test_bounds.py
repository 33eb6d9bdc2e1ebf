from __future__ import annotations

from itertools import product

import pytest

from policies.engine import compile_policy
from policies.lookup.bounds import MAX_STEPS, MAX_UNINDEXED, BoundError, worst
from policies.lookup.index import PatternIndex
from policies.model import ApprovalTerms, Effect, Rule, Span
from policies.patterns.pattern import MAX_STARS, compile_pattern
from tests.unit.policies.written import ask, in_project, policy_of, rule


def steps_of(*patterns: str, weight: int = 0) -> int:
    index = PatternIndex((compile_pattern(text), text) for text in patterns)
    return worst(index, lambda _: weight)


def test_rules_that_branch_at_every_segment_are_refused() -> None:
    ways = ["".join(way) for way in product(("a/", "*/"), repeat=13) if way.count("*/") <= MAX_STARS]
    assert len(ways) > 7_000
    with pytest.raises(BoundError) as refused:
        compile_policy(policy_of(*(f"a:B on {way}end" for way in ways)))
    assert "`a:B`" in str(refused.value)
    assert "policies/bot.yaml" in refused.value.fix


def test_many_stars_in_one_segment_are_refused_when_they_are_many() -> None:
    few = [f"a:B on *a*b{number}*" for number in range(20)]
    assert ask(policy_of(*few), ("a:B", "xaxb7x")).effect is Effect.ALLOW
    with pytest.raises(BoundError):
        compile_policy(policy_of(*(f"a:B on *a*b{number}*" for number in range(10_000))))
    with pytest.raises(BoundError):
        compile_policy(policy_of(*(f"a:B on *{number}*b/end" for number in range(10_000))))


def test_many_stars_in_one_segment_are_accepted_where_their_ends_tell_them_apart() -> None:
    policy = policy_of(*(f"a:B on q/*-east-*-{number}/end" for number in range(2_000)))
    assert ask(policy, ("a:B", "q/x-east-y-1999/end")).reasons[0].rule_id == "bot-L2001"


def test_identical_rules_and_rules_that_all_match_are_cheap() -> None:
    compile_policy(policy_of(*["a:B on **"] * 10_000))
    decision = ask(policy_of(*["a:B on x/*", "ask a:B on x/*", "deny a:B on x/*"] * 3_000), ("a:B", "x/y"))
    assert (decision.effect, decision.reasons[0].rule_id) == (Effect.DENY, "bot-L4")


def test_rules_that_all_must_be_asked_are_refused_when_they_are_many() -> None:
    conditional = [rule("a:B on **", line, conditions=(in_project("x"),)) for line in range(10_000)]
    span = Span("x.yaml", 1)
    asking = [
        Rule(f"r{number}", Effect.REQUIRE_APPROVAL, ("a:B",), ("*",), span, ApprovalTerms(f"c{number}", 60))
        for number in range(10_000)
    ]
    for rules in (conditional, asking):
        compile_policy(policy_of(*rules[:100]))
        with pytest.raises(BoundError):
            compile_policy(policy_of(*rules))


def test_many_action_patterns_that_match_one_action_add_up() -> None:
    actions = [f"{'a' * number}*:B" for number in range(1, 60)]
    rules = [f"{action} on *{'ab' * 20}*{number}*c" for action in actions for number in range(8)]
    compile_policy(policy_of(*rules[:16]))
    with pytest.raises(BoundError):
        compile_policy(policy_of(*rules))


@pytest.mark.parametrize("shape", ["x/**/{n}", "x/${{project}}/{n}"])
def test_only_so_many_patterns_cannot_be_indexed(shape: str) -> None:
    rules = [f"a:B{number} on {shape.format(n=number)}" for number in range(MAX_UNINDEXED + 1)]
    compile_policy(policy_of(*rules[:-1]))
    with pytest.raises(BoundError):
        compile_policy(policy_of(*rules))


@pytest.mark.parametrize(
    ("lighter", "heavier"),
    [
        (["a/b"], ["a/b", "*/b"]),
        (["x*", "y*"], ["x*", "xx*"]),
        (["*x/end", "*y/end"], ["*x/end", "*xx/end"]),
        (["a*b*c/x"], ["a*b*c/x", "a*bb*c/x"]),
        (["a*b*"], ["a*b*", "a*bb*"]),
        (["a/**/b"], ["a/*/**/b"]),
        (["a/${project}/b"], ["a/*/${project}/b"]),
        (["a/**/b"], ["a/**/bbbbbb"]),
    ],
)
def test_what_can_meet_on_one_text_weighs_more(lighter: list[str], heavier: list[str]) -> None:
    assert steps_of(*lighter, weight=5) < steps_of(*heavier, weight=5)


def test_ten_thousand_rules_of_the_usual_kind_stay_far_below_the_limit() -> None:
    patterns = [f"arn:aws:s3:::bucket-{number}/raw/*" for number in range(5_000)]
    patterns += [f"repos/*/*/branches/team-{number}/*" for number in range(5_000)]
    assert steps_of(*patterns, weight=3) < MAX_STEPS / 20
