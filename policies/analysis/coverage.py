"""Whether a scope stays within policies: what a child session may be given.

Everything the scope grants must be granted, with or without asking, by each of the policies. This is an early answer
for whoever mints a session; what holds is that every layer is asked again at every request. So what a *condition* of
the policies will say is left to that time, unless the caller wants it otherwise:

- `Conditions.LATER`: a conditional grant of the policies grants, a conditional deny of theirs does not deny;
- `Conditions.STRICT`: the scope must be within them in every scenario; a grant of theirs covers a grant of the scope
  only when it needs no more conditions, and a conditional deny must stand in the scope as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from policies.analysis.comparison import Comparison
from policies.analysis.languages import NO_VALUES
from policies.analysis.levels import Level
from policies.analysis.readable import example_of, in_words
from policies.analysis.walk import BUDGET
from policies.model import Effect, Layer, PolicySet, PolicyVersion, Requirement, Rule, Span
from policies.resources.catalogue import UNCHECKED, Catalogue


class Conditions(StrEnum):
    """Who answers for conditions."""

    LATER = "later"
    STRICT = "strict"


@dataclass(frozen=True, slots=True)
class Witness:
    """A requirement that a scope grants and a policy does not.

    Args:
        requirement: A shortest one, with readable words; an example when the search gave up.
        rule: The rule of the scope that grants it.
        layer: The layer that does not.
        decided: False when the search gave up, which counts as wider.
    """

    requirement: Requirement
    rule: Rule
    layer: Layer
    decided: bool = True


_WIDER: Final = ((Level.DENY, Level.APPROVAL), (Level.DENY, Level.ALLOW))
_NO_VERSION: Final = PolicyVersion("")
_ANYTHING: Final = PolicySet(
    "", (Rule("", Effect.ALLOW, ("*",), ("**",), Span("", 0)),), _NO_VERSION, layer=Layer.BOUNDARY
)


def wider(
    scope: Sequence[Rule],
    within: Sequence[PolicySet],
    catalogue: Catalogue = UNCHECKED,
    *,
    values: Mapping[str, str] = NO_VALUES,
    conditions: Conditions = Conditions.LATER,
    budget: int = BUDGET,
) -> Witness | None:
    """Return a requirement that a scope grants and one of the policies does not; None when there is none.

    Args:
        scope: Rules of the session to be; its own denials count.
        within: Policies it must stay within; a guardrail only denies. None of any other layer grant nothing.
        catalogue: Known actions and types.
        values: Values of variables: ``agent.id``, ``project``, ``session.<claim>``.
        conditions: Who answers for conditions.
        budget: Steps of the search for each rule of the scope and each policy.
    """
    granted = _settled(scope, conditions)
    asked = PolicySet("", granted, _NO_VERSION, layer=Layer.SESSION)
    silent = all(policy.layer is Layer.GUARDRAIL for policy in within)
    policies = (*within, PolicySet("", (), _NO_VERSION)) if silent else tuple(within)
    for policy in policies:
        held = replace(policy, rules=_settled(policy.rules, conditions))
        old = (held, _ANYTHING) if policy.layer is Layer.GUARDRAIL else (held,)
        comparison = Comparison(old, (asked,), known=catalogue.actions, values=values)
        for rule in granted:
            witness = _outside(comparison, rule, policy.layer, catalogue, budget)
            if witness is not None:
                return witness
    return None


def _outside(comparison: Comparison, rule: Rule, layer: Layer, catalogue: Catalogue, budget: int) -> Witness | None:
    if rule.effect is Effect.DENY:
        return None
    findings = comparison.search(rule, _WIDER, budget=budget)
    found = min(findings.found.values(), key=lambda one: len(one.requirement.resource), default=None)
    if found is not None:
        return Witness(in_words(comparison, rule, found, catalogue).requirement, rule, layer)
    return None if findings.decided else Witness(example_of(rule, catalogue), rule, layer, decided=False)


def _settled(rules: Iterable[Rule], conditions: Conditions) -> tuple[Rule, ...]:
    if conditions is Conditions.STRICT:
        return tuple(rules)
    return tuple(
        replace(rule, conditions=(), until_ns=0, max_uses=0)
        for rule in rules
        if rule.effect is not Effect.DENY or not (rule.conditions or rule.until_ns)
    )
