"""The pattern that is most like a text: what a denied agent may have meant."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Neighbours(Generic[T]):
    """Texts in order, each with a value; built once, never changed.

    Args:
        items: Texts with values; the first value of a text counts.
    """

    __slots__ = ("_texts", "_values")

    def __init__(self, items: Iterable[tuple[str, T]]) -> None:
        values: dict[str, T] = {}
        for text, value in items:
            values.setdefault(text, value)
        self._values = values
        self._texts = sorted(values)

    def nearest(self, asked: str) -> tuple[str, T] | None:
        """Return the text with the longest beginning in common with ``asked``, and its value; None when empty."""
        texts = self._texts
        if not texts:
            return None
        place = bisect.bisect(texts, asked)
        before, after = texts[place - 1 if place else 0], texts[place if place < len(texts) else -1]
        # Of texts in order, the one with most in common is a neighbour of the place where the asked one would stand.
        low, high = 0, len(asked)
        while low < high:
            middle = (low + high + 1) // 2
            begin = asked[:middle]
            if before.startswith(begin) or after.startswith(begin):
                low = middle
            else:
                high = middle - 1
        best = before if before.startswith(asked[:low]) else after
        return best, self._values[best]
