"""Which patterns may cover a text of which some parts are not known, without looking at all of them.

The text before the first unknown part leads through the trie; everything below the places it leads to may match. When
the unknown part ends the text that is exact. Otherwise each of them is asked (`policies.patterns.overlaps`), and that
costs: the work is counted, and a question that would take too much of it has no answer, which must be taken for a no.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Generic, TypeVar

from policies.lookup.trie import SEPARATORS, Node, SegmentTrie, split
from policies.patterns.overlaps import Automaton
from policies.patterns.pattern import UNKNOWN, Pattern

T = TypeVar("T")

MAX_STEPS: Final = 6_000
"""Work of one question, in the unit of `policies.lookup.bounds`."""

_SPELL: Final = 3
"""Steps to make one character of a pattern ready."""
_READ: Final = 2
"""Steps to read one asked character."""
_VISIT: Final = 4
"""Steps to look at one node."""


class TooManyError(Exception):
    """The work would take more than `MAX_STEPS`; never leaves the engine."""


class PossibleIndex(Generic[T]):
    """Finds the values whose pattern may cover a text with unknown parts; built once, never changed.

    Args:
        items: Patterns without variables, each once, with the value each one carries.
    """

    __slots__ = ("_crossing", "_trie")

    def __init__(self, items: Iterable[tuple[Pattern, T]]) -> None:
        self._trie: SegmentTrie[tuple[Pattern, T]] = SegmentTrie()
        crossing: list[tuple[Automaton, T]] = []
        for pattern, value in items:
            if pattern.segmented:
                self._trie.insert(pattern.text, (pattern, value))
            else:
                crossing.append((Automaton(pattern.tokens), value))
        self._trie.freeze()
        self._crossing = tuple(crossing)

    def find(self, asked: str) -> list[T]:
        """Return the value of every pattern that may cover ``asked``, in no particular order.

        Args:
            asked: A text that holds `UNKNOWN`; each one may be any text, separators included.

        Raises:
            TooManyError: it would take too much work.
        """
        known = asked[: asked.index(UNKNOWN)]
        steps = _READ * len(asked) * len(self._crossing)
        candidates, visited = _reachable(self._trie, known, MAX_STEPS - steps)
        steps += visited
        if len(known) + 1 < len(asked):
            # Something known follows the unknown part, so being reachable is not enough.
            steps += sum(steps_to_ask(pattern, asked) for pattern, _ in candidates)
            if steps <= MAX_STEPS:
                candidates = [item for item in candidates if item[0].may_match(asked)]
        if steps > MAX_STEPS:
            raise TooManyError
        return [value for _, value in candidates] + [
            value for automaton, value in self._crossing if automaton.overlaps(asked)
        ]


def steps_to_ask(pattern: Pattern, asked: str) -> int:
    """Return the work of asking one pattern whether it may match."""
    return _SPELL * len(pattern.text) + _READ * len(asked)


def _reachable(trie: SegmentTrie[T], known: str, steps: int) -> tuple[list[T], int]:
    """Return the value of every pattern that covers some text beginning with ``known``, and the steps it took.

    Stops looking when that takes more than ``steps``; what it returns then is not complete.
    """
    segments = split(known)
    begun = segments.pop() if segments and segments[-1][-1] not in SEPARATORS else ""
    found, nodes = trie.walk(segments)
    taken = 0
    below: list[Node[T]] = []
    for node in nodes:
        taken += _VISIT + len(node.literals) + len(node.heads)
        _enter(node, begun, found, below)
    while below and taken <= steps:
        node = below.pop()
        taken += _VISIT
        _enter(node, "", found, below)
    return found, taken + len(below)


def _enter(node: Node[T], begun: str, found: list[T], below: list[Node[T]]) -> None:
    """Add what may follow at a node when the next segment begins with ``begun`` and goes on in any way."""
    if node.end is not None and not begun:
        found.append(node.end)
    if node.rest is not None:
        found.append(node.rest)
    below.extend(child for text, child in node.literals.items() if text.startswith(begun))
    below.extend(node.stars.values())
    for text, head in node.heads.items():
        if text.startswith(begun) or begun.startswith(text):
            if head.rest is not None:
                found.append(head.rest)
            found.extend(value for _, value in head.globs.values())
            for tail in head.tails.values():
                below.extend(child for _, child in tail.globs.values())
                if tail.child is not None:
                    below.append(tail.child)
