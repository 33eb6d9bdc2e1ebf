from __future__ import annotations

import pytest

from policies.analysis.can_i import Grant, can_i
from policies.analysis.who_can import Facts, who_can
from policies.conditions.operators import Op
from policies.model import AccessRequest, Condition, Effect, Layer, PolicySet, Requirement
from tests.unit.policies.analysis.words import NIGHT, catalogue, layered, policy, rule

MAIN = Requirement("git:push", "repos/acme/app/branches/main")


def grants(*sets: PolicySet, action: str | None = None) -> tuple[Grant, ...]:
    return can_i(layered(*sets), catalogue(), action)


@pytest.mark.req("P3")
def test_who_can_names_agent_effect_rule_and_place() -> None:
    policies = {
        "asks": layered(policy("ask git:push on repos/acme/**", agent="asks"), agent="asks"),
        "may": layered(policy("allow git:push on repos/**", agent="may"), agent="may"),
        "not": layered(policy("allow git:push on repos/x/**", agent="not"), agent="not"),
    }
    found = who_can(policies, MAIN)
    assert [(one.agent, one.effect, one.rule_id, str(one.span), one.conditional) for one in found] == [
        ("asks", Effect.REQUIRE_APPROVAL, "L1", "bot.yaml:1", False),
        ("may", Effect.ALLOW, "L1", "bot.yaml:1", False),
    ]
    assert who_can(policies, Requirement("no action", "x")) == ()


def test_an_agent_that_could_under_conditions_is_told_so() -> None:
    by_night = {"bot": layered(policy(rule("ask git:push on repos/**", Condition("project", Op.IS, ("web",)))))}
    (found,) = who_can(by_night, MAIN)
    assert (found.effect, found.conditional) == (Effect.REQUIRE_APPROVAL, True)
    (sure,) = who_can(by_night, MAIN, Facts(projects={"bot": "web"}))
    assert not sure.conditional
    held_back = {"bot": layered(policy("allow git:push on **", rule("deny git:push on **", NIGHT)))}
    assert [one.conditional for one in who_can(held_back, MAIN)] == [True]
    denied = {"bot": layered(policy(rule("allow git:push on **", NIGHT), "deny git:push on **"))}
    assert who_can(denied, MAIN) == ()


def test_variables_are_filled_from_what_is_known_of_the_request() -> None:
    own = {"bot": layered(policy(rule("allow git:push on repos/acme/${project}/branches/*", NIGHT)))}
    assert [one.conditional for one in who_can(own, MAIN, Facts(projects={"bot": "app"}))] == [True]
    assert who_can(own, MAIN, Facts(projects={"bot": "other"})) == ()


@pytest.mark.req("P3")
def test_can_i_tells_what_asks_and_what_never_inside_a_grant() -> None:
    guardrail = policy(
        "deny git:push on **/branches/main", "ask git:push on **/branches/release/**", layer=Layer.GUARDRAIL
    )
    (found,) = grants(guardrail, policy("allow git:push on repos/*/*/branches/**"))
    assert (found.actions, found.effect, found.resource) == (("git:push",), Effect.ALLOW, "repos/*/*/branches/**")
    assert found.asks == ("**/branches/release/**",)
    assert found.never == ("**/branches/main",)
    assert found.only == ()
    assert found.example == Requirement("git:push", "repos/acme/app/branches/topic")


def test_a_grant_that_other_layers_take_away_whole_is_left_out() -> None:
    own = policy("allow git:push on repos/acme/app/branches/main", "allow s3:GetObject on arn:aws:s3:::a/**")
    outer = policy("allow git:* on repos/acme/**", layer=Layer.BOUNDARY)
    assert [one.rule.id for one in grants(outer, own)] == ["L1"]
    assert grants(policy("deny git:push on **", layer=Layer.GUARDRAIL), outer, own) == ()


def test_a_boundary_that_grants_a_part_is_told_as_a_limit_and_may_make_it_ask() -> None:
    outer = policy("ask git:push on repos/acme/**", "allow git:push on repos/other/**", layer=Layer.BOUNDARY)
    (found,) = grants(outer, policy("allow git:push on repos/acme/**"))
    assert (found.effect, found.only) == (Effect.REQUIRE_APPROVAL, ())
    (both,) = grants(outer, policy("allow git:push on repos/**"))
    assert (both.effect, both.only) == (Effect.ALLOW, ("repos/acme/**", "repos/other/**"))
    assert both.asks == ("repos/acme/**",)


def test_actions_that_fare_alike_stand_together_and_others_apart() -> None:
    own = policy("allow git:*,s3:* on **", "deny s3:PutObject on **/raw/**")
    found = {one.actions: one.never for one in grants(own)}
    assert found == {("git:push", "git:read", "s3:GetObject"): (), ("s3:PutObject",): ("**/raw/**",)}
    assert [one.actions for one in grants(own, action="s3:Get*")] == [("s3:GetObject",)]
    assert [one.actions for one in grants(own, action="git:push")] == [("git:push",)]
    assert grants(own, action="mail:send") == ()


def test_without_known_actions_the_rules_own_patterns_are_shown() -> None:
    found = can_i(layered(policy("allow mail:* on box/**", "deny mail:send on box/out")))
    assert {one.actions for one in found} == {("mail:*",)}
    assert [one.actions for one in can_i(layered(policy("allow mail:* on box/**")), action="mail:*")] == [("mail:*",)]


def test_a_grant_under_a_condition_is_told_so_and_its_witness_is_real() -> None:
    policies = layered(policy(rule("allow git:read on repos/${agent.id}/*", NIGHT), "allow git:read on repos/x/y"))
    found = can_i(policies, catalogue())
    assert [(one.conditional, one.example.resource.split("/")[1]) for one in found] == [(True, "bot"), (False, "x")]
    asked = AccessRequest("bot", "", (found[1].example,))
    assert policies.decide(asked).effect is Effect.ALLOW
