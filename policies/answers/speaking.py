"""Which rules speak of an action, whatever they say about which resource: a list to read, not a decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from policies.layers import LayeredPolicy
from policies.model import Layer, Rule
from policies.patterns.pattern import compile_pattern


@dataclass(frozen=True, slots=True)
class Spoken:
    """A rule about an action.

    Args:
        action: The action, as policy is asked for it.
        layer: Where the rule stands.
        rule: The rule.
    """

    action: str
    layer: Layer
    rule: Rule


def rules_about(policy: LayeredPolicy, actions: Iterable[str]) -> list[Spoken]:
    """Return every rule of every layer that speaks of one of the actions, in the order of the layers.

    Args:
        policy: What decides for an agent.
        actions: Canonical names.
    """
    found = []
    for action in actions:
        said: dict[str, bool] = {}
        for layer in policy.layers:
            for rule in layer.policy.rules:
                for pattern in rule.actions:
                    if pattern not in said:
                        said[pattern] = bool(compile_pattern(pattern).matches(action))
                if any(said[pattern] for pattern in rule.actions):
                    found.append(Spoken(action, layer.policy.layer, rule))
    return found
