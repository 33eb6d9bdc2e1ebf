"""Executes the examples of policies/README.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import policies
from policies.engine import compile_policy
from policies.errors import LoadError, YamlError
from policies.loader import load_policy
from policies.model import AccessRequest, Effect, Requirement
from policies.patterns import compile_pattern

PAGE = (Path(policies.__file__).parent / "README.md").read_text("utf-8")
GOOD = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
BAD = re.findall(r"```yaml refused (\d+):(\d+)\n(.*?)```", PAGE, re.DOTALL)
ANSWERS = re.findall(r"^\| `([^`]+) on ([^`]+)` \| (allow|require_approval|deny) \|$", PAGE, re.MULTILINE)
PATTERNS = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|$", PAGE, re.MULTILINE)
MODULES = re.findall(
    r"`(\w+)`", "".join(re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ", PAGE.partition("programmers")[2], re.MULTILINE))
)


def test_the_page_has_examples_of_every_kind() -> None:
    assert (len(GOOD), len(BAD)) == (2, 3)
    assert len(ANSWERS) >= 8
    assert len(PATTERNS) >= 4


@pytest.mark.parametrize("text", GOOD)
def test_each_good_example_loads(text: str) -> None:
    assert load_policy(text.encode(), file="ci-runner.yaml").policy.rules


@pytest.mark.parametrize(("line", "column", "text"), BAD)
def test_each_bad_example_is_refused_where_the_page_says(line: str, column: str, text: str) -> None:
    with pytest.raises((LoadError, YamlError)) as caught:
        load_policy(text.encode(), file="ci-runner.yaml")
    assert (caught.value.findings[0].line, caught.value.findings[0].column) == (int(line), int(column))


@pytest.mark.parametrize(("action", "resource", "expected"), ANSWERS)
def test_each_answer_is_the_one_on_the_page(action: str, resource: str, expected: str) -> None:
    compiled = compile_policy(load_policy(GOOD[0].encode(), file="ci-runner.yaml").policy)
    decision = compiled.decide(AccessRequest("ci-runner", "p", (Requirement(action, resource),)))
    assert decision.effect is Effect(expected)


@pytest.mark.parametrize(("pattern", "covered", "not_covered"), PATTERNS)
def test_each_pattern_covers_what_the_page_says(pattern: str, covered: str, not_covered: str) -> None:
    compiled = compile_pattern(pattern)
    assert compiled.matches(covered)
    assert not compiled.matches(not_covered)


def test_every_module_is_on_the_page() -> None:
    folder = Path(policies.__file__).parent
    assert sorted(MODULES) == sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def test_every_library_file_is_on_the_page() -> None:
    for path in (Path(policies.__file__).parent / "library").glob("*.yaml"):
        assert f"`{path.stem}`" in PAGE
