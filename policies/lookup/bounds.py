"""How long the worst look-up in a policy can take, known before it is used.

The bound is counted in steps of about a tenth of a microsecond: nodes a text can reach at once, dictionary accesses,
patterns asked one by one, rules met where a pattern ends. It never says less than the worst text takes; it may say
more, as it adds up branches that no one text takes together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from policies.errors import PolicyError
from policies.lookup.index import PatternIndex
from policies.lookup.trie import Head, Node, Tail
from policies.patterns.pattern import Pattern
from policies.patterns.tokens import Star, Token
from policies.patterns.variables import MAX_VALUE_CHARS, Variable

T = TypeVar("T")

MAX_STEPS: Final = 7_000
"""Steps of the worst look-up; keeps it under a millisecond (`tests/bench`)."""
MAX_UNINDEXED: Final = 64
"""Patterns of one policy set with an inner ``**`` or a variable."""

_NODE: Final = 2
_ACCESS: Final = 1
_PATTERN: Final = 20
"""Steps to ask one pattern, whatever the text."""
_PIECES: Final = 50
"""Steps to look for pieces in the longest text; the longer the piece the more, by `_PER_CHAR`."""
_PER_CHAR: Final = 3
_EXPRESSION: Final = 320
"""Steps of an expression over the longest text, by `_PER_EXPRESSION_CHAR` more for each character of the pattern."""
_PER_EXPRESSION_CHAR: Final = 8


class BoundError(PolicyError):
    """A policy could take too long to decide.

    Args:
        message: What is too much.
        fix: What to change.
    """

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


def worst(index: PatternIndex[T], weigh: Callable[[T], int]) -> int:
    """Return the most steps a look-up in an index can take.

    Args:
        index: The index.
        weigh: The steps a value costs the one who finds it.
    """
    beside = sum(_asked(pattern) + weigh(value) for pattern, value in (*index.crossing, *index.variable))
    for node in reversed(index.trie.nodes):
        node.worst = _worst_from(node, weigh)
    return beside + index.trie.root.worst


def _worst_from(node: Node[T], weigh: Callable[[T], int]) -> int:
    """Return the most steps from a node on; those of its children are known."""
    ahead = 0
    if node.literals:
        ahead = max([child.worst for child in node.literals.values()])
    if node.stars:
        ahead += max(child.worst for child in node.stars.values())
    if node.heads:
        weights = {text: _head(head, weigh) for text, head in node.heads.items()}
        ahead += len(node.lengths) * _ACCESS + _chain(weights, node.lengths)
    end = 0 if node.end is None else weigh(node.end)
    rest = 0 if node.rest is None else weigh(node.rest)
    return _NODE + max(ahead, end) + rest


def _head(head: Head[T], weigh: Callable[[T], int]) -> int:
    steps = _NODE + sum(_asked(pattern) + weigh(value) for pattern, value in head.globs.values())
    if head.tails:
        # What a text ends in is what it begins with backwards.
        backwards = {text[::-1]: _tail(tail) for text, tail in head.tails.items()}
        steps += len(head.lengths) * _ACCESS + _chain(backwards, head.lengths)
    return steps + (0 if head.rest is None else weigh(head.rest))


def _tail(tail: Tail[T]) -> int:
    steps = sum(_asked(pattern) + child.worst for pattern, child in tail.globs.values())
    return steps + (0 if tail.child is None else tail.child.worst)


def _chain(weights: dict[str, int], lengths: tuple[int, ...]) -> int:
    """Return the greatest weight of keys that can all begin one text: each is a beginning of the next."""
    if len(lengths) == 1:
        return max(weights.values())
    chains: dict[str, int] = {}
    for key in sorted(weights, key=len):
        before = next((chains[key[:length]] for length in reversed(lengths) if key[:length] in chains), 0)
        chains[key] = before + weights[key]
    return max(chains.values(), default=0)


def _asked(pattern: Pattern) -> int:
    """Return the steps one pattern costs over the longest text; what precedes its first star is cheap."""
    tokens = pattern.tokens
    first = next((place for place, token in enumerate(tokens) if isinstance(token, Star)), len(tokens))
    if first >= len(tokens) - 1:
        return _PATTERN
    longest = _longest_piece(tokens[first:])
    if pattern.mixed:
        return _PATTERN + _EXPRESSION + _PER_EXPRESSION_CHAR * longest
    return _PATTERN + _PIECES + _PER_CHAR * longest


def _longest_piece(tokens: tuple[Token, ...]) -> int:
    """Return the most characters to be looked for at once; a text is searched for one piece after the other."""
    longest = piece = 0
    for token in tokens:
        if isinstance(token, Star):
            piece = 0
        else:
            piece += MAX_VALUE_CHARS if isinstance(token, Variable) else len(token)
        longest = max(longest, piece)
    return longest
