"""All rules about one action pattern, found by resource."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policies.lookup.bounds import worst
from policies.lookup.entries import Entry, Leaf, collapse
from policies.lookup.index import PatternIndex
from policies.lookup.nearest import Neighbours
from policies.lookup.possible import MAX_STEPS, PossibleIndex, TooManyError, steps_to_ask
from policies.model import AccessRequest, Effect
from policies.patterns.pattern import Pattern
from policies.patterns.variables import values_of


class Bucket:
    """The rules about one action pattern; built once, never changed.

    Args:
        action: The action pattern.
        rules: Resource patterns with a rule each, in the order of strictness.
    """

    __slots__ = ("_grants", "_index", "_possible", "_variable", "action", "costliest", "steps")

    def __init__(self, action: str, rules: Iterable[tuple[Pattern, Entry]]) -> None:
        self.action = action
        by_text: dict[str, list[Entry]] = {}
        patterns: dict[str, Pattern] = {}
        for pattern, entry in rules:
            patterns.setdefault(pattern.key, pattern)
            by_text.setdefault(pattern.key, []).append(entry)
        leaves = [(patterns[text], collapse(entries)) for text, entries in by_text.items()]
        self._index: PatternIndex[Leaf] = PatternIndex(leaves)
        strict = [(pattern, _only_strict(leaf)) for pattern, leaf in leaves]
        self._possible = PossibleIndex(item for item in strict if item[1] and not item[0].variables)
        self._variable = tuple((pattern, leaf, _only_restricting(leaf)) for pattern, leaf in self._index.variable)
        granting = ((text, entry) for text, entries in by_text.items() for entry in entries[-1:])
        self._grants = Neighbours((text, entry) for text, entry in granting if entry.effect is not Effect.DENY)
        self.steps = worst(self._index, _steps)
        self.costliest = max(leaves, key=lambda leaf: (leaf[0].text.count("*"), _steps(leaf[1])))[1][0]

    def find(self, resource: str, segments: Sequence[str], request: AccessRequest) -> list[Leaf]:
        """Return the rules that match a resource; what a variable leaves in doubt matches when it restricts."""
        found = self._index.find(resource, segments)
        if not self._variable:
            return found
        for pattern, leaf, restricting in self._variable:
            values = values_of(pattern.variables, request)
            speaking = restricting if None in values else leaf
            if speaking and pattern.matches(resource, values):
                found.append(speaking)
        return found

    def find_possible(self, resource: str, request: AccessRequest) -> list[Leaf]:
        """Return the rules that forbid or ask and may match a resource with unknown parts.

        Raises:
            TooManyError: it would take too much work.
        """
        found = self._possible.find(resource)
        steps = 0
        for pattern, leaf, restricting in self._variable:
            values = values_of(pattern.variables, request)
            speaking = restricting if None in values else _only_strict(leaf)
            if not speaking:
                continue
            steps += steps_to_ask(pattern, resource)
            if steps > MAX_STEPS:
                raise TooManyError
            if pattern.may_match(resource, values):
                found.append(speaking)
        return found

    def nearest(self, resource: str) -> tuple[str, Entry] | None:
        """Return the pattern most like a resource of a rule that grants, and the rule."""
        return self._grants.nearest(resource)


def _only_strict(leaf: Leaf) -> Leaf:
    return tuple(entry for entry in leaf if entry.effect is not Effect.ALLOW)


def _only_restricting(leaf: Leaf) -> Leaf:
    return tuple(entry for entry in leaf if entry.restricts)


def _steps(leaf: Leaf) -> int:
    return sum(entry.steps for entry in leaf)
