from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.digest import layers_version, policy_version, rule_key
from policies.model import ApprovalTerms, Assurance, Condition, Effect, Layer, PolicyVersion, Rule, Span

PLAIN = Rule("r", Effect.ALLOW, ("git:read",), ("repos/*",), Span("bot.yaml", 3, 5))
ASKING = replace(PLAIN, effect=Effect.REQUIRE_APPROVAL, approval=ApprovalTerms("approvals", 60))


def test_versions_of_rules_without_newer_options_never_change() -> None:
    # Stored with decisions of the past; computed when the format was made.
    assert policy_version("bot", (PLAIN,)) == "cf46a5266636831e12b0a7eb25a13fd1cd68047e10bafa2dee22068cc6835f17"
    assert policy_version("bot", (ASKING,)) == "7230a7c063c14187f0edbca85071d19575fecd4e8e76d09ab4e1c209a511cf74"


@pytest.mark.parametrize(
    "change",
    [
        {"id": "s"},
        {"effect": Effect.DENY},
        {"actions": ("git:push",)},
        {"resources": ("repos/**",)},
        {"span": Span("bot.yaml", 4, 5)},
        {"description": "why"},
        {"text": "git:read on repos/*"},
        {"conditions": (Condition("project", "is", ("web",)),)},
        {"until_ns": 1},
        {"max_uses": 1},
        {"returns_secrets": True},
        {"approval": ApprovalTerms("approvals", 60)},
    ],
)
def test_every_part_of_a_rule_is_in_the_version(change: dict[str, Any]) -> None:
    assert policy_version("bot", (replace(PLAIN, **change),)) != policy_version("bot", (PLAIN,))


@pytest.mark.parametrize(
    "terms",
    [
        ApprovalTerms("others", 60),
        ApprovalTerms("approvals", 61),
        ApprovalTerms("approvals", 60, ("ada",)),
        ApprovalTerms("approvals", 60, assurance=Assurance.PASSKEY),
    ],
)
def test_every_part_of_the_terms_is_in_the_version(terms: ApprovalTerms) -> None:
    assert policy_version("bot", (replace(ASKING, approval=terms),)) != policy_version("bot", (ASKING,))


def test_agent_order_and_layer_are_in_the_version() -> None:
    other = replace(PLAIN, id="s")
    versions = {policy_version("bot", (PLAIN, other)), policy_version("bot", (other, PLAIN))}
    versions |= {policy_version(agent, (PLAIN,)) for agent in ("bot", "bob", "")}
    versions |= {policy_version("bot", (PLAIN,), layer) for layer in Layer}
    assert len(versions) == 2 + 3 + len(Layer) - 1


def test_the_version_of_one_layer_is_its_own_and_of_more_a_digest_of_them_in_order() -> None:
    one, two = PolicyVersion("1"), PolicyVersion("2")
    assert layers_version([one]) == one
    assert len({layers_version(some) for some in ([one], [one, two], [two, one], [one, one], [])}) == 5


def test_a_rule_keeps_its_key_when_it_moves_and_loses_it_when_it_says_something_else() -> None:
    rule = replace(PLAIN, max_uses=2)
    key = rule_key("bot", rule)
    assert len(key) == 32
    assert rule_key("bot", replace(rule, span=Span("other.yaml", 9), description="moved", text="t")) == key
    changes: list[dict[str, Any]] = [
        {"id": "s"},
        {"effect": Effect.DENY},
        {"actions": ("git:push",)},
        {"resources": ("repos/**",)},
        {"conditions": (Condition("project", "is", ("web",)),)},
        {"max_uses": 3},
        {"returns_secrets": True},
    ]
    keys = {rule_key("bot", replace(rule, **change)) for change in changes} | {key, rule_key("bob", rule)}
    assert len(keys) == len(changes) + 2
