from __future__ import annotations

import pytest

from policies.digest import rule_key
from policies.engine import compile_policy
from policies.errors import PolicyError
from policies.layers import LayeredPolicy, compile_layers
from policies.model import Effect, Layer, PolicySet
from policies.patterns.pattern import UNKNOWN
from tests.unit.policies.written import AGENT, ask, ask_layers, policy_of, request_of, rule, with_claim

ASKED = ("git:push", "repos/a/b")


def guardrail(*items: object) -> PolicySet:
    return policy_of(*items, agent="", layer=Layer.GUARDRAIL)  # type: ignore[arg-type]  # rules and their texts


def boundary(*items: str) -> PolicySet:
    return policy_of(*items, agent="", layer=Layer.BOUNDARY)


def session(*items: str) -> PolicySet:
    return policy_of(*items, layer=Layer.SESSION)


def test_one_layer_answers_as_the_policy_itself() -> None:
    for policy in (policy_of("git:push on repos/*"), policy_of("ask git:push on **"), policy_of()):
        assert ask_layers((policy,), ASKED, ("x:Y", "z")) == ask(policy, ASKED, ("x:Y", "z"))


@pytest.mark.parametrize(
    ("layers", "effect", "layer"),
    [
        ((guardrail(), policy_of("git:* on **")), Effect.ALLOW, Layer.AGENT),
        ((guardrail("deny git:push on **"), policy_of("git:* on **")), Effect.DENY, Layer.GUARDRAIL),
        ((guardrail("ask git:push on **"), policy_of("git:* on **")), Effect.REQUIRE_APPROVAL, Layer.GUARDRAIL),
        ((guardrail("git:* on **"), policy_of()), Effect.DENY, Layer.AGENT),
        ((boundary(), policy_of("git:* on **")), Effect.DENY, Layer.BOUNDARY),
        ((boundary("git:* on **"), policy_of()), Effect.DENY, Layer.AGENT),
        ((boundary("git:* on **"), policy_of("git:* on **")), Effect.ALLOW, Layer.AGENT),
        ((policy_of("git:* on **"), session("git:read on **")), Effect.DENY, Layer.SESSION),
        ((policy_of("git:* on **"), session("ask git:* on **")), Effect.REQUIRE_APPROVAL, Layer.SESSION),
        ((policy_of(), session("deny git:* on **")), Effect.DENY, Layer.SESSION),
        ((policy_of("deny git:* on **"), guardrail("deny git:* on **")), Effect.DENY, Layer.AGENT),
        ((session("git:* on **"), session("git:* on **")), Effect.ALLOW, Layer.SESSION),
    ],
)
def test_the_strictest_layer_decides_and_is_named(layers: tuple[PolicySet, ...], effect: Effect, layer: Layer) -> None:
    decision = ask_layers(layers, ASKED)
    assert (decision.effect, decision.reasons[0].layer) == (effect, layer)


@pytest.mark.parametrize("layers", [(), (guardrail(),), (guardrail("git:* on **"),), (guardrail("ask git:* on **"),)])
def test_without_a_layer_that_grants_nothing_is_granted(layers: tuple[PolicySet, ...]) -> None:
    decision = ask_layers(layers, ASKED)
    assert (decision.effect, decision.approvals, decision.errors) == (Effect.DENY, (), ())
    assert decision.reasons[0].rule_id == ""


def test_a_guardrail_alone_names_what_it_forbids() -> None:
    assert ask_layers((guardrail("deny git:* on **"),), ASKED).reasons[0].rule_id


def test_everybody_who_asks_is_heard() -> None:
    layers = (
        guardrail(rule("ask git:push on **", channel="security")),
        boundary("git:* on **"),
        policy_of(rule("ask git:push on **", channel="team")),
        session("ask git:push on **"),
    )
    channels = [terms.channel for terms in ask_layers(layers, ASKED).approvals]
    assert channels == ["security", "team", "approvals"]


def test_uses_are_drawn_from_every_layer_that_grants_with_a_limited_rule() -> None:
    own, scope = rule("git:push on **", max_uses=3), rule("git:* on **", file="session.yaml", max_uses=1)
    layers = (policy_of(own), PolicySet(AGENT, (scope,), policy_of().version, Layer.SESSION))
    keys = {rule_key(AGENT, own), rule_key(AGENT, scope)}
    assert compile_layers(AGENT, layers).limited == keys
    assert {use.key for use in ask_layers(layers, ASKED).uses} == keys
    assert ask_layers(layers, ASKED, uses={rule_key(AGENT, scope): 1}).effect is Effect.DENY


def test_a_question_of_a_guardrail_holds_where_it_cannot_be_told() -> None:
    own = policy_of("git:* on **")
    asking = rule("ask git:push on **", conditions=(with_claim("env", "prod"),), max_uses=1)
    layers = (guardrail(asking), own)
    assert compile_layers(AGENT, layers).limited == frozenset()
    assert ask_layers(layers, ASKED).effect is Effect.REQUIRE_APPROVAL
    assert ask_layers(layers, ASKED, context={"session.env": "dev"}).effect is Effect.ALLOW
    variable = guardrail("ask git:push on repos/${session.owner}/*")
    assert ask_layers((variable, own), ASKED).effect is Effect.REQUIRE_APPROVAL
    assert ask_layers((variable, own), ASKED, context={"session.owner": "z"}).effect is Effect.ALLOW
    unknown = ("git:push", f"repos/{UNKNOWN}")
    assert ask_layers((guardrail("ask git:push on repos/a/b"), own), unknown).effect is Effect.REQUIRE_APPROVAL
    assert ask_layers((guardrail("git:push on repos/a/b"), own), unknown).effect is Effect.ALLOW


def test_the_version_is_that_of_all_layers_in_their_order() -> None:
    one, two = policy_of("git:* on **"), session("git:* on **")
    assert compile_layers(AGENT, [one]).version == one.version
    both = compile_layers(AGENT, [one, two])
    assert both.version not in {one.version, two.version, compile_layers(AGENT, [two, one]).version}
    assert both.decide(request_of(ASKED)).policy_version == both.version


def test_compiled_layers_are_taken_as_they_are() -> None:
    compiled = compile_policy(policy_of("git:* on **"))
    layered = compile_layers(AGENT, [compiled, session("git:* on **")])
    assert layered.layers[0] is compiled
    assert (layered.agent, len(layered.layers)) == (AGENT, 2)


def test_a_layer_of_another_agent_is_refused_and_so_is_its_request() -> None:
    compiled = compile_policy(policy_of("git:* on **"))
    with pytest.raises(PolicyError):
        LayeredPolicy((compiled,), "bob")
    assert compile_layers(AGENT, [compiled]).decide(request_of(ASKED, agent="bob")).errors
