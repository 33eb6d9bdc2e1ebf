from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import Finding, LoadError, YamlError, quote, render
from policies.language.loader import load_policy


def shown(line: str | bytes, column: int) -> list[str]:
    """The excerpt and the caret line, without their margin."""
    source = b"first\n" + (line if isinstance(line, bytes) else line.encode()) + b"\nlast\n"
    lines = render(Finding("a.yaml", 2, column, "wrong"), source).split("\n")
    assert lines[0] == f"a.yaml:2:{column}: wrong"
    assert lines[1].startswith("  2 | ")
    assert lines[2].startswith("    | ")
    assert len(lines) == 3
    return [lines[1][6:], lines[2][6:]]


def test_a_finding_is_shown_as_a_compiler_shows_it() -> None:
    source = b"policies:\n  - git:pull on repos/*\n"
    with pytest.raises(LoadError) as caught:
        load_policy(b"policies:\n  - {allow: git:read on repos/*, idd: x}\n", file="policies/a.yaml")
    assert "did you mean `id`?" in render(caught.value.findings[0], source)
    assert render(
        Finding("policies/a.yaml", 2, 5, "unknown action `git:pull`", "did you mean `git:push`?"), source
    ) == (
        "policies/a.yaml:2:5: unknown action `git:pull`\n"
        "  2 |   - git:pull on repos/*\n"
        "    |     ^\n"
        "    = did you mean `git:push`?"
    )


def test_margins_are_as_wide_as_the_number() -> None:
    lines = render(Finding("a", 1000, 1, "wrong"), b"\n" * 999 + b"x").split("\n")
    assert lines == ["a:1000:1: wrong", "  1000 | x", "       | ^"]


@pytest.mark.parametrize(
    ("line", "column", "excerpt", "caret"),
    [
        ("abc", 1, "abc", "^"),
        ("abc", 3, "abc", "  ^"),
        ("abc", 4, "abc", "   ^"),
        ("abc", 99, "abc", "   ^"),
        ("abc\r", 2, "abc", " ^"),
        ("a\tb", 3, "a\\tb", "   ^"),
        ("\x1b[31mb", 2, "\\x1b[31mb", "    ^"),
        ("a\u202eb", 3, "a\\u202eb", "       ^"),
        ("a\u00a0b", 3, "a\\xa0b", "     ^"),
        ("\u4f60\u597dx", 3, "\u4f60\u597dx", "    ^"),
        ("e\u0301x", 3, "e\u0301x", " ^"),
        ("e\u0301x", 2, "e\u0301x", "^"),
        ("\U0001f600x", 2, "\U0001f600x", "  ^"),
        (b"a\xffb", 2, "a\\xffb", " ^"),
    ],
)
def test_the_caret_stands_below_the_place(line: str | bytes, column: int, excerpt: str, caret: str) -> None:
    assert shown(line, column) == [excerpt, caret]


def test_an_empty_line_has_its_caret_at_its_beginning() -> None:
    assert render(Finding("a", 2, 1, "wrong"), b"x\n\ny").split("\n") == ["a:2:1: wrong", "  2 |", "    | ^"]


def test_long_lines_are_cut_around_the_place() -> None:
    line = "".join(str(number % 10) for number in range(500))
    for column in (1, 50, 60, 62, 250, 499, 501):
        excerpt, caret = shown(line, column)
        assert len(excerpt) <= 102
        place = caret.index("^")
        assert excerpt[place : place + 1].strip("\u2026") == line[column - 1 : column]
        assert (excerpt[0] == "\u2026", excerpt[-1] == "\u2026") == (column > 61, column < 440)


def test_a_line_of_nothing_but_marks_is_cut_too() -> None:
    assert len(shown("e" + "\u0301" * 100_000, 50_000)[0]) <= 203


def test_a_place_outside_of_the_file_shows_the_message_alone() -> None:
    assert render(Finding("a", 7, 1, "wrong", "mend it"), b"x") == "a:7:1: wrong\n    = mend it"
    assert render(Finding("a", 0, 0, "wrong"), b"x") == "a:0:0: wrong"


def test_a_byte_order_mark_takes_no_column() -> None:
    with pytest.raises(YamlError) as caught:
        load_policy(b"\xef\xbb\xbfa\xc3\xa4: \xff\n", file="a.yaml")
    finding = caught.value.findings[0]
    assert (finding.line, finding.column) == (1, 5)
    assert render(finding, b"\xef\xbb\xbfa\xc3\xa4: \xff\n").split("\n")[1:3] == ["  1 | a\u00e4: \\xff", "    |     ^"]


@given(st.binary(max_size=300), st.integers(-5, 20), st.integers(-5, 400))
def test_any_file_can_be_shown(source: bytes, line: int, column: int) -> None:
    text = render(Finding("a", line, column, "wrong"), source)
    assert all(char.isprintable() for char in text.replace("\n", ""))
    assert text.count("\n") in {0, 2}


def test_quoted_input_is_clipped_and_spelled_out() -> None:
    assert quote("a\x1b\n\u200b") == "`a\\x1b\\n\\u200b`"
    assert len(quote("x" * 1000)) < 110
