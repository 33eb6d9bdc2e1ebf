"""A transport that sends what was written in one turn of the event loop at once.

A write to a socket wakes whoever reads it, which costs more than most of what is written took to make. The HTTP server
writes head and body of an answer one after the other; here they leave together.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

FLUSH_BYTES: Final = 64 << 10
"""What is held at most: a body that streams leaves as it comes."""


class CorkedTransport:
    """Hands on to a transport; implements what uvicorn uses of `asyncio.Transport`.

    Args:
        transport: The real one.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._held_bytes = 0

    def write(self, data: bytes) -> None:
        """Send ``data`` with what else is written in this turn of the loop."""
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            held, self._held, self._held_bytes = self._held, [], 0
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))

    def close(self) -> None:
        """Send what is held, then close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a transport has
        return getattr(self._transport, name)


class CorkedProtocol(HttpToolsProtocol):
    """uvicorn's protocol on a corked transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, on a transport of our own."""
        super().connection_made(cast("asyncio.Transport", CorkedTransport(transport)))
