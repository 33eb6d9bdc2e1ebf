from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.engine import MAX_REQUIREMENTS, compile_policy, decide
from policies.fixes import fix_for, literal_rule
from policies.loader import load_policy
from policies.model import AccessRequest, ApprovalTerms, Decision, Effect, PolicySet, Requirement, Rule, Span
from policies.patterns import MAX_RESOURCE_CHARS, UNKNOWN

LAKE = "arn:aws:s3:::data-lake/raw/x"


def policy_of(*items: str) -> PolicySet:
    text = "policies:\n" + "".join(f"  - {item}\n" for item in items) if items else "policies: []\n"
    return load_policy(text.encode(), file="policies/bot.yaml").policy


def ask(policy: PolicySet, *pairs: tuple[str, str]) -> Decision:
    return compile_policy(policy).decide(AccessRequest("bot", "web", tuple(Requirement(*pair) for pair in pairs)))


def gate(rule: str, channel: str = "approvals") -> str:
    return f"{{allow: '{rule}', requires_approval: true, approval_channel: '{channel}'}}"


@pytest.mark.req("P1")
def test_deny_beats_approval_beats_allow_beats_silence() -> None:
    allow, ask_first, deny = "git:push on repos/*", gate("git:push on repos/a/*"), "deny git:push on repos/a/b/*"
    policy = policy_of(allow, ask_first, deny)
    for order in (policy.rules, policy.rules[::-1]):
        shuffled = replace(policy, rules=order)
        assert ask(shuffled, ("git:push", "repos/z/z/branches/m")).effect is Effect.ALLOW
        assert ask(shuffled, ("git:push", "repos/a/z/branches/m")).effect is Effect.REQUIRE_APPROVAL
        assert ask(shuffled, ("git:push", "repos/a/b/branches/m")).effect is Effect.DENY
        assert ask(shuffled, ("git:read", "repos/z/z")).effect is Effect.DENY


@pytest.mark.req("P2")
def test_the_examples_of_the_brief_are_answered_as_it_says() -> None:
    policy = policy_of(
        "git:push on repos/*/branches/feature/*",
        "s3:GetObject on data-lake/raw/*",
        "llm:InvokeModel on models/anthropic/claude-*",
        "ecs:UpdateService on arn:aws:ecs:*:*:service/staging-*",
        gate("ecs:UpdateService on arn:aws:ecs:*:*:service/prod-*"),
    )
    expected = {
        ("git:push", "repos/acme/app/branches/feature/x"): Effect.ALLOW,
        ("git:push", "repos/acme/app/branches/main"): Effect.DENY,
        ("s3:GetObject", LAKE): Effect.ALLOW,
        ("s3:DeleteObject", LAKE): Effect.DENY,
        ("llm:InvokeModel", "models/anthropic/claude-9"): Effect.ALLOW,
        ("llm:InvokeModel", "models/other/m-1"): Effect.DENY,
        ("ecs:UpdateService", "arn:aws:ecs:eu-west-1:1:service/staging-web"): Effect.ALLOW,
        ("ecs:UpdateService", "arn:aws:ecs:eu-west-1:1:service/prod-web"): Effect.REQUIRE_APPROVAL,
    }
    assert {pair: ask(policy, pair).effect for pair in expected} == expected


def test_every_requirement_must_be_allowed_and_each_has_its_reason() -> None:
    policy = policy_of("s3:GetObject on a/*", gate("s3:PutObject on b/*"))
    source, target = ("s3:GetObject", "arn:aws:s3:::a/k"), ("s3:PutObject", "arn:aws:s3:::b/k")
    assert ask(policy, source).effect is Effect.ALLOW
    both = ask(policy, source, target)
    assert both.effect is Effect.REQUIRE_APPROVAL
    assert [reason.effect for reason in both.reasons] == [Effect.ALLOW, Effect.REQUIRE_APPROVAL]
    assert [reason.rule_id for reason in both.reasons] == ["bot-L2", "bot-L3"]
    assert both.approvals == (ApprovalTerms("approvals", 3600),)
    denied = ask(policy, target, ("s3:PutObject", "arn:aws:s3:::c/k"))
    assert (denied.effect, denied.approvals) == (Effect.DENY, ())
    assert denied.reasons[1].span is None


def test_the_terms_of_every_approval_rule_that_matched_are_carried_once() -> None:
    policy = policy_of(
        gate("git:push on repos/*", "wide"), gate("git:push on repos/a/*", "narrow"), gate("git:* on **", "wide")
    )
    terms = ask(policy, ("git:push", "repos/a/b/branches/m"), ("git:push", "repos/z/b/branches/m")).approvals
    assert terms == (ApprovalTerms("wide", 3600), ApprovalTerms("narrow", 3600))


