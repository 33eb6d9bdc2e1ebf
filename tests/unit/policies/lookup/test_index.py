from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.lookup.index import PatternIndex
from policies.lookup.nearest import Neighbours
from policies.lookup.possible import PossibleIndex, TooManyError
from policies.lookup.trie import split
from policies.patterns.pattern import UNKNOWN, compile_pattern
from tests.unit.policies.slow import covers

PARTS = st.sampled_from(["a", "b", "/", ":", "*", "**", "ab", "a/", "*/", "a*b", "*a*"])
PATTERN = st.lists(PARTS, min_size=1, max_size=6).map("".join).filter(lambda text: "***" not in text)
PATTERNS = st.lists(PATTERN, max_size=12, unique_by=lambda text: compile_pattern(text).key)
ASKED = st.text(alphabet="ab/:*", max_size=9)


def index_of(patterns: list[str]) -> PatternIndex[str]:
    return PatternIndex((compile_pattern(text), text) for text in patterns)


def possible_of(patterns: list[str]) -> PossibleIndex[str]:
    return PossibleIndex((compile_pattern(text), text) for text in patterns)


@given(PATTERNS, ASKED)
@example(["*a*b/", "*b/", "a*b/", "*a*", "*", "a*", "a"], "aab/")
@example(["a*a/"], "a/")
def test_the_index_finds_what_a_walk_over_all_patterns_finds(patterns: list[str], asked: str) -> None:
    assert sorted(index_of(patterns).find(asked)) == sorted(text for text in patterns if covers(text, asked))


@given(PATTERNS, ASKED, ASKED, ASKED)
@example(["a/", "a/b", "a/bc/x", "a/*c"], "a/b", "c", "")
def test_what_may_match_an_unknown_part_is_found_and_nothing_that_cannot(
    patterns: list[str], before: str, value: str, after: str
) -> None:
    asked = f"{before}{UNKNOWN}{after}"
    found = possible_of(patterns).find(asked)
    assert sorted(found) == sorted(text for text in patterns if compile_pattern(text).may_match(asked))
    assert {text for text in patterns if covers(text, before + value + after)} <= set(found)


@given(PATTERNS, ASKED, ASKED)
def test_an_unknown_part_in_the_text_is_covered_by_wildcards_only(patterns: list[str], before: str, after: str) -> None:
    asked = f"{before}{UNKNOWN}{after}"
    # No pattern holds that character, so only a star stands for it.
    assert sorted(index_of(patterns).find(asked)) == sorted(text for text in patterns if covers(text, asked))


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", []),
        ("a", ["a"]),
        ("a/", ["a/"]),
        ("/a", ["/", "a"]),
        ("arn:aws:s3:::lake/x", ["arn:", "aws:", "s3:", ":", ":", "lake/", "x"]),
        (f"a/{UNKNOWN}b/c", ["a/", f"{UNKNOWN}b/", "c"]),
    ],
)
def test_a_text_is_split_behind_its_separators(text: str, segments: list[str]) -> None:
    assert split(text) == segments


def test_patterns_with_variables_are_kept_aside() -> None:
    pattern = compile_pattern("a/${project}")
    index = PatternIndex([(pattern, 1)])
    assert index.variable == ((pattern, 1),)
    assert index.find("a/${project}") == []


@pytest.mark.parametrize("shape", ["a/{n}/end", "a/{n}-*/end", "*/{n}/end", "a*{n}*{n}/end", "a/{n}*{n}*"])
def test_looking_for_what_may_match_ends_where_it_would_cost_too_much(shape: str) -> None:
    index = possible_of([shape.format(n=number) for number in range(5_000)])
    with pytest.raises(TooManyError):
        index.find(f"a{UNKNOWN}/other")
    assert possible_of(["a/1/end"]).find(f"a/{UNKNOWN}/other") == []


def test_patterns_that_cross_cost_too_much_only_when_there_are_many() -> None:
    asked = f"{'a/' * 500}{UNKNOWN}"
    assert possible_of(["**/x", "b/**/x"]).find(asked) == ["**/x"]
    with pytest.raises(TooManyError):
        possible_of([f"**/x{number}" for number in range(10)]).find(asked)


def test_the_nearest_text_shares_the_longest_beginning() -> None:
    near = Neighbours((text, text.upper()) for text in ["a/b/*", "a/c/*", "x"])
    assert near.nearest("a/c/") == ("a/c/*", "A/C/*")
    assert near.nearest("a/bx") == ("a/b/*", "A/B/*")
    assert near.nearest("zzz") is not None
    assert near.nearest("") is not None
    assert Neighbours[int]([]).nearest("a") is None
    assert Neighbours([("a", 1), ("a", 2)]).nearest("a") == ("a", 1)


@given(st.lists(ASKED, min_size=1, max_size=8), ASKED)
def test_no_other_text_shares_a_longer_beginning(texts: list[str], asked: str) -> None:
    def common(text: str) -> int:
        return next((n for n in range(len(text), -1, -1) if asked.startswith(text[:n])), 0)

    found = Neighbours((text, None) for text in texts).nearest(asked)
    assert found is not None
    assert common(found[0]) == max(map(common, texts))
