"""Files and functions stay readable: at most 400 lines, at most 60."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.tree import ROOT, name_of, parse, python_files

FILE_LINES = 400
FUNCTION_LINES = 60
PIPELINE_LINES = 250

EXCEPTIONS: dict[str, str] = {}
"""`path` or `path:function` to the reason why it may be longer."""


def too_long(path: Path) -> list[str]:
    """Names of what is too long in a file."""
    name = name_of(path)
    found = []
    if len(path.read_text("utf-8").splitlines()) > FILE_LINES:
        found.append(name)
    functions = (node for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return found + [f"{name}:{node.name}" for node in functions if _body_lines(node) > FUNCTION_LINES]


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators and docstring."""
    first = node.body[0]
    docstring = 0
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        docstring = (first.end_lineno or first.lineno) - first.lineno + 1
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def test_no_file_and_no_function_is_too_long_but_the_named_ones() -> None:
    found = {name for path in python_files() for name in too_long(path)}
    assert found == set(EXCEPTIONS)


def test_a_docstring_does_not_make_a_function_longer_but_every_other_line_does() -> None:
    bare, documented = ast.parse(
        "def f():\n    return 1\ndef g():\n    '''One.\n\n    Two.\n    '''\n    return 1\n"
    ).body
    assert isinstance(bare, ast.FunctionDef)
    assert isinstance(documented, ast.FunctionDef)
    assert _body_lines(bare) == _body_lines(documented) == 2


def test_the_pipeline_stays_one_page_whose_stages_carry_the_numbers_of_its_docstring() -> None:
    path = ROOT / "broker" / "pipeline.py"
    text = path.read_text("utf-8")
    assert len(text.splitlines()) < PIPELINE_LINES
    documented = re.findall(r"^ +(\d+) \w+", ast.get_docstring(parse(path), clean=False) or "", re.MULTILINE)
    assert [int(number) for number in documented] == list(range(1, 13))
    numbered = text + "".join((ROOT / "broker" / each).read_text("utf-8") for each in ("performing.py", "execution.py"))
    assert set(re.findall(r"# (\d+) \w+", numbered)) == set(documented)
