from __future__ import annotations

import pytest

from policies.analysis.containment import contained, overlap
from policies.analysis.languages import Automaton, read, variables_of
from policies.analysis.walk import UndecidedError, fresh_letter, walk


@pytest.mark.parametrize(
    ("pattern", "within"),
    [
        ("repos/acme/*", ["repos/**"]),
        ("repos/acme/app", ["repos/*/app"]),
        ("a*", ["a", "ab*", "ax*", "a*"]),
        ("*/x", ["**/x"]),
        ("a/*/b", ["a/**/b"]),
        ("a/x*/b", ["a/*/b"]),
    ],
)
def test_what_is_covered_has_no_witness(pattern: str, within: list[str]) -> None:
    answer = contained(pattern, within)
    assert (answer.holds, answer.witness) == (True, "")


@pytest.mark.parametrize(
    ("pattern", "within", "witness"),
    [
        ("repos/*/branches/*", ["repos/*/branches/main"], "repos//branches/"),
        ("**", ["*/**", "*:**"], "x"),
        ("a/**", ["a/*/b", "a/"], "a/x"),
        ("**/x", ["*/x"], "//x"),
        ("anything", [], "anything"),
    ],
)
def test_what_is_not_covered_has_a_shortest_witness(pattern: str, within: list[str], witness: str) -> None:
    answer = contained(pattern, within)
    assert (answer.holds, len(answer.witness)) == (False, len(witness))
    assert not contained(answer.witness, within).holds


def test_several_patterns_can_cover_one_together() -> None:
    assert contained("a*", ("a", "a/**", "a:**", "a*/**", "a*:**")).witness == "ax"
    assert contained("x*/b", ("x/b", "x*b*/b", "x*/b")).holds


def test_a_search_without_budget_says_no_and_that_it_does_not_know() -> None:
    answer = contained("a/*/b", ("a/*/b*/**", "*/b"), budget=1)
    assert (answer.holds, answer.decided, answer.witness) == (False, False, "")


def test_a_search_names_what_ended_it() -> None:
    lead = read("a/**") or ()
    with pytest.raises(UndecidedError):
        list(walk(lead, Automaton((read("a/*/b") or (),)), budget=2))


@pytest.mark.parametrize(
    ("one", "other", "length"),
    [("a*c", "*bc", 3), ("a/*", "*/b", 3), ("a/*", "b/*", 0), ("a*", "*:b", 3), ("x*z", "y*z", 0), ("ab", "ab", 2)],
)
def test_overlap_is_a_shortest_text_both_cover(one: str, other: str, length: int) -> None:
    witness = overlap(one, other)
    assert len(witness) == length
    if witness:
        assert contained(witness, (one,)).holds
        assert contained(witness, (other,)).holds


def test_a_variable_is_covered_by_a_wildcard_of_its_shape_and_by_itself_only() -> None:
    assert contained("repos/${project}/x", ("repos/*/x",)).holds
    assert contained("repos/${project}/x", ("repos/${project}/*",)).holds
    assert not contained("repos/${project}/x", ("repos/web/x",)).holds
    assert not contained("repos/${project}/x", ("repos/${agent.id}/x",)).holds
    assert not contained("repos/web/x", ("repos/${project}/x",)).holds
    assert contained("repos/${project=*/*}/x", ("repos/*/*/x",)).holds
    assert not contained("repos/${project=*/*}/x", ("repos/*/x",)).holds
    assert contained("repos/${project=**}", ("repos/*",)).holds
    assert not contained("repos/${project=**}/x", ("repos/*/x",)).holds


def test_a_known_value_is_literal_text() -> None:
    values = {"project": "web"}
    assert contained("repos/${project}/x", ("repos/web/x",), values=values).holds
    assert contained("repos/web/x", ("repos/${project}/x",), values=values).holds
    assert not contained("repos/web/x", ("repos/${project}/x",), values={"project": "*"}).holds


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("${project}", "a/b"),
        ("${project}", ""),
        ("${project=*/*}", "a"),
        ("${project=*/*}", "a/"),
        ("${project=**}", ""),
    ],
)
def test_a_value_that_does_not_fit_its_place_matches_nothing_and_is_denied_widely(pattern: str, value: str) -> None:
    values = {"project": value}
    assert contained(f"a/{pattern}", (), values=values).holds
    assert overlap(f"a/{pattern}", "**", values=values) == ""
    assert read(f"a/{pattern}", values, forbids=True) == read("a/**")


def test_the_variables_of_a_pattern_are_named() -> None:
    assert variables_of("a/${project}/${session.repo=*/*}/$x") == {"project", "session.repo"}
    assert variables_of("a/$x") == frozenset()


def test_there_is_always_a_letter_that_no_pattern_names() -> None:
    printable = frozenset(map(chr, range(0x20, 0x7F)))
    assert fresh_letter(printable) not in printable
    assert fresh_letter(frozenset()) == "x"
