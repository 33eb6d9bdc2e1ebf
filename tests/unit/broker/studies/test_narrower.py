from __future__ import annotations

import pytest

from broker.studies.narrower import narrower_rules
from policies.language.loader import load_policy
from policies.model import Requirement, ResourceType, Rule
from policies.resources.catalogue import build_catalogue
from tests.unit.broker.studies.desk import CATALOGUE, whole


def rule(text: str) -> Rule:
    return load_policy(whole(f"  - {text}\n").encode(), file="policies/ci.yaml", catalogue=CATALOGUE).rules[0]


def offered(text: str, *needs: str) -> tuple[str, ...]:
    return narrower_rules([Requirement(*need.split(" on ")) for need in needs], rule(text), CATALOGUE)


def test_what_was_needed_of_a_wide_rule_is_offered() -> None:
    assert offered("desk:* on sheets/*", "desk:Read on sheets/a/x") == ("desk:Read on sheets/a/x",)


def test_many_are_offered_as_a_pattern_within_the_rule() -> None:
    needs = [f"git:push on repos/acme/app/branches/feature/{number}" for number in range(9)]
    assert offered("git:push on repos/*/branches/*", *needs) == ("git:push on repos/acme/app/branches/feature/*",)


def test_a_pattern_that_would_be_wider_than_the_rule_is_not_offered() -> None:
    needs = [f"desk:Read on sheets/room-{number}/x" for number in range(9)]
    assert offered("desk:Read on sheets/room-*/x", *needs) == ()


@pytest.mark.parametrize(
    "text", ["desk:Read on sheets/a/x", "desk:Read,desk:Write on sheets/${project}/x", "desk:Read on sheets/a/**/y"]
)
def test_what_is_not_surely_narrower_is_not_offered(text: str) -> None:
    assert offered(text, "desk:Read on sheets/a/x") == ()


def test_a_rule_of_several_actions_is_narrowed_to_the_ones_that_were_needed() -> None:
    assert offered("desk:Read,desk:Write on sheets/a/x", "desk:Read on sheets/a/x") == ("desk:Read on sheets/a/x",)


def test_a_resource_no_rule_can_name_is_never_left_behind() -> None:
    assert offered("desk:Read on sheets/a/*", "desk:Read on sheets/a/x", "desk:Read on sheets/a/y*") == ()


def test_a_resource_no_rule_can_name_may_be_covered_with_the_others() -> None:
    needs = [f"desk:Read on sheets/a/raw/{number}" for number in range(6)]
    assert offered("desk:Read on sheets/*", *needs, "desk:Read on sheets/a/raw/y*") == ("desk:Read on sheets/a/raw/*",)


def test_nothing_is_offered_for_nothing_or_for_too_many_rules() -> None:
    assert offered("desk:Read on sheets/*") == ()
    needs = [f"desk:Read on sheets/{room}/{path}" for room in "abcde" for path in ("u", "v", "w", "x", "y", "z/1")]
    assert offered("desk:Read on sheets/*", *needs[:5], *needs[6:11]) != ()
    many = [f"desk:Read on sheets/{room}/{place}/{sheet}" for room in "abcde" for place in "abcde" for sheet in "ab"]
    assert offered("desk:Read on sheets/*", *many) == ()


def test_a_sum_with_more_wildcards_than_a_pattern_may_have_is_not_offered() -> None:
    names = "abcdefghi"
    wide = ResourceType("far/thing", "/".join(f"{{{name}}}" for name in names), ("far:Get",))
    catalogue = build_catalogue([wide], {"far:Get": ("far:Get",)})
    everything = load_policy(whole("  - far:* on **\n").encode(), file="policies/ci.yaml", catalogue=catalogue).rules[0]
    needed = [Requirement("far:Get", "/".join(f"{name}{number}" for name in names)) for number in range(6)]
    assert narrower_rules(needed, everything, catalogue) == ()
