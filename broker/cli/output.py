"""What the command line prints: data on stdout as JSON, YAML or a table, everything else on stderr.

Names, reasons and upstream messages are written by agents and strangers. In tables every control character, terminal
escape, bidirectional mark and invisible character is shown as an escape sequence of text, so that nothing an agent
writes can move the cursor, hide a line or turn a word round on an approver's terminal. JSON and YAML are ASCII.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final, NoReturn

import typer

MAX_CELL_CHARS: Final = 2000
"""Longer cells are clipped in tables; JSON has them whole."""

_UNSAFE_CATEGORIES: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Control, format (bidirectional, zero-width), surrogate, private, unassigned, line and paragraph separators."""


class ExitCode(IntEnum):
    """What the shell is told."""

    OK = 0
    USAGE = 2
    DENIED = 3
    FAILED = 4
    PENDING = 8


class OutputFormat(StrEnum):
    """How data is printed."""

    JSON = "json"
    YAML = "yaml"
    TABLE = "table"


OutputOption = Annotated[
    OutputFormat, typer.Option("--output", "-o", envvar="OSTIARY_OUTPUT", help="How the data is printed.")
]
"""The ``-o`` of every command that prints data; its default is written at the command."""


def emit(data: Any, fmt: OutputFormat, *, columns: Sequence[str] = ()) -> None:  # noqa: ANN401 - JSON
    """Print data on stdout.

    Args:
        data: JSON value; a table shows an object as names and values and a list of objects as rows.
        fmt: How.
        columns: Names of the members a table shows, in order; all of the first row when empty.
    """
    match fmt:
        case OutputFormat.JSON:
            text = json.dumps(data, indent=2, default=str)
        case OutputFormat.YAML:
            import yaml

            plain = json.loads(json.dumps(data, default=str))
            text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=False).rstrip("\n")
        case OutputFormat.TABLE:
            _emit_table(data, columns)
            return
    sys.stdout.write(text + "\n")


def clean(value: object) -> str:
    """Return a value as one line of text that cannot drive a terminal."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    clipped = text if len(text) <= MAX_CELL_CHARS else text[: MAX_CELL_CHARS - 1] + "…"
    return "".join(map(_visible, clipped))


def say(message: str) -> None:
    """Print one line for people on stderr; each value in it must have gone through `clean`."""
    sys.stderr.write(clean(message) + "\n")


def fail(message: str, code: ExitCode, *, fix: str = "") -> NoReturn:
    """Say what is wrong and end the command.

    Raises:
        typer.Exit: always.
    """
    say(f"ostiary: {message}")
    if fix:
        say(f"  fix: {fix}")
    raise typer.Exit(code)


def _visible(char: str) -> str:
    # A space of another width passes for a space, so only the plain one is left as it is.
    if char == " " or (unicodedata.category(char) not in _UNSAFE_CATEGORIES and not char.isspace()):
        return char
    return char.encode("unicode_escape").decode()


def _emit_table(data: Any, columns: Sequence[str]) -> None:  # noqa: ANN401 - JSON
    if isinstance(data, Mapping):
        names = columns or list(data)
        _print_rows([], [[clean(name), clean(data.get(name))] for name in names])
    elif isinstance(data, Sequence) and not isinstance(data, str):
        rows = [item for item in data if isinstance(item, Mapping)]
        names = columns or (list(rows[0]) if rows else [])
        _print_rows([clean(name) for name in names], [[clean(row.get(name)) for name in names] for row in rows])
    else:
        sys.stdout.write(clean(data) + "\n")


def _print_rows(head: list[str], rows: list[list[str]]) -> None:
    if sys.stdout.isatty():
        _print_rich(head, rows)
        return
    shown = [[name.upper() for name in head], *rows] if head else rows
    for line in _aligned(shown):
        sys.stdout.write(line + "\n")


def _aligned(rows: list[list[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _print_rich(head: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=bool(head), pad_edge=False, padding=(0, 2, 0, 0))
    for name in head or [""] * (len(rows[0]) if rows else 0):
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        # Text, not str: square brackets in a cell are no markup.
        table.add_row(*map(Text, row))
    Console(file=sys.stdout).print(table)
