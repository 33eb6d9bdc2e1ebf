from __future__ import annotations

from typing import Any

import pytest

from policies.answers.triggers import triggered
from policies.layers import compile_layers
from policies.model import Condition, Effect, Fact, Layer, PolicySet
from tests.unit.policies.written import AGENT, policy_of, request_of, rule

MAIN = "repos/acme/app/branches/main"
WORKFLOWS = (Condition("params.paths", "is", (".github/*",)),)
PATHS = ("src/a.py", ".github/workflows/ci.yml", ".github/CODEOWNERS")


def guardrail(*conditions: Condition, text: str = "ask git:push on *", **more: Any) -> PolicySet:
    asking = rule(text, 3, file="policies/guardrails/ci.yaml", conditions=conditions, **more)
    return policy_of(asking, agent="", layer=Layer.GUARDRAIL)


def found(*layers: PolicySet, paths: Fact | None = PATHS, resources: tuple[str, ...] = (MAIN,)) -> dict[str, list[str]]:
    context = {} if paths is None else {"params.paths": paths}
    request = request_of(*(("git:push", each) for each in resources), context=context)
    policy = compile_layers(AGENT, layers)
    assert policy.decide(request).effect in {Effect.REQUIRE_APPROVAL, Effect.ALLOW}
    return {each.rule: list(each.items) for each in triggered(policy, request)}


ALLOWED = policy_of("git:push on *")
GATED = policy_of("ask git:push on *")
NAME = "policies/guardrails/ci.yaml:3 (ci-L3)"


@pytest.mark.parametrize("agents_own", [ALLOWED, GATED])
def test_the_paths_a_guardrail_asks_about_are_named_whichever_rule_the_decision_names(agents_own: PolicySet) -> None:
    assert found(guardrail(*WORKFLOWS), agents_own) == {NAME: [".github/workflows/ci.yml", ".github/CODEOWNERS"]}


def test_all_conditions_on_the_list_must_hold_for_an_item() -> None:
    others = (*WORKFLOWS, Condition("params.paths", "is_not", ("*/CODEOWNERS",)))
    assert found(guardrail(*others), ALLOWED) == {NAME: [".github/workflows/ci.yml"]}


@pytest.mark.parametrize(
    ("paths", "items"),
    [(None, []), (("a",) * 129, []), ((".github/x", *("a",) * 128), [".github/x"]), (".github/y", [".github/y"])],
)
def test_a_rule_that_asks_in_doubt_is_named_with_what_can_be_told(paths: Fact | None, items: list[str]) -> None:
    assert found(guardrail(*WORKFLOWS), ALLOWED, paths=paths) == {NAME: items}


@pytest.mark.parametrize(
    "layer",
    [
        guardrail(*WORKFLOWS, text="ask git:delete-ref on *"),
        guardrail(*WORKFLOWS, text="ask git:push on repos/acme/app/tags/*"),
        guardrail(Condition("params.paths", "is", ("docs/*",))),
        guardrail(*WORKFLOWS, Condition("project", "is", ("other",))),
        guardrail(),
        policy_of(rule("git:push on *", conditions=WORKFLOWS), "git:push on *", layer=Layer.BOUNDARY, agent=""),
    ],
    ids=["another action", "another resource", "other paths", "another project", "no paths", "no question"],
)
def test_a_rule_that_does_not_ask_because_of_the_paths_is_not_named(layer: PolicySet) -> None:
    assert found(layer, GATED) == {}


def test_a_rule_is_named_once_however_many_refs_it_asks_about() -> None:
    refs = (MAIN, "repos/acme/app/branches/dev", "repos/acme/app/tags/v1")
    only_dev = guardrail(*WORKFLOWS, text="ask git:push on repos/acme/app/branches/dev")
    assert list(found(only_dev, ALLOWED, resources=refs)) == [NAME]
    assert list(found(guardrail(*WORKFLOWS), ALLOWED, resources=refs)) == [NAME]


def test_a_granting_rule_asks_because_of_every_path_it_needs() -> None:
    own = policy_of(rule("ask git:push on *", conditions=(Condition("params.paths", "is", ("src/*", ".github/*")),)))
    assert found(own) == {"policies/bot.yaml:2 (bot-L2)": list(PATHS)}
