"""An answer that comes as a stream: held back until it is one, handed on as it comes, measured whatever ends it.

    1 hold      what comes before any content is kept: until then another upstream may be asked
    2 hand on   content, each piece as it comes; an error in it is handed on, and then it is broken off
    3 end       an empty chunk, and the event that ends the answer: it is released after the outcome is durable
    4 settle    the usage, in one place, also when the client is gone, the session is killed or the stream is cut

A stream that ends without its last event was cut, however cleanly the connection was closed, and is never ended
cleanly here.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Final

from connectors.base import CallResult, JsonObject, UpstreamResponse
from connectors.errors import ConnectorError, OutcomeUnknownError
from connectors.llm.metering.tally import Follower, Piece, Tally
from connectors.llm.words import Phase
from connectors.streams import HeldBody
from connectors.usage import Usage

MAX_HELD_BYTES: Final = 1 << 20
"""Before any content, and after the end; an upstream that sends more is not answering."""
DRAIN_SECONDS: Final = 120
MAX_DRAINS: Final = 16
MAX_SERVED_CHARS: Final = 128
"""Of the name of a model as an upstream says it."""


class FailedInStreamError(Exception):
    """The upstream said in the stream, before any content, that it failed."""


class Drains:
    """How many streams nobody reads on are read to their end at once, in this process.

    Args:
        most: Over it, they are cut off and estimated.
        seconds: How long each may take.
    """

    def __init__(self, most: int = MAX_DRAINS, seconds: float = DRAIN_SECONDS) -> None:
        self._most = most
        self.seconds = seconds
        self.running = 0

    def __enter__(self) -> None:
        self.running += 1

    def __exit__(self, *_: object) -> None:
        self.running -= 1

    @property
    def full(self) -> bool:
        """Whether there is no room for another one."""
        return self.running >= self._most


def digest_of(body: bytes) -> JsonObject:
    """Return what the ledger keeps of an answer."""
    return {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


class Stream:
    """One streamed answer.

    Args:
        response: Of the upstream.
        follower: Reads it.
        measure: Makes usage of what was counted and how long the answer is, in bytes.
    """

    def __init__(self, response: UpstreamResponse, follower: Follower, measure: Callable[[Tally, int], Usage]) -> None:
        self._chunks = response.body
        self._follower = follower
        self._measure = measure
        self._held: list[Piece] = []
        self._dry = False
        self._broken = False
        self._ending = 0
        self._digest = hashlib.sha256()
        self._size = 0

    def usage(self) -> Usage:
        """Return what it came to so far; estimated unless the upstream has said its last word."""
        return self._measure(self._follower.tally, self._size)

    async def hold(self) -> None:
        """1: read on until there is content.

        Raises:
            FailedInStreamError: the upstream said that it failed.
            OutcomeUnknownError: the stream broke, or just ended.
        """
        size = 0
        while True:
            pieces = await self._next()
            if pieces is None or (self._dry and not self._follower.ended):
                raise OutcomeUnknownError("the answer ended before its first content")
            self._held += pieces
            size += sum(len(piece.raw) for piece in pieces)
            first = next((piece.phase for piece in pieces if piece.phase is not Phase.PRELUDE), None)
            if first is Phase.ERROR:
                raise FailedInStreamError
            if first is not None or size > MAX_HELD_BYTES:
                return

    def result(self, result: CallResult, stack: AsyncExitStack, drains: Drains | None) -> CallResult:
        """Return the result with its body; whatever holds it open ends with the body.

        Args:
            result: Without its body, with ``llm`` among its facts.
            stack: What holds the body open.
            drains: Read on when nobody else does; None to break it off.
        """
        result.usage = self.usage()

        async def settle() -> None:
            try:
                if drains is not None and not drains.full and self._is_abandoned():
                    await self._drain(drains)
            finally:
                result.usage = self.usage()
                result.facts["llm"]["answer"] = {"bytes": self._size, "sha256": self._digest.hexdigest()}
                if self._follower.tally.model:
                    result.facts["llm"]["served"] = self._follower.tally.model[:MAX_SERVED_CHARS]

        stack.push_async_callback(settle)
        result.body = HeldBody(self._body(), stack)
        result.live = True
        return result

    async def _body(self) -> AsyncGenerator[bytes, None]:
        pieces: list[Piece] | None = self._held
        try:
            while pieces is not None:
                for piece in pieces:
                    for chunk in self._chunks_of(piece):
                        yield chunk
                    if piece.phase is Phase.ERROR:
                        raise OutcomeUnknownError("the upstream failed in the middle of its answer")
                pieces = await self._next()
        except ConnectorError:
            self._broken = True
            # An answer that has its last event is whole, whatever becomes of the connection.
            if not self._follower.ended:
                raise
        if not self._follower.ended:
            self._broken = True
            raise OutcomeUnknownError("the answer ended without its last event")

    def _chunks_of(self, piece: Piece) -> Iterator[bytes]:
        if piece.phase is Phase.END or self._ending:
            if not self._ending:
                yield b""
            self._ending += 1 + len(piece.raw)
            if self._ending > MAX_HELD_BYTES:
                raise OutcomeUnknownError("the upstream goes on after the end of its answer")
        if piece.raw:
            self._digest.update(piece.raw)
            self._size += len(piece.raw)
            yield piece.raw

    async def _next(self) -> list[Piece] | None:
        """Return the next pieces; None after the last."""
        if self._dry:
            return None
        try:
            return self._follower.feed(await anext(self._chunks))
        except StopAsyncIteration:
            self._dry = True
            return self._follower.finish()

    def _is_abandoned(self) -> bool:
        """Tell whether the client is gone while the upstream still writes, and nobody has cut the call."""
        task = asyncio.current_task()
        cut = task is not None and task.cancelling() > 0
        return not (cut or self._dry or self._broken or self._follower.ended or self._follower.failure)

    async def _drain(self, drains: Drains) -> None:
        with drains:
            try:
                async with asyncio.timeout(drains.seconds):
                    while not self._follower.ended and await self._next() is not None:
                        pass
            except (TimeoutError, ConnectorError):
                pass  # what it said so far is counted, the rest estimated
