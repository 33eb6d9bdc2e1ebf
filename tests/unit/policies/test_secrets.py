"""What returns secrets is granted by rules that say `returns_secrets: true`, wherever rules are looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.analysis.can_i import can_i
from policies.analysis.coverage import wider
from policies.analysis.diff import Difference, Kind, diff
from policies.analysis.lint import lint
from policies.analysis.remarks import Code
from policies.analysis.who_can import Facts, who_can
from policies.answers.explain import Explanation, explain
from policies.answers.fixes import fix_for
from policies.answers.near_misses import Part
from policies.layers import compile_layers
from policies.model import Effect, Layer, PolicySet, Requirement, Rule
from policies.patterns.pattern import UNKNOWN
from policies.resources.catalogue import Catalogue, build_catalogue
from policies.suites.run import run_suite
from policies.suites.suite import load_suite
from tests.unit.policies.written import ask, ask_layers, in_project, policy_of, request_of, rule

GET = ("keys:Get", "keys/a")
GRANT = rule("keys:* on keys/*", 9, id="grant", returns_secrets=True)
CATALOGUE = build_catalogue(
    (),
    {
        "keys:Get": ("keys:Get",),
        "keys:Both": ("keys:See", "keys:Use"),
        "keys:See": ("keys:See",),
        "web:Read": ("web:R",),
    },
    ("keys:Get", "keys:Both"),
)


def asked(*items: str | Rule, pair: tuple[str, str] = GET) -> Effect:
    return ask(policy_of(*items), pair, returns_secrets=True).effect


@pytest.mark.req("P1")
@pytest.mark.parametrize(
    ("items", "effect"),
    [
        (("keys:Get on keys/*",), Effect.DENY),
        (("ask keys:Get on keys/*",), Effect.DENY),
        (("keys:Get on keys/*", GRANT), Effect.ALLOW),
        (("ask keys:Get on keys/*", GRANT), Effect.REQUIRE_APPROVAL),
        (("deny keys:Get on keys/*", GRANT), Effect.DENY),
        ((replace(rule("ask keys:* on keys/*"), returns_secrets=True),), Effect.REQUIRE_APPROVAL),
        ((replace(GRANT, conditions=(in_project("other"),)), "keys:Get on keys/*"), Effect.DENY),
        ((replace(rule("deny keys:* on keys/*"), returns_secrets=True),), Effect.DENY),
        ((), Effect.DENY),
    ],
)
def test_only_a_rule_with_the_option_grants_and_every_other_one_still_asks_and_denies(
    items: tuple[str | Rule, ...], effect: Effect
) -> None:
    assert asked(*items) is effect


def test_a_request_without_secrets_is_decided_as_if_there_were_no_option() -> None:
    assert ask(policy_of(GRANT), GET).effect is Effect.ALLOW
    assert ask(policy_of("keys:Get on keys/*"), GET).effect is Effect.ALLOW


def test_every_requirement_needs_a_grant_of_secrets() -> None:
    policy = policy_of(GRANT, "roles:Pass on roles/*")
    decision = ask(policy, GET, ("roles:Pass", "roles/x"), returns_secrets=True)
    assert [reason.effect for reason in decision.reasons] == [Effect.ALLOW, Effect.DENY]
    assert [reason.returns_secrets for reason in decision.reasons] == [False, True]


def test_an_unknown_part_of_a_name_asks_and_is_granted_by_a_wildcard_only() -> None:
    unknown = ("keys:Get", f"keys/{UNKNOWN}")
    assert asked(GRANT, pair=unknown) is Effect.ALLOW
    assert asked(replace(GRANT, resources=("keys/a",)), pair=unknown) is Effect.DENY
    assert asked(GRANT, "ask keys:Get on keys/prod", pair=unknown) is Effect.REQUIRE_APPROVAL


def test_the_uses_of_the_rule_that_grants_are_counted_whatever_else_allows() -> None:
    limited = replace(GRANT, max_uses=2)
    decision = ask(policy_of("keys:Get on keys/*", limited), GET, returns_secrets=True)
    assert [(use.rule_id, use.max_uses) for use in decision.uses] == [("grant", 2)]
    assert decision.reasons[0].rule_id == "grant"
    key = decision.uses[0].key
    assert ask(policy_of("keys:Get on keys/*", limited), GET, returns_secrets=True, uses={key: 2}).effect is Effect.DENY


def test_everybody_who_is_asked_beside_a_grant_is_asked() -> None:
    asks = replace(rule("ask keys:* on keys/*", 8, channel="grants"), returns_secrets=True)
    decision = ask(policy_of("ask keys:Get on keys/*", asks), GET, returns_secrets=True)
    assert {terms.channel for terms in decision.approvals} == {"approvals", "grants"}


LIMITS = [
    policy_of("deny keys:* on keys/b", agent="", layer=Layer.GUARDRAIL),
    policy_of("keys:* on keys/*", agent="", layer=Layer.BOUNDARY),
    policy_of("keys:* on keys/*", layer=Layer.SESSION),
]


@pytest.mark.req("P1")
@pytest.mark.parametrize("layer", LIMITS, ids=lambda layer: str(layer.layer))
def test_the_other_layers_neither_grant_secrets_nor_have_to(layer: PolicySet) -> None:
    assert ask_layers((layer, policy_of(GRANT)), GET, returns_secrets=True).effect is Effect.ALLOW
    assert ask_layers((layer, policy_of("keys:Get on keys/*")), GET, returns_secrets=True).effect is Effect.DENY
    assert ask_layers((layer,), GET, returns_secrets=True).effect is Effect.DENY
    outside = ("keys:Get", "keys/b" if layer.layer is Layer.GUARDRAIL else "locks/b")
    wide = replace(GRANT, resources=("**",))
    assert ask_layers((layer, policy_of(wide)), outside, returns_secrets=True).effect is Effect.DENY


@pytest.mark.parametrize(
    ("items", "nearest"),
    [
        (("keys:Get on keys/*",), "policies/bot.yaml:2 allows it without `returns_secrets: true`"),
        (("ask keys:Get on keys/*",), "policies/bot.yaml:2 asks a human for it without `returns_secrets: true`"),
        ((rule("keys:Get on keys/b", 3, returns_secrets=True),), "policies/bot.yaml:3 allows it on `keys/b`"),
        (("keys:Get on keys/c",), "policies/bot.yaml:2 allows it on `keys/c`"),
    ],
)
def test_a_denial_says_which_option_is_missing_and_the_fix_names_it(
    items: tuple[str | Rule, ...], nearest: str
) -> None:
    decision = ask(policy_of(*items), GET, returns_secrets=True)
    (reason,) = decision.reasons
    assert (reason.returns_secrets, reason.layer) == (True, Layer.AGENT)
    assert reason.text.endswith(f"to return secrets; nearest: {nearest}")
    assert fix_for(decision) == "ask the policy's owner for: `keys:Get on keys/a` with `returns_secrets: true`"


def test_a_fix_for_what_no_literal_rule_names_has_the_option_too() -> None:
    decision = ask(policy_of(), ("keys:Get", "keys/*"), returns_secrets=True)
    assert "wider rule with `returns_secrets: true`" in fix_for(decision)


def explained(*items: str | Rule) -> Explanation:
    policy = compile_layers("bot", (policy_of(*items),))
    return explain(policy, request_of(GET, returns_secrets=True), CATALOGUE)


def test_what_grants_all_but_secrets_is_a_near_miss_and_no_match() -> None:
    (layer,) = explained("keys:Get on keys/*", "ask keys:* on keys/a").layers
    assert (layer.effect, layer.matches) == (Effect.DENY, ())
    assert [(miss.rule.id, miss.part) for miss in layer.near_misses] == [
        ("bot-L2", Part.RETURNS_SECRETS),
        ("bot-L3", Part.RETURNS_SECRETS),
    ]


def test_a_grant_is_the_first_match_and_what_grants_no_secrets_is_none() -> None:
    (layer,) = explained("keys:Get on keys/*", GRANT).layers
    assert [match.rule.id for match in layer.matches] == ["grant"]
    (asking,) = explained("ask keys:Get on keys/*", "keys:Get on keys/*", GRANT).layers
    assert [match.rule.id for match in asking.matches] == ["bot-L2", "grant"]


def compare(old: tuple[str | Rule, ...], new: tuple[str | Rule, ...]) -> list[Difference]:
    return list(diff({"bot": [policy_of(*old)]}, {"bot": [policy_of(*new)]}, CATALOGUE))


@pytest.mark.req("P3")
def test_a_rule_with_the_option_is_wider_than_one_without() -> None:
    plain = replace(GRANT, returns_secrets=False)
    found = compare((plain,), (GRANT,))
    assert {(one.kind, one.widens) for one in found} == {(Kind.NEWLY_ALLOWED, True), (Kind.TERMS_CHANGED, True)}
    (allowed,) = [one for one in found if one.kind is Kind.NEWLY_ALLOWED]
    assert (allowed.returns_secrets, allowed.conditional) == (True, False)
    back = compare((GRANT,), (plain,))
    assert {(one.kind, one.widens) for one in back} == {(Kind.NEWLY_DENIED, False), (Kind.TERMS_CHANGED, False)}


def test_a_difference_that_is_not_about_secrets_says_so() -> None:
    (found,) = compare((GRANT,), (GRANT, "web:R on pages/*"))
    assert (found.kind, found.returns_secrets, found.conditional) == (Kind.NEWLY_ALLOWED, False, False)
    assert compare((GRANT,), (GRANT, rule("keys:Get on keys/a", 3))) == []


def test_a_question_that_is_gone_is_told_for_secrets_too() -> None:
    asks = rule("ask keys:Get on keys/*", 3)
    found = compare((replace(GRANT, effect=Effect.ALLOW), asks), (GRANT,))
    assert {one.kind for one in found} == {Kind.WITHOUT_APPROVAL}


def test_a_scope_stays_within_a_policy_whether_or_not_that_grants_secrets() -> None:
    scope = policy_of("keys:Get on keys/a", layer=Layer.SESSION).rules
    assert wider(scope, (policy_of(GRANT),)) is None
    assert wider(scope, (policy_of("keys:Get on keys/*", GRANT),)) is None


def test_can_i_tells_secrets_apart_and_leaves_out_what_is_not_granted() -> None:
    found = can_i(
        compile_layers("bot", (policy_of("keys:*,web:R on **", replace(GRANT, resources=("keys/a",))),)), CATALOGUE
    )
    assert {(one.rule.id, one.actions, one.resource, one.returns_secrets) for one in found} == {
        ("bot-L2", ("web:R", "keys:See"), "**", False),
        ("grant", ("keys:See",), "keys/a", False),
        ("grant", ("keys:Get", "keys:Use"), "keys/a", True),
    }


def test_who_can_names_the_rule_that_grants_secrets() -> None:
    policies = {
        "has": compile_layers("has", (policy_of("keys:Get on keys/*", GRANT, agent="has"),)),
        "not": compile_layers("not", (policy_of("keys:Get on keys/*", agent="not"),)),
        "maybe": compile_layers(
            "maybe", (policy_of("keys:Get on keys/*", replace(GRANT, conditions=(in_project("x"),)), agent="maybe"),)
        ),
    }
    found = who_can(policies, Requirement(*GET), Facts(returns_secrets=True))
    assert [(one.agent, one.rule_id, one.conditional) for one in found] == [
        ("has", "grant", False),
        ("maybe", "grant", True),
    ]
    assert len(who_can(policies, Requirement(*GET))) == 3


def codes(*items: str | Rule, layer: Layer = Layer.AGENT, catalogue: Catalogue = CATALOGUE) -> set[tuple[Code, str]]:
    return {(one.code, one.rule_id) for one in lint({"bot": [policy_of(*items, layer=layer)]}, catalogue)}


def test_an_option_on_actions_that_return_no_secret_is_noticed() -> None:
    odd = rule("web:*,keys:See* on x", returns_secrets=True)
    assert codes(replace(odd, actions=("web:R",))) == {(Code.NO_SECRET, "bot-L2")}
    assert codes(odd) == set()
    assert codes(replace(odd, actions=("far:Get",))) == {(Code.DEAD, "bot-L2")}
    assert codes(odd, catalogue=Catalogue()) == set()


def test_a_rule_that_can_grant_nothing_but_secrets_and_does_not_is_noticed() -> None:
    assert codes("keys:Get on keys/a") == {(Code.SECRET_WITHHELD, "bot-L2")}
    assert codes("ask keys:Get,keys:Use on keys/a") == {(Code.SECRET_WITHHELD, "bot-L2")}
    assert codes("keys:Get,keys:See on keys/a") == codes("keys:* on keys/a") == set()
    boundary = {code for code, _ in codes("keys:Get on keys/a", layer=Layer.BOUNDARY)}
    assert Code.SECRET_WITHHELD not in boundary


def test_a_wider_rule_without_the_option_makes_no_grant_of_secrets_useless() -> None:
    narrow = replace(GRANT, resources=("keys/a",))
    assert Code.SHADOWED not in {code for code, _ in codes("keys:* on keys/*", narrow)}
    assert Code.SHADOWED not in {code for code, _ in codes("ask keys:* on keys/*", narrow)}
    assert (Code.SHADOWED, "bot-L2") in codes("keys:* on keys/a", replace(GRANT, id="wide"))
    assert (Code.SHADOWED, "bot-L2") in codes("keys:* on keys/*", GRANT)
    assert (Code.ALLOW_UNDER_DENY, "grant") in codes("deny keys:* on keys/*", narrow)


@pytest.mark.parametrize(
    ("line", "expect", "passes"),
    [
        ("action: keys:Get", "deny", True),
        ("action: keys:Use", "deny", True),
        ("action: keys:See", "allow", True),
        ("action: keys:Get\n    returns_secrets: false", "allow", True),
        ("action: keys:See\n    returns_secrets: true", "deny", True),
        ("action: keys:Get", "allow", False),
    ],
)
def test_a_policy_test_asks_for_what_its_action_returns_unless_it_says_otherwise(
    line: str, expect: str, *, passes: bool
) -> None:
    text = f"agent: bot\ntests:\n  - name: x\n    {line}\n    resource: keys/a\n    expect: {expect}\n"
    policies = {"bot": compile_layers("bot", (policy_of("keys:* on keys/*"),))}
    report = run_suite(load_suite(text.encode(), file="policies/bot_test.yaml"), policies, CATALOGUE, {})
    assert [case.passed for case in report.cases] == [passes]


def test_a_guardrail_that_is_tested_alone_is_asked_about_secrets_that_are_granted() -> None:
    guardrail = policy_of("deny keys:Get on keys/b", agent="", layer=Layer.GUARDRAIL, file="policies/guardrails/g.yaml")
    text = "tests:\n  - {name: x, action: keys:Get, resource: keys/a, expect: allow}\n"
    policies = {"bot": compile_layers("bot", (guardrail,))}
    report = run_suite(load_suite(text.encode(), file="policies/guardrails/g_test.yaml"), policies, CATALOGUE, {})
    assert report.failures == ()
