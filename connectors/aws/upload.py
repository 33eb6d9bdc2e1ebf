"""Bodies that come in while a request is on its way out: objects of S3, and parts of them.

Three ways to bind such a body to its signature, the first that fits:

1. Its sender says a checksum after it: sent in chunks with that trailer, signed without a digest ("Signature
   calculations: transferring payload in multiple chunks", Amazon S3 API Reference). S3 compares the checksum.
2. Its sender declared a digest: signed with it, so that S3 takes no other bytes.
3. Neither: signed as an unsigned payload; to AWS that is over TLS.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from connectors.aws import s3
from connectors.aws.model import ApiOperation
from connectors.aws.words import json_type
from connectors.base import JsonObject, Plan, Upload, UploadStream
from connectors.errors import InvalidParamsError, NotSentError, UploadBrokenError

MAX_BYTES: Final = 5 << 30
"""One object or part in one request, Amazon S3 User Guide, "Amazon S3 multipart upload limits"."""
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
CHUNKED: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CHUNK_BYTES: Final = 64 << 10
"""Size of all chunks but the last; S3 wants 8 KB at least."""

_MEMBER: Final = "upload"
_SAID: Final = frozenset({"bytes", "sha256", "trailer", "trailing"})
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_VALUE: Final = re.compile(r"[A-Za-z0-9+/]{4,96}={0,2}", re.ASCII)
_SIZES: Final[dict[str, int]] = {"crc32": 8, "crc32c": 8, "crc64nvme": 12, "sha1": 28, "sha256": 44}
"""Characters of each checksum in base64."""
_CHECKSUM: Final = "x-amz-checksum-"


def takes_upload(api: ApiOperation) -> bool:
    """Tell whether the body of an operation may come in while it is sent."""
    return api.service == s3.NAME and bool(api.payload) and bool(api.model.has_streaming_input)


def declared(api: ApiOperation, value: Any) -> Upload:  # noqa: ANN401 - JSON as received
    """Return the body that a param declares: ``{"upload": {"bytes": 5, "sha256": "…"}}``.

    Args:
        api: The operation.
        value: Of its payload member; an object.

    Raises:
        InvalidParamsError: it declares none, or the operation takes its body in base64 only.
    """
    if not takes_upload(api):
        raise InvalidParamsError(f"`{api.payload}` of `{api.action}` must be a string in base64, found an object")
    said = value.get(_MEMBER) if value.keys() == {_MEMBER} else None
    if type(said) is not dict or not {"bytes"} <= said.keys() <= _SAID:
        raise InvalidParamsError(
            f"`{api.payload}` declares no body",
            fix='as {"upload": {"bytes": 5, "sha256": "…"}}; the digest may be left out',
        )
    size = said["bytes"]
    if type(size) is not int or not 0 <= size <= MAX_BYTES:
        raise InvalidParamsError(f"`bytes` of `{api.payload}` must be a whole number from 0 to {MAX_BYTES}")
    texts = {name: _text(api, name, said[name]) for name in said if name != "bytes"}
    return Upload(size, texts.get("sha256", ""), texts.get("trailer", ""), texts.get("trailing", ""))


def check_together(params: JsonObject, upload: Upload) -> None:
    """Refuse members that contradict the body that was declared, or that only who has the body could fill.

    Args:
        params: Canonical params.
        upload: The body.

    Raises:
        InvalidParamsError: they do.
    """
    if params.get("ContentLength", upload.size_bytes) != upload.size_bytes:
        raise InvalidParamsError("`ContentLength` is not the number of bytes of the upload")
    algorithm = params.get("ChecksumAlgorithm")
    if algorithm is None or f"Checksum{algorithm}" in params:
        return
    if upload.trailer != f"{_CHECKSUM}{str(algorithm).lower()}":
        raise InvalidParamsError(
            "`ChecksumAlgorithm` of a body that streams in needs the checksum too", fix=f"give `Checksum{algorithm}`"
        )


def call_of(upload: Upload) -> JsonObject:
    """Return what stands of an upload in the call of a plan."""
    said = {"sha256": upload.sha256, "trailer": upload.trailer, "trailing": upload.trailing}
    return {"bytes": upload.size_bytes, **{name: text for name, text in said.items() if text}}


def in_chunks(upload: Upload) -> bool:
    """Tell whether a body is sent in chunks, for a trailer nobody knows yet."""
    return bool(upload.trailer) and not upload.trailing


def signed_as(upload: Upload) -> str:
    """Return the digest or the marker that is signed in place of one."""
    return CHUNKED if in_chunks(upload) else upload.sha256 or UNSIGNED


def headers_of(upload: Upload, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers about a body that streams.

    Args:
        upload: The body.
        headers: Headers so far, lower-case names.
    """
    if not in_chunks(upload):
        known = {upload.trailer: upload.trailing} if upload.trailing else {}
        return {**known, "content-length": str(upload.size_bytes)}
    encoding = headers.get("content-encoding")
    return {
        "content-encoding": f"aws-chunked,{encoding}" if encoding else "aws-chunked",
        "content-length": str(_chunked_bytes(upload)),
        "x-amz-decoded-content-length": str(upload.size_bytes),
        "x-amz-trailer": upload.trailer,
    }


