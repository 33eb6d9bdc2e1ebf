"""Rules and policy sets written as people do, without the loader: resources stand as they are."""

from __future__ import annotations

from typing import Any

from policies.digest import policy_version
from policies.engine import compile_policy
from policies.layers import compile_layers
from policies.model import (
    AccessRequest,
    ApprovalTerms,
    Condition,
    Decision,
    Effect,
    Layer,
    PolicySet,
    Requirement,
    Rule,
    Span,
)

AGENT = "bot"


def rule(text: str, line: int = 2, *, file: str = "policies/bot.yaml", **options: Any) -> Rule:
    """Read ``[deny |ask ]ACTION[,ACTION] on RESOURCE[,RESOURCE]``; ``ask`` makes it an approval rule."""
    word, _, rest = text.partition(" ")
    effect = {"deny": Effect.DENY, "ask": Effect.REQUIRE_APPROVAL}.get(word, Effect.ALLOW)
    actions, _, resources = (text if effect is Effect.ALLOW else rest).partition(" on ")
    channel = options.pop("channel", "approvals")
    terms = ApprovalTerms(channel, 3600) if effect is Effect.REQUIRE_APPROVAL else None
    rule_id = options.pop("id", f"{file.rpartition('/')[2].removesuffix('.yaml')}-L{line}")
    parts = (tuple(actions.split(",")), tuple(resources.split(",")))
    return Rule(rule_id, effect, *parts, Span(file, line), terms, **options)


def policy_of(*items: str | Rule, agent: str = AGENT, layer: Layer = Layer.AGENT, file: str = "") -> PolicySet:
    """Return a set of rules, numbered from line 2 on."""
    name = file or f"policies/{agent or layer}.yaml"
    rules = tuple(
        rule(item, line, file=name) if isinstance(item, str) else item for line, item in enumerate(items, start=2)
    )
    return PolicySet(agent, rules, policy_version(agent, rules, layer), layer)


def request_of(*pairs: tuple[str, str], agent: str = AGENT, **more: Any) -> AccessRequest:
    return AccessRequest(agent, more.pop("project", "web"), tuple(Requirement(*pair) for pair in pairs), **more)


def ask(policy: PolicySet, *pairs: tuple[str, str], **more: Any) -> Decision:
    return compile_policy(policy).decide(request_of(*pairs, **more))


def ask_layers(layers: tuple[PolicySet, ...], *pairs: tuple[str, str], **more: Any) -> Decision:
    return compile_layers(AGENT, layers).decide(request_of(*pairs, **more))


def in_project(name: str) -> Condition:
    return Condition("project", "is", (name,))


def with_claim(name: str, value: str) -> Condition:
    return Condition(f"session.{name}", "is", (value,))
