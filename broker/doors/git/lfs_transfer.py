"""Objects of Git LFS through the door: streamed either way, and whole only when they are what their name says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Final

from starlette.types import Send

from broker.doors.git.bodies import RequestBody
from broker.doors.git.exchange import PackExchange
from broker.doors.git.lfs_request import LfsRefusedError, LfsRequest, send_document, submit
from broker.doors.outlet import RawHeaders, StreamedAnswer
from broker.doors.outputs import inline_body
from broker.doors.ports import BrokerPort
from broker.doors.requests import header
from broker.ids import IntentId
from broker.model import JsonObject
from broker.outcome import Outcome
from connectors.errors import UploadBrokenError
from connectors.git.lfs.operations import LFS_READ, LFS_WRITE, What
from connectors.git.lfs.transfer import whole_object

_OCTETS: Final = b"application/octet-stream"


async def download(broker: BrokerPort, request: LfsRequest, oid: str, size: int) -> None:
    """Send an object, small or while it comes in.

    Args:
        broker: Takes the intent.
        request: The request.
        oid: SHA-256 of the object.
        size: Its bytes, as the client says; another one is refused.

    Raises:
        LfsRefusedError: it is not sent.
        ClientGoneError: nobody reads on.
    """

    def head(intent_id: IntentId, _data: JsonObject, _media_type: str) -> tuple[int, RawHeaders]:
        return 200, _object_headers(intent_id, size)

    exchange = StreamedAnswer(head, request.receive, request.send)
    params: JsonObject = {"repo": request.place.repo, "what": What.DOWNLOAD.value, "oid": oid, "size": size}
    try:
        outcome = await submit(broker, request, LFS_READ, params, exchange)
        if exchange.begun:
            if outcome.streamed:
                await exchange.finish()
            return  # one that was cut has no end, so the client sees that it was
        body = outcome.body if outcome.body is not None else inline_body(outcome)
        if body is None and outcome.output_bytes >= 0:
            await _send_kept(broker, request, outcome, size)
        else:
            await _send_object(request.send, _object_headers(outcome.intent_id, size), body or b"", size)
    finally:
        exchange.close()


async def _send_kept(broker: BrokerPort, request: LfsRequest, outcome: Outcome, size: int) -> None:
    """Send an object that a worker got after people allowed it."""
    async with aclosing(broker.outputs.read(IntentId(outcome.intent_id))) as chunks:
        first = await anext(chunks, b"")
        if outcome.output_bytes != size or (size and not first):
            raise LfsRefusedError(410, "ostiary: the object is no longer kept; ask again", outcome.intent_id)
        headers = _object_headers(outcome.intent_id, size)
        await request.send({"type": "http.response.start", "status": 200, "headers": headers})
        await request.send({"type": "http.response.body", "body": first, "more_body": True})
        left = size - len(first)
        async for chunk in chunks:
            left -= len(chunk)
            await request.send({"type": "http.response.body", "body": chunk, "more_body": True})
        if not left:
            await request.send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_object(send: Send, headers: RawHeaders, body: bytes, size: int) -> None:
    if len(body) != size:
        raise LfsRefusedError(502, "ostiary: the object has another size than it was asked for with")
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def upload(broker: BrokerPort, request: LfsRequest, oid: str, size: int) -> None:
    """Take an object; it is read when policy allows it.

    Args:
        broker: Takes the intent.
        request: The request.
        oid: SHA-256 of the object.
        size: Its bytes.

    Raises:
        LfsRefusedError: it is not stored.
    """
    length = header(request.scope, b"content-length")
    if length not in ("", str(size)):
        raise LfsRefusedError(422, "ostiary: the body has another length than the object")
    params: JsonObject = {
        "repo": request.place.repo,
        "what": What.UPLOAD.value,
        "oid": oid,
        "size": size,
        "body": {"upload": {"bytes": size, "sha256": oid}},
    }
    incoming = RequestBody(request.scope, request.receive)
    try:
        exchange = PackExchange(ObjectBody(incoming, oid, size))
        outcome = await submit(broker, request, LFS_WRITE, params, exchange)
    except LfsRefusedError:
        await incoming.drain()
        raise
    await send_document(request.send, 200, {"request_id": outcome.intent_id})


class ObjectBody:
    """An object on its way in, held to its name; implements `connectors.base.UploadStream`.

    Args:
        body: Of the request.
        oid: SHA-256 it must have.
        size: Bytes it must have.
    """

    trailers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, body: RequestBody, oid: str, size: int) -> None:
        self._body = body
        self._oid = oid
        self._size = size

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the pieces, the last one when all of them have been looked at.

        Reading raises UploadBrokenError when it is not the object, or not whole.
        """
        other = UploadBrokenError("the body is not the object it is named as")
        return whole_object(self._body.pieces(), oid=self._oid, size=self._size, otherwise=other)


def _object_headers(intent_id: str, size: int) -> RawHeaders:
    length = str(size).encode()
    return [(b"content-type", _OCTETS), (b"content-length", length), (b"ostiary-intent", intent_id.encode())]