async def body_of(plan: Plan) -> bytes | AsyncIterator[bytes]:
    """Return what is sent for the body of a plan.

    Of a body without bytes nothing could be held back, so it is looked at here, before anything is sent.

    Raises:
        NotSentError: none came with the plan.
        UploadBrokenError: it is without bytes, and not what was declared.
    """
    if plan.upload is None or plan.stream is None:
        raise NotSentError("the plan has a body, and none came with it")
    exact = _exactly(plan.stream, plan.upload.size_bytes)
    if plan.upload.size_bytes == 0 and not in_chunks(plan.upload):
        return b"".join([piece async for piece in exact])
    return _chunks(plan.stream, exact, plan.upload) if in_chunks(plan.upload) else exact


async def _exactly(stream: UploadStream, size: int) -> AsyncIterator[bytes]:
    left = size
    async for piece in stream:
        left -= len(piece)
        if left < 0:
            raise UploadBrokenError(f"the body is longer than the {size} bytes that were declared")
        yield piece
    if left:
        raise UploadBrokenError(f"the body is {left} bytes shorter than was declared")


async def _chunks(stream: UploadStream, pieces: AsyncIterator[bytes], upload: Upload) -> AsyncIterator[bytes]:
    held = bytearray()
    async for piece in pieces:
        held += piece
        while len(held) >= CHUNK_BYTES:
            yield _framed(bytes(held[:CHUNK_BYTES]))
            del held[:CHUNK_BYTES]
    if held:
        yield _framed(bytes(held))
    value = stream.trailers.get(upload.trailer, "")
    if _VALUE.fullmatch(value) is None or len(value) != _value_bytes(upload):
        raise UploadBrokenError(f"the body ended without the trailer `{upload.trailer}`")
    yield f"0\r\n{upload.trailer}:{value}\r\n\r\n".encode()


def _framed(chunk: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(chunk), chunk)


def _chunked_bytes(upload: Upload) -> int:
    whole, rest = divmod(upload.size_bytes, CHUNK_BYTES)
    size = whole * len(_framed(bytes(CHUNK_BYTES)))
    if rest:
        size += rest + len(f"{rest:x}") + 4
    return size + len(f"0\r\n{upload.trailer}:\r\n\r\n") + _value_bytes(upload)


def _value_bytes(upload: Upload) -> int:
    return _SIZES[upload.trailer.removeprefix(_CHECKSUM)]


def _text(api: ApiOperation, name: str, value: Any) -> str:  # noqa: ANN401 - JSON as received
    if type(value) is not str:
        raise InvalidParamsError(f"`{name}` of `{api.payload}` must be a string, found {json_type(value)}")
    good = {
        "sha256": _DIGEST.fullmatch(value) is not None,
        "trailer": value.startswith(_CHECKSUM) and value.removeprefix(_CHECKSUM) in _SIZES,
        "trailing": _VALUE.fullmatch(value) is not None,
    }
    if not good[name]:
        raise InvalidParamsError(f"`{name}` of `{api.payload}` is no such text", fix="leave it out, or give it whole")
    return value
