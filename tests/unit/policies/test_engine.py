from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.digest import rule_key
from policies.engine import MAX_REQUIREMENTS, compile_policy, decide
from policies.errors import PatternError
from policies.model import AccessRequest, ApprovalTerms, Effect, Layer, Requirement, UseLimit
from policies.patterns.pattern import MAX_RESOURCE_CHARS, UNKNOWN
from tests.unit.policies.written import ask, in_project, policy_of, request_of, rule, with_claim

LAKE = "arn:aws:s3:::data-lake/raw/x"


@pytest.mark.req("P1")
def test_deny_beats_approval_beats_allow_beats_silence() -> None:
    policy = policy_of("git:push on repos/*", "ask git:push on repos/a/*", "deny git:push on repos/a/b/*")
    for order in (policy.rules, policy.rules[::-1]):
        shuffled = replace(policy, rules=order)
        assert ask(shuffled, ("git:push", "repos/z/z/branches/m")).effect is Effect.ALLOW
        assert ask(shuffled, ("git:push", "repos/a/z/branches/m")).effect is Effect.REQUIRE_APPROVAL
        assert ask(shuffled, ("git:push", "repos/a/b/branches/m")).effect is Effect.DENY
        assert ask(shuffled, ("git:read", "repos/z/z")).effect is Effect.DENY


