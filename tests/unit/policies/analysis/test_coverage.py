from __future__ import annotations

import pytest

from policies.analysis.coverage import Conditions, wider
from policies.model import Layer
from tests.unit.policies.analysis.words import NIGHT, OFFICE, catalogue, policy, rule, rules

FEATURES = "repos/*/*/branches/feature/**"


@pytest.mark.req("S1")
def test_a_narrower_scope_is_within_its_parents() -> None:
    parents = [policy(f"allow git:push on {FEATURES}"), policy("ask git:* on repos/acme/**", layer=Layer.BOUNDARY)]
    assert wider(rules("allow git:push on repos/acme/app/branches/feature/**"), parents, catalogue()) is None


@pytest.mark.req("S1")
def test_a_wider_scope_has_a_readable_witness_and_names_who_refuses() -> None:
    parents = [policy(f"allow git:push on {FEATURES}"), policy("allow git:* on repos/acme/**", layer=Layer.BOUNDARY)]
    witness = wider(rules("allow git:push on repos/acme/*/branches/**"), parents, catalogue())
    assert witness is not None
    assert (witness.requirement.action, witness.requirement.resource) == ("git:push", "repos/acme/app/branches/topic")
    assert (witness.layer, witness.rule.id, witness.decided) == (Layer.AGENT, "L1", True)
    beyond = wider(rules(f"allow git:push on {FEATURES}"), parents, catalogue())
    assert beyond is not None
    assert beyond.layer is Layer.BOUNDARY


def test_what_a_parent_denies_must_be_denied_by_the_scope_as_well() -> None:
    parents = [policy("allow git:push on repos/**", "deny git:push on repos/*/*/branches/main")]
    scope = "allow git:push on repos/acme/app/branches/**"
    witness = wider(rules(scope), parents, catalogue())
    assert witness is not None
    assert witness.requirement.resource == "repos/acme/app/branches/main"
    assert wider(rules(scope, "deny git:push on repos/acme/app/branches/main"), parents, catalogue()) is None


def test_a_guardrail_only_takes_away() -> None:
    guardrail = policy("deny git:push on **/main", "ask git:push on **/prod", layer=Layer.GUARDRAIL)
    own = policy("allow git:push on **")
    assert wider(rules("allow git:push on **/prod"), [guardrail, own]) is None
    witness = wider(rules("allow git:push on **/branches/*"), [guardrail, own])
    assert witness is not None
    assert witness.layer is Layer.GUARDRAIL


def test_without_a_granting_layer_everything_is_too_wide() -> None:
    for within in ([], [policy("ask git:push on **", layer=Layer.GUARDRAIL)]):
        assert wider(rules("allow git:push on a"), within) is not None
    assert wider((), []) is None


def test_conditions_are_left_to_run_time_unless_told_otherwise() -> None:
    scope, parent = rules("allow git:push on a/b"), [policy(rule("allow git:push on a/*", NIGHT))]
    assert wider(scope, parent) is None
    assert wider(scope, parent, conditions=Conditions.STRICT) is not None
    same = (rule("allow git:push on a/b", NIGHT, OFFICE),)
    assert wider(same, parent, conditions=Conditions.STRICT) is None
    denying = [policy("allow git:push on a/*", rule("deny git:push on a/*", NIGHT), "deny git:push on a/c")]
    assert wider(scope, denying) is None
    assert wider(scope, denying, conditions=Conditions.STRICT) is not None


def test_a_conditional_denial_of_the_scope_takes_nothing_away() -> None:
    parent = [policy("allow git:push on a/b")]
    scope = (rule("allow git:push on a/*"), rule("deny git:push on a/*", NIGHT, line=2))
    assert wider(scope, parent) is not None


def test_a_variable_of_a_scope_is_covered_by_the_same_and_by_its_value() -> None:
    parent = [policy("allow git:push on repos/${project}/*")]
    assert wider(rules("allow git:push on repos/${project}/x"), parent) is None
    assert wider(rules("allow git:push on repos/web/x"), parent) is not None
    assert wider(rules("allow git:push on repos/web/x"), parent, values={"project": "web"}) is None


def test_a_denied_value_of_a_variable_is_found() -> None:
    parent = [policy("allow git:push on repos/**", "deny git:push on repos/web/*")]
    witness = wider(rules("allow git:push on repos/${project}/x"), parent)
    assert witness is not None
    assert witness.requirement.resource == "repos/web/x"


def test_a_search_that_gives_up_counts_as_wider() -> None:
    witness = wider(rules("allow git:push on a/b"), [policy("allow git:push on a/*")], budget=1)
    assert witness is not None
    assert (witness.decided, witness.requirement.resource) == (False, "a/b")
