"""Patterns over actions and resources, and matchers whose cost an attacker cannot raise.

The meaning, the same for actions and resources:

- a ``*`` inside a pattern stands for any characters of one segment: none of them is ``/`` or ``:``; it may be empty;
- a ``*`` that ends the pattern stands for the whole rest, separators included; it may be empty;
- ``**`` stands for anything anywhere;
- ``${name}`` is the value of a variable (`policies.patterns.variables`);
- every other character is itself. There is no ``?``, no class, no escape.

The asked text is data: a ``*`` in it is a character. `UNKNOWN` in it stands for a part the broker could not derive:
only a wildcard of the policy covers it (`Pattern.matches`), and what forbids or gates must ask `Pattern.may_match`,
which is true when some value of the unknown part would match.

Cost: a pattern with one kind of stars is matched piece by piece, each at its leftmost place, which is exact; a pattern
with both kinds is an expression of atomic groups (`policies.patterns.expressions`). Nothing backtracks over what a star
took, so no text costs more than its length times the longest piece.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from policies.patterns.expressions import covers, variables_of
from policies.patterns.overlaps import Automaton
from policies.patterns.tokens import MAX_PATTERN_CHARS, MAX_STARS, UNKNOWN, Star, Token, read_tokens
from policies.patterns.variables import Values, Variable

__all__ = ["MAX_PATTERN_CHARS", "MAX_RESOURCE_CHARS", "MAX_STARS", "UNKNOWN", "Pattern", "compile_pattern"]

MAX_RESOURCE_CHARS: Final = 2048
"""Characters of an asked resource; an S3 key has at most 1024 bytes."""

_separator_between: Final = re.compile("[/:]").search


@dataclass(frozen=True, slots=True)
class Pattern:
    """One compiled pattern.

    Args:
        text: As given.
        tokens: What it is made of.
        variables: Each variable once.
    """

    text: str
    tokens: tuple[Token, ...]
    variables: tuple[Variable, ...] = ()

    @property
    def head(self) -> str:
        """The characters before the first star or variable: every matching text begins with them."""
        return self.tokens[0] if isinstance(self.tokens[0], str) else ""

    @property
    def key(self) -> str:
        """The text by which patterns that differ in spelling only are one: ``x**`` at the end is ``x*``."""
        return self.text[:-1] if self.text.endswith("**") else self.text

    @property
    def literal(self) -> bool:
        """True when there is no star and no variable at all; then ``head`` is the whole pattern."""
        return self.tokens == (self.text,)

    @property
    def open_ended(self) -> bool:
        """True when everything after ``head`` matches."""
        return self.tokens in ((Star.ANYTHING,), (self.head, Star.ANYTHING))

    @property
    def mixed(self) -> bool:
        """True when stars of both kinds stand before the end."""
        return Star.SEGMENT in self.tokens and Star.ANYTHING in self.tokens[:-1]

    @property
    def segmented(self) -> bool:
        """True when each segment can be looked at by itself: no variable, and no ``**`` but at the end."""
        return not self.variables and Star.ANYTHING not in self.tokens[:-1]

    def matches(self, asked: str, values: Values | None = None) -> bool:
        """Tell whether a text is covered.

        Args:
            asked: The text.
            values: For each of ``variables`` its value, one that is None matching anything; without values a pattern
                with variables covers nothing.
        """
        if self.variables and values is None:
            return False
        if self.mixed or (values is not None and None in values):
            return covers(self.tokens, asked, values or ())
        tokens = _spelled(self.tokens, dict(zip(self.variables, values, strict=True))) if values else self.tokens
        return _matches_pieces(tokens, asked, crossing=Star.ANYTHING in tokens[:-1])

    def may_match(self, asked: str, values: Values | None = None) -> bool:
        """Tell whether ``asked`` would be covered for some value of its unknown parts; each may be any text."""
        if UNKNOWN not in asked:
            return self.matches(asked, values)
        known = asked[: asked.index(UNKNOWN)]
        if not (known.startswith(self.head) or self.head.startswith(known)):
            return False
        if self.variables and values is None:
            return False
        return Automaton(self.tokens, dict(zip(self.variables, values or (), strict=True))).overlaps(asked)


def compile_pattern(text: str) -> Pattern:
    """Compile a pattern.

    Args:
        text: 1 to `MAX_PATTERN_CHARS` characters, at most `MAX_STARS` runs of stars, none longer than two.

    Raises:
        PatternError: the text breaks a limit.
    """
    tokens = read_tokens(text)
    return Pattern(text, tokens, variables_of(tokens) if "${" in text else ())


def _spelled(tokens: tuple[Token, ...], values: dict[Variable, str | None]) -> tuple[Token, ...]:
    """Return a pattern with its variables written out, and literal text that now meets as one piece."""
    spelled: list[Token] = []
    for token in tokens:
        text = values[token] if isinstance(token, Variable) else token
        if isinstance(text, str) and spelled and isinstance(spelled[-1], str):
            spelled[-1] += text
        elif text is not None:
            spelled.append(text)
    return tuple(spelled)


def _matches_pieces(tokens: tuple[Token, ...], asked: str, *, crossing: bool) -> bool:
    """Match literal pieces with stars of one kind between them, and perhaps ``**`` at the end.

    Every inner piece is taken at its leftmost place. For stars that cross that leaves most to the rest; for stars that
    do not, `policies.patterns.expressions` says why it is exact.
    """
    place, free = 0, False
    for number, token in enumerate(tokens, start=1):
        if not isinstance(token, str):
            free = True
            continue
        if number == len(tokens):
            found = len(asked) - len(token) if asked.endswith(token) else -1
        else:
            found = asked.find(token, place)
        if found < place or (found > place and not free):
            return False
        if found > place and not crossing and _separator_between(asked, place, found) is not None:
            return False
        place, free = found + len(token), False
    return free or place == len(asked)
