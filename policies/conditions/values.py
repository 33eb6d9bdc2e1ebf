"""Values of the request against the values of a rule: texts by globs, whole numbers and booleans by equality.

A glob is plainer than a resource pattern, since a param has no segments: ``*`` stands for any characters, separators
included, and may be empty; every other character is itself. A variable (``${agent.id}``) is replaced when the request
is there, after the globs were taken apart, so a ``*`` in its value is a character.

Kinds never meet: a number is not compared with a text of digits, and ``true`` is no 1. Where the rule has no value of
the request's kind the answer is None, cannot tell. Nothing here backtracks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from policies.conditions.facts import MAX_FACT_CHARS, VARIABLE, is_variable, variable_of
from policies.model import AccessRequest, Scalar

_STARS: Final = re.compile(r"\*+")


class Glob:
    """One text of a rule, taken apart at its stars.

    Args:
        text: With ``*`` and variables.
    """

    __slots__ = ("pieces", "variables")

    def __init__(self, text: str) -> None:
        self.pieces = tuple(_STARS.split(text))
        names = (name for piece in self.pieces for name in VARIABLE.findall(piece))
        self.variables = tuple(name for name in names if is_variable(name))

    @property
    def searched(self) -> bool:
        """Whether it costs a search of its own: it has a variable, or text on both sides of a star or between two."""
        pieces = self.pieces
        return bool(self.variables) or (len(pieces) > 1 and any(pieces[1:]) and any(pieces[:-1]))

    def covers(self, value: str, request: AccessRequest) -> bool | None:
        """Tell whether a text is covered; None when a variable of the glob is not known."""
        pieces = self.pieces if not self.variables else self._bound(request)
        return None if pieces is None else _covers(pieces, value)

    def _bound(self, request: AccessRequest) -> tuple[str, ...] | None:
        values = {name: variable_of(request, name) for name in self.variables}
        if None in values.values():
            return None
        return tuple(VARIABLE.sub(lambda match: values.get(match[1]) or match[0], piece) for piece in self.pieces)


def _covers(pieces: tuple[str, ...], value: str) -> bool:
    """Tell whether a text is the pieces in their order with anything between them; leftmost places are always right."""
    if len(pieces) == 1:
        return value == pieces[0]
    first, last = pieces[0], pieces[-1]
    place, end = len(first), len(value) - len(last)
    if place > end or not (value.startswith(first) and value.endswith(last)):
        return False
    for piece in pieces[1:-1]:
        found = value.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True


class Values:
    """The values of one condition, sorted by what it takes to compare them; any of them suffices.

    Args:
        operands: As written in the rule, at least one.
    """

    __slots__ = ("_booleans", "_globs", "_integers", "_literals", "_prefixes", "_suffixes", "_texts")

    def __init__(self, operands: Iterable[Scalar]) -> None:
        # Python holds True and 1 for equal, so the two kinds never share a set.
        values = tuple(operands)
        self._booleans = frozenset(value for value in values if isinstance(value, bool))
        self._integers = frozenset(value for value in values if isinstance(value, int) and not isinstance(value, bool))
        globs = [Glob(value) for value in values if isinstance(value, str)]
        fixed = [glob.pieces for glob in globs if not glob.variables]
        self._texts = bool(globs)
        self._literals = frozenset(pieces[0] for pieces in fixed if len(pieces) == 1)
        self._prefixes = tuple(pieces[0] for pieces in fixed if len(pieces) > 1 and not any(pieces[1:]))
        self._suffixes = tuple(pieces[-1] for pieces in fixed if len(pieces) > 1 and not any(pieces[:-1]))
        self._globs = tuple(glob for glob in globs if glob.searched)

    def holds(self, value: object, request: AccessRequest) -> bool | None:
        """Tell whether one of the values covers a value of the request; None when that cannot be told."""
        if isinstance(value, bool):
            return value in self._booleans if self._booleans else None
        if isinstance(value, int):
            return value in self._integers if self._integers else None
        return self._covers_text(value, request)

    def _covers_text(self, value: object, request: AccessRequest) -> bool | None:
        if not self._texts or not isinstance(value, str) or len(value) > MAX_FACT_CHARS:
            return None
        if value in self._literals or value.startswith(self._prefixes) or value.endswith(self._suffixes):
            return True
        answers = [glob.covers(value, request) for glob in self._globs]
        return True if True in answers else None if None in answers else False
