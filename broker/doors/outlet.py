"""The way out of a body that streams: a door's side of `broker.exchange.Outlet`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from starlette.types import Receive, Send

from broker.exchange import ClientGoneError
from broker.ids import IntentId
from broker.model import JsonObject

RawHeaders = list[tuple[bytes, bytes]]
Head = Callable[[IntentId, JsonObject, str], tuple[int, RawHeaders]]
"""From the intent, the parsed part of its result and the media type of the body to status and headers."""


class StreamedAnswer:
    """One answer, while the broker is at work on it; implements `broker.exchange.Exchange` without an upload.

    Args:
        head: Makes the head of the answer.
        receive: Of the request, whose body was read to its end.
        send: Of the answer.
    """

    upload = None

    def __init__(self, head: Head, receive: Receive, send: Send) -> None:
        self._head = head
        self._receive = receive
        self._send = send
        self._gone: asyncio.Task[None] | None = None

    @property
    def outlet(self) -> Self:
        """Large bodies go out here."""
        return self

    @property
    def begun(self) -> bool:
        """Whether the head of an answer has gone out."""
        return self._gone is not None

    async def begin(self, intent_id: IntentId, data: JsonObject, media_type: str) -> None:
        """Send the head of the answer."""
        status, headers = self._head(intent_id, data, media_type)
        # From here on nothing is left to read but the end of the connection.
        self._gone = asyncio.create_task(self._until_gone())
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, piece: bytes) -> None:
        """Send the next piece; returns when there is room for more.

        Raises:
            ClientGoneError: the client went away.
        """
        # A turn of the loop: a server whose connection is lost takes all it is given, and would never be heard.
        await asyncio.sleep(0)
        if self._gone is None or self._gone.done():
            raise ClientGoneError
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def finish(self) -> None:
        """End the answer, once all of the body has gone out."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def close(self) -> None:
        """Stop watching the connection."""
        if self._gone is not None:
            self._gone.cancel()

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
