"""Rules that would have granted a request but for one thing, and that thing in words.

Only rules that grant are looked at: a deny rule that does not match is no news. A rule comes near when the action and
the resource fit and a condition, its end or its uses do not, or it does not grant what returns secrets; when only the
resource does not fit; when only the action does not. The first part that fails, in this order, is told: action,
resource, condition, until, max_uses, returns_secrets.

A resource is told by its named component where the catalogue knows its type (``branch``), else by its segment, counted
from 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import Final

from policies.answers.matching import action_fits, granting_pattern, withholds
from policies.conditions.guards import failing_condition, has_ended, why_not
from policies.digest import rule_key
from policies.errors import quote
from policies.model import AccessRequest, Effect, PolicySet, Requirement, Rule
from policies.patterns.pattern import UNKNOWN, compile_pattern
from policies.patterns.variables import values_of
from policies.resources.catalogue import Catalogue

MAX_NEAR_MISSES: Final = 5
"""Near misses told of one layer."""

_SEPARATORS: Final = "/:"
_SEGMENT: Final = re.compile(r"(?:\$\{[^}]*\}|[^/:])*[/:]|(?:\$\{[^}]*\}|[^/:])+$")
"""A segment with the separator that ends it; a variable is never cut."""
_NAMES_SHOWN: Final = 5


class Part(StrEnum):
    """What of a rule did not fit."""

    ACTION = "action"
    RESOURCE = "resource"
    CONDITION = "condition"
    UNTIL = "until"
    MAX_USES = "max_uses"
    RETURNS_SECRETS = "returns_secrets"


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule that nearly granted.

    Args:
        rule: The rule.
        pattern: Of its resource patterns, written out in full, the one that fits or comes nearest.
        part: The first part that failed.
        text: That part in words: what was expected and what was found; holds no value of a param.
    """

    rule: Rule
    pattern: str
    part: Part
    text: str


@dataclass(frozen=True, slots=True)
class _Difference:
    """Where a pattern and a resource part: how much of them fits before, and the words for it."""

    fitting: int
    alike: int
    text: str


def near_misses(policy: PolicySet, request: AccessRequest, catalogue: Catalogue) -> tuple[NearMiss, ...]:
    """Return the rules of one set that nearly granted a request of one requirement, nearest first.

    Args:
        policy: The rules of a layer that can grant, none of which does.
        request: Its first requirement is asked.
        catalogue: Knows the types of resources.

    Raises:
        PolicyError: a rule of the set was not made by the loader and cannot be used.
    """
    ranked: list[tuple[tuple[int, ...], int, NearMiss]] = []
    for number, rule in enumerate(policy.rules):
        near = None if rule.effect is Effect.DENY else _look_at(rule, policy, request, catalogue)
        if near is not None:
            ranked.append((near[0], number, near[1]))
    ranked.sort(key=lambda item: item[:2])
    return tuple(miss for _, _, miss in ranked[:MAX_NEAR_MISSES])


def _look_at(
    rule: Rule, policy: PolicySet, request: AccessRequest, catalogue: Catalogue
) -> tuple[tuple[int, ...], NearMiss] | None:
    """Return a near miss with its rank, the smallest being the nearest; None for a rule that is far or applies."""
    asked = request.requirements[0]
    pattern = granting_pattern(rule, request)
    if not action_fits(rule, asked):
        if not pattern:
            return None
        far = all(_service(action) != _service(asked.action) for action in rule.actions)
        return (2, far), NearMiss(rule, pattern, Part.ACTION, _action_words(rule, asked))
    if pattern:
        limit = _limit(rule, policy, request)
        return None if limit is None else ((0,), NearMiss(rule, pattern, *limit))
    differences = [(_difference(text, request, catalogue), text) for text in rule.resources]
    nearest, text = max(differences, key=lambda item: (item[0].fitting, item[0].alike))
    return (1, -nearest.fitting, -nearest.alike), NearMiss(rule, text, Part.RESOURCE, nearest.text)


