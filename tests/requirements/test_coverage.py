"""Brief and tests agree, in both directions."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.architecture.tree import name_of, parse, python_files
from tests.requirements.brief import BRIEF


def marked(tree: ast.AST) -> Iterator[str]:
    """Ids named by ``pytest.mark.req(…)`` anywhere in a file: on functions, on classes, in ``pytestmark``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"pytest.mark.req", "mark.req"}:
            for argument in node.args:
                assert isinstance(argument, ast.Constant), "ids are written out, so that this test can read them"
                yield str(argument.value)


def files_by_id() -> dict[str, set[str]]:
    """Files of the tests that carry each id."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in python_files("tests"):
        for each in marked(parse(path)):
            found[each].add(name_of(path))
    return found


def test_every_requirement_that_is_not_deferred_has_a_test() -> None:
    found = files_by_id()
    assert [each for each, requirement in BRIEF.items() if not requirement.deferred and not found.get(each)] == []


def test_every_mark_names_a_requirement_of_the_brief() -> None:
    unknown = {each: sorted(names) for each, names in files_by_id().items() if each not in BRIEF}
    assert unknown == {}


def test_no_deferred_requirement_has_tests_already() -> None:
    found = files_by_id()
    assert [each for each, requirement in BRIEF.items() if requirement.deferred and each in found] == []


def test_a_requirement_is_deferred_or_partial_but_not_both() -> None:
    assert [each for each, requirement in BRIEF.items() if requirement.deferred and requirement.partial] == []
    assert all(requirement.text for requirement in BRIEF.values())


def test_marks_are_read_from_functions_classes_and_modules() -> None:
    function = '@pytest.mark.req("A1", "V2")\ndef f(): ...\n'
    source = function + '@pytest.mark.req("P1")\nclass C: ...\npytestmark = [pytest.mark.req("E1")]\n'
    assert set(marked(ast.parse(source))) == {"A1", "V2", "P1", "E1"}