def test_reasons_name_rule_file_and_line() -> None:
    policy = policy_of(
        "s3:GetObject on data-lake/raw/*", "deny s3:GetObject on data-lake/raw/secret/*", gate("s3:PutObject on b/*")
    )
    allowed = ask(policy, ("s3:GetObject", LAKE)).reasons[0]
    assert (allowed.rule_id, str(allowed.span)) == ("bot-L2", "policies/bot.yaml:2")
    assert allowed.text == f"rule `bot-L2` at policies/bot.yaml:2 allows `s3:GetObject` on `{LAKE}`"
    forbidden = ask(policy, ("s3:GetObject", "arn:aws:s3:::data-lake/raw/secret/k"))
    assert "rule `bot-L3` at policies/bot.yaml:3 forbids" in forbidden.reasons[0].text
    assert "forbids it and no other rule can allow it" in fix_for(forbidden)
    assert "asks a human for" in ask(policy, ("s3:PutObject", "arn:aws:s3:::b/k")).reasons[0].text


def test_a_default_denial_names_the_nearest_miss() -> None:
    policy = policy_of(
        "s3:GetObject on data-lake/raw/*", "s3:GetObject on other/*", "git:push on repos/*/branches/feature/*"
    )
    other_action = ask(policy, ("s3:DeleteObject", LAKE)).reasons[0].text
    assert (
        other_action
        == f"no rule allows `s3:DeleteObject` on `{LAKE}`; nearest: policies/bot.yaml:2 allows `s3:GetObject` there"
    )
    other_place = ask(policy, ("git:push", "repos/a/b/branches/main")).reasons[0].text
    assert "nearest: policies/bot.yaml:4 allows it on `repos/*/*/branches/feature/*`" in other_place
    assert "policies/bot.yaml:3 allows it" in ask(policy, ("s3:GetObject", "arn:aws:s3:::othello/k")).reasons[0].text
    assert ask(policy, ("x:Y", "z")).reasons[0].text == "no rule allows `x:Y` on `z`"
    assert ask(policy_of("deny git:push on repos/*"), ("git:read", "repos/a/b")).reasons[0].text.endswith("`repos/a/b`")


def test_an_empty_policy_and_an_empty_request_deny() -> None:
    assert ask(policy_of(), ("git:read", "repos/a/b")).effect is Effect.DENY
    empty = ask(policy_of("'* on **'"))
    assert (empty.effect, empty.reasons, empty.errors) == (Effect.DENY, (), ("the request names no requirement",))
    assert fix_for(empty) == ""


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("git:*", "repos/a/b"),
        ("git", "repos/a/b"),
        ("", "repos/a/b"),
        ("aws:s3:GetObject", LAKE),
        ("git:read\n", "repos/a/b"),
        ("g\u0456t:read", "repos/a/b"),
        ("git:read", ""),
        ("git:read", "a" * (MAX_RESOURCE_CHARS + 1)),
        ("git:read", "repos/a\nb"),
        ("git:read", "repos/a\x7fb"),
        ("git:read", "repos/a\u2028b"),
        ("git:read", "repos/a\ud800b"),
    ],
)
def test_an_odd_requirement_is_denied_with_an_error_even_where_everything_is_allowed(
    action: str, resource: str
) -> None:
    decision = ask(policy_of("'* on **'"), ("git:read", "repos/a/b"), (action, resource))
    assert decision.effect is Effect.DENY
    assert len(decision.errors) == 1


def test_limits_agents_and_faults_deny_with_an_error() -> None:
    policy = policy_of("'* on **'")
    compiled = compile_policy(policy)
    one = Requirement("git:read", "repos/a/b")
    assert compiled.decide(AccessRequest("bot", "p", (one,) * MAX_REQUIREMENTS)).effect is Effect.ALLOW
    assert compiled.decide(AccessRequest("bot", "p", (one,) * (MAX_REQUIREMENTS + 1))).errors
    assert "policy of `bot`, asked about `bob`" in compiled.decide(AccessRequest("bob", "p", (one,))).errors[0]
    broken: Any = AccessRequest("bot", "p", (None,))  # type: ignore[arg-type]  # what the types forbid must still deny
    decision = compiled.decide(broken)
    assert (decision.effect, decision.errors) == (Effect.DENY, ("the policy engine failed: AttributeError",))


def test_a_set_with_a_broken_pattern_denies_everything() -> None:
    rule = Rule("r", Effect.ALLOW, ("*",), ("***",), Span("x.yaml", 1))
    policy = replace(policy_of(), rules=(rule,))
    decision = decide(policy, AccessRequest("bot", "p", (Requirement("git:read", "repos/a/b"),)))
    assert decision.effect is Effect.DENY
    assert "the policy cannot be used" in decision.errors[0]


