"""The comments and blank lines of a YAML text, which the tree of its values does not hold.

A comment ends its line, so it is looked for behind the last scalar of the line: what stands there otherwise is
punctuation, and a ``#`` inside a scalar is never reached.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from policies.document.strict_yaml import Scalar

_HEADER: Final = re.compile(r"[|>][-+0-9]*")
_WHOLE_LINE: Final = math.inf


@dataclass(frozen=True, slots=True)
class Note:
    """A comment, or a blank line.

    Args:
        line: From 1.
        text: From the ``#`` to the last character that is no space; empty for a blank line.
        indent: Columns before it.
        alone: False for a comment behind something else.
    """

    line: int
    text: str
    indent: int
    alone: bool


def read_notes(text: str, scalars: Iterable[Scalar]) -> tuple[Note, ...]:
    """Return every comment and blank line outside of scalars, in the order they stand.

    Args:
        text: From `policies.document.strict_yaml.decode`, perhaps repaired.
        scalars: Of the same text, from `policies.document.strict_yaml.scalars`.
    """
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    taken: dict[int, float] = {}
    for scalar in scalars:
        _take(scalar, lines, taken)
    notes = []
    for number, line in enumerate(lines):
        first = taken.get(number, 0)
        if first == _WHOLE_LINE:
            continue
        place = line.find("#", int(first))
        if place >= 0:
            notes.append(Note(number + 1, line[place:].rstrip(), place, alone=not line[:place].strip()))
        elif not line.strip():
            notes.append(Note(number + 1, "", 0, alone=True))
    return tuple(notes)


def block_lines(scalar: Scalar, lines: list[str]) -> range:
    """Return the 0-based lines of a text block's content, without the blank lines that end it."""
    end = scalar.end_line + (scalar.end_column > 0)
    while end > scalar.line + 1 and not lines[end - 1].strip():
        end -= 1
    return range(scalar.line + 1, end)


def _take(scalar: Scalar, lines: list[str], taken: dict[int, float]) -> None:
    """Enter up to which column a scalar takes each of its lines."""
    header = _HEADER.match(lines[scalar.line], scalar.column) if scalar.style in {"|", ">"} else None
    if header is not None:
        taken[scalar.line] = header.end()
        taken.update(dict.fromkeys(block_lines(scalar, lines), _WHOLE_LINE))
        return
    taken.update(dict.fromkeys(range(scalar.line, scalar.end_line), _WHOLE_LINE))
    # An empty value may be placed before the text it belongs behind; it must not free what another one took.
    taken[scalar.end_line] = max(taken.get(scalar.end_line, 0), scalar.end_column)
