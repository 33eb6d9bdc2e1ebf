"""A page of lines for a terminal. Whatever is put on it has become harmless text before it is kept.

Every line is one line: a text that is too wide for the terminal goes on behind a mark, indented, so nothing that an
agent wrote can begin where a line of ours begins. Away from a terminal a line is written as long as it is.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Final

from broker.cli.output import clean

LABEL_CHARS: Final = 13
"""Width of the column of labels."""

_CONTINUED: Final = "↪ "
_LEAST_CHARS: Final = 20
"""Of text beside an indent, on the narrowest terminal."""


Piece = str | int | tuple[object, str]
"""A value of any kind, alone or with its style."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line: clean text, and how a terminal shows it (rich's words for styles)."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Args:
        spans: What it holds.
        indent: Spaces before it.
        hang: Spaces before what does not fit on the first line of the terminal.
    """

    spans: tuple[Span, ...]
    indent: int
    hang: int

    @property
    def plain(self) -> str:
        """The line as text."""
        return (" " * self.indent + "".join(span.text for span in self.spans)).rstrip()


@dataclass(slots=True)
class Sheet:
    """Lines, in order."""

    lines: list[Line] = field(default_factory=list)

    def title(self, text: str, note: str = "") -> None:
        """Begin a part of the page."""
        self.lines.append(Line((), 0, 0))
        self.say((text.upper(), "bold"), (f"  {note}" if note else "", "dim"))

    def row(self, label: str, value: object, style: str = "") -> None:
        """Say a value with its name; nothing when there is no value."""
        if value not in ("", None, [], {}):
            self._add(((label.ljust(LABEL_CHARS), "dim"), (value, style)), 2, 2 + LABEL_CHARS)

    def say(self, *pieces: Piece, indent: int = 0) -> None:
        """Put a line.

        Args:
            pieces: Values, each alone or with its style; empty ones are left out.
            indent: Spaces before it.
        """
        self._add(pieces, indent, indent + 2)

    def block(self, text: str, *, indent: int, most: int) -> None:
        """Put a text of several lines, the first ``most`` of them."""
        lines = text.expandtabs(4).split("\n")
        for line in lines[:most]:
            self.say(("│ ", "dim"), line, indent=indent)
        self.more(len(lines) - most, "lines", indent=indent)

    def more(self, count: int, what: str, *, indent: int) -> None:
        """Say that there is more than is shown, when there is."""
        if count > 0:
            self.say((f"… {count} more {what}", "dim"), indent=indent)

    def _add(self, pieces: tuple[Piece, ...], indent: int, hang: int) -> None:
        styled = (piece if isinstance(piece, tuple) else (piece, "") for piece in pieces)
        spans = (Span(clean(value), style) for value, style in styled)
        self.lines.append(Line(tuple(span for span in spans if span.text), indent, hang))


def show(sheet: Sheet) -> None:
    """Print a page on stdout: with styles and folded on a terminal, else as plain lines."""
    if not sys.stdout.isatty():
        sys.stdout.write("".join(line.plain + "\n" for line in sheet.lines))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    for line in sheet.lines:
        text = Text.assemble(*((span.text, span.style) for span in line.spans))
        width = max(console.width - line.hang - len(_CONTINUED), _LEAST_CHARS)
        pieces = text.wrap(console, width, overflow="fold") or [text]
        for number, piece in enumerate(pieces):
            lead = Text(" " * line.hang).append(_CONTINUED, "dim") if number else Text(" " * line.indent)
            console.print(lead.append_text(piece), soft_wrap=True)