def _limit(rule: Rule, policy: PolicySet, request: AccessRequest) -> tuple[Part, str] | None:
    """Return what keeps a rule from applying whose action and resource fit."""
    if failing_condition(rule, request) is not None:
        return Part.CONDITION, why_not(rule, request)
    if has_ended(rule, request):
        return Part.UNTIL, why_not(rule, request)
    used = request.uses.get(rule_key(policy.agent, rule), 0) if rule.max_uses else 0
    if rule.max_uses and used >= rule.max_uses:
        return Part.MAX_USES, f"max_uses: used {used} of {rule.max_uses} times"
    if withholds(rule, policy, request):
        return Part.RETURNS_SECRETS, "returns_secrets: the answer holds secrets, which takes `returns_secrets: true`"
    return None


def _action_words(rule: Rule, asked: Requirement) -> str:
    names = " or ".join(map(quote, rule.actions[:_NAMES_SHOWN]))
    more = len(rule.actions) - _NAMES_SHOWN
    return f"action: expected {names}{f' or one of {more} more' if more > 0 else ''}, found {quote(asked.action)}"


def _difference(pattern: str, request: AccessRequest, catalogue: Catalogue) -> _Difference:
    asked = request.requirements[0].resource
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(pattern, asked, strict=False)))
    variables = compile_pattern(pattern).variables
    unknown = next((each.name for each in variables if None in values_of((each,), request)), "")
    if unknown:
        return _Difference(0, alike, f"resource: `${{{unknown}}}` in {quote(pattern)} has no value that fits")
    fitting, text = _segment_difference(pattern, request)
    return _Difference(fitting, alike, _component_words(pattern, request, catalogue) or text)


def _component_words(pattern: str, request: AccessRequest, catalogue: Catalogue) -> str:
    """Return the first component that does not fit; empty when pattern and resource are not of one type."""
    asked = request.requirements[0]
    found, wanted = catalogue.type_of(asked.action, asked.resource), catalogue.type_of(asked.action, pattern)
    if found is None or wanted is None or found[0].name != wanted[0].name:
        return ""
    for name, value in found[1].items():
        if not _fits(wanted[1][name], value, request):
            return f"{name}: expected {quote(wanted[1][name])}, found {_shown(value)}"
    return ""


def _segment_difference(pattern: str, request: AccessRequest) -> tuple[int, str]:
    """Return how many segments fit, as far as a segment of the pattern is one of the resource, and what comes then."""
    asked = request.requirements[0].resource
    expected, found = _SEGMENT.findall(pattern), _SEGMENT.findall(asked)
    whole = f"resource: expected {quote(pattern)}, found {_shown(asked)}"
    for index, segment in enumerate(expected):
        if "**" in segment or any(each.shape for each in compile_pattern(segment).variables):
            return index, whole
        there = found[index] if index < len(found) else ""
        rest = index == len(expected) - 1 and segment.endswith("*")
        if not _fits(segment, "".join(found[index:]) if rest else there, request):
            return index, _segment_words(index, segment, there)
    extra = found[len(expected)] if len(found) > len(expected) else ""
    return len(expected), _segment_words(len(expected), "", extra) if extra else whole


def _segment_words(index: int, expected: str, found: str) -> str:
    wanted, there = expected.rstrip(_SEPARATORS), found.rstrip(_SEPARATORS)
    if wanted == there:
        wanted, there = expected, found
    return f"resource segment {index + 1}: expected {_shown(wanted)}, found {_shown(there)}"


def _fits(piece: str, text: str, request: AccessRequest) -> bool:
    pattern = compile_pattern(piece)
    return pattern.matches(text, values_of(pattern.variables, request))


def _shown(text: str) -> str:
    return quote(text.replace(UNKNOWN, "(unknown)")) if text else "nothing"


def _service(action: str) -> str:
    return action.partition(":")[0]
