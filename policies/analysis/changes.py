"""Which rules changed between two sides, and what such a change can do at most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from policies.analysis.comparison import Change
from policies.analysis.levels import Level
from policies.analysis.terms import Terms, implied, terms_of
from policies.model import ApprovalTerms, Assurance, Effect, Layer, PolicySet, Rule, Span

_RAISED: Final = frozenset({(Level.DENY, Level.APPROVAL), (Level.DENY, Level.ALLOW)})
_LOWERED: Final = frozenset({(Level.APPROVAL, Level.DENY), (Level.ALLOW, Level.DENY)})
_EVERY_CHANGE: Final = frozenset((one, other) for one in Level for other in Level if one is not other)

POSSIBLE: Final[Mapping[tuple[Effect, bool], frozenset[Change]]] = MappingProxyType(
    {
        (Effect.ALLOW, True): _RAISED,
        (Effect.ALLOW, False): _LOWERED,
        (Effect.REQUIRE_APPROVAL, True): frozenset({(Level.DENY, Level.APPROVAL), (Level.ALLOW, Level.APPROVAL)}),
        (Effect.REQUIRE_APPROVAL, False): frozenset({(Level.APPROVAL, Level.ALLOW), (Level.APPROVAL, Level.DENY)}),
        (Effect.DENY, True): _LOWERED,
        (Effect.DENY, False): _RAISED,
    }
)
"""What a rule that came (True) or went can do by itself. Every difference of two sides has a rule to blame in this
table: the layer that was or became the strictest changed, and by a rule of one of these kinds."""

_EVERYTHING: Final = Rule("", Effect.ALLOW, ("*",), ("**",), Span("", 0))
_STRENGTH: Final = tuple(Assurance)


@dataclass(frozen=True, slots=True)
class ChangedRule:
    """A place to look for differences.

    Args:
        lead: Its language is searched.
        rule: The changed rule; None when a whole layer came or went.
        added: Whether it came.
        possible: What it can have changed.
    """

    lead: Rule
    rule: Rule | None
    added: bool
    possible: frozenset[Change]


_Language = tuple[Layer, int, Effect, frozenset[str], frozenset[str]]
_Key = tuple[_Language, Terms, bool]


def changed_rules(old: Sequence[PolicySet], new: Sequence[PolicySet]) -> list[ChangedRule]:
    """Return the rules that one side has and the other has not, whatever they are called and wherever they stand."""
    before, after = _rules(old), _rules(new)
    gone = [_changed(rule, added=False) for key, rule in before.items() if key not in after]
    come = [_changed(rule, added=True) for key, rule in after.items() if key not in before]
    return [*come, *gone, *_layers(old, new)]


def changed_terms(old: Sequence[PolicySet], new: Sequence[PolicySet]) -> Iterator[tuple[Rule, Rule]]:
    """Yield rules that say the same of the same as before, on other terms."""
    before, after = _by_language(old), _by_language(new)
    for language, rules in after.items():
        was = before.get(language, [])
        known, kept = (set(map(_terms, side)) for side in (was, rules))
        fresh = [rule for rule in rules if _terms(rule) not in known]
        gone = [rule for rule in was if _terms(rule) not in kept]
        yield from zip(gone, fresh, strict=False)


def loosens(old: Rule, new: Rule) -> bool:
    """Tell whether the new terms of a rule let more through, or ask less of those who answer."""
    stricter, looser = (new, old) if old.effect is Effect.DENY else (old, new)
    if not implied(terms_of(stricter), terms_of(looser)) or (new.returns_secrets and not old.returns_secrets):
        return True
    return old.approval is not None and new.approval is not None and _asks_less(old.approval, new.approval)


def _terms(rule: Rule) -> tuple[Terms, ApprovalTerms | None, bool]:
    return terms_of(rule), rule.approval, rule.returns_secrets


def _asks_less(old: ApprovalTerms, new: ApprovalTerms) -> bool:
    if _STRENGTH.index(new.assurance) < _STRENGTH.index(old.assurance):
        return True
    return bool(old.approvers) and not (new.approvers and set(new.approvers) <= set(old.approvers))


def _changed(rule: Rule, *, added: bool) -> ChangedRule:
    return ChangedRule(rule, rule, added, POSSIBLE[rule.effect, added])


def _layers(old: Sequence[PolicySet], new: Sequence[PolicySet]) -> Iterator[ChangedRule]:
    """Yield everything as a place to look when a layer came or went whose silence is a no."""
    counts = [[sum(policy.layer is layer for policy in side) for layer in Layer] for side in (old, new)]
    silent = [number for number, layer in enumerate(Layer) if layer is not Layer.GUARDRAIL]
    # An agent all of whose layers came or went is told by their rules.
    if any(counts[0][number] != counts[1][number] for number in silent) and old and new:
        added = sum(counts[0]) < sum(counts[1])
        yield ChangedRule(_EVERYTHING, None, added, _EVERY_CHANGE)


def _rules(side: Sequence[PolicySet]) -> dict[_Key, Rule]:
    return {(language, terms_of(rule, language[0]), rule.returns_secrets): rule for language, rule in _languages(side)}


def _by_language(side: Sequence[PolicySet]) -> Mapping[_Language, list[Rule]]:
    found: dict[_Language, list[Rule]] = defaultdict(list)
    for language, rule in _languages(side):
        found[language].append(rule)
    return found


def _languages(side: Sequence[PolicySet]) -> Iterator[tuple[_Language, Rule]]:
    seen: dict[Layer, int] = defaultdict(int)
    for policy in side:
        number = seen[policy.layer]
        seen[policy.layer] += 1
        for rule in policy.rules:
            yield (policy.layer, number, rule.effect, frozenset(rule.actions), frozenset(rule.resources)), rule
