"""Containment and overlap against all words there are, and against a library that knows automata."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache

import pytest
from automata.fa.nfa import NFA
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.analysis.containment import contained, overlap

LONGEST = 6
WORDS = ["".join(word) for length in range(1, LONGEST + 1) for word in itertools.product("a/z", repeat=length)]
PIECES = st.sampled_from(["a", "/", "*", "**", "b"])
PATTERNS = st.lists(PIECES, min_size=1, max_size=4).map("".join).filter(lambda text: "***" not in text)


@cache
def covers(pattern: str, asked: str) -> bool:
    """The meaning of patterns, slow and obvious."""
    if not pattern:
        return not asked
    if pattern[0] != "*":
        return asked[:1] == pattern[0] and covers(pattern[1:], asked[1:])
    rest = pattern.lstrip("*")
    crossing = not rest or len(pattern) - len(rest) > 1
    return covers(rest, asked) or (bool(asked) and (crossing or asked[0] not in "/:") and covers(pattern, asked[1:]))


def automaton(pattern: str) -> NFA:
    """The same meaning in the library's words."""
    inside, everything = "[abz]*", "[abz/:]*"
    regex, place = "", 0
    while place < len(pattern):
        if pattern[place] != "*":
            regex += pattern[place]
            place += 1
            continue
        doubled = pattern.startswith("**", place)
        place += 2 if doubled else 1
        regex += everything if doubled or place == len(pattern) else inside
    return NFA.from_regex(regex, input_symbols=set("abz/:"))


@pytest.mark.req("P1")
@given(PATTERNS, st.lists(PATTERNS, max_size=3))
@settings(max_examples=300)
def test_containment_says_what_all_short_words_say(pattern: str, within: Sequence[str]) -> None:
    outside = [word for word in WORDS if covers(pattern, word) and not any(covers(one, word) for one in within)]
    answer = contained(pattern, within)
    assert answer.decided
    if outside:
        assert not answer.holds
        assert len(answer.witness) <= len(outside[0])
    if not answer.holds:
        assert covers(pattern, answer.witness)
        assert not any(covers(one, answer.witness) for one in within)


@given(PATTERNS, st.lists(PATTERNS, min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_containment_agrees_with_a_library_of_automata(pattern: str, within: Sequence[str]) -> None:
    union = automaton(within[0])
    for one in within[1:]:
        union = union.union(automaton(one))
    # The empty text names nothing and is no part of our question.
    ours = automaton(pattern).intersection(NFA.from_regex("[abz/:][abz/:]*", input_symbols=set("abz/:")))
    expected = ours.union(union) == union
    assert contained(pattern, within).holds is expected


@given(PATTERNS, PATTERNS)
@settings(max_examples=300)
def test_overlap_is_a_shortest_common_word(one: str, other: str) -> None:
    both = [word for word in WORDS if covers(one, word) and covers(other, word)]
    witness = overlap(one, other)
    if both:
        assert witness
        assert len(witness) <= len(both[0])
    if witness:
        assert covers(one, witness)
        assert covers(other, witness)
        assert overlap(other, one) != ""


@given(PATTERNS, PATTERNS, PATTERNS)
def test_containment_is_transitive_and_a_union_covers_its_parts(one: str, middle: str, wide: str) -> None:
    assert contained(one, (one, middle)).holds
    if contained(one, (middle,)).holds and contained(middle, (wide,)).holds:
        assert contained(one, (wide,)).holds
