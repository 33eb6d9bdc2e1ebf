"""Bodies that come in: whole, under a bound of their own and one of all together, or piece by piece as they are used.

What is handed on has been decoded and is what was signed; see `connectors.aws.wire_in.payload` for how far.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Final, Self

from starlette.types import Message, Receive, Scope

from broker.doors.aws.refusals import Cause, No
from broker.doors.requests import BODY_SECONDS
from broker.exchange import ClientGoneError
from connectors.aws.wire_in.payload import BodyDecoder
from connectors.aws.wire_in.refusal import Refusal, RefusedError
from connectors.aws.wire_in.request import MAX_BODY_BYTES
from connectors.errors import UploadBrokenError

IDLE_SECONDS: Final = 30.0
"""Longest pause between two pieces of a stream; S3 itself waits 20 seconds."""
_DISCONNECT: Final = "http.disconnect"
_LENGTH_DIGITS: Final = 15


def has_body(scope: Scope) -> bool:
    """Tell whether the head of a request announces a body."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0")
        for name, value in scope["headers"]
    )


def length_of(text: str) -> int | None:
    """Return the length a header announces; None when it does not."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LENGTH_DIGITS else None


class Buffers:
    """How much of all bodies that are read whole is in memory.

    Args:
        limit_bytes: Most bytes of all requests together.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.used_bytes = 0

    def hold(self) -> Hold:
        """Return the share of one request, to be entered."""
        return Hold(self)

    def take(self, size: int) -> bool:
        """Take ``size`` bytes; False when they are not free."""
        if self.used_bytes + size > self._limit_bytes:
            return False
        self.used_bytes += size
        return True


class Hold:
    """What one request has of the buffers; given back on leaving.

    Args:
        buffers: Of all requests.
    """

    def __init__(self, buffers: Buffers) -> None:
        self._buffers = buffers
        self._held_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._buffers.used_bytes -= self._held_bytes

    def grow(self, size: int) -> bool:
        """Take more; False when it is not free."""
        taken = self._buffers.take(size)
        self._held_bytes += size if taken else 0
        return taken


async def read_whole(receive: Receive, hold: Hold, length: int | None) -> bytes | No:
    """Return a body as it was sent.

    Args:
        receive: Of the request.
        hold: What it is counted in.
        length: As announced; None when it was not.

    Raises:
        ClientGoneError: the client went away.
    """
    if length is not None and length > MAX_BODY_BYTES:
        return _too_large()
    body = bytearray()
    more = True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more:
                message = await receive()
                if message["type"] == _DISCONNECT:
                    raise ClientGoneError
                piece = message.get("body", b"")
                if len(body) + len(piece) > MAX_BODY_BYTES:
                    return _too_large()
                if not hold.grow(len(piece)):
                    return No("too many large requests at once", Cause.BUSY, retry_after_seconds=1)
                body += piece
                more = message.get("more_body", False)
    except TimeoutError:
        return No(f"the body did not arrive within {BODY_SECONDS:.0f} seconds", Cause.SLOW_BODY)
    return bytes(body)


def decoded(decoder: BodyDecoder, body: bytes) -> bytes | Refusal:
    """Return what a whole body means, or why it is not what was signed."""
    try:
        return decoder.feed(body) + decoder.finish()
    except RefusedError as error:
        return error.refusal


class IncomingBody:
    """A body that is read while it is used; implements `connectors.base.UploadStream`.

    Nothing is read ahead of whoever uses it, so a slow upstream slows the client down.

    Args:
        receive: Of the request.
        decoder: Of the body.
        idle_seconds: Longest pause between two pieces.
    """

    def __init__(self, receive: Receive, decoder: BodyDecoder, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._receive = receive
        self._decoder = decoder
        self._idle_seconds = idle_seconds
        self.no: No | None = None
        """Why it broke, in the words for the client; None while it did not."""

    @property
    def trailers(self) -> Mapping[str, str]:
        """What was said after the body; empty before its end."""
        return self._decoder.trailers

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._next()
            sent: bytes = message.get("body", b"")
            piece = self._checked(partial(self._decoder.feed, sent))
            more = message.get("more_body", False)
            if piece:
                yield piece
        last = self._checked(self._decoder.finish)
        if last:
            yield last

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(self._idle_seconds):
                message = await self._receive()
        except TimeoutError:
            words = f"no byte of the body came for {self._idle_seconds:.0f} seconds"
            self.no = No(words, Cause.SLOW_BODY)
            raise UploadBrokenError(words) from None
        if message["type"] == _DISCONNECT:
            raise UploadBrokenError("the client went away before the end of the body")
        return message

    def _checked(self, decode: Callable[[], bytes]) -> bytes:
        try:
            return decode()
        except RefusedError as error:
            refusal = error.refusal
            self.no = No(refusal.message, code=refusal.code, status=refusal.status)
            raise UploadBrokenError(refusal.message) from None


def _too_large() -> No:
    return No(f"a body that must be understood has at most {MAX_BODY_BYTES} bytes", Cause.TOO_LARGE)
