"""What can be wrong with a policy text, as a tree of exceptions and the findings they carry.

PolicyError
  YamlError      the text is not the strict YAML of this house; carries findings
  LoadError      the YAML is sound and the policy in it is not; carries findings
  PatternError   one pattern cannot be compiled; has no place, the loader adds it
  RuleTextError  one rule cannot be read; knows the place inside the rule

A denial is never here: it is a `policies.model.Decision`. Messages are lower case, have no full stop, put user input in
backticks with invisible characters spelled out, and are safe to print on a terminal.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_SHOWN_CHARS: Final = 96
"""Longest piece of user input in a message; enough to find it, too short to flood a terminal."""

_COMPARED_CHARS: Final = 64
"""Longest word that is compared with known ones; difflib is quadratic."""


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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean `x`?`` for the nearest known word, or nothing when none is near."""
    near = difflib.get_close_matches(word[:_COMPARED_CHARS], sorted(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else ""


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
