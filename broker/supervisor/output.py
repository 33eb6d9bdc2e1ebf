"""What a supervised process prints: kept in a file of bounded size, the end of it in memory, echoed to the terminal.

Nothing here may stop a process: on a full disk lines are lost, on a closed terminal the echo ends.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path
from typing import Final, TextIO

MAX_LOG_BYTES: Final = 5 << 20
"""A log file beyond this size becomes ``<name>.log.1``, which replaces the one before."""
MAX_LINE_BYTES: Final = 16 << 10
"""A longer line is cut into several, so that memory is bounded."""
TAIL_LINES: Final = 15
"""Lines shown when a process does not start."""

# Log lines may quote what an agent sent; none of it may drive the operator's terminal.
_NEUTRAL: Final = dict.fromkeys((*range(9), *range(10, 32), *range(127, 160)), "�")


class Output:
    """Takes the bytes a process prints.

    Args:
        name: Of the process; prefix on the terminal.
        path: Log file, made with mode 0600.
        terminal: Where lines are echoed; None for nowhere.
        max_bytes: Size at which the log file is set aside.
    """

    def __init__(self, name: str, path: Path, terminal: TextIO | None, *, max_bytes: int = MAX_LOG_BYTES) -> None:
        self._name = name
        self._path = path
        self._terminal = terminal
        self._max_bytes = max_bytes
        self._rest = b""
        self._file: int | None = None
        self._size = 0
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)

    @property
    def tail(self) -> list[str]:
        """The last lines, free of control characters."""
        return list(self._tail)

    def feed(self, data: bytes) -> None:
        """Take what was printed; a line is written when it is whole."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        while len(self._rest) > MAX_LINE_BYTES:
            self._line(self._rest[:MAX_LINE_BYTES])
            self._rest = self._rest[MAX_LINE_BYTES:]

    def flush(self) -> None:
        """Write a last line that has no end, as of a killed process."""
        if self._rest:
            self._line(self._rest)
            self._rest = b""

    def close(self) -> None:
        """Write what is left and close the file."""
        self.flush()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _line(self, line: bytes) -> None:
        # A full disk must not stop the process that prints.
        with contextlib.suppress(OSError):
            self._store(line + b"\n")
        text = line.decode("utf-8", "replace").rstrip("\r").translate(_NEUTRAL)
        self._tail.append(text)
        if self._terminal is None:
            return
        try:
            print(f"{self._name:>6} | {text}", file=self._terminal, flush=True)
        except (OSError, ValueError):
            self._terminal = None

    def _store(self, line: bytes) -> None:
        if self._file is not None and self._size + len(line) > self._max_bytes:
            os.close(self._file)
            self._file = None
            self._path.replace(self._path.with_name(self._path.name + ".1"))
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
            self._file = os.open(self._path, flags, 0o600)
            self._size = os.fstat(self._file).st_size
        os.write(self._file, line)
        self._size += len(line)
