"""Whether a pattern could cover a text of which some parts are not known.

An unknown part (`policies.patterns.tokens.UNKNOWN`) may be any text, separators included. The pattern runs as a
bit-parallel automaton: one bit per position in a Python int, one step per asked character, whatever the pattern.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policies.patterns.tokens import UNKNOWN, Star, Token
from policies.patterns.variables import Variable

NO_VALUES: Final[Mapping[Variable, str | None]] = {}

_SEPARATORS: Final = "/:"


class Automaton:
    """A pattern, ready to be asked about texts with unknown parts.

    Args:
        tokens: The pattern.
        known: Values of its variables; one that is None, or is not there, is ``**``.
    """

    __slots__ = ("_accept", "_cross", "_literals", "_position", "_stay")

    def __init__(self, tokens: tuple[Token, ...], known: Mapping[Variable, str | None] = NO_VALUES) -> None:
        self._literals: dict[str, int] = {}
        self._stay = self._cross = self._position = 0
        for token in tokens:
            value = known.get(token) if isinstance(token, Variable) else token
            if isinstance(value, str):
                self._literal(value)
            else:
                self._star(crossing=value is not Star.SEGMENT)
        self._accept = 1 << self._position

    def overlaps(self, asked: str) -> bool:
        """Tell whether the pattern covers a text for some value of its unknown parts; linear in its length."""
        states = 1
        for char in asked:
            states = self._step(states, char)
            if not states:
                return False
        return bool(states & self._accept)

    def _step(self, states: int, char: str) -> int:
        if char == UNKNOWN:
            # An unknown part can spell out any piece of the pattern, so every later position can be reached.
            return (self._accept << 1) - (states & -states)
        loops = self._cross if char in _SEPARATORS else self._stay
        return (states & self._literals.get(char, 0)) << 1 | states & loops

    def _literal(self, text: str) -> None:
        for char in text:
            self._literals[char] = self._literals.get(char, 0) | 1 << self._position
            self._position += 1

    def _star(self, *, crossing: bool) -> None:
        self._stay |= 1 << self._position
        if crossing:
            self._cross |= 1 << self._position