def test_a_star_in_the_asked_resource_is_a_character() -> None:
    policy = policy_of("s3:GetObject on lake/a/k")
    assert ask(policy, ("s3:GetObject", "arn:aws:s3:::lake/*/k")).effect is Effect.DENY
    assert ask(policy, ("s3:GetObject", "arn:aws:s3:::lake/*")).effect is Effect.DENY
    assert ask(policy_of("s3:GetObject on lake/*"), ("s3:GetObject", "arn:aws:s3:::lake/*/**")).effect is Effect.ALLOW


def unknown_branch(*items: str) -> Effect:
    return ask(policy_of(*items), ("git:push", f"repos/a/b/branches/{UNKNOWN}")).effect


def test_an_unknown_part_is_granted_by_a_wildcard_only() -> None:
    assert unknown_branch("git:push on repos/a/b/branches/*") is Effect.ALLOW
    assert unknown_branch("git:push on repos/a/b/branches/main") is Effect.DENY
    assert unknown_branch("git:push on repos/a/b/branches/feature/*") is Effect.DENY
    assert unknown_branch(gate("git:push on repos/a/b/branches/main")) is Effect.DENY


def test_what_forbids_or_gates_applies_when_it_might_match_an_unknown_part() -> None:
    wide = "git:push on repos/a/b/branches/*"
    assert unknown_branch(wide, "deny git:push on repos/*/branches/main") is Effect.DENY
    assert unknown_branch(wide, gate("git:push on repos/a/b/branches/main")) is Effect.REQUIRE_APPROVAL
    assert unknown_branch(wide, "deny git:push on repos/a/c/branches/main") is Effect.ALLOW
    assert unknown_branch(wide, "deny git:push on repos/*/tags/*") is Effect.ALLOW
    text = ask(policy_of(), ("git:push", f"repos/a/b/branches/{UNKNOWN}")).reasons[0].text
    assert "(unknown)" in text
    assert UNKNOWN not in text


def test_an_explanation_lists_every_match_or_the_nearest_rule() -> None:
    compiled = compile_policy(policy_of("git:push on repos/*", "deny git:push on repos/*/branches/main"))
    explanation = compiled.explain(Requirement("git:push", "repos/a/b/branches/main"))
    assert [rule.id for rule in explanation.matches] == ["bot-L3", "bot-L2"]
    assert explanation.nearest is None
    missed = compiled.explain(Requirement("git:read", "repos/a/b"))
    assert missed.matches == ()
    assert missed.nearest is not None
    assert missed.nearest.id == "bot-L2"
    assert compiled.explain(Requirement("nonsense", "x")).decision.errors


@pytest.mark.parametrize(
    ("pair", "rule"),
    [
        (("s3:DeleteObject", LAKE), "s3:DeleteObject on data-lake/raw/x"),
        (("git:push", "repos/a/b/branches/main"), "git:push on repos/a/b/branches/main"),
        (("s3:GetObject", "arn:aws-cn:s3:::b/k"), "s3:GetObject on arn:aws-cn:s3:::b/k"),
        (("llm:InvokeModel", "models/x/y"), "llm:InvokeModel on models/x/y"),
    ],
)
def test_the_fix_is_the_smallest_rule_that_allows_exactly_what_was_asked(pair: tuple[str, str], rule: str) -> None:
    denied = ask(policy_of(), pair)
    assert fix_for(denied) == f"ask the policy's owner for: `{rule}`"
    mended = policy_of(rule)
    assert ask(mended, pair).effect is Effect.ALLOW
    assert ask(mended, (pair[0], pair[1] + "x")).effect is Effect.DENY
    assert fix_for(ask(mended, pair)) == ""


@pytest.mark.parametrize("key", ["a*", "a b", "a/**", "e\u0301", "\u200b", "x" * 300])
def test_no_fix_is_wider_than_the_request(key: str) -> None:
    requirement = Requirement("s3:GetObject", f"arn:aws:s3:::lake/{key}")
    assert literal_rule(requirement) == ""
    assert "no literal rule can name" in fix_for(ask(policy_of(), (requirement.action, requirement.resource)))


def test_an_arn_that_would_change_its_meaning_gets_no_rule() -> None:
    assert literal_rule(Requirement("git:read", "repos/a")) == ""
    assert literal_rule(Requirement("nonsense", "x")) == ""


def test_many_missing_rules_are_counted() -> None:
    denied = ask(policy_of(), *[("git:read", f"repos/a/r{number}") for number in range(8)])
    assert fix_for(denied).count("`git:read on") == 5
    assert fix_for(denied).endswith("and 3 more")
