"""An immutable index from patterns to what they carry, found by the literal characters a pattern begins with.

A pattern can match a text only if the text begins with the pattern's head. The heads of all patterns are kept by
length, so a look-up costs one dictionary access per distinct length and one match per pattern whose head fits.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import Generic, TypeVar

from policies.patterns import Pattern

T = TypeVar("T")


class PatternIndex(Generic[T]):
    """Finds the values whose pattern covers a text; built once, never changed.

    Args:
        items: Patterns with the value each one carries.
    """

    __slots__ = ("_all", "_exact", "_heads", "_lengths", "_texts")

    def __init__(self, items: Iterable[tuple[Pattern, T]]) -> None:
        self._all = tuple(sorted(items, key=lambda item: item[0].text))
        self._texts = tuple(pattern.text for pattern, _ in self._all)
        exact: dict[str, list[T]] = {}
        heads: dict[str, list[tuple[Pattern, T]]] = {}
        for pattern, value in self._all:
            if pattern.literal:
                exact.setdefault(pattern.text, []).append(value)
            else:
                heads.setdefault(pattern.head, []).append((pattern, value))
        self._exact = {text: tuple(values) for text, values in exact.items()}
        self._heads = {head: tuple(found) for head, found in heads.items()}
        self._lengths = tuple(sorted({len(head) for head in heads}))

    def __len__(self) -> int:
        return len(self._all)

    def find(self, text: str) -> list[T]:
        """Return the value of every pattern that covers ``text``, in no particular order."""
        found = list(self._exact.get(text, ()))
        for length in self._lengths:
            if length > len(text):
                break
            for pattern, value in self._heads.get(text[:length], ()):
                if pattern.open_ended or pattern.matches(text):
                    found.append(value)
        return found

    def find_possible(self, text: str) -> list[T]:
        """Return the value of every pattern that may cover ``text``, whose unknown parts could be anything; slower."""
        return [value for pattern, value in self._all if pattern.may_match(text)]

    def nearest(self, text: str) -> T | None:
        """Return the value of a pattern that has the longest beginning in common with ``text``; None when empty."""
        place = bisect.bisect(self._texts, text)
        near = self._all[max(place - 1, 0) : place + 1]
        best = max(near, key=lambda item: _common(item[0].text, text), default=None)
        return None if best is None else best[1]


def _common(one: str, other: str) -> int:
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))
