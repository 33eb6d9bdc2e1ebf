"""Which rules speak of an action, whatever they say about which resource: a list to read, not a decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from policies.layers import LayeredPolicy
from policies.model import Effect, Layer, Rule
from policies.patterns.pattern import Pattern, compile_pattern


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


class Grants:
    """What rules of an agent's own allow or ask a person for, whatever the resource; other layers may still forbid it.

    Args:
        policy: What decides for the agent.
    """

    def __init__(self, policy: LayeredPolicy) -> None:
        patterns = {
            pattern
            for layer in policy.layers
            if layer.policy.layer is Layer.AGENT
            for rule in layer.policy.rules
            if rule.effect is not Effect.DENY
            for pattern in rule.actions
        }
        self._names = frozenset(pattern for pattern in patterns if "*" not in pattern)
        self._patterns: dict[str, list[Pattern]] = {}
        for pattern in sorted(patterns - self._names):
            self._patterns.setdefault(pattern.partition(":")[0], []).append(compile_pattern(pattern))

    def speak_of(self, action: str) -> bool:
        """Tell whether one of the rules names an action; there can be very many actions, so this is quick."""
        if action in self._names:
            return True
        service = action.partition(":")[0]
        return any(each.matches(action) for key in (service, "*") for each in self._patterns.get(key, ()))


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
