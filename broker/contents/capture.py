"""What is heard of one call: the request as the client sent it, the answer as it was handed to the client.

A capture stands beside an execution and changes nothing of it: it takes the pieces that pass, up to a bound, and counts
the rest. For a project that keeps nothing it is deaf.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from broker.config.content import ContentTerms, Store
from broker.model import IntentRecord, JsonObject
from broker.redaction import CleanResult
from connectors.base import Plan, UploadStream

MAX_PART_BYTES: Final = 8 << 20
"""Of a prompt, and of an answer: four times what the largest context of a model takes; the rest is cut."""
STEP_BYTES: Final = 64 << 10
"""What a part may hold before it asks whether there is room for more."""


class ContentPart(StrEnum):
    """What can be kept of a call."""

    PROMPT = "prompt"
    """The body of the request, as the client sent it."""
    ANSWER = "answer"
    """The body of the answer, as the client got it."""


class Heard:
    """The bytes of one part that passed.

    Args:
        room: Tells whether the process has room for more; None to hear nothing.
    """

    __slots__ = ("_most", "_room", "held", "size")

    def __init__(self, room: Callable[[], bool] | None) -> None:
        self._room = room
        self._most = STEP_BYTES
        self.held = bytearray()
        self.size = 0

    @property
    def cut(self) -> bool:
        """Whether more passed than is held."""
        return self.size > len(self.held)

    def take(self, piece: bytes) -> None:
        """Take the next piece; once one was cut, nothing is taken any more."""
        if self._room is None:
            return
        whole = not self.cut
        self.size += len(piece)
        while self._most < min(self.size, MAX_PART_BYTES) and whole and self._room():
            self._most = min(self._most + STEP_BYTES, MAX_PART_BYTES)
        if whole:
            self.held += piece[: self._most - len(self.held)]

    def clear(self) -> None:
        """Forget what passed: it comes again from its beginning."""
        self.held.clear()
        self.size = 0


class HeardUpload:
    """An upload that is heard while somebody else reads it; implements `connectors.base.UploadStream`.

    Args:
        stream: The upload.
        heard: Hears it.
    """

    def __init__(self, stream: UploadStream, heard: Heard) -> None:
        self._stream = stream
        self._heard = heard

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces."""
        self._heard.clear()
        async for piece in self._stream:
            self._heard.take(piece)
            yield piece

    @property
    def trailers(self) -> Mapping[str, str]:
        """What was said after the body."""
        return self._stream.trailers


class Capture:
    """What is heard of one call.

    Args:
        record: The intent.
        terms: What its project keeps.
        room: As in `Heard`.
    """

    def __init__(self, record: IntentRecord, terms: ContentTerms, room: Callable[[], bool]) -> None:
        wanted = terms.store is not Store.NONE
        self.record = record
        self.terms = terms
        self.prompt = Heard(room if wanted else None)
        self.answer = Heard(room if wanted else None)
        self.spooled = False
        self.ended = False

    @property
    def wanted(self) -> bool:
        """Whether anything is heard at all."""
        return self.terms.store is not Store.NONE

    @property
    def held_bytes(self) -> int:
        """What is held in memory."""
        return len(self.prompt.held) + len(self.answer.held)

    def listen(self, plan: Plan) -> Plan:
        """Return the plan, with its body heard when it is sent."""
        if not self.wanted:
            return plan
        if plan.stream is not None:
            return replace(plan, stream=HeardUpload(plan.stream, self.prompt))
        self.prompt.take(plan.payload)
        return plan

    def finish(self, clean: CleanResult) -> None:
        """Take what is left of an answer that came to its end.

        Args:
            clean: The result, as it is released.
        """
        if not self.wanted:
            return
        self.ended = True
        self.spooled = clean.spooled
        inline = _inline(clean.data.get("body")) if clean.body is None and clean.tail is None else b""
        for piece in (clean.body, clean.tail, inline):
            self.answer.take(piece or b"")

    def refuse(self, data: JsonObject) -> None:
        """Take the upstream's own no.

        Args:
            data: The parsed result, as it is released.
        """
        if self.wanted:
            self.ended = True
            self.answer.take(_inline(data.get("body")))


def _inline(body: object) -> bytes:
    """Return the bytes of a body that stands in a result: as base64, or as text in an upstream's no."""
    if not isinstance(body, dict):
        return b""
    text, data = body.get("text"), body.get("data")
    if isinstance(text, str):
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except binascii.Error:  # a masked secret stands in it
        return b""
