"""Reads what ``git log`` and ``git diff-tree`` say with ``-z --raw --numstat --patch --no-renames``.

    record    *( ":" modes SP ids SP status NUL name NUL )  *( added TAB removed TAB name NUL )  [ NUL patches ]

Names stand between NULs as they are. Patches repeat them in quotes that are not looked at: patches come in the order of
the names, one for each, and two where a file became something else than a file. The lines of a hunk are counted by its
header, so no line can pass for anything but a line. git's own output is not doubted, yet whatever does not fit its form
ends the reading: better no answer than a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from connectors.errors import ConnectorError

_RAW: Final = re.compile(rb":([0-7]{6}) ([0-7]{6}) ([0-9a-f]{40}) ([0-9a-f]{40}) ([AMDT])")
_COUNTS: Final = re.compile(rb"(-|[0-9]+)\t(-|[0-9]+)\t(.*)", re.DOTALL)
_HUNK: Final = re.compile(rb"@@ -[0-9]+(?:,([0-9]+))? \+([0-9]+)(?:,([0-9]+))? @@")
_PATCH: Final = b"diff --git "


class GitOutputError(ConnectorError):
    """git said something else than it should have."""


@dataclass(slots=True)
class FileChange:
    """What became of one file between two trees.

    Args:
        name: Its path.
        status: ``A`` added, ``M`` changed, ``D`` deleted, ``T`` became another kind of thing.
        mode: New mode, ``000000`` when deleted.
        old: Object id before.
        new: Object id after.
        added: Lines added; None when unknown.
        removed: Lines removed; None when unknown.
        binary: Whether git cannot compare it line by line.
    """

    name: bytes
    status: str
    mode: str
    old: str
    new: str
    added: int | None = None
    removed: int | None = None
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Hunk:
    """Neighbouring lines of a patch.

    Args:
        change: Of which file.
        header: ``@@ -1,2 +1,3 @@``, without what git repeats of the file behind it.
        line: Number of the first line after the change.
        lines: The lines, each with its ``+``, ``-`` or space, without its line feed.
    """

    change: FileChange
    header: bytes
    line: int
    lines: list[bytes]


class Output:
    """The output of git, to be read piece by piece.

    Args:
        pieces: As they come, none of them empty.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._at = 0

    def peek(self, size: int) -> bytes:
        """Return the next bytes without taking them; fewer at the end."""
        while len(self._buffer) - self._at < size and self._more():
            pass
        return self._buffer[self._at : self._at + size]

    def until(self, stop: bytes) -> bytes:
        """Take what comes before a byte, and that byte.

        Raises:
            GitOutputError: it does not come.
        """
        seen = self._at
        while (found := self._buffer.find(stop, seen)) < 0:
            searched = len(self._buffer) - self._at
            if not self._more():
                raise GitOutputError("the output of git ends early")
            seen = self._at + searched
        taken = self._buffer[self._at : found]
        self._at = found + 1
        return taken

    def take(self, size: int) -> bytes:
        """Take that many bytes.

        Raises:
            GitOutputError: there are fewer.
        """
        if len(self.peek(size)) < size:
            raise GitOutputError("the output of git ends early")
        self._at += size
        return self._buffer[self._at - size : self._at]

    def _more(self) -> bool:
        piece = next(self._pieces, b"")
        self._buffer, self._at = self._buffer[self._at :] + piece, 0
        return bool(piece)


def read_changes(output: Output, limit: int) -> list[FileChange] | None:
    """Take the files of one record, with their counts when they follow; None when there are more than ``limit``.

    Raises:
        GitOutputError: they do not have the form.
    """
    changes: list[FileChange] = []
    while output.peek(1) == b":":
        if len(changes) == limit:
            return None
        match = _RAW.fullmatch(output.until(b"\0"))
        if match is None:
            raise GitOutputError("a changed file has not the form it should have")
        _, mode, old, new, status = (part.decode() for part in match.groups())
        changes.append(FileChange(output.until(b"\0"), status, mode, old, new))
    if output.peek(1) not in _DIGITS:
        return changes
    for change in changes:
        counts = _COUNTS.fullmatch(output.until(b"\0"))
        if counts is None or counts[3] != change.name:
            raise GitOutputError("the counts of a changed file are not there")
        change.binary = counts[1] == b"-"
        if not change.binary:
            change.added, change.removed = int(counts[1]), int(counts[2])
    return changes


_DIGITS: Final = (*(str(digit).encode() for digit in range(10)), b"-")


def read_patches(output: Output, changes: list[FileChange]) -> Iterator[Hunk]:
    """Take the patches of one record, if there are any.

    Raises:
        GitOutputError: they do not have the form, or are not those of the changes.
    """
    if output.peek(1 + len(_PATCH)) != b"\0" + _PATCH:
        return
    output.take(1)
    for change in changes:
        for _ in range(2 if change.status == "T" else 1):
            if not output.until(b"\n").startswith(_PATCH):
                raise GitOutputError("the patch of a changed file is not there")
            yield from _hunks(output, change)


def _hunks(output: Output, change: FileChange) -> Iterator[Hunk]:
    while True:
        ahead = output.peek(len(_PATCH))
        if not ahead or ahead[:1] == b"\0" or ahead == _PATCH:
            return
        header = output.until(b"\n")
        if ahead.startswith(b"@@ "):
            yield _hunk(output, change, header)


def _hunk(output: Output, change: FileChange, header: bytes) -> Hunk:
    match = _HUNK.match(header)
    if match is None:
        raise GitOutputError("a hunk has not the form it should have")
    removed, added = (1 if match[part] is None else int(match[part]) for part in (1, 3))
    lines: list[bytes] = []
    while removed > 0 or added > 0:
        line = output.until(b"\n")
        sign = line[:1]
        if sign not in (b"+", b"-", b" ", b"\\"):
            raise GitOutputError("a line of a hunk has not the form it should have")
        removed -= sign in (b"-", b" ")
        added -= sign in (b"+", b" ")
        if sign != b"\\":
            lines.append(line)
    if output.peek(1) == b"\\":
        output.until(b"\n")
    return Hunk(change, match[0], int(match[2]), lines)
