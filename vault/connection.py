"""One connection to the vault's socket, shared by any number of requests of one event loop.

Requests carry ids and are answered in any order. When the connection ends, every request on it fails: whether the vault
did what was asked is not known, and nothing is sent twice by itself. The next request connects again.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, cast

from vault.errors import VaultUnavailableError
from vault.protocol import Frame, FrameDecoder, FrameError, JsonObject, decode_error, encode_frame

ANSWER_SECONDS: Final = 30.0
"""Longest wait for one answer; the slowest operation, a passphrase's key derivation, takes a second or two."""


class Connection:
    """Sends requests and returns their answers, connecting when there is need.

    Args:
        socket: The vault's socket.
        answer_seconds: Longest wait for one answer.
    """

    def __init__(self, socket: Path, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._socket = socket
        self._answer_seconds = answer_seconds
        self._connecting = asyncio.Lock()
        self._link: _Link | None = None
        self._closed = False

    async def request(self, header: JsonObject, raw: bytes = b"") -> Frame:
        """Send one request and return header and raw part of its answer.

        Args:
            header: ``op`` and arguments; the id is added here.
            raw: Raw part.

        Raises:
            VaultUnavailableError: no connection, or it ended, or the answer took too long.
            VaultError: what the vault answered.
        """
        link = self._link
        if link is None or link.lost:
            link = await self._connect()
        answer, bulk = await link.ask(header, raw, self._answer_seconds)
        error = decode_error(answer)
        if error is not None:
            raise error
        return answer, bulk

    async def close(self) -> None:
        """End the connection; later requests fail."""
        self._closed = True
        async with self._connecting:
            if self._link is not None:
                await self._link.close()
                self._link = None

    async def _connect(self) -> _Link:
        async with self._connecting:
            if self._closed:
                raise VaultUnavailableError("the vault client is closed")
            if self._link is not None and not self._link.lost:
                return self._link
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(self._answer_seconds):
                    _, self._link = await loop.create_unix_connection(_Link, str(self._socket))
            except (OSError, ValueError) as error:
                # TimeoutError is an OSError. The kind of error says enough; the path is the reader's own.
                kind = type(error).__name__
                raise VaultUnavailableError(f"cannot reach the vault at `{self._socket}` ({kind})") from None
            return self._link


class _Link(asyncio.Protocol):
    """A connected socket: ids to waiting requests."""

    def __init__(self) -> None:
        self._decoder = FrameDecoder()
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._last_id = 0
        self._held: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._ended = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's stream transports are no subclass of asyncio.Transport, so this cannot be asserted.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio.Protocol's signature
        self._fail("the vault closed the connection")
        if not self._ended.done():
            self._ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._decoder.feed(data)
        except FrameError:
            self._fail("the vault answered with something else than a frame")
            if self._transport is not None:
                self._transport.abort()
            return
        for header, raw in frames:
            waiting = self._waiting.pop(header["i"], None)
            # An answer nobody waits for any more belongs to a request that was cancelled.
            if waiting is not None and not waiting.done():
                waiting.set_result((header, raw))

    async def ask(self, header: JsonObject, raw: bytes, answer_seconds: float) -> Frame:
        """Send one request and wait for its answer."""
        if self._transport is None or self.lost:
            raise VaultUnavailableError("the vault closed the connection")
        self._last_id += 1
        number = self._last_id
        frame = encode_frame({"i": number, **header}, raw)
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Frame] = loop.create_future()
        self._waiting[number] = waiting
        # What is asked in one turn of the loop leaves at once: waking the vault costs more than the frame.
        if not self._held:
            loop.call_soon(self._flush)
        self._held.append(frame)
        # A plain timer: `asyncio.timeout` costs as much as the vault needs to sign.
        timer = loop.call_later(answer_seconds, _give_up, waiting)
        try:
            return await waiting
        finally:
            timer.cancel()
            self._waiting.pop(number, None)

    def _flush(self) -> None:
        held, self._held = self._held, []
        if self._transport is not None and not self.lost:
            self._transport.write(b"".join(held))

    async def close(self) -> None:
        """End the connection and wait until it has ended."""
        if self._transport is not None:
            self._transport.abort()
            await self._ended

    def _fail(self, reason: str) -> None:
        self.lost = True
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(VaultUnavailableError(reason))


def _give_up(waiting: asyncio.Future[Frame]) -> None:
    if not waiting.done():
        waiting.set_exception(VaultUnavailableError("the vault did not answer in time"))
