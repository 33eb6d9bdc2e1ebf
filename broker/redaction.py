"""Results on their way out: scanned with the real secret values, masked, and small or spooled.

The scan runs in the vault process, which alone holds the values; here are only bytes in and bytes out. A result that
cannot be scanned is not released.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol

import orjson

from broker.canonical import canonical_bytes
from broker.ids import IntentId
from broker.model import JsonObject
from broker.store.base import Outputs

CHUNK_BYTES: Final = 256 << 10
"""Size of a stored piece of a body: large enough to amortise a row, small enough for memory."""


class BodyTooLargeError(Exception):
    """The body is larger than what may be kept."""


class StreamScanner(Protocol):
    """Masks secrets in a stream, across chunk borders; implemented by the vault's client."""

    @property
    def hits(self) -> int:
        """Masked places so far."""

    async def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes and return those that are settled."""

    async def finish(self) -> bytes:
        """Return the rest."""


class Scrubber(Protocol):
    """What redaction needs of the vault."""

    async def scrub(self, data: bytes) -> tuple[bytes, int]:
        """Return ``data`` with every secret masked in place by ``*``, and how many there were."""

    def scanner(self) -> StreamScanner:
        """Return a scanner for one stream."""


class Sink(Protocol):
    """The way out for a body that is neither small nor kept."""

    async def begin(self, data: JsonObject) -> None:
        """Take the scanned parsed part of the result, before any of the body."""

    async def write(self, piece: bytes) -> None:
        """Take the next scanned piece of the body."""


@dataclass(frozen=True, slots=True)
class CleanResult:
    """A result fit to show.

    Args:
        data: The parsed part; without a sink a small body stands in it under ``body`` as base64.
        hits: Secrets that were masked.
        size: Bytes of the body, -1 when there was none.
        spooled: True when the body is kept in the outputs and not in ``data``.
        body: A small body, when there was a sink that it did not need.
        tail: The last piece of a body that went to the sink; None when none did.
    """

    data: JsonObject
    hits: int
    size: int = -1
    spooled: bool = False
    body: bytes | None = None
    tail: bytes | None = None


class Redactor:
    """Cleans results.

    Args:
        scrubber: Finds secrets.
        outputs: Keeps bodies that are too large for the answer.
        inline_bytes: Bodies up to this size go into the answer.
        max_bytes: Larger bodies are refused.
    """

    def __init__(self, scrubber: Scrubber, outputs: Outputs, *, inline_bytes: int, max_bytes: int) -> None:
        self._scrubber = scrubber
        self._outputs = outputs
        self._inline_bytes = inline_bytes
        self._max_bytes = max_bytes

    async def clean(
        self,
        intent_id: IntentId,
        data: JsonObject,
        body: AsyncGenerator[bytes, None] | None,
        sink: Sink | None = None,
        *,
        live: bool = False,
    ) -> CleanResult:
        """Return the result with every known secret masked.

        Args:
            intent_id: Under which a large body is kept.
            data: Parsed result.
            body: Streamed body; it is read to its end or closed.
            sink: Takes a large body instead of the outputs, but for its last piece.
            live: The sink takes the body from its first chunk on, each as it comes (`connectors.base.Body`).

        Raises:
            BodyTooLargeError: the body exceeds the limit; what was kept of it is dropped.
            VaultError: the scan could not run.
            OutcomeUnknownError: the stream was cut.
            StoreUnavailableError: the body could not be kept.
        """
        if body is None:
            return await self._inline(data, None)
        async with aclosing(body) as stream:
            if live and sink is not None:
                return await self._follow(data, stream, sink)
            head = bytearray()
            async for chunk in stream:
                head += chunk
                if len(head) > self._inline_bytes:
                    if sink is not None:
                        return await self._pass_on(data, bytes(head), stream, sink)
                    return await self._spool(intent_id, data, bytes(head), stream)
        return await self._inline(data, bytes(head), apart=sink is not None)

    async def _inline(self, data: JsonObject, body: bytes | None, *, apart: bool = False) -> CleanResult:
        # One round trip for both parts: masking keeps lengths, so the border stays where it was. The separator keeps a
        # secret from being found, or hidden, across it.
        raw = canonical_bytes(data)
        masked, hits = await self._scrubber.scrub(raw + b"\n\0\n" + (body or b""))
        if hits:
            data = _parsed(masked[: len(raw)])
        if body is None:
            return CleanResult(data, hits)
        clean = masked[len(raw) + 3 :]
        if apart:
            return CleanResult(data, hits, size=len(clean), body=clean)
        data = {**data, "body": {"encoding": "base64", "data": base64.b64encode(clean).decode()}}
        return CleanResult(data, hits, size=len(clean))

    async def _follow(self, data: JsonObject, stream: AsyncGenerator[bytes, None], sink: Sink) -> CleanResult:
        """Hand on chunk by chunk; what follows the empty chunk is kept back."""
        shown = await self._inline(data, None)
        scanner = self._scrubber.scanner()
        await sink.begin(shown.data)
        held, size, ending = b"", 0, False
        async for chunk in stream:
            ending = ending or not chunk
            clean = await scanner.feed(chunk) if chunk else b""
            size += len(clean)
            if ending:
                held += clean
            elif clean:
                await sink.write(clean)
        rest = await scanner.finish()
        return CleanResult(shown.data, shown.hits + scanner.hits, size=size + len(rest), tail=held + rest)

    async def _pass_on(
        self, data: JsonObject, head: bytes, rest: AsyncGenerator[bytes, None], sink: Sink
    ) -> CleanResult:
        shown = await self._inline(data, None)
        scanner = self._scrubber.scanner()
        await sink.begin(shown.data)
        held, size = b"", 0

        async def hand_on(piece: bytes) -> None:
            nonlocal held, size
            if piece:
                if held:
                    await sink.write(held)
                held, size = piece, size + len(piece)

        await hand_on(await scanner.feed(head))
        async for chunk in rest:
            await hand_on(await scanner.feed(chunk))
        await hand_on(await scanner.finish())
        return CleanResult(shown.data, shown.hits + scanner.hits, size=size, tail=held)

    async def _spool(
        self, intent_id: IntentId, data: JsonObject, head: bytes, rest: AsyncGenerator[bytes, None]
    ) -> CleanResult:
        shown = await self._inline(data, None)
        scanner = self._scrubber.scanner()
        spool = _Spool(self._outputs, intent_id, self._max_bytes)
        try:
            await spool.add(await scanner.feed(head))
            async for chunk in rest:
                await spool.add(await scanner.feed(chunk))
            await spool.add(await scanner.finish())
            await spool.flush()
        except BaseException:
            await self._outputs.discard(intent_id)
            raise
        return CleanResult(shown.data, shown.hits + scanner.hits, size=spool.size, spooled=True)


def _parsed(masked: bytes) -> JsonObject:
    """Return a masked result; one that is no JSON any more (a secret that looks like a number) is withheld whole."""
    try:
        parsed = orjson.loads(masked)
    except orjson.JSONDecodeError:
        return {"withheld": "the result held a secret where it could not be masked"}
    return parsed if isinstance(parsed, dict) else {}


class _Spool:
    """Collects bytes into pieces of `CHUNK_BYTES` and keeps them."""

    def __init__(self, outputs: Outputs, intent_id: IntentId, max_bytes: int) -> None:
        self._outputs = outputs
        self._intent_id = intent_id
        self._max_bytes = max_bytes
        self._held = bytearray()
        self._index = 0
        self.size = 0

    async def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self._max_bytes:
            raise BodyTooLargeError
        self._held += piece
        while len(self._held) >= CHUNK_BYTES:
            await self._write(bytes(self._held[:CHUNK_BYTES]))
            del self._held[:CHUNK_BYTES]

    async def flush(self) -> None:
        if self._held:
            await self._write(bytes(self._held))

    async def _write(self, piece: bytes) -> None:
        await self._outputs.append(self._intent_id, self._index, piece)
        self._index += 1
