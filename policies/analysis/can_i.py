"""What an agent can do: its grants, with all that the layers around it take away.

An answer about policies, not a decision. Each grant is searched for a requirement that all layers together permit; one
that has none is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from policies.analysis.action_classes import ActionClass, classes_of
from policies.analysis.comparison import Comparison, Found
from policies.analysis.containment import contained, overlap
from policies.analysis.languages import NO_VALUES
from policies.analysis.levels import Level
from policies.analysis.readable import example_of, in_words
from policies.layers import LayeredPolicy
from policies.model import Effect, Layer, Requirement, Rule
from policies.patterns.pattern import compile_pattern
from policies.resources.catalogue import UNCHECKED, Catalogue

_ASKED: Final = (Level.DENY, Level.APPROVAL)
_ALLOWED: Final = (Level.DENY, Level.ALLOW)
_LIMITING: Final = frozenset({Layer.BOUNDARY, Layer.SESSION})


@dataclass(frozen=True, slots=True)
class Grant:
    """One resource pattern an agent can do something on.

    Args:
        actions: What it can do there: known actions, or the rule's patterns when none are known.
        resource: The pattern, written out.
        effect: The mildest answer there; ALLOW may still ask on `asks`.
        rule: The agent's rule that grants it.
        example: A requirement that is permitted.
        asks: Patterns inside on which a human is asked.
        never: Patterns inside that are denied.
        only: Patterns of a boundary or session that hold it narrower; empty when none does.
        conditional: True when the example takes conditions to hold or fail.
        returns_secrets: True when what they do returns secrets.
        values: Values of variables that the example takes.
    """

    actions: tuple[str, ...]
    resource: str
    effect: Effect
    rule: Rule
    example: Requirement
    asks: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    conditional: bool = False
    values: Mapping[str, str] = field(default_factory=lambda: NO_VALUES)
    returns_secrets: bool = False


def can_i(policy: LayeredPolicy, catalogue: Catalogue = UNCHECKED, action: str | None = None) -> tuple[Grant, ...]:
    """Return what an agent can do, in the order of its rules.

    Args:
        policy: Its layers.
        catalogue: Known actions and types.
        action: Only actions that this one covers; a pattern or a name, None for all.
    """
    finder = _Finder(policy, catalogue, action)
    found: dict[tuple[object, ...], Grant] = {}
    for one in finder.sets:
        if one.layer is not Layer.AGENT:
            continue
        for grant in (grant for rule in one.rules if rule.effect is not Effect.DENY for grant in finder.grants(rule)):
            key = (
                id(grant.rule), grant.resource, grant.effect, grant.asks, grant.never, grant.only, grant.conditional,
                grant.returns_secrets,
            )  # fmt: skip
            known = found.get(key)
            actions = grant.actions if known is None else (*known.actions, *grant.actions)
            found[key] = replace(known or grant, actions=tuple(dict.fromkeys(actions)))
    return tuple(found.values())


class _Finder:
    __slots__ = ("_catalogue", "_comparisons", "_patterns", "_values", "_wanted", "sets")

    def __init__(self, policy: LayeredPolicy, catalogue: Catalogue, action: str | None) -> None:
        self.sets = [layer.policy for layer in policy.layers]
        self._catalogue = catalogue
        self._values = {"agent.id": policy.agent}
        self._comparisons = {
            secrets: Comparison((), self.sets, known=catalogue.actions, values=self._values, secrets=secrets)
            for secrets in (False, True)
        }
        self._patterns = frozenset(pattern for one in self.sets for rule in one.rules for pattern in rule.actions)
        self._wanted = action

    def grants(self, rule: Rule) -> Iterator[Grant]:
        """Yield what one rule of the agent grants in the end."""
        for same in classes_of(rule.actions, self._patterns, self._catalogue.actions):
            shown = self._shown(rule, same)
            for secrets in (False, True) if rule.returns_secrets else (False,):
                actions = tuple(name for name in shown if self._catalogue.returns_secrets(name) is secrets)
                if not actions:
                    continue
                name = actions[0] if secrets else same.action
                for resource in rule.resources:
                    lead = replace(rule, actions=(name,), resources=(resource,))
                    for grant in self._granted(rule, lead, same, self._comparisons[secrets]):
                        yield replace(grant, actions=actions, returns_secrets=secrets)

    def _shown(self, rule: Rule, same: ActionClass) -> tuple[str, ...]:
        members = same.members if self._catalogue.actions is not None else rule.actions
        if self._wanted is None:
            return members
        matches = compile_pattern(self._wanted).matches
        return tuple(name for name in members if matches(name) or name == self._wanted)

    def _granted(self, rule: Rule, lead: Rule, same: ActionClass, comparison: Comparison) -> Iterator[Grant]:
        found, decided = self._mildest(lead, comparison)
        if found is None and decided:
            return
        resource = lead.resources[0]
        # A search that gave up says what the rule says, and that it is not sure.
        allowed = rule.effect is Effect.ALLOW if found is None else found.change == _ALLOWED
        shown = None if found is None else in_words(comparison, lead, found, self._catalogue)
        speaking = [rule for one in self.sets for rule in one.rules if same.patterns & set(rule.actions)]
        yield Grant(
            same.members,
            resource,
            Effect.ALLOW if allowed else Effect.REQUIRE_APPROVAL,
            rule,
            example_of(lead, self._catalogue) if shown is None else shown.requirement,
            self._inside(resource, speaking, Effect.REQUIRE_APPROVAL) if allowed else (),
            self._inside(resource, speaking, Effect.DENY),
            self._limits(resource, same),
            shown is None or bool(shown.scenario),
            NO_VALUES if shown is None else shown.values,
        )

    def _mildest(self, lead: Rule, comparison: Comparison) -> tuple[Found | None, bool]:
        """Return a requirement that is permitted, without asking if there is one, and whether the search was done."""
        best = _ASKED if lead.effect is Effect.REQUIRE_APPROVAL else _ALLOWED
        example = Found(example_of(lead, self._catalogue), best, {}, self._values)
        if comparison.confirms(example):
            return example, True
        decided = True
        # What is allowed without asking where this rule asks is allowed by another one, which says so itself.
        for change in dict.fromkeys((best, _ASKED)):
            findings = comparison.search(lead, (change,))
            decided = decided and findings.decided
            if findings.found:
                return findings.found[change], decided
        return None, decided

    def _inside(self, resource: str, rules: Iterable[Rule], effect: Effect) -> tuple[str, ...]:
        patterns = (pattern for rule in rules if rule.effect is effect for pattern in rule.resources)
        return self._meeting(resource, patterns)

    def _limits(self, resource: str, same: ActionClass) -> tuple[str, ...]:
        """Return what the layers around the agent grant of a pattern that they do not grant whole."""
        limits: list[str] = []
        for one in self.sets:
            if one.layer not in _LIMITING:
                continue
            granting = [
                rule for rule in one.rules if rule.effect is not Effect.DENY and same.patterns & set(rule.actions)
            ]
            patterns = [pattern for rule in granting for pattern in rule.resources]
            if not contained(resource, patterns, values=self._values).holds:
                limits.extend(self._meeting(resource, patterns))
        return tuple(dict.fromkeys(limits))

    def _meeting(self, resource: str, patterns: Iterable[str]) -> tuple[str, ...]:
        meeting = (pattern for pattern in patterns if overlap(resource, pattern, values=self._values))
        return tuple(dict.fromkeys(meeting))
