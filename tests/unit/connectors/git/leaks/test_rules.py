"""Every rule finds what it is about, leaves what only looks like it, and costs what its shape says."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.git.leaks.scan import RULES, LeakRules
from tests.unit.connectors.git.leaks.samples import Sample, samples

_SAMPLES = samples()
_MAX_STEPS = 64
"""Ways a rule may try at one place, beyond reading on."""
_MAX_REPEAT = 8000


@pytest.fixture(scope="module")
def rules() -> LeakRules:
    return LeakRules()


def found(rules: LeakRules, text: str) -> set[str]:
    return {leak.rule for leak in rules.scan("a.txt", [(1, text)])}


@pytest.mark.parametrize("sample", _SAMPLES, ids=lambda sample: sample.rule)
def test_a_rule_finds_its_secret_and_leaves_what_only_resembles_one(rules: LeakRules, sample: Sample) -> None:
    assert sample.rule in found(rules, sample.leak)
    assert sample.rule not in found(rules, sample.near_miss)


def test_every_rule_has_one_sample_and_a_name_of_its_own() -> None:
    assert Counter(sample.rule for sample in _SAMPLES) == Counter(rule.name for rule in RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert [rule.name for rule in RULES if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", rule.name)] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_linear_by_its_shape(rule: Any) -> None:
    parser: Any = importlib.import_module("re._parser")
    tree = parser.parse(rule.rest.encode(), re.ASCII)
    assert _ways(tree) <= _MAX_STEPS


def test_the_shape_test_sees_what_is_not_linear() -> None:
    parser: Any = importlib.import_module("re._parser")
    for pattern in (r"a+", r"(?:a{1,9}b){1,9}", r"[ab]{1,99}c", r"(?:a|b){0,99}", r"(a)\1", r"a{1,99999}+"):
        with pytest.raises(AssertionError):
            assert _ways(parser.parse(pattern)) <= _MAX_STEPS


def _ways(tree: Any) -> int:
    """Number of ways an expression may match at one place; fails for what gives back more than it should."""
    ways = 1
    for kind, what in tree:
        name = str(kind)
        if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            least, most, inner = what
            assert most <= _MAX_REPEAT
            assert most <= 1 or least == most or not list(_repeats(inner)), "a repeat in a repeat"
            ways *= 1 if name == "POSSESSIVE_REPEAT" else (most - least + 1) * _ways(inner) ** min(most, 4)
        elif name == "BRANCH":
            ways *= sum(_ways(branch) for branch in what[1])
        elif name == "SUBPATTERN":
            ways *= _ways(what[-1])
        elif name in {"ASSERT", "ASSERT_NOT"}:
            ways *= _ways(what[1])
        else:
            assert name in {"LITERAL", "NOT_LITERAL", "IN", "ANY", "AT", "CATEGORY"}, name
    return ways


def _repeats(tree: Any) -> Iterator[Any]:
    """Repeats of variable length inside an expression."""
    for kind, what in tree:
        if "REPEAT" in str(kind):
            if what[0] != what[1]:
                yield what
            yield from _repeats(what[2])
        elif str(kind) == "BRANCH":
            for branch in what[1]:
                yield from _repeats(branch)
        elif str(kind) in {"SUBPATTERN", "ASSERT", "ASSERT_NOT"}:
            yield from _repeats(what[-1])
