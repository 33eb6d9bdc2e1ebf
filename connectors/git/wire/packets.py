"""Pkt-lines of gitprotocol-common(5): made, split, and read one by one while they come in.

A line is four hex digits with its whole length, then its data. The lengths 0, 1 and 2 are marks without data; 3 is
nothing, and 4, an empty line, is sent by nobody and refused.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from enum import Enum, StrEnum
from typing import Final

from connectors.errors import InvalidParamsError

LENGTH_BYTES: Final = 4
MAX_PACKET_BYTES: Final = 65520
MAX_DATA_BYTES: Final = MAX_PACKET_BYTES - LENGTH_BYTES

_HEX: Final = frozenset(b"0123456789abcdefABCDEF")


class WireFault(StrEnum):
    """Why something a client sent is not taken; names are stable."""

    MALFORMED = "malformed"
    TOO_LARGE = "too-large"
    TOO_MANY_REFS = "too-many-refs"
    BAD_REF = "bad-ref"
    CLASHING_REFS = "clashing-refs"
    NO_CHANGE = "no-change"
    BAD_CAPABILITY = "bad-capability"
    OBJECT_FORMAT = "object-format"
    TOO_SHALLOW = "too-shallow"
    SIGNED_PUSH = "signed-push"
    BAD_OPTION = "bad-option"
    MISSING_PACK = "missing-pack"
    UNEXPECTED_PACK = "unexpected-pack"
    BAD_PROTOCOL = "bad-protocol"
    BAD_COMMAND = "bad-command"
    PACKFILE_URIS = "packfile-uris"


class WireError(InvalidParamsError):
    """What a git client sent is not taken; nothing was planned.

    Args:
        code: The kind of fault.
        detail: What was expected and what was found; holds nothing of the input that is not cut and in ASCII.
        fix: What the caller can do about it; may be empty.
    """

    def __init__(self, code: WireFault, detail: str, fix: str = "") -> None:
        super().__init__(detail, fix)
        self.code = code


class Mark(Enum):
    """A packet without data."""

    FLUSH = b"0000"
    DELIM = b"0001"
    RESPONSE_END = b"0002"


Packet = bytes | Mark
"""The data of a line, at least one byte, or a mark."""

_MARKS: Final = {int(mark.value, 16): mark for mark in Mark}


def render(data: bytes) -> bytes:
    """Return ``data`` as one pkt-line.

    Args:
        data: 1 to `MAX_DATA_BYTES` bytes.

    Raises:
        ValueError: it has fewer or more; a fault of ours, as what comes from outside is bounded before.
    """
    if not 0 < len(data) <= MAX_DATA_BYTES:
        raise ValueError(f"a packet holds 1 to {MAX_DATA_BYTES} bytes")
    return b"%04x%b" % (len(data) + LENGTH_BYTES, data)


def split(body: bytes) -> Iterator[Packet]:
    """Yield the packets of a whole body, as they are; the caller has bounded its size.

    Raises:
        WireError: a packet is malformed or the body ends in the middle of one.
    """
    at = 0
    while at < len(body):
        length = _length(body[at : at + LENGTH_BYTES])
        mark = _MARKS.get(length)
        if mark is not None:
            at += LENGTH_BYTES
            yield mark
            continue
        if at + length > len(body):
            raise _cut()
        yield body[at + LENGTH_BYTES : at + length]
        at += length


def chomped(data: bytes) -> bytes:
    """Return a line without the one line feed a sender may put at its end."""
    return data.removesuffix(b"\n")


class PacketReader:
    """Reads packets one by one from pieces of any size, and hands back what follows them.

    Args:
        pieces: The body as it comes in.
        limit_bytes: Most bytes of all packets together; a piece that is larger is held nonetheless.
    """

    def __init__(self, pieces: AsyncIterator[bytes], *, limit_bytes: int) -> None:
        self._pieces = pieces
        self._left_bytes = limit_bytes
        self._limit_bytes = limit_bytes
        self._held = bytearray()

    async def read(self) -> Packet | None:
        """Return the next packet, None when the body has ended before it.

        Raises:
            WireError: it is malformed or cut, or the packets are larger than their limit.
        """
        digits = await self._take(LENGTH_BYTES)
        if not digits:
            return None
        length = _length(digits)
        mark = _MARKS.get(length)
        if mark is not None:
            return mark
        data = await self._take(length - LENGTH_BYTES)
        if not data:
            raise _cut()
        return data

    async def peek(self, size: int) -> bytes:
        """Return the next ``size`` bytes without taking them, fewer at the end of the body."""
        await self._fill(size)
        return bytes(self._held[:size])

    async def rest(self) -> AsyncIterator[bytes]:
        """Yield everything that was not read, in pieces, none of them empty."""
        held = bytes(self._held)
        self._held.clear()
        if held:
            yield held
        async for piece in self._pieces:
            if piece:
                yield piece

    async def _take(self, size: int) -> bytes:
        """Take ``size`` bytes; none when the body has ended, an error when it ends inside of them."""
        self._left_bytes -= size
        if self._left_bytes < 0:
            raise WireError(WireFault.TOO_LARGE, f"the request has more than {self._limit_bytes} bytes before its pack")
        await self._fill(size)
        taken = bytes(self._held[:size])
        if taken and len(taken) < size:
            raise _cut()
        del self._held[:size]
        return taken

    async def _fill(self, size: int) -> None:
        while len(self._held) < size:
            piece = await anext(self._pieces, None)
            if piece is None:
                return
            self._held += piece


def _length(digits: bytes) -> int:
    """Return the length a packet announces: that of a mark, or of a line with data.

    Raises:
        WireError: it announces none, or one that is out of bounds.
    """
    if len(digits) < LENGTH_BYTES:
        raise _cut()
    length = int(digits, 16) if _HEX.issuperset(digits) else -1
    if length not in _MARKS and not LENGTH_BYTES < length <= MAX_PACKET_BYTES:
        raise WireError(WireFault.MALFORMED, f"expected the length of a packet, found `{ascii(digits)[2:-1]}`")
    return length


def _cut() -> WireError:
    return WireError(WireFault.MALFORMED, "the request ends in the middle of a packet")
