"""What a client is told beside the answer itself: progress, errors, and a sign of life while people decide.

gitprotocol-pack(5), "Packfile Data", for ``side-band-64k``: the first byte of each packet is its channel. git shows
what comes in channel 2 line by line behind ``remote:``, so text that may come from outside is cleaned here: no control
character and no mark that changes the direction of writing reaches a terminal.
"""

from __future__ import annotations

import re
from typing import Final

from connectors.git.wire.packets import MAX_DATA_BYTES, Mark, render

MAX_BAND_BYTES: Final = MAX_DATA_BYTES - 1
"""Data of one packet, beside the byte of its channel: 65515."""
KEEP_ALIVE: Final = render(b"\2")
"""An empty packet of progress; clients show nothing for it."""

_DATA, _PROGRESS, _ERROR = b"\1", b"\2", b"\3"
_MAX_ERROR_CHARS: Final = 1000
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
"""Of all that Python takes for the end of a line, the ones a terminal does; the others are cleaned away."""


def progress(text: str) -> bytes:
    """Return packets that show ``text`` to the person in front of the client, line by line.

    Args:
        text: Any text; one line feed at its end is no line of its own. Empty text makes no packet.
    """
    lines = _LINE_END.split(text)
    if not lines[-1]:
        lines.pop()
    return b"".join(_banded(_PROGRESS, cleaned(line).encode() + b"\n") for line in lines)


def fatal(text: str) -> bytes:
    """Return the packet that ends the client's work with an error; nothing may follow but a flush packet.

    Args:
        text: Any text; it is put on one line and cut short.
    """
    return render(_ERROR + cleaned(text)[:_MAX_ERROR_CHARS].encode() + b"\n")


def report_packet(report: bytes) -> bytes:
    """Return a whole answer, packets of its own included, in channel 1, with the flush packet that ends all."""
    return _banded(_DATA, report) + Mark.FLUSH.value


def _banded(channel: bytes, data: bytes) -> bytes:
    starts = range(0, len(data), MAX_BAND_BYTES)
    return b"".join(render(channel + data[start : start + MAX_BAND_BYTES]) for start in starts)


def cleaned(text: str) -> str:
    """Return text fit for one line of a terminal: what does not print is a space."""
    return "".join(char if char.isprintable() else " " for char in text)
