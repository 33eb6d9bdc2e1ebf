"""Patterns as sets of texts, and many of them run side by side as one automaton.

A text is read letter by letter. A letter is one character, or the value of a variable that is not known here: that one
stands for itself only, so a wildcard covers it and the same variable covers it, and no literal does. What holds for
such a value holds for every value of its shape that no rule spells out.

An automaton has one bit per position of each pattern in a Python int: one step per letter for all patterns together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from policies.patterns.tokens import Star, read_tokens
from policies.patterns.variables import Variable

NO_VALUES: Final[Mapping[str, str]] = MappingProxyType({})
SEPARATORS: Final = "/:"

_CROSSING: Final = "=**}"
_TWO: Final = "*/*"
_REST: Final = "**"


class Wild(Enum):
    """What stands for more than one text."""

    ONE = "one character of a segment"
    SEGMENT = "any characters of one segment"
    REST = "any characters"


Token = str | Wild
Tokens = tuple[Token, ...]


def read(pattern: str, values: Mapping[str, str] = NO_VALUES, *, forbids: bool = False) -> Tokens | None:
    """Return a pattern as letters and wildcards.

    Args:
        pattern: As `policies.patterns.pattern` defines it, variables included.
        values: Variables whose value is known; they are read as that text.
        forbids: True for a pattern of a deny rule, which matches widely where a value does not fit.

    Returns:
        The tokens; None when the value of a variable does not fit its place, so that the pattern matches nothing.

    Raises:
        PatternError: the pattern breaks a limit.
    """
    if "${" not in pattern:
        return _plain(pattern)
    tokens: list[Token] = []
    for piece in read_tokens(pattern):
        if isinstance(piece, Variable):
            letters = _letters(piece, values)
            if letters is None and not forbids:
                return None
            tokens.extend((Wild.REST,) if letters is None else letters)
        else:
            tokens.extend(_tokens(piece))
    return tuple(tokens)


@lru_cache(maxsize=16_384)
def _plain(pattern: str) -> Tokens:
    """Return the tokens of a pattern without variables; each is read against many others."""
    return tuple(token for piece in read_tokens(pattern) if not isinstance(piece, Variable) for token in _tokens(piece))


def _tokens(piece: str | Star) -> Iterable[Token]:
    if isinstance(piece, str):
        return piece
    return (Wild.REST if piece is Star.ANYTHING else Wild.SEGMENT,)


def loosen(tokens: Tokens) -> Tokens:
    """Return tokens with every unknown variable taken for any text of its shape."""
    return tuple(token if isinstance(token, Wild) or len(token) == 1 else _any_text(token) for token in tokens)


def _any_text(letter: str) -> Wild:
    return Wild.REST if letter.endswith(_CROSSING) else Wild.SEGMENT


def variables_of(pattern: str) -> frozenset[str]:
    """Return the names of the variables of a pattern."""
    if "${" not in pattern:
        return frozenset()
    return frozenset(piece.name for piece in read_tokens(pattern) if isinstance(piece, Variable))


def _letters(variable: Variable, values: Mapping[str, str]) -> Iterable[str] | None:
    name, value = variable.name, values.get(variable.name)
    if value is not None:
        return value if _fits(value, variable.shape) else None
    if variable.shape == _TWO:
        return f"${{{name}#1}}", "/", f"${{{name}#2}}"
    return (f"${{{name}{_CROSSING}" if variable.shape == _REST else f"${{{name}}}",)


def _fits(value: str, shape: str) -> bool:
    segments = value.split("/")
    if shape == _REST:
        return bool(value)
    return ":" not in value and "" not in segments and len(segments) == (len(_TWO) - 1 if shape == _TWO else 1)


def word_of(letters: Iterable[str], style: str = "{}") -> str:
    """Return letters as a text.

    Args:
        letters: What was read.
        style: How the value of an unknown variable is made from its name.
    """
    return "".join(letter if len(letter) == 1 else style.format(_name(letter).rpartition(".")[2]) for letter in letters)


def unknowns(letters: Iterable[str], style: str = "{}") -> dict[str, str]:
    """Return the value that `word_of` gives each unknown variable."""
    values: dict[str, str] = {}
    for letter in letters:
        if len(letter) > 1:
            word = word_of((letter,), style)
            values[_name(letter)] = f"{word}/{word}" if "#" in letter else word
    return values


def _name(letter: str) -> str:
    return letter[2:-1].partition("=")[0].partition("#")[0]


class Automaton:
    """Patterns run side by side.

    Args:
        patterns: Their tokens; the number of a pattern is its place here.
    """

    __slots__ = ("_cross", "_literals", "_numbers", "_one", "_stay", "accept", "masks", "start")

    def __init__(self, patterns: Sequence[Tokens]) -> None:
        self._literals: dict[str, int] = {}
        self._stay = self._cross = self._one = 0
        self.start = self.accept = 0
        self._numbers: dict[int, int] = {}
        masks = []
        place = 0
        for number, tokens in enumerate(patterns):
            first, place = place, self._lay(tokens, place)
            self.start |= 1 << first
            self.accept |= 1 << place
            self._numbers[place] = number
            place += 1
            masks.append((1 << place) - (1 << first))
        self.masks = tuple(masks)

    def _lay(self, tokens: Tokens, place: int) -> int:
        """Put one pattern at ``place``; a star takes no position, it lets the one it stands at repeat."""
        for token in tokens:
            bit = 1 << place
            if isinstance(token, str):
                self._literals[token] = self._literals.get(token, 0) | bit
            elif token is Wild.ONE:
                self._one |= bit
            else:
                self._stay |= bit
                self._cross |= bit if token is Wild.REST else 0
                continue
            place += 1
        return place

    def step(self, states: int, letter: str) -> int:
        """Return the positions reached from ``states`` by one letter."""
        known = self._literals.get(letter, 0)
        if letter in SEPARATORS or letter.endswith(_CROSSING):
            return (states & known) << 1 | states & self._cross
        return (states & (known | self._one)) << 1 | states & self._stay

    def letters(self, states: int) -> list[str]:
        """Return the letters that some pattern names at ``states``; every other one is as good as any other."""
        return [letter for letter, places in self._literals.items() if places & states]

    def loops(self, states: int) -> bool:
        """Tell whether any of the positions takes letters that it does not name."""
        return bool(states & (self._stay | self._one))

    @property
    def alphabet(self) -> frozenset[str]:
        """Every letter named by a pattern."""
        return frozenset(self._literals)

    def accepted(self, states: int) -> frozenset[int]:
        """Return the numbers of the patterns that cover what was read."""
        return frozenset(self._numbers[bit.bit_length() - 1] for bit in bits(states & self.accept))

    def run(self, letters: Iterable[str]) -> frozenset[int]:
        """Return the numbers of the patterns that cover a text."""
        states = self.start
        for letter in letters:
            states = self.step(states, letter)
        return self.accepted(states)


def bits(states: int) -> Iterator[int]:
    """Yield each set bit as a number of its own, lowest first."""
    while states:
        lowest = states & -states
        yield lowest
        states ^= lowest


def compatible(one: Tokens, other: Tokens) -> bool:
    """Tell whether two patterns can have a text in common, as far as their ends tell; never wrongly no."""
    return _agree(one, other) and _agree(one[::-1], other[::-1])


def _agree(one: Tokens, other: Tokens) -> bool:
    for left, right in zip(one, other, strict=False):
        if isinstance(left, Wild) or isinstance(right, Wild):
            return True
        if left != right:
            return False
    # One of them ended without a wildcard: the other may go on with wildcards only.
    shorter = min(len(one), len(other))
    return any(isinstance(token, Wild) for token in (*one[shorter:], *other[shorter:])) or len(one) == len(other)
