"""Carries out a plan on large files: asks the host, follows what it offers, and streams.

A transfer is two or three requests. The first, to the batch API, changes nothing. The second moves the bytes: a read is
handed on while it comes in and is whole only if size and digest are right; a write sends what was declared to be the
object, and no more. The third, after a write, tells the host that it is there, where the host wants that.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import orjson

from connectors.base import CallResult, JsonObject, Plan, Transport, UploadStream, UpstreamResponse
from connectors.errors import ConnectorError, NotSentError, OutcomeUnknownError, UpstreamRefusedError
from connectors.git.advertisement import refusal
from connectors.git.lfs.batch import AGENT, JSON, Batch, Offer, Step
from connectors.git.lfs.operations import LFS_WRITE, LfsObject, What
from connectors.streams import HeldBody
from connectors.usage import Usage

OBJECT_MEDIA_TYPE: Final = "application/octet-stream"
DOWNLOAD, UPLOAD, VERIFY = "download", "upload", "verify"

_OK: Final = 200
_REFUSED: Final = range(300, 500)
_TIMED_OUT: Final = 408
_CODES: Final = {404: "not-found", 410: "not-found", 403: "forbidden", 413: "too-large", 507: "too-large"}


async def execute_lfs(plan: Plan, authorization: str, transport: Transport) -> CallResult:
    """Send what a plan of `plan_lfs` says.

    Args:
        plan: The plan.
        authorization: Value of the ``Authorization`` header for the host of the connection.
        transport: The way out.

    Returns:
        For a batch ``objects``, each with ``oid``, ``size``, and ``present`` or ``error`` (``code`` and ``message``).
        Else ``oid`` and ``size``: for a download with its body, for an upload with ``stored``, which is False when the
        host had the object already.

    Raises:
        NotSentError: nothing was changed.
        UpstreamRefusedError: the host said no, and has not taken an object.
        UploadBrokenError: the body is not the object; the host got no whole one.
        OutcomeUnknownError: no definite answer came.
    """
    batch = Batch(plan.call["url"], authorization, transport)
    items = tuple(LfsObject.model_validate(each) for each in plan.call["objects"])
    operation = What.UPLOAD if plan.action == LFS_WRITE else What.DOWNLOAD
    try:
        offers = await batch.ask(operation, items)
    except OutcomeUnknownError as error:
        if plan.action != LFS_WRITE:
            raise
        # Asking changes nothing, so it is known what came of the write.
        raise NotSentError(f"nothing was stored: {error}") from error
    match What(plan.call["what"]):
        case What.BATCH:
            return CallResult({"objects": [_listed(offer, operation) for offer in offers]})
        case What.DOWNLOAD:
            return await _download(offers[0], transport)
        case What.UPLOAD:
            return await _upload(offers[0], transport, plan.stream)


def _listed(offer: Offer, operation: What) -> JsonObject:
    said: JsonObject = offer.item.model_dump()
    if offer.error_code:
        return {**said, "error": {"code": offer.error_code, "message": offer.error}}
    return {**said, "present": (DOWNLOAD in offer.steps) if operation is What.DOWNLOAD else UPLOAD not in offer.steps}


async def _download(offer: Offer, transport: Transport) -> CallResult:
    item, step = offer.item, _step(offer, DOWNLOAD)
    if step is None:
        raise UpstreamRefusedError("the git host does not have the object", code="not-found", status=404)
    headers = step.with_defaults({"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": AGENT})
    async with AsyncExitStack() as stack:
        response = await stack.enter_async_context(transport.request("GET", step.url, headers=headers))
        if response.status != _OK:
            raise refusal(response.status, response.headers)
        # Asked for as it is; an object that is encoded all the same could not be checked piece by piece.
        if response.headers.get("content-encoding", "identity") != "identity":
            raise UpstreamRefusedError("the git host encodes the object", code="bad-answer", status=_OK)
        other = OutcomeUnknownError("the git host sent something else than the object")
        whole = whole_object(response.body, oid=item.oid, size=item.size, otherwise=other)
        body = HeldBody(whole, stack.pop_all())
    return CallResult(item.model_dump(), body, OBJECT_MEDIA_TYPE, usage=Usage(response_bytes=item.size))


async def _upload(offer: Offer, transport: Transport, stream: UploadStream | None) -> CallResult:
    if stream is None:
        raise NotSentError("the plan has a body, and none came with it")
    item, step = offer.item, _step(offer, UPLOAD)
    if step is None or item.size == 0:
        # Read to its end all the same: nobody is told "stored" who does not have the object. And of a body without
        # bytes nothing could be held back.
        body: bytes | AsyncIterator[bytes] = b"".join([piece[:0] async for piece in stream])
    else:
        body = aiter(stream)
    if step is not None:
        await _put(step, item, body, transport)
        await _verify(offer, transport)
    data = {**item.model_dump(), "stored": step is not None}
    return CallResult(data, usage=Usage(request_bytes=item.size if step is not None else 0))


async def _put(step: Step, item: LfsObject, body: bytes | AsyncIterator[bytes], transport: Transport) -> None:
    length = {"Content-Length": str(item.size)}
    headers = step.with_defaults({"User-Agent": AGENT, "Content-Type": OBJECT_MEDIA_TYPE} | length)
    async with transport.request("PUT", step.url, headers=headers, body=body) as response:
        _check_write(response, "store the object")


async def _verify(offer: Offer, transport: Transport) -> None:
    step = offer.steps.get(VERIFY)
    if step is None:
        return
    body = orjson.dumps(offer.item.model_dump())
    try:
        async with transport.request("POST", step.url, headers=step.with_defaults(JSON), body=body) as response:
            _check_write(response, "keep the object")
    except NotSentError as error:
        raise OutcomeUnknownError("the object was sent, and the git host could not be told so") from error


def _check_write(response: UpstreamResponse, what: str) -> None:
    status = response.status
    if _OK <= status < _REFUSED.start:
        return
    if status in _REFUSED and status != _TIMED_OUT:
        code = "redirect" if status < 400 else _CODES.get(status, "rejected")  # noqa: PLR2004 - HTTP's classes
        raise UpstreamRefusedError(f"the git host does not {what} ({status})", code=code, status=status)
    raise OutcomeUnknownError(f"the git host failed to {what} ({status})")


def _step(offer: Offer, name: str) -> Step | None:
    if offer.error_code:
        code = _CODES.get(offer.error_code, "rejected")
        raise UpstreamRefusedError(offer.error, code=code, status=offer.error_code)
    return offer.steps.get(name)


async def whole_object(
    pieces: AsyncIterator[bytes], *, oid: str, size: int, otherwise: ConnectorError
) -> AsyncGenerator[bytes, None]:
    """Yield an object as it passes; its last piece only when all of it is what its name says.

    Args:
        pieces: What comes.
        oid: SHA-256 it must have, in hex.
        size: Bytes it must have.
        otherwise: Raised when it is anything else.
    """
    digest, left, held = hashlib.sha256(), size, b""
    async for piece in pieces:
        left -= len(piece)
        if left < 0:
            break
        digest.update(piece)
        if held:
            yield held
        held = piece
    if left or not hmac.compare_digest(digest.hexdigest(), oid):
        raise otherwise
    if held:
        yield held
