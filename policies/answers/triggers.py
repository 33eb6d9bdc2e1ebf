"""Which items of a list made the rules that ask a person apply: which paths of a push, say.

A rule that somebody wrote for ``.github/**`` fires on a push of forty files because of two of them. The decision names
one rule; this names all that ask because of the list, and the two files, for whoever is asked about the forty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from policies.answers.matching import matching_rules
from policies.conditions.facts import fact_of
from policies.conditions.operators import compile_test
from policies.layers import LayeredPolicy
from policies.lookup.entries import compile_entries
from policies.model import AccessRequest, Effect, PolicySet, Rule, Scalar

PATHS: Final = "params.paths"
"""The fact that holds the paths an action touches; the git connector finds them out."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A rule that asks a person, and what it asks about.

    Args:
        rule: ``file:line (id)`` of the rule.
        items: What of the list its conditions hold for, in the order of the list; empty when the list is not known or
            too long to be looked at item by item, which a guardrail takes for a yes.
    """

    rule: str
    items: tuple[str, ...]


def triggered(policy: LayeredPolicy, request: AccessRequest, key: str = PATHS) -> tuple[Trigger, ...]:
    """Return the rules that ask a person about a request and look at one of its facts, with the items they hold for.

    Args:
        policy: All layers that decided.
        request: What was decided: that people must be asked.
        key: Name of the fact.

    Returns:
        In the order of the layers, in each of them in the order of strictness.
    """
    asking = (rule for layer in policy.layers for rule in _asking(layer.policy, request, key))
    return tuple(Trigger(f"{rule.span} ({rule.id})", _items(rule, request, key)) for rule in asking)


def _asking(policy: PolicySet, request: AccessRequest, key: str) -> Iterator[Rule]:
    looking = tuple(rule for rule in policy.rules if rule.effect is Effect.REQUIRE_APPROVAL and _looks_at(rule, key))
    for entry in compile_entries(replace(policy, rules=looking)):
        # Conditions are the same for every requirement, of which there can be thousands: they are asked once.
        if entry.rule is not None and entry.applies(request):
            alone = replace(policy, rules=(entry.rule,))
            singly = (replace(request, requirements=(each,)) for each in request.requirements)
            if any(matching_rules(alone, each) for each in singly):
                yield entry.rule


def _looks_at(rule: Rule, key: str) -> bool:
    return any(condition.key == key for condition in rule.conditions)


def _items(rule: Rule, request: AccessRequest, key: str) -> tuple[str, ...]:
    tests = [compile_test(condition) for condition in rule.conditions if condition.key == key]

    def fits(item: Scalar) -> bool:
        # What cannot be told may be what the rule is about, so it is shown.
        return all(test(item, request) is not False for test in tests)

    fact = fact_of(request, key)
    items = fact if isinstance(fact, tuple) else () if fact is None else (fact,)
    return tuple(str(item) for item in items if fits(item))
