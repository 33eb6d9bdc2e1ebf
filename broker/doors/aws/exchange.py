"""Bodies that go out while they come in: the door's side of `broker.exchange.Exchange`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Self

from starlette.types import Receive, Send

from broker.doors.aws.bodies import IncomingBody
from broker.exchange import ClientGoneError
from broker.ids import IntentId
from broker.model import JsonObject
from connectors.aws.model import ApiOperation
from connectors.aws.wire_out.answer import head


class WireExchange:
    """One request and its answer, while the broker is at work on it.

    Args:
        api: The operation, which says how its answer begins.
        receive: Of the request.
        send: Of the answer.
        upload: The body that comes in, None when it was read already or there is none.
    """

    def __init__(self, api: ApiOperation, receive: Receive, send: Send, *, upload: IncomingBody | None) -> None:
        self._api = api
        self._receive = receive
        self._send = send
        self._upload = upload
        self._gone: asyncio.Task[None] | None = None

    @property
    def upload(self) -> IncomingBody | None:
        """The body as it comes in."""
        return self._upload

    @property
    def outlet(self) -> Self:
        """Large bodies go out here."""
        return self

    @property
    def begun(self) -> bool:
        """Whether the head of an answer has gone out."""
        return self._gone is not None

    async def begin(
        self,
        intent_id: IntentId,
        data: JsonObject,
        media_type: str,  # noqa: ARG002 - a member of the data says it
    ) -> None:
        """Send the head of the answer.

        Raises:
            RenderError: the result does not fit the operation's model.
        """
        status, headers = head(self._api, data, request_id=intent_id)
        # From here on nothing is left to read but the end of the connection.
        self._gone = asyncio.create_task(self._until_gone())
        await self._send({"type": "http.response.start", "status": status, "headers": raw(headers)})

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


def raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI wants them; the bytes of their values are UTF-8."""
    encoded = [(name.encode("ascii"), value.encode("utf-8", "surrogateescape")) for name, value in headers.items()]
    # Clients read `cache-control` as a property of the object, so the guard must not add its own; no cache keeps what
    # varies by everything (RFC 9110, 12.5.5).
    own = [] if "cache-control" in headers else [(b"cache-control", b"")]
    return [*encoded, *own, (b"vary", b"*")]
