"""The rules that speak to one class of actions, by the resource patterns they speak of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Final

from policies.analysis.languages import SEPARATORS, Tokens, compatible, loosen, read, variables_of
from policies.analysis.levels import Voice
from policies.model import Effect

MAX_VALUES: Final = 16
"""Values tried for one variable; each costs one search."""

_SPLIT: Final = str.maketrans(dict.fromkeys(SEPARATORS, "\n"))


@dataclass(frozen=True, slots=True)
class Block:
    """One pattern in letters, and the rules that speak by it."""

    tokens: Tokens
    voices: tuple[Voice, ...]


@dataclass(frozen=True, slots=True)
class World:
    """A lead and all that can meet it, with some variables given a value.

    Args:
        lead: The pattern whose texts are looked at.
        blocks: What runs beside it.
        values: Values that were given.
    """

    lead: Tokens
    blocks: tuple[Block, ...]
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Line:
    """One resource pattern of the rules; one of a deny is read more widely than one of a grant."""

    pattern: str
    forbids: bool
    voices: tuple[Voice, ...]
    loose: Tokens
    variables: frozenset[str]


class Arena:
    """Resource patterns of rules, each once.

    Args:
        voices: The rules.
    """

    __slots__ = ("_lines",)

    def __init__(self, voices: Iterable[Voice]) -> None:
        lines: dict[tuple[str, bool], list[Voice]] = {}
        for voice in voices:
            for pattern in voice.rule.resources:
                lines.setdefault((pattern, voice.effect is Effect.DENY), []).append(voice)
        self._lines = [
            _Line(pattern, forbids, tuple(found), loosen(read(pattern) or ()), variables_of(pattern))
            for (pattern, forbids), found in lines.items()
        ]

    def blocks(self, values: Mapping[str, str], *, near: Tokens) -> tuple[Block, ...]:
        """Return the patterns that may have a text in common with another one.

        Args:
            values: Variables whose value is known.
            near: The other one; its variables are taken for any text.
        """
        return _blocks(self._near(near), values)

    def worlds(self, lead: str, *, forbids: bool, values: Mapping[str, str]) -> Iterator[World]:
        """Yield the lead with all that may meet it: first with every unknown variable taken as a value of its own.

        Args:
            lead: Pattern whose texts are looked at.
            forbids: Whether the lead is of a deny rule.
            values: Variables whose value is known.
        """
        lines = self._near(loosen(read(lead) or ()))
        unknown = variables_of(lead).union(*(line.variables for line in lines)) - values.keys()
        for chosen in _choices(unknown, [lead, *(line.pattern for line in lines)]):
            given = MappingProxyType({**chosen, **values})
            tokens = read(lead, given, forbids=forbids)
            if tokens is not None:
                yield World(tokens, _blocks(lines, given), given)

    def _near(self, lead: Tokens) -> list[_Line]:
        return [line for line in self._lines if compatible(line.loose, lead)]


def _blocks(lines: Iterable[_Line], values: Mapping[str, str]) -> tuple[Block, ...]:
    found: dict[Tokens, list[Voice]] = {}
    for line in lines:
        tokens = read(line.pattern, values, forbids=line.forbids)
        if tokens is not None:
            found.setdefault(tokens, []).extend(line.voices)
    return tuple(Block(tokens, tuple(voices)) for tokens, voices in found.items())


def _choices(names: frozenset[str], patterns: Iterable[str]) -> Iterator[Mapping[str, str]]:
    """Yield values to try: none, then for each variable what the patterns spell out between two separators."""
    yield {}
    if not names:
        return
    spelled = {piece.replace("*", "") for pattern in patterns for piece in pattern.translate(_SPLIT).split("\n")}
    words = sorted(word for word in spelled if word and "$" not in word)
    for name in sorted(names):
        for word in islice(words, MAX_VALUES):
            yield {name: word}
