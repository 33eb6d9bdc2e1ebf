"""What can be wrong with a policy text, as a tree of exceptions and the findings they carry.

PolicyError
  YamlError      the text is not the strict YAML of this house; carries findings
  LoadError      the YAML is sound and the policy in it is not; carries findings
  PatternError   one pattern cannot be compiled; has no place, the loader adds it
  RuleTextError  one rule cannot be read; knows the place inside the rule
  ConditionError (`conditions.operators`) a condition no loader makes; found when a policy is compiled
  BoundError     (`lookup.bounds`) the rules are sound and looking one up could take too long
  CatalogueError (`resources.templates`) what connectors declare cannot be told apart; a fault of the build

A denial is never here: it is a `policies.model.Decision`. Messages are lower case, have no full stop, put user input in
backticks with invisible characters spelled out, and are safe to print on a terminal.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_SHOWN_CHARS: Final = 96
"""Longest piece of user input in a message; enough to find it, too short to flood a terminal."""

_COMPARED_CHARS: Final = 64
"""Longest word that is compared with known ones; difflib is quadratic."""

_EXCERPT_COLUMNS: Final = 100
"""Terminal columns of the source line `render` shows; with its margin it fits a terminal of 120."""
_LEAD_COLUMNS: Final = 60
"""Columns of it that may stand before the fault; the rest shows what follows."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault or notice: where, what, and how to mend it.

    Args:
        file: Name relative to the configuration folder.
        line: From 1.
        column: From 1, in characters.
        message: Lower case, no full stop.
        fix: What to write instead; may be empty.
    """

    file: str
    line: int
    column: int
    message: str
    fix: str = ""

    def __str__(self) -> str:
        hint = f" ({self.fix})" if self.fix else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{hint}"


class PolicyError(Exception):
    """Base of everything this room raises on purpose."""


class PatternError(PolicyError):
    """A pattern cannot be compiled.

    Args:
        message: What is wrong with it.
        fix: What to write instead; may be empty.
    """

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class RuleTextError(PolicyError):
    """A rule's text cannot be read.

    Args:
        message: What is wrong with it.
        fix: What to write instead; may be empty.
        offset: Characters from the rule's beginning to the fault.
    """

    def __init__(self, message: str, fix: str, offset: int) -> None:
        super().__init__(message)
        self.fix = fix
        self.offset = offset


class _FindingsError(PolicyError):
    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(
            sorted(findings, key=lambda item: (item.file, item.line, item.column))
        )
        super().__init__("\n".join(map(str, self.findings)))


class YamlError(_FindingsError):
    """The text is not strict YAML; carries at least one finding, in line order."""


class LoadError(_FindingsError):
    """The text is YAML and no valid policy; carries at least one finding, in line order."""


def quote(text: str) -> str:
    """Return ``text`` in backticks, clipped, with every character a reader could not see spelled as an escape."""
    clipped = text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
    shown = "".join(char if char.isprintable() else _escape(char) for char in clipped)
    return f"`{shown}`"


def render(finding: Finding, source: bytes) -> str:
    """Return a finding as a compiler shows it: the message, the line it is about, and a caret below the place.

        policies/ci-runner.yaml:3:5: unknown action `git:pull`
          3 |   - git:pull on repos/*
            |     ^
            = did you mean `git:push`?

    Args:
        finding: What to show; its line and column count from 1, in characters.
        source: The bytes of the file it speaks of; bytes that are no UTF-8 and characters nobody sees are spelled out.

    Returns:
        Lines without a final line end; the excerpt is left out when the file has no such line.
    """
    shown = [f"{finding.file}:{finding.line}:{finding.column}: {finding.message}"]
    lines = source.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    number = str(finding.line)
    if 1 <= finding.line <= len(lines):
        text = lines[finding.line - 1].removesuffix(b"\r").decode("utf-8", "backslashreplace")
        excerpt, indent = _excerpt(text, finding.column - 1)
        shown += [f"  {number} | {excerpt}".rstrip(), f"  {' ' * len(number)} | {' ' * indent}^"]
    if finding.fix:
        shown.append(f"  {' ' * len(number)} = {finding.fix}")
    return "\n".join(shown)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean `x`?`` for the nearest known word, or nothing when none is near."""
    near = difflib.get_close_matches(word[:_COMPARED_CHARS], sorted(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else ""


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _excerpt(text: str, column: int) -> tuple[str, int]:
    """Return the part of a line that shows its 0-based ``column``, and the terminal columns before that place."""
    place = min(max(column, 0), len(text))
    before = _fitting(reversed(text[:place]), _LEAD_COLUMNS)[::-1]
    first = place - len(before)
    shown = before + _fitting(text[place:], _EXCERPT_COLUMNS - sum(map(_width, before)))
    more_before, more_after = "…" if first else "", "…" if first + len(shown) < len(text) else ""
    indent = len(more_before) + sum(map(_width, before))
    if place < len(text) and indent and _width(text[place]) == 0:
        indent -= 1  # a combining mark is drawn on the character before it
    return more_before + "".join(shown) + more_after, indent


def _fitting(characters: Iterable[str], columns: int) -> list[str]:
    """Return the first characters, spelled out where nobody would see them, that fit into so many columns."""
    cells: list[str] = []
    for char in characters:
        cell = char if char.isprintable() else _escape(char)
        columns -= _width(cell)
        # Marks have no width of their own, so that their number needs a bound of its own.
        if columns < 0 or len(cells) == _EXCERPT_COLUMNS:
            break
        cells.append(cell)
    return cells


def _width(cell: str) -> int:
    """Return the columns a terminal gives to a character or an escape."""
    if len(cell) > 1:
        return len(cell)
    if unicodedata.category(cell) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(cell) in {"W", "F"} else 1
