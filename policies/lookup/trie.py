"""A trie over segments: where the patterns of an index live, and the walk that finds them.

A segment is a run of characters with the separator that ends it: ``arn:aws:s3:::lake/raw/x`` is ``arn:``, ``aws:``,
``s3:``, ``:``, ``:``, ``lake/``, ``raw/``, ``x``. An inner star stays in its segment, so each segment of a pattern
becomes one edge and a look-up follows, segment by segment, every edge the asked text can take:

- a literal segment, by dictionary;
- ``*`` with its separator, by dictionary;
- a segment with stars and more, by the characters before its first star and those after its last: one dictionary
  access for each distinct length, and a match for each that has something in between;
- where a pattern ends in ``*``, the rest matches whatever it is.

Nothing here is changed after `freeze`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

from policies.patterns.pattern import UNKNOWN, Pattern, compile_pattern

T = TypeVar("T")

SEPARATORS: Final = frozenset("/:")

_NONE: Final[dict[str, Any]] = {}
"""Stands for an empty dictionary; never written to."""
_SEGMENT: Final = re.compile("[^/:]*[/:]|[^/:]+")


def split(text: str) -> list[str]:
    """Return the segments of a text, each with the separator that ends it; a text that ends in one has no more."""
    if UNKNOWN in text:
        return _SEGMENT.findall(text)
    segments = text.replace("/", f"/{UNKNOWN}").replace(":", f":{UNKNOWN}").split(UNKNOWN)
    if not segments[-1]:
        segments.pop()
    return segments


class Tail(Generic[T]):
    """What the segments with the same characters before their first and after their last star lead to.

    ``child``: one star between them. ``globs``: more characters and stars between them.
    """

    __slots__ = ("child", "globs")

    def __init__(self) -> None:
        self.child: Node[T] | None = None
        self.globs: dict[str, tuple[Pattern, Node[T]]] = {}


class Head(Generic[T]):
    """What the segments that begin with the same characters before a star lead to.

    ``rest``: the pattern ends in that star. ``tails``: by what follows the last star. ``globs``: more stars, the last
    of which ends the pattern.
    """

    __slots__ = ("globs", "lengths", "rest", "tails")

    def __init__(self) -> None:
        self.rest: T | None = None
        self.tails: dict[str, Tail[T]] = {}
        self.lengths: tuple[int, ...] = ()
        self.globs: dict[str, tuple[Pattern, T]] = {}

    def walk(self, segment: str, length: int, found: list[T], following: list[Node[T]]) -> None:
        """Add what a segment leads to that has these characters, ``length`` of them, before the star."""
        for tail_length in self.lengths:
            tail = self.tails.get(segment[-tail_length:])
            # The two ends must not overlap.
            if tail is None or length + tail_length > len(segment):
                continue
            if tail.child is not None:
                following.append(tail.child)
            following.extend([child for pattern, child in tail.globs.values() if pattern.matches(segment)])
        if self.globs:
            found.extend([value for pattern, value in self.globs.values() if pattern.matches(segment)])


class Node(Generic[T]):
    """A place in the trie: what patterns end here, and which segments may follow.

    ``end``: the pattern ends here. ``rest``: the pattern goes on with a final star. ``worst`` is for
    `policies.lookup.bounds`.
    """

    __slots__ = ("end", "heads", "lengths", "literals", "rest", "stars", "worst")

    def __init__(self) -> None:
        # Most nodes are leaves: three dictionaries of their own would be most of the index, and of its building time.
        self.literals: dict[str, Node[T]] = _NONE
        self.stars: dict[str, Node[T]] = _NONE
        self.heads: dict[str, Head[T]] = _NONE
        self.lengths: tuple[int, ...] = ()
        self.end: T | None = None
        self.rest: T | None = None
        self.worst = 0


class SegmentTrie(Generic[T]):
    """The patterns that look at each segment by itself (`Pattern.segmented`), each with one value.

    ``nodes`` holds every node, parents before children.
    """

    __slots__ = ("nodes", "root")

    def __init__(self) -> None:
        self.root: Node[T] = Node()
        self.nodes = [self.root]

    def insert(self, text: str, value: T) -> None:
        """Add a pattern that is not in it yet; ``x**`` and ``x*`` at the end are the same pattern."""
        segments = split(text)
        if not text.endswith("*"):
            node = self.root
            for segment in segments:
                node = self._child(node, segment)
            node.end = value
            return
        last = segments.pop().rstrip("*")
        node = self.root
        for segment in segments:
            node = self._child(node, segment)
        if not last:
            node.rest = value
            return
        before, star, _ = last.partition("*")
        head = _head(node, before)
        if star:
            head.globs[last] = (compile_pattern(f"{last}*"), value)
        else:
            head.rest = value

    def freeze(self) -> None:
        """End the building."""
        for node in self.nodes:
            if node.heads:
                node.lengths = tuple(sorted({len(text) for text in node.heads}))
                for head in node.heads.values():
                    head.lengths = tuple(sorted({len(text) for text in head.tails}))

    def find(self, segments: Sequence[str]) -> list[T]:
        """Return the value of every pattern that covers the text of these segments, in no particular order."""
        found, nodes = self.walk(segments)
        for node in nodes:
            if node.end is not None:
                found.append(node.end)
            if node.rest is not None:
                found.append(node.rest)
        return found

    def walk(self, segments: Sequence[str]) -> tuple[list[T], list[Node[T]]]:
        """Return the value of every pattern that needs no more than a part of these segments, and where all end."""
        found: list[T] = []
        nodes = [self.root]
        for segment in segments:
            following: list[Node[T]] = []
            for node in nodes:
                if node.rest is not None:
                    found.append(node.rest)
                child = node.literals.get(segment)
                if child is not None:
                    following.append(child)
                if node.stars:
                    child = node.stars.get(segment[-1])
                    if child is not None:
                        following.append(child)
                if node.lengths:
                    _walk_heads(node, segment, found, following)
            nodes = following
            if not nodes:
                break
        return found, nodes

    def _child(self, node: Node[T], segment: str) -> Node[T]:
        """Return the node one segment on, made where there is none."""
        if "*" not in segment:
            if node.literals is _NONE:
                node.literals = {}
            child = node.literals.get(segment)
            if child is None:
                child = node.literals[segment] = self._node()
            return child
        before, _, after = segment.partition("*")
        if not before and after in SEPARATORS:
            if node.stars is _NONE:
                node.stars = {}
            if after not in node.stars:
                node.stars[after] = self._node()
            return node.stars[after]
        _, _, last = after.rpartition("*")
        tail = _head(node, before).tails.setdefault(last, Tail())
        if last == after:
            tail.child = tail.child or self._node()
            return tail.child
        if segment not in tail.globs:
            tail.globs[segment] = (compile_pattern(segment), self._node())
        return tail.globs[segment][1]

    def _node(self) -> Node[T]:
        node: Node[T] = Node()
        self.nodes.append(node)
        return node


def _walk_heads(node: Node[T], segment: str, found: list[T], following: list[Node[T]]) -> None:
    for length in node.lengths:
        head = node.heads.get(segment[:length])
        if head is not None:
            if head.rest is not None:
                found.append(head.rest)
            if head.lengths or head.globs:
                head.walk(segment, length, found, following)


def _head(node: Node[T], text: str) -> Head[T]:
    if node.heads is _NONE:
        node.heads = {}
    head = node.heads.get(text)
    if head is None:
        head = node.heads[text] = Head()
    return head
