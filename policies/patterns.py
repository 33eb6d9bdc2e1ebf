"""Patterns over actions and resources, and matchers whose cost an attacker cannot raise.

The meaning, the same for actions and resources:

- a ``*`` inside a pattern stands for any characters of one segment: none of them is ``/`` or ``:``; it may be empty;
- a ``*`` that ends the pattern stands for the whole rest, separators included; it may be empty;
- ``**`` stands for anything anywhere;
- every other character is itself. There is no ``?``, no class, no escape.

The asked text is data: a ``*`` in it is a character. `UNKNOWN` in it stands for a part the broker could not derive:
only a wildcard of the policy covers it (`Pattern.matches`), and what forbids or gates must ask `Pattern.may_match`,
which is true when some value of the unknown part would match.

Cost: patterns without an inner ``**`` compile to regular expressions of atomic groups, where leftmost matching is exact
because each star stays in its segment; the others run as a bit-parallel automaton. Both are linear in the asked text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from policies.errors import PatternError, quote

MAX_PATTERN_CHARS: Final = 256
MAX_RESOURCE_CHARS: Final = 2048
"""Characters of an asked resource; an S3 key has at most 1024 bytes."""
MAX_STARS: Final = 8
"""Runs of ``*`` in one pattern."""
UNKNOWN: Final = "\x00"
"""Stands in an asked resource for a part that is not known; no pattern can hold it."""

_STARS: Final = re.compile(r"\*+")
_SEPARATORS: Final = "/:"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One compiled pattern.

    Args:
        text: As given.
        head: The characters before the first star: every matching text begins with them.
        literal: True when there is no star at all; then ``head`` is the whole pattern.
        open_ended: True when everything after ``head`` matches.
        matches: Tell whether a text is covered.
    """

    text: str
    head: str
    literal: bool
    open_ended: bool
    matches: Callable[[str], object]

    def may_match(self, asked: str) -> bool:
        """Tell whether ``asked`` would be covered for some value of its unknown parts; each may be any text."""
        if UNKNOWN not in asked:
            return bool(self.matches(asked))
        known = asked[: asked.index(UNKNOWN)]
        if not (known.startswith(self.head) or self.head.startswith(known)):
            return False
        return _Automaton(self.text).overlaps(asked)


def compile_pattern(text: str) -> Pattern:
    """Compile a pattern.

    Args:
        text: 1 to `MAX_PATTERN_CHARS` characters, at most `MAX_STARS` runs of stars, none longer than two.

    Raises:
        PatternError: the text breaks a limit.
    """
    _check(text)
    runs = list(_STARS.finditer(text))
    if not runs:
        return Pattern(text, text, literal=True, open_ended=False, matches=text.__eq__)
    head = text[: runs[0].start()]
    if runs[0].end() == len(text):
        return Pattern(text, head, literal=False, open_ended=True, matches=lambda asked: asked.startswith(head))
    if any(len(run.group()) > 1 and run.end() < len(text) for run in runs):
        return Pattern(text, head, literal=False, open_ended=False, matches=_Automaton(text).accepts)
    return Pattern(text, head, literal=False, open_ended=False, matches=re.compile(_regex(text), re.DOTALL).fullmatch)


def _check(text: str) -> None:
    if not 1 <= len(text) <= MAX_PATTERN_CHARS:
        raise PatternError(f"a pattern has 1 to {MAX_PATTERN_CHARS} characters, found {len(text)}")
    if UNKNOWN in text:
        raise PatternError("a pattern cannot hold the character U+0000")
    runs = _STARS.findall(text)
    if len(runs) > MAX_STARS:
        raise PatternError(f"a pattern has at most {MAX_STARS} wildcards, found {len(runs)}: {quote(text)}")
    if any(len(run) > len("**") for run in runs):
        raise PatternError(f"three stars in a row mean nothing: {quote(text)}", "write `**` to cross segments")


def _regex(text: str) -> str:
    """Return the expression of a pattern with no inner ``**``.

    Every inner piece sits in an atomic group with a lazy, in-segment star before it. Its leftmost place is always a
    right one: without a separator in the piece, an earlier end leaves more to the star that follows in the same
    segment; with one, the separator pins the only place there is.
    """
    pieces = _STARS.split(text)
    first, middle, last = pieces[0], pieces[1:-1], pieces[-1]
    body = "".join(f"(?>[^/:]*?{re.escape(piece)})" for piece in middle)
    return re.escape(first) + body + (f"[^/:]*{re.escape(last)}" if last else ".*")


class _Automaton:
    """A pattern as one bit per position in a Python int: one step per asked character, whatever the pattern."""

    __slots__ = ("_accept", "_cross", "_literals", "_stay")

    def __init__(self, text: str) -> None:
        self._literals: dict[str, int] = {}
        self._stay = self._cross = 0
        position = 0
        for index, char in enumerate(text):
            if char != "*":
                self._literals[char] = self._literals.get(char, 0) | 1 << position
                position += 1
                continue
            self._stay |= 1 << position
            if text.startswith("**", index) or index == len(text) - 1:
                self._cross |= 1 << position
        self._accept = 1 << position

    def accepts(self, asked: str) -> bool:
        """Tell whether the pattern covers a text, an unknown part being one character no literal equals."""
        states = 1
        for char in asked:
            states = self._step(states, char)
            if not states:
                return False
        return bool(states & self._accept)

    def overlaps(self, asked: str) -> bool:
        """Tell whether the pattern covers the text for some value of its unknown parts."""
        states = 1
        for char in asked:
            # An unknown part can spell out any piece of the pattern, so every later position can be reached.
            states = (self._accept << 1) - (states & -states) if char == UNKNOWN else self._step(states, char)
            if not states:
                return False
        return bool(states & self._accept)

    def _step(self, states: int, char: str) -> int:
        loops = self._cross if char in _SEPARATORS else self._stay
        return (states & self._literals.get(char, 0)) << 1 | states & loops
