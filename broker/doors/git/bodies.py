"""The body of a git client's request: read as it is used, unpacked where it was packed, bounded either way."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

from starlette.types import Message, Receive, Scope

from broker.doors.requests import header
from connectors.errors import InvalidParamsError, UploadBrokenError

IDLE_SECONDS: Final = 60.0
"""Longest pause between two pieces; a client that packs a large repository takes its time before the first."""
DRAIN_BYTES: Final = 64 << 20
"""How much of a body nobody wants is read, so that its sender comes to the answer."""
DRAIN_SECONDS: Final = 60.0
"""How long it is read."""

_DISCONNECT: Final = "http.disconnect"
_GZIP: Final = 16 + zlib.MAX_WBITS
_PIECE_BYTES: Final = 256 << 10


class RequestBody:
    """A body on its way in.

    Args:
        scope: Of the request.
        receive: Of the request.
        idle_seconds: Longest pause between two pieces.

    Raises:
        InvalidParamsError: it is encoded in a way that git never uses.
    """

    def __init__(self, scope: Scope, receive: Receive, *, idle_seconds: float = IDLE_SECONDS) -> None:
        encoding = header(scope, b"content-encoding").lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise InvalidParamsError("the body is encoded in a way that is not known here", "send it plain or as gzip")
        self._receive = receive
        self._idle_seconds = idle_seconds
        self._unpacker = zlib.decompressobj(_GZIP) if encoding.endswith("gzip") else None
        self.ended = False
        """Whether all of it was read."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """Return what was sent, unpacked, in pieces of 256 KiB at most where it was packed.

        Raises:
            UploadBrokenError: it ended early, stood still, or is no gzip.
        """
        while not self.ended:
            message = await self._next()
            sent: bytes = message.get("body", b"")
            self.ended = not message.get("more_body", False)
            if self._unpacker is None:
                if sent:
                    yield sent
                continue
            for piece in self._unpacked(sent, self._unpacker):
                yield piece

    async def drain(self) -> None:
        """Read on for a while, and keep nothing."""
        left = DRAIN_BYTES
        with contextlib.suppress(UploadBrokenError, TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self.ended and left > 0:
                    message = await self._next()
                    left -= len(message.get("body", b""))
                    self.ended = not message.get("more_body", False)

    def _unpacked(self, sent: bytes, unpacker: zlib._Decompress) -> Iterator[bytes]:
        try:
            while sent:
                piece = unpacker.decompress(sent, _PIECE_BYTES)
                if piece:
                    yield piece
                sent = unpacker.unconsumed_tail
        except zlib.error:
            raise UploadBrokenError("the body is not the gzip it says it is") from None
        if unpacker.unused_data or (self.ended and not unpacker.eof):
            raise UploadBrokenError("the body is not one whole gzip member")

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(self._idle_seconds):
                message = await self._receive()
        except TimeoutError:
            raise UploadBrokenError(f"no byte of the body came for {self._idle_seconds:.0f} seconds") from None
        if message["type"] == _DISCONNECT:
            self.ended = True
            raise UploadBrokenError("the client went away before the end of the body")
        return message


class Pack:
    """The pack of a push; implements `connectors.base.UploadStream`.

    Args:
        pieces: What follows the commands.
    """

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    @property
    def trailers(self) -> Mapping[str, str]:
        """None; a pack ends with its own checksum."""
        return {}


async def read_bounded(pieces: AsyncIterator[bytes], limit_bytes: int) -> bytes:
    """Return a whole body.

    Raises:
        InvalidParamsError: it is larger than ``limit_bytes``.
        UploadBrokenError: it did not come whole.
    """
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > limit_bytes:
            raise InvalidParamsError(f"the request has more than {limit_bytes} bytes")
    return bytes(body)
