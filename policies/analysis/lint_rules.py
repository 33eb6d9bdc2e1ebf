"""What is odd about a rule by itself, given what the connectors offer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policies.analysis.languages import compatible, loosen, read
from policies.analysis.readable import shapes_of
from policies.analysis.remarks import Code, Lint, remark
from policies.analysis.walk import meet
from policies.errors import did_you_mean, quote
from policies.language.actions import ANNOUNCED
from policies.model import Effect, Rule
from policies.patterns.pattern import compile_pattern
from policies.patterns.tokens import Star, read_tokens
from policies.resources.catalogue import Catalogue
from policies.resources.templates import SEPARATOR, Kind, Shape

_EVERYTHING: Final = frozenset({"*", "**"})
_STARS: Final = re.compile(r"\*+")
_SCRIPTS: Final = frozenset({"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"})
"""Scripts with letters that look like Latin ones."""


@dataclass(frozen=True, slots=True)
class _Fault:
    code: Code
    message: str
    fix: str = ""


class RuleLinter:
    """Looks at rules one at a time.

    Args:
        catalogue: Known actions and types.
        now_ns: The moment for rules that end, nanoseconds since the epoch, UTC; None leaves ends unlooked at.
    """

    __slots__ = ("_actions", "_catalogue", "_kinds", "_now_ns")

    def __init__(self, catalogue: Catalogue, now_ns: int | None) -> None:
        self._catalogue = catalogue
        self._now_ns = now_ns
        self._actions: dict[str, _Fault | None] = {}
        self._kinds: dict[str, tuple[Kind, ...]] = {}

    def lint(self, rule: Rule) -> Iterator[Lint]:
        """Yield what is odd about a rule."""
        if self._now_ns is not None and 0 < rule.until_ns <= self._now_ns:
            yield remark(Code.EXPIRED, rule, f"rule `{rule.id}` has ended", "delete it")
        for action in rule.actions:
            fault = self._fault_of(action)
            if fault is not None:
                yield remark(fault.code, rule, fault.message, fault.fix)
        for resource in rule.resources:
            yield from self._resource(rule, resource)
        if rule.effect is Effect.ALLOW:
            yield from _over_broad(rule)

    def _fault_of(self, action: str) -> _Fault | None:
        if action not in self._actions:
            self._actions[action] = self._unknown(action)
        return self._actions[action]

    def _unknown(self, action: str) -> _Fault | None:
        known = self._catalogue.actions
        matches = compile_pattern(action).matches
        if known is None or any(matches(name) for name in (*known.near(action), *ANNOUNCED)):
            return None
        service, same = action.partition(":")[0], known.near(action)
        if not same:
            hint = did_you_mean(service, known.by_service)
            return _Fault(
                Code.DEAD, f"no connector here serves {quote(service)}, so {quote(action)} is never asked", hint
            )
        return _Fault(Code.UNKNOWN_ACTION, f"unknown action {quote(action)}", did_you_mean(action, same))

    def _resource(self, rule: Rule, resource: str) -> Iterator[Lint]:
        kinds = [kind for action in rule.actions for kind in self._kinds_for(action)]
        if kinds and not any(_can_be(resource, kind) for kind in kinds):
            fix = f"write it as {quote(kinds[0].full.plain)}"
            yield remark(Code.DEAD, rule, f"the actions of this rule never touch {quote(resource)}", fix)
        elif rule.effect is Effect.DENY and _stops_short(resource, kinds):
            message = f"the star inside {quote(resource)} covers one segment, and what lies deeper is not denied"
            yield remark(Code.DENY_TOO_NARROW, rule, message, "did you mean `**`?")
        if not resource.isascii():
            yield from _look_alikes(rule, resource)

    def _kinds_for(self, action: str) -> tuple[Kind, ...]:
        if action not in self._kinds:
            self._kinds[action] = self._catalogue.kinds_for(action)
        return self._kinds[action]


def _over_broad(rule: Rule) -> Iterator[Lint]:
    if not _EVERYTHING & set(rule.resources):
        return
    for action in rule.actions:
        service, _, operation = action.partition(":")
        if action in _EVERYTHING or service == "*":
            yield remark(
                Code.OVER_BROAD, rule, "this rule allows everything on everything", "name services and resources"
            )
        elif operation == "*":
            message = f"this rule allows every action of {quote(service)} on everything"
            yield remark(Code.OVER_BROAD, rule, message, "name actions or resources")


def _can_be(resource: str, kind: Kind) -> bool:
    """Tell whether a pattern has a resource of a type; most are told by putting a letter for each star."""
    if any(kind.full.parse(_STARS.sub(word, resource)) is not None for word in ("x", "x/x")):
        return True
    shape, tokens = shapes_of((kind.type,))[0], loosen(read(resource) or ())
    return compatible(tokens, shape) and meet(tokens, shape) is not None


def _stops_short(resource: str, kinds: Sequence[Kind]) -> bool:
    """Tell whether a star that stays in its segment stands where a resource may have more segments."""
    if Star.SEGMENT not in read_tokens(resource):
        return False
    typed = [rest for kind in kinds if (rest := _open_part(resource, kind)) is not None]
    if not typed:
        return True
    return any(rest and Star.SEGMENT in read_tokens(rest) for rest in typed)


def _open_part(resource: str, kind: Kind) -> str | None:
    """Return what a pattern says of the `**` of a type, empty when it has none; None when it is not of that type."""
    pieces = SEPARATOR.split(resource)
    place = 0
    for part in kind.full.parts:
        if part.shape is Shape.REST:
            return "".join(pieces[place:])
        if place >= len(pieces):
            # A pattern that ends before its type does covers all the rest by its final star.
            return "" if resource.endswith("*") else None
        segment = pieces[place]
        if part.shape is Shape.LITERAL and "*" not in segment and segment != part.text:
            return None
        place += 2 * part.width
    return "" if place == len(pieces) + 1 else None


def _look_alikes(rule: Rule, resource: str) -> Iterator[Lint]:
    for segment in SEPARATOR.split(resource)[::2]:
        scripts = {unicodedata.name(char, "").partition(" ")[0] for char in segment if char.isalpha()}
        if "LATIN" in scripts and scripts & _SCRIPTS:
            other = ", ".join(sorted(name.capitalize() for name in scripts & _SCRIPTS))
            shown = quote(ascii(segment)[1:-1])
            yield remark(
                Code.LOOK_ALIKE, rule, f"Latin letters beside {other} ones in {shown}", "type it again by hand"
            )
        elif unicodedata.normalize("NFKC", segment) != segment:
            shown = quote(ascii(segment)[1:-1])
            yield remark(Code.LOOK_ALIKE, rule, f"{shown} is not what it looks like", "type it again by hand")
