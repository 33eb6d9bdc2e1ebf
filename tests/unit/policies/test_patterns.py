from __future__ import annotations

from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.errors import PatternError
from policies.index import PatternIndex
from policies.patterns import MAX_PATTERN_CHARS, MAX_RESOURCE_CHARS, UNKNOWN, compile_pattern


def covers(pattern: str, asked: str) -> bool:
    """The slow, obvious meaning of a pattern."""

    @cache
    def at(p: int, a: int) -> bool:
        if p == len(pattern):
            return a == len(asked)
        if pattern[p] != "*":
            return a < len(asked) and asked[a] == pattern[p] and at(p + 1, a + 1)
        end = p
        while end < len(pattern) and pattern[end] == "*":
            end += 1
        if at(end, a):
            return True
        crossing = end - p > 1 or end == len(pattern)
        return a < len(asked) and (crossing or asked[a] not in "/:") and at(p, a + 1)

    return at(0, 0)


PATTERNS = st.lists(st.sampled_from(["a", "b", "/", ":", "*", "**", "ab", "a/"]), min_size=1, max_size=8).map("".join)
ASKED = st.text(alphabet="ab/:*", max_size=9)


def compiled_or_none(text: str) -> bool:
    return "***" not in text


@pytest.mark.parametrize(
    ("pattern", "asked", "expected"),
    [
        ("repos/*", "repos/acme/app", True),
        ("repos/*", "repos/", True),
        ("repos/*", "repos", False),
        ("repos/*/x", "repos/a/x", True),
        ("repos/*/x", "repos/a/b/x", False),
        ("repos/**/x", "repos/a/b/x", True),
        ("a*c", "ac", True),
        ("a*c", "a:c", False),
        ("arn:aws:ecs:*:*:service/prod-*", "arn:aws:ecs:eu-west-1:1:service/prod-x/y:z", True),
        ("arn:aws:ecs:*:*:service/prod-*", "arn:aws:ecs:::service/prod-", True),
        ("arn:aws:ecs:*:service/prod-*", "arn:aws:ecs:eu-west-1:1:service/prod-x", False),
        ("*", "anything/at:all", True),
        ("**", "", True),
        ("a", "a\n", False),
        ("a*", "a\nb", True),
        ("*a", "ba", True),
        ("*a", "b/a", False),
        ("a[bc]", "ab", False),
        ("a.c", "abc", False),
        ("a?", "ab", False),
        ("a*b", "a*b", True),
        ("a/b", "A/b", False),
    ],
)
def test_a_pattern_covers_what_the_reference_says(pattern: str, asked: str, *, expected: bool) -> None:
    assert bool(compile_pattern(pattern).matches(asked)) is expected


@given(PATTERNS.filter(compiled_or_none), ASKED)
@example("**a*b", "a/ab")
@example("**b*c", "b/bc")
def test_matching_agrees_with_the_slow_meaning(pattern: str, asked: str) -> None:
    assert bool(compile_pattern(pattern).matches(asked)) is covers(pattern, asked)


@given(PATTERNS.filter(compiled_or_none), ASKED, ASKED, ASKED)
def test_an_unknown_part_may_match_whenever_some_value_of_it_does(
    pattern: str, before: str, value: str, after: str
) -> None:
    if covers(pattern, before + value + after):
        assert compile_pattern(pattern).may_match(before + UNKNOWN + after)


@given(PATTERNS.filter(compiled_or_none), ASKED)
def test_without_unknown_parts_both_questions_have_one_answer(pattern: str, asked: str) -> None:
    compiled = compile_pattern(pattern)
    assert compiled.may_match(asked) is bool(compiled.matches(asked))


@pytest.mark.parametrize(
    ("pattern", "sure", "possible"),
    [
        ("repos/a/b/branches/*", True, True),
        ("repos/a/b/branches/main", False, True),
        ("repos/a/b/branches/feature/*", False, True),
        ("repos/**/x", False, True),
        ("repos/a/b/tags/*", False, False),
        ("repos/c/**", False, False),
    ],
)
def test_an_unknown_part_is_covered_by_a_wildcard_only(pattern: str, *, sure: bool, possible: bool) -> None:
    compiled = compile_pattern(pattern)
    asked = f"repos/a/b/branches/{UNKNOWN}"
    assert (bool(compiled.matches(asked)), compiled.may_match(asked)) == (sure, possible)


@pytest.mark.parametrize(
    "pattern", ["", "a" * (MAX_PATTERN_CHARS + 1), "a*" * 9, "a***", "***/b", f"a{UNKNOWN}", "a\x00*"]
)
def test_a_pattern_beyond_the_limits_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", ["a*a*a*a*a*a*a*b", "*a*a*a*a*a*a*ab", "**a*a**a*a**a*b", "**a**a**a**a**a**a**ab"])
def test_the_worst_text_for_a_pattern_costs_its_length(pattern: str) -> None:
    # With backtracking this would not end within years.
    assert not compile_pattern(pattern).matches("a" * MAX_RESOURCE_CHARS)


@given(st.lists(PATTERNS.filter(compiled_or_none), max_size=12), ASKED)
def test_the_index_finds_what_a_walk_over_all_patterns_finds(patterns: list[str], asked: str) -> None:
    index = PatternIndex((compile_pattern(pattern), number) for number, pattern in enumerate(patterns))
    assert sorted(index.find(asked)) == [n for n, pattern in enumerate(patterns) if covers(pattern, asked)]
    assert sorted(index.find_possible(asked)) == sorted(index.find(asked))
    assert len(index) == len(patterns)


def test_the_nearest_pattern_shares_the_longest_beginning() -> None:
    index = PatternIndex((compile_pattern(text), text) for text in ["a/b/*", "a/c/*", "x"])
    assert index.nearest("a/c/") == "a/c/*"
    assert index.nearest("a/bx") == "a/b/*"
    assert index.nearest("zzz") == "x"
    empty: PatternIndex[str] = PatternIndex([])
    assert empty.nearest("a") is None
