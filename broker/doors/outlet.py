"""The way out of a body that streams: a door's side of `broker.exchange.Outlet`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Self

from starlette.types import Receive, Send

from broker.exchange import ClientGoneError
from broker.ids import IntentId
from broker.model import JsonObject
from broker.outcome import Outcome
from broker.store.base import Outputs
from connectors.base import UploadStream

RawHeaders = list[tuple[bytes, bytes]]
Head = Callable[[IntentId, JsonObject, str], tuple[int, RawHeaders]]
"""From the intent, the parsed part of its result and the media type of the body to status and headers."""


class StreamedAnswer:
    """One answer, while the broker is at work on it; implements `broker.exchange.Exchange`.

    Args:
        head: Makes the head of the answer.
        receive: Of the request; nothing of it is read here before the answer is begun.
        send: Of the answer.
        upload: The body as it comes in; None when it was read to its end or there is none.
    """

    def __init__(self, head: Head, receive: Receive, send: Send, *, upload: UploadStream | None = None) -> None:
        self.upload = upload
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


async def send_kept(outcome: Outcome, data: JsonObject, answer: StreamedAnswer, outputs: Outputs) -> bool:
    """Send a body that was kept, because a worker executed the intent after people allowed it.

    Args:
        outcome: Of the intent; has an output.
        data: The parsed part of its result, for the head of the answer.
        answer: Where it goes.
        outputs: Where it is kept.

    Returns:
        False when it is no longer kept, and nothing was sent. One that turns out to be cut has no end.

    Raises:
        ClientGoneError: the client went away.
    """
    chunks = outputs.read(IntentId(outcome.intent_id))
    async with aclosing(chunks):
        piece = await anext(chunks, b"")
        if not piece and outcome.output_bytes:
            return False
        await answer.begin(IntentId(outcome.intent_id), data, outcome.output_media_type)
        left = outcome.output_bytes
        while piece:
            left -= len(piece)
            # One piece stays here until it is known whether another one follows: a body is whole, or is seen to be cut.
            following = await anext(chunks, b"")
            if left < 0 or (following and not left):
                return True
            await answer.write(piece)
            piece = following
        if not left:
            await answer.finish()
    return True