@pytest.mark.req("P2")
def test_the_examples_of_the_brief_are_answered_as_it_says() -> None:
    policy = policy_of(
        "git:push on repos/*/*/branches/feature/*",
        "s3:GetObject on arn:aws:s3:::data-lake/raw/*",
        "llm:InvokeModel on models/anthropic/claude-*",
        "ecs:UpdateService on arn:aws:ecs:*:*:service/staging-*",
        "ask ecs:UpdateService on arn:aws:ecs:*:*:service/prod-*",
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
    policy = policy_of("s3:GetObject on a/*", "ask s3:PutObject on b/*")
    source, target = ("s3:GetObject", "a/k"), ("s3:PutObject", "b/k")
    assert ask(policy, source).effect is Effect.ALLOW
    both = ask(policy, source, target)
    assert both.effect is Effect.REQUIRE_APPROVAL
    assert [reason.effect for reason in both.reasons] == [Effect.ALLOW, Effect.REQUIRE_APPROVAL]
    assert [reason.rule_id for reason in both.reasons] == ["bot-L2", "bot-L3"]
    assert both.approvals == (ApprovalTerms("approvals", 3600),)
    denied = ask(policy, target, ("s3:PutObject", "c/k"))
    assert (denied.effect, denied.approvals) == (Effect.DENY, ())
    assert denied.reasons[1].span is None


def test_the_terms_of_every_approval_rule_that_matched_are_carried_once() -> None:
    policy = policy_of(
        rule("ask git:push on repos/*", 2, channel="wide"),
        rule("ask git:push on repos/a/*", 3, channel="narrow"),
        rule("ask git:* on **", 4, channel="wide"),
        rule("ask git:push on repos/*", 5, channel="wide"),
    )
    terms = ask(policy, ("git:push", "repos/a/b/branches/m"), ("git:push", "repos/z/b/branches/m")).approvals
    assert terms == (ApprovalTerms("wide", 3600), ApprovalTerms("narrow", 3600))


def test_reasons_name_rule_file_and_line() -> None:
    policy = policy_of(f"s3:GetObject on {LAKE[:-1]}*", f"deny s3:GetObject on {LAKE}/*", "ask s3:PutObject on b/*")
    allowed = ask(policy, ("s3:GetObject", LAKE)).reasons[0]
    assert (allowed.rule_id, str(allowed.span), allowed.layer) == ("bot-L2", "policies/bot.yaml:2", Layer.AGENT)
    assert allowed.text == f"rule `bot-L2` at policies/bot.yaml:2 allows `s3:GetObject` on `{LAKE}`"
    forbidden = ask(policy, ("s3:GetObject", f"{LAKE}/k")).reasons[0]
    assert "rule `bot-L3` at policies/bot.yaml:3 forbids" in forbidden.text
    assert "asks a human for" in ask(policy, ("s3:PutObject", "b/k")).reasons[0].text


def test_a_default_denial_names_the_nearest_miss() -> None:
    policy = policy_of(
        "s3:GetObject on arn:aws:s3:::data-lake/raw/*",
        "s3:GetObject on arn:aws:s3:::other/*",
        "git:push on repos/*/*/branches/feature/*",
        "s3:* on arn:aws:s3:::zoo/*",
    )
    text = ask(policy, ("git:read", "repos/a/b/branches/feature/x")).reasons[0].text
    assert text.endswith("; nearest: policies/bot.yaml:4 allows `git:push` there")
    text = ask(policy, ("git:push", "repos/a/b/branches/main")).reasons[0].text
    assert text.endswith("; nearest: policies/bot.yaml:4 allows it on `repos/*/*/branches/feature/*`")
    assert "policies/bot.yaml:3 allows it" in ask(policy, ("s3:GetObject", "arn:aws:s3:::othello/k")).reasons[0].text
    assert "policies/bot.yaml:5 allows it" in ask(policy, ("s3:PutObject", "arn:aws:s3:::zoos/k")).reasons[0].text
    assert ask(policy, ("x:Y", "z")).reasons[0].text == "no rule allows `x:Y` on `z`"
    assert ask(policy_of("deny git:push on repos/*"), ("git:read", "repos/a/b")).reasons[0].text.endswith("`repos/a/b`")


def test_looking_for_the_nearest_rule_of_another_action_ends_where_it_would_cost_too_much() -> None:
    busy = [rule(f"a:X{line} on z/*", line, conditions=(in_project("q"),) * 50) for line in range(2, 9)]
    policy = policy_of(*busy, "b:Y on t")
    assert "nearest" in ask(policy_of("b:Y on t"), ("c:Z", "t")).reasons[0].text
    assert "nearest" not in ask(policy, ("c:Z", "t")).reasons[0].text


def test_an_empty_policy_and_an_empty_request_deny() -> None:
    assert ask(policy_of(), ("git:read", "repos/a/b")).effect is Effect.DENY
    empty = ask(policy_of("* on **"))
    assert (empty.effect, empty.reasons, empty.errors) == (Effect.DENY, (), ("the request names no requirement",))


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
    # The odd action stands in the rules as well: naming it there does not make it canonical.
    policy = policy_of("* on **", f"{action or '*'} on **")
    decision = ask(policy, ("git:read", "repos/a/b"), (action, resource))
    assert decision.effect is Effect.DENY
    assert len(decision.errors) == 1


def test_limits_agents_and_faults_deny_with_an_error() -> None:
    compiled = compile_policy(policy_of("* on **"))
    one = Requirement("git:read", "repos/a/b")
    assert compiled.decide(AccessRequest("bot", "p", (one,) * MAX_REQUIREMENTS)).effect is Effect.ALLOW
    assert compiled.decide(AccessRequest("bot", "p", (one,) * (MAX_REQUIREMENTS + 1))).errors
    assert "policy of `bot`, asked about `bob`" in compiled.decide(AccessRequest("bob", "p", (one,))).errors[0]
    broken: Any = AccessRequest("bot", "p", (None,))  # type: ignore[arg-type]  # what the types forbid must still deny
    decision = compiled.decide(broken)
    assert (decision.effect, decision.errors) == (Effect.DENY, ("the policy engine failed: AttributeError",))


def test_a_set_without_an_agent_decides_for_anybody() -> None:
    policy = policy_of("git:read on **", agent="", layer=Layer.BOUNDARY)
    for agent in ("bot", "bob"):
        assert ask(policy, ("git:read", "repos/a/b"), agent=agent).effect is Effect.ALLOW


def test_a_set_with_a_broken_pattern_denies_everything() -> None:
    decision = decide(policy_of("* on ***"), request_of(("git:read", "repos/a/b")))
    assert decision.effect is Effect.DENY
    assert "the policy cannot be used" in decision.errors[0]
    assert decide(policy_of("* on **"), request_of(("git:read", "repos/a/b"))).effect is Effect.ALLOW


def test_an_action_with_a_variable_is_refused() -> None:
    with pytest.raises(PatternError):
        compile_policy(policy_of("git:${project} on **"))


def test_actions_match_by_pattern_whatever_the_rules_name_literally() -> None:
    policy = policy_of("s3:Get* on a", "deny s3:*Acl on a", "git:** on b", "git:* on c", "*:read on d")
    expected = {
        ("s3:GetObject", "a"): Effect.ALLOW,
        ("s3:GetObjectAcl", "a"): Effect.DENY,
        ("git:push", "b"): Effect.ALLOW,
        ("git:push", "c"): Effect.ALLOW,
        ("git:read", "d"): Effect.ALLOW,
        ("git:push", "d"): Effect.DENY,
    }
    assert {pair: ask(policy, pair).effect for pair in expected} == expected


def test_a_star_in_the_asked_resource_is_a_character() -> None:
    policy = policy_of("s3:GetObject on lake/a/k")
    assert ask(policy, ("s3:GetObject", "lake/*/k")).effect is Effect.DENY
    assert ask(policy, ("s3:GetObject", "lake/*")).effect is Effect.DENY
    assert ask(policy_of("s3:GetObject on lake/*"), ("s3:GetObject", "lake/*/**")).effect is Effect.ALLOW


def test_conditions_keep_a_grant_from_applying_and_not_a_denial_when_they_cannot_be_told() -> None:
    claim = (with_claim("branch", "main"),)
    allow, deny = rule("git:push on **", conditions=claim), rule("deny git:push on **", 3, conditions=claim)
    asked = ("git:push", "repos/a/b")
    main, other = {"session.branch": "main"}, {"session.branch": "dev"}
    assert ask(policy_of(allow), asked, context=main).effect is Effect.ALLOW
    assert ask(policy_of(allow), asked, context=other).effect is Effect.DENY
    assert ask(policy_of(allow), asked).effect is Effect.DENY
    assert ask(policy_of("git:push on **", deny), asked, context=main).effect is Effect.DENY
    assert ask(policy_of("git:push on **", deny), asked, context=other).effect is Effect.ALLOW
    assert ask(policy_of("git:push on **", deny), asked).effect is Effect.DENY


def test_a_rule_ends_when_its_time_is_over() -> None:
    policy = policy_of(rule("git:push on **", until_ns=100))
    asked = ("git:push", "repos/a/b")
    assert ask(policy, asked, now_ns=99).effect is Effect.ALLOW
    assert ask(policy, asked, now_ns=101).effect is Effect.DENY
    assert ask(policy, asked).effect is Effect.DENY


def test_a_condition_that_fails_lets_the_rules_behind_it_speak() -> None:
    policy = policy_of(
        rule("deny git:push on **", 2, conditions=(in_project("other"),)),
        rule("ask git:push on **", 3, channel="first", conditions=(in_project("other"),)),
        rule("ask git:push on **", 4, channel="first"),
        rule("ask git:push on **", 5, channel="second"),
        "git:push on **",
    )
    decision = ask(policy, ("git:push", "repos/a/b"))
    assert (decision.effect, decision.reasons[0].rule_id) == (Effect.REQUIRE_APPROVAL, "bot-L4")
    assert [terms.channel for terms in decision.approvals] == ["first", "second"]


def test_a_rule_with_a_limit_grants_so_often_and_every_use_is_told() -> None:
    limited = rule("git:push on repos/*", max_uses=2)
    policy, key, asked = policy_of(limited), rule_key("bot", limited), ("git:push", "repos/a/b")
    assert compile_policy(policy).limited == {key}
    first = ask(policy, asked, ("git:push", "repos/a/c"))
    assert (first.effect, first.uses) == (Effect.ALLOW, (UseLimit(key, "bot-L2", 0, 2),))
    assert ask(policy, asked, uses={key: 1}).uses == (UseLimit(key, "bot-L2", 1, 2),)
    assert ask(policy, asked, uses={key: 2}).effect is Effect.DENY
    assert ask(policy, asked, ("x:Y", "z")).uses == ()


def test_a_limited_rule_is_spared_where_another_one_grants_as_well() -> None:
    limited = rule("git:push on repos/*", 2, max_uses=1)
    decision = ask(policy_of(limited, "git:push on **"), ("git:push", "repos/a/b"))
    assert (decision.effect, decision.reasons[0].rule_id, decision.uses) == (Effect.ALLOW, "bot-L3", ())
    asking = rule("ask git:push on repos/*", 2, max_uses=1)
    decision = ask(policy_of(asking, "git:push on **"), ("git:push", "repos/a/b"))
    assert (decision.effect, len(decision.uses)) == (Effect.REQUIRE_APPROVAL, 1)


def test_a_denial_has_no_limit_of_uses() -> None:
    policy = policy_of("git:push on **", rule("deny git:push on repos/*", 3, max_uses=1))
    assert compile_policy(policy).limited == frozenset()
    assert ask(policy, ("git:push", "repos/a/b")).effect is Effect.DENY


def test_a_variable_is_the_literal_value_of_the_request() -> None:
    policy = policy_of("s3:GetObject on lake/${agent.id}/${project}/${session.team}/*")
    claims = {"session.team": "core"}
    assert ask(policy, ("s3:GetObject", "lake/bot/web/core/k"), context=claims).effect is Effect.ALLOW
    assert ask(policy, ("s3:GetObject", "lake/bot/web/corex/k"), context=claims).effect is Effect.DENY
    assert ask(policy, ("s3:GetObject", "lake/bot/web/core/k")).effect is Effect.DENY
    star = {"session.team": "*"}
    assert ask(policy, ("s3:GetObject", "lake/bot/web/core/k"), context=star).effect is Effect.DENY
    assert ask(policy, ("s3:GetObject", "lake/bot/web/*/k"), context=star).effect is Effect.ALLOW


def test_a_variable_without_a_value_makes_a_denial_wider_and_a_grant_void() -> None:
    asked = ("git:push", "repos/a/b/branches/x")
    wide, deny = "git:push on **", "deny git:push on repos/${session.repo=*/*}/branches/x"
    gate = "ask git:push on repos/${session.repo=*/*}/branches/x"
    assert ask(policy_of(wide, deny), asked).effect is Effect.DENY
    assert ask(policy_of(wide, deny), asked, context={"session.repo": "z/z"}).effect is Effect.ALLOW
    assert ask(policy_of(wide, deny), asked, context={"session.repo": "one-segment"}).effect is Effect.DENY
    assert ask(policy_of(wide, gate), asked, context={"session.repo": "a/b"}).effect is Effect.REQUIRE_APPROVAL
    assert ask(policy_of(wide, gate), asked).effect is Effect.ALLOW


def unknown_branch(*items: str, **more: Any) -> Effect:
    return ask(policy_of(*items), ("git:push", f"repos/a/b/branches/{UNKNOWN}"), **more).effect


def test_an_unknown_part_is_granted_by_a_wildcard_only() -> None:
    assert unknown_branch("git:push on repos/a/b/branches/*") is Effect.ALLOW
    assert unknown_branch("git:push on repos/a/b/branches/main") is Effect.DENY
    assert unknown_branch("git:push on repos/a/b/branches/feature/*") is Effect.DENY
    assert unknown_branch("ask git:push on repos/a/b/branches/main") is Effect.DENY


def test_what_forbids_or_gates_applies_when_it_might_match_an_unknown_part() -> None:
    wide = "git:push on repos/a/b/branches/*"
    assert unknown_branch(wide, "deny git:push on repos/*/*/branches/main") is Effect.DENY
    assert unknown_branch(wide, "ask git:push on repos/a/b/branches/main") is Effect.REQUIRE_APPROVAL
    assert unknown_branch(wide, "deny git:push on repos/a/c/branches/main") is Effect.ALLOW
    assert unknown_branch(wide, "deny git:push on repos/*/*/tags/*") is Effect.ALLOW
    assert unknown_branch(wide, "deny git:push on repos/a/**") is Effect.DENY
    assert unknown_branch("deny git:push on repos/a/b/branches/main") is Effect.DENY
    text = ask(policy_of(), ("git:push", f"repos/a/b/branches/{UNKNOWN}")).reasons[0].text
    assert "(unknown)" in text
    assert UNKNOWN not in text


def test_a_variable_may_match_an_unknown_part() -> None:
    wide, deny = "git:push on repos/**", "deny git:push on repos/a/b/branches/${session.branch}"
    assert unknown_branch(wide, deny, context={"session.branch": "main"}) is Effect.DENY
    assert unknown_branch(wide, deny) is Effect.DENY
    other = "deny git:push on repos/${session.owner}/c/branches/x"
    assert unknown_branch(wide, other, context={"session.owner": "a"}) is Effect.ALLOW
    # Without a value the variable is `**`, and the unknown part may be `c/branches/x`.
    assert unknown_branch(wide, other) is Effect.DENY
    assert unknown_branch(wide, "git:push on repos/${session.owner}/*") is Effect.ALLOW
    gate = "ask git:push on repos/a/b/branches/${session.branch}"
    assert unknown_branch(wide, gate, context={"session.branch": "main"}) is Effect.REQUIRE_APPROVAL
    assert unknown_branch(wide, gate) is Effect.ALLOW


def test_an_unknown_part_that_too_many_rules_may_speak_of_is_denied() -> None:
    many = [f"deny git:push on repos/x/b-{number}/tags/v" for number in range(2000)]
    decision = ask(policy_of("git:push on **", *many), ("git:push", f"repos/x/{UNKNOWN}/branches/main"))
    assert (decision.effect, decision.reasons[0].rule_id) == (Effect.DENY, "")
    assert "too many rules" in decision.reasons[0].text
    long = ("git:push", f"repos/{'a/' * 900}{UNKNOWN}")
    variable = [f"deny git:push on repos/${{session.owner}}/{number}" for number in range(8)]
    assert "too many rules" in ask(policy_of("git:push on **", *variable), long).reasons[0].text
    crossing = [f"deny git:push on repos/**/{number}" for number in range(8)]
    assert "too many rules" in ask(policy_of("git:push on **", *crossing), long).reasons[0].text
