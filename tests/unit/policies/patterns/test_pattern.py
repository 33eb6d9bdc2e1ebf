from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.errors import PatternError
from policies.model import AccessRequest, Fact
from policies.patterns.pattern import MAX_PATTERN_CHARS, MAX_RESOURCE_CHARS, UNKNOWN, compile_pattern
from policies.patterns.tokens import MAX_VARIABLES
from policies.patterns.variables import MAX_VALUE_CHARS, Variable, values_of
from tests.unit.policies.slow import covers, lacks_a_value

PATTERNS = st.lists(st.sampled_from(["a", "b", "/", ":", "*", "**", "ab", "a/"]), min_size=1, max_size=8).map("".join)
ASKED = st.text(alphabet="ab/:*", max_size=9)


def compilable(text: str) -> bool:
    return "***" not in text and text.count("$") <= MAX_VARIABLES


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


@given(PATTERNS.filter(compilable), ASKED)
@example("**a*b", "a/ab")
@example("**b*c", "b/bc")
def test_matching_agrees_with_the_slow_meaning(pattern: str, asked: str) -> None:
    assert bool(compile_pattern(pattern).matches(asked)) is covers(pattern, asked)


@given(PATTERNS.filter(compilable), ASKED, ASKED, ASKED)
def test_an_unknown_part_may_match_whenever_some_value_of_it_does(
    pattern: str, before: str, value: str, after: str
) -> None:
    if covers(pattern, before + value + after):
        assert compile_pattern(pattern).may_match(before + UNKNOWN + after)


@given(PATTERNS.filter(compilable), ASKED)
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


@pytest.mark.parametrize("count", [4, 8])
def test_a_text_of_two_letters_costs_no_more_than_its_length_times_the_pattern(count: int) -> None:
    pieces = ["a", "ab", "b", "ba", "aab", "bba", "abb"][: count - 1]
    assert not compile_pattern(f"*{'*'.join(pieces)}*c").matches("ab" * 125)
    assert not compile_pattern(f"**{'/**/'.join(pieces[:3])}/*c").matches("ab/" * 600)
    assert not compile_pattern(f"*${{project}}*{'*'.join(pieces[:3])}*c").matches("ab" * 125, ("ab",))


VALUES = st.dictionaries(
    st.sampled_from(["project", "agent.id", "session.x"]), st.text(alphabet="ab/*", min_size=1, max_size=3)
)
SPELLINGS = ["a", "b", "/", ":", "*", "**", "${project}", "${agent.id=**}", "${session.x=*/*}"]
WITH_VARIABLES = st.lists(st.sampled_from(SPELLINGS), min_size=1, max_size=6).map("".join)


@given(WITH_VARIABLES.filter(compilable), VALUES, ASKED)
@example("${project}*${project}", {"project": "*"}, "*a*")
@example("*${project}**a", {}, "a/a")
@example("*a${project}", {"project": "b"}, "aab")
@example("*${project}a*", {"project": "b"}, "bba")
@example("a**b${project}*c", {"project": "b"}, "abbbc")
def test_a_variable_is_its_literal_value_or_anything(text: str, values: dict[str, str], asked: str) -> None:
    pattern = compile_pattern(text)
    request = AccessRequest(values.get("agent.id", ""), values.get("project", ""), (), values)
    found = values_of(pattern.variables, request)
    assert pattern.matches(asked, found) is covers(text, asked, values)
    assert pattern.may_match(asked, found) is covers(text, asked, values)
    assert (None in found) is lacks_a_value(text, values)
    if pattern.variables:
        assert not pattern.matches(asked)


def test_the_parts_of_a_pattern_are_told() -> None:
    plain, open_ended, variable = (compile_pattern(text) for text in ["a/b", "a/**", "a/${project}/**/b"])
    assert (plain.literal, plain.open_ended, plain.segmented, plain.key) == (True, False, True, "a/b")
    assert (open_ended.head, open_ended.open_ended, open_ended.segmented, open_ended.key) == ("a/", True, True, "a/*")
    assert (variable.head, variable.segmented, variable.variables) == ("a/", False, (Variable("project"),))
    assert not variable.may_match(f"a/{UNKNOWN}")
    assert compile_pattern("*").head == ""


@pytest.mark.parametrize("text", ["${foo}", "a$", "${project", "$project", "${project=x}", "${session.}"])
def test_a_dollar_that_begins_no_variable_is_a_character(text: str) -> None:
    assert compile_pattern(text).matches(text)


def test_a_pattern_has_only_so_many_variables() -> None:
    compile_pattern("${project}/" * MAX_VARIABLES)
    with pytest.raises(PatternError):
        compile_pattern("${project}/" * (MAX_VARIABLES + 1))


def test_a_value_that_is_too_long_is_none() -> None:
    pattern = compile_pattern("${project}")
    fitting, long = "p" * MAX_VALUE_CHARS, "p" * (MAX_VALUE_CHARS + 1)
    assert values_of(pattern.variables, AccessRequest("bot", fitting, ())) == (fitting,)
    assert values_of(pattern.variables, AccessRequest("bot", long, ())) == (None,)


@pytest.mark.parametrize("value", ["", "a/b", "a:b", "a\x00", "a\n", "a\x7f", 7, True, ("a",)])
def test_a_value_that_is_no_segment_is_none(value: Fact) -> None:
    pattern = compile_pattern("${session.x}")
    assert values_of(pattern.variables, AccessRequest("bot", "p", (), {"session.x": value})) == (None,)
