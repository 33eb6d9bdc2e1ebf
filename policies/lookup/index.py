"""An immutable index from patterns to what they carry.

Patterns that look at each segment by itself live in a trie (`policies.lookup.trie`), where a look-up costs the length
of the text, not the number of patterns. Those with an inner ``**`` or a variable are few (`policies.lookup.bounds`) and
are asked one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from policies.lookup.trie import SegmentTrie, split
from policies.patterns.pattern import Pattern

T = TypeVar("T")


class PatternIndex(Generic[T]):
    """Finds the values whose pattern covers a text; built once, never changed.

    Args:
        items: Patterns, each once, with the value each one carries. ``x*`` and ``x**`` are one pattern.
    """

    __slots__ = ("crossing", "trie", "variable")

    def __init__(self, items: Iterable[tuple[Pattern, T]]) -> None:
        self.trie: SegmentTrie[T] = SegmentTrie()
        crossing: list[tuple[Pattern, T]] = []
        variable: list[tuple[Pattern, T]] = []
        for pattern, value in items:
            if pattern.segmented:
                self.trie.insert(pattern.text, value)
            else:
                (variable if pattern.variables else crossing).append((pattern, value))
        self.trie.freeze()
        self.crossing = tuple(crossing)
        self.variable = tuple(variable)

    def find(self, text: str, segments: Sequence[str] | None = None) -> list[T]:
        """Return the value of every pattern without variables that covers ``text``, in no particular order.

        Args:
            text: What is asked.
            segments: The same, split (`policies.lookup.trie.split`), when the caller has it.
        """
        found = self.trie.find(split(text) if segments is None else segments)
        if self.crossing:
            found += [value for pattern, value in self.crossing if pattern.matches(text)]
        return found
