"""The shapes that most rules have: a token with a prefix of its own, and a value that is assigned to a telling name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from connectors.git.leaks.model import Rule

HEX: Final = "0-9a-f"
ALNUM: Final = "A-Za-z0-9"
UPPER: Final = "A-Z0-9"
LOWER: Final = "a-z0-9"
WORD: Final = r"\-\w"
BASE64: Final = "A-Za-z0-9+/"
UUID: Final = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

ASSIGNED: Final = r"""\\?+["'`]?+\]?+[ \t]{0,8}+(?:=>|:=|==|=|:|,|>)[ \t]{0,8}+\\?+["'`]?+"""
"""From the end of a name to its value: `: "`, `=`, `'] = '`, `\\": \\"`, `>`."""
NAME_END: Final = r"[\w.-]{0,32}+"
_MEASURED_BITS: Final = 3.0
"""A value that only its name makes suspect must be as irregular as hexadecimal digits by chance are."""


def span(characters: str, least: int, most: int = 0) -> str:
    """Return the expression of ``least`` (to ``most``) characters and no more of them after it."""
    count = f"{{{least},{most}}}+" if most else f"{{{least}}}"
    return f"[{characters}]{count}(?![{characters}])"


def token(
    name: str, prefixes: str, rest: str, *, alone: bool = False, check: Callable[[str], bool] | None = None
) -> Rule:
    """Return the rule of tokens that say by their prefix what they are.

    Args:
        name: Of the rule.
        prefixes: Separated by blanks.
        rest: What follows the prefix.
        alone: As in `Rule`.
        check: As in `Rule`.
    """
    return Rule(name, tuple(prefixes.split()), rest, alone=alone, check=check)


def assigned(name: str, keywords: str, value: str, *, min_entropy_bits: float = _MEASURED_BITS) -> Rule:
    """Return the rule of values without a mark of their own, known by the name they are given.

    Args:
        name: Of the rule.
        keywords: Lower-case parts of names that say whose secret it is, separated by blanks.
        value: Expression of the value.
        min_entropy_bits: As in `Rule`.
    """
    rest = f"{NAME_END}{ASSIGNED}(?P<secret>{value})"
    return Rule(name, tuple(keywords.split()), rest, folded=True, min_entropy_bits=min_entropy_bits)


def embedded(name: str, marks: str, before: str, rest: str) -> Rule:
    """Return the rule of secrets with a mark in their midst.

    Args:
        name: Of the rule.
        marks: Literals of one length, separated by blanks.
        before: Expression of fixed width of what stands before the mark.
        rest: What follows it.
    """
    keywords = tuple(marks.split())
    width = len(keywords[0])
    return Rule(name, keywords, rf"(?<={before}[^\n]{{{width}}}){rest}", min_entropy_bits=0.0)
