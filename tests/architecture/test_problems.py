"""Every way to say no has a status, a title and a page; every way to break ends in one of them."""

from __future__ import annotations

import ast
import inspect

import broker.errors
import connectors.errors
import vault.errors
from broker.doors.problems import TABLE
from broker.outcome import ProblemKind
from tests.architecture.tree import ROOT, parse, python_files

OURS_TO_MEND = frozenset(range(500, 505))


def caught_names() -> set[str]:
    """Names of the exception classes that an `except` or a `match` of the broker handles."""
    names: set[str] = set()
    for path in python_files("broker"):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ExceptHandler) and node.type is not None:
                names |= {each.id for each in ast.walk(node.type) if isinstance(each, ast.Name)}
            elif isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name):
                names.add(node.cls.id)
    return names


def test_every_kind_of_problem_has_a_status_and_a_title() -> None:
    assert set(TABLE) == set(ProblemKind)
    for kind, (status, title) in TABLE.items():
        assert 400 <= status < 500 or status in OURS_TO_MEND, kind
        assert title
        assert not title.endswith("."), kind


def test_titles_tell_kinds_apart() -> None:
    titles = [title for _, title in TABLE.values()]
    assert len(titles) == len(set(titles))


def test_every_kind_of_problem_is_documented() -> None:
    text = (ROOT / "broker" / "doors" / "README.md").read_text("utf-8")
    assert [kind.value for kind in ProblemKind if f"`{kind.value}`" not in text] == []


def test_every_kind_of_problem_can_happen() -> None:
    tables = {ROOT / "broker" / "outcome.py", ROOT / "broker" / "doors" / "problems.py"}
    used = {
        node.attr
        for path in python_files("broker")
        if path not in tables
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ProblemKind"
    }
    assert [kind.name for kind in ProblemKind if kind.name not in used] == []


def test_every_error_class_is_handled_by_name_or_by_its_room() -> None:
    caught = caught_names()
    unhandled = [
        error.__name__
        for room in (broker.errors, connectors.errors, vault.errors)
        for error in vars(room).values()
        if inspect.isclass(error) and issubclass(error, Exception) and error.__module__ == room.__name__
        if not caught & {base.__name__ for base in error.__mro__ if base not in {Exception, BaseException, object}}
    ]
    assert unhandled == []
