"""Bodies that come in with an intent, and where they wait when people are asked first.

A body that streams in is declared in the params, ``{"Body": {"upload": {"bytes": 5, "sha256": "…"}}}``. Where policy
allows the intent it goes straight through. Where it asks people, the body is kept until they have answered: its digest
becomes part of the params, so that what they approve is bound to these bytes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import replace
from typing import Final

from broker.ids import IntentId
from broker.model import IntentDraft, JsonObject
from broker.store.base import Outputs
from broker.store.outputs import WAITING
from connectors.base import UploadStream
from connectors.errors import UploadBrokenError

UPLOAD: Final = "upload"
"""The one member of the object that stands where the body would."""

CHUNK_BYTES: Final = 256 << 10
"""Size of a kept piece; as of results."""


class UploadTooLargeError(Exception):
    """The body is larger than what may be kept."""


def declared(params: JsonObject) -> tuple[str, JsonObject] | None:
    """Return the param that declares a body that streams in, with its declaration; None when none does."""
    for name, value in params.items():
        said = value.get(UPLOAD) if isinstance(value, dict) and value.keys() == {UPLOAD} else None
        if isinstance(said, dict) and type(said.get("bytes")) is int:  # an item of DynamoDB may have that name too
            return name, said
    return None


def kept_as(intent_id: IntentId) -> IntentId:
    """Return the name under which the outputs keep the body of an intent."""
    return IntentId(WAITING + intent_id.removeprefix("int_"))


async def keep(
    outputs: Outputs, intent_id: IntentId, draft: IntentDraft, stream: UploadStream, *, max_bytes: int
) -> IntentDraft:
    """Keep the body of a draft and return the draft that is bound to it.

    Args:
        outputs: Where it is kept.
        intent_id: The intent it belongs to.
        draft: Declares the body.
        stream: The body.
        max_bytes: Most bytes of it.

    Raises:
        UploadBrokenError: it ended early or is not the one that was declared.
        UploadTooLargeError: it is larger than ``max_bytes``.
        StoreUnavailableError: it cannot be kept.
    """
    found = declared(draft.params)
    if found is None:
        raise UploadBrokenError("the params declare no body")
    name, said = found
    try:
        digest, trailers = await _spool(outputs, kept_as(intent_id), stream, max_bytes)
    except BaseException:
        await drop(outputs, intent_id)
        raise
    bound = {**said, "sha256": digest}
    if said.get("trailer"):
        bound["trailing"] = trailers.get(str(said["trailer"]), "")
    return replace(draft, params={**draft.params, name: {UPLOAD: bound}})


async def drop(outputs: Outputs, intent_id: IntentId) -> None:
    """Drop the kept body of an intent; fine when there is none."""
    await outputs.discard(kept_as(intent_id))


async def _spool(
    outputs: Outputs, name: IntentId, stream: UploadStream, max_bytes: int
) -> tuple[str, Mapping[str, str]]:
    digest, held, size, index = hashlib.sha256(), bytearray(), 0, 0
    async for piece in stream:
        digest.update(piece)
        size += len(piece)
        if size > max_bytes:
            raise UploadTooLargeError
        held += piece
        while len(held) >= CHUNK_BYTES:
            await outputs.append(name, index, bytes(held[:CHUNK_BYTES]))
            del held[:CHUNK_BYTES]
            index += 1
    if held:
        await outputs.append(name, index, bytes(held))
    return digest.hexdigest(), stream.trailers


class KeptUpload:
    """A kept body, on its way out at last; implements `connectors.base.UploadStream`.

    Args:
        outputs: Where it is kept.
        intent_id: The intent it belongs to.
        sha256: Hex digest of what was kept.
    """

    def __init__(self, outputs: Outputs, intent_id: IntentId, sha256: str) -> None:
        self._chunks: AsyncGenerator[bytes, None] = outputs.read(kept_as(intent_id))
        self._sha256 = sha256

    async def __aiter__(self) -> AsyncIterator[bytes]:
        digest, last = hashlib.sha256(), b""
        async for chunk in self._chunks:
            digest.update(chunk)
            if last:
                yield last
            last = chunk
        if not hmac.compare_digest(digest.hexdigest(), self._sha256):
            raise UploadBrokenError("the body is no longer kept, or is not the one that was approved")
        if last:
            yield last

    @property
    def trailers(self) -> Mapping[str, str]:
        """None: what was said after the body is in the params by now."""
        return {}
