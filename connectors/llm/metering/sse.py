"""Streams of server-sent events, cut at their borders and not changed.

WHATWG HTML, 9.2.5 and 9.2.6: lines end with CR, LF or both, an event ends with an empty line, what comes after the last
empty line is no event. An event is given with the bytes it came in, the empty line included, so that all of them in
order are the stream.
"""

from __future__ import annotations

import re
from typing import Final

MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
"""Largest event that is kept to be looked into; of a longer one the parts are given as they come."""

_TAIL_BYTES: Final = 3
"""Of an empty line, at most CR LF CR LF, what may stand at the end of a part without being seen."""
_BLANK: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"


class Splitter:
    """Cuts a stream into events."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._searched = 0
        self._returns = False
        self._after_return = False
        self._too_long = False

    def feed(self, chunk: bytes) -> list[tuple[bytes, bool]]:
        """Take the next bytes and return what is complete with them.

        Returns:
            Events with True; parts of events over `MAX_EVENT_BYTES`, and the second half of a line end whose first
            half ended an event, with False.
        """
        found: list[tuple[bytes, bool]] = []
        if not chunk:
            return found
        if self._after_return and chunk.startswith(b"\n"):
            found.append((b"\n", False))
            chunk = chunk[1:]
        self._after_return = False
        self._returns = self._returns or b"\r" in chunk
        if self._rest:
            self._rest += chunk
            if self._next_end(self._rest, max(0, self._searched - _TAIL_BYTES)) < 0:
                return found + self._hold()
            chunk = bytes(self._rest)
        start = 0
        while (end := self._next_end(chunk, start)) > 0:
            found.append((chunk[start:end], not self._too_long and end - start <= MAX_EVENT_BYTES))
            self._too_long = False
            start = end
        self._after_return = start == len(chunk) and chunk.endswith(b"\r")
        self._rest = bytearray(chunk[start:])
        return found + self._hold()

    def finish(self) -> bytes:
        """Return what is left and is no event."""
        rest = bytes(self._rest)
        self._rest.clear()
        return rest

    def _next_end(self, data: bytes | bytearray, start: int) -> int:
        """Return where the next event ends; -1 when it does not."""
        if self._returns:
            match = _BLANK.search(data, start)
            return match.end() if match else -1
        end = data.find(b"\n\n", start)
        return end + 2 if end >= 0 else -1

    def _hold(self) -> list[tuple[bytes, bool]]:
        """Keep what is no whole event yet, and of one that is too long only as much as may be half an empty line."""
        self._searched = len(self._rest)
        if len(self._rest) <= (_TAIL_BYTES if self._too_long else MAX_EVENT_BYTES):
            return []
        self._too_long = True
        part = bytes(self._rest[:-_TAIL_BYTES])
        del self._rest[:-_TAIL_BYTES]
        self._searched = _TAIL_BYTES
        return [(part, False)]


def fields_of(raw: bytes) -> tuple[str, bytes]:
    """Return the type and the data of an event; empty when it has none, as one of comments.

    Args:
        raw: The event with its empty line.
    """
    name = ""
    data: list[bytes] = []
    for line in _LINE_END.split(raw.removeprefix(_BOM)):
        key, _, value = line.partition(b":")
        if key == b"data":
            data.append(value.removeprefix(b" "))
        elif key == b"event":
            name = value.removeprefix(b" ").decode("utf-8", "replace")
    return name, b"\n".join(data)
