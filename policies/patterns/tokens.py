"""What a pattern is made of: literal text, two kinds of stars, and variables.

This is where the limits of patterns are kept. The cost of every look-up is bounded because they hold.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from policies.errors import PatternError, quote
from policies.patterns.variables import VARIABLE, Variable

MAX_PATTERN_CHARS: Final = 256
MAX_STARS: Final = 8
"""Runs of ``*`` in one pattern, those inside a variable not counted."""
MAX_VARIABLES: Final = 4
"""Variables in one pattern, each time it is written counted."""
UNKNOWN: Final = "\x00"
"""Stands in an asked resource for a part that is not known; no pattern can hold it."""


class Star(Enum):
    """A wildcard."""

    SEGMENT = "*"
    """Any characters of one segment: none of them is ``/`` or ``:``; may be empty."""
    ANYTHING = "**"
    """Any characters; may be empty."""


Token = str | Star | Variable
"""A piece of a pattern; a string is itself."""

_WILD: Final = re.compile(rf"\*+|{VARIABLE.pattern}")


def read_tokens(text: str) -> tuple[Token, ...]:
    """Take a pattern apart.

    Args:
        text: 1 to `MAX_PATTERN_CHARS` characters, at most `MAX_STARS` runs of stars, none longer than two.

    Raises:
        PatternError: the text breaks a limit.
    """
    if not 1 <= len(text) <= MAX_PATTERN_CHARS:
        raise PatternError(f"a pattern has 1 to {MAX_PATTERN_CHARS} characters, found {len(text)}")
    if UNKNOWN in text:
        raise PatternError("a pattern cannot hold the character U+0000")
    tokens: list[Token] = []
    end = 0
    for match in _WILD.finditer(text):
        if match.start() > end:
            tokens.append(text[end : match.start()])
        end = match.end()
        tokens.append(_wild_token(match, text))
    if end < len(text):
        tokens.append(text[end:])
    _check(tokens, text)
    return tuple(tokens)


def _wild_token(match: re.Match[str], text: str) -> Token:
    if match["name"] is not None:
        return Variable(match["name"], match["shape"] or "")
    if len(match.group()) > len("**"):
        raise PatternError(f"three stars in a row mean nothing: {quote(text)}", "write `**` to cross segments")
    at_end = match.end() == len(text)
    return Star.ANYTHING if at_end or match.group() == "**" else Star.SEGMENT


def _check(tokens: list[Token], text: str) -> None:
    if len(tokens) <= MAX_VARIABLES:
        return
    stars = sum(isinstance(token, Star) for token in tokens)
    if stars > MAX_STARS:
        raise PatternError(f"a pattern has at most {MAX_STARS} wildcards, found {stars}: {quote(text)}")
    variables = sum(isinstance(token, Variable) for token in tokens)
    if variables > MAX_VARIABLES:
        raise PatternError(f"a pattern has at most {MAX_VARIABLES} variables, found {variables}: {quote(text)}")
