"""Streams that come when a test says so, and how they are followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

from connectors.base import CallResult, Connection, UpstreamResponse
from connectors.errors import OutcomeUnknownError
from connectors.llm.connector import LlmConnector
from tests.fakes import Answer
from tests.unit.connectors.llm.desk import (
    ANTHROPIC,
    BLOCK,
    DELTA,
    EVENTS,
    MESSAGE,
    START,
    STREAM,
    connection,
    executed,
    lease,
    planned,
    raw,
)

ASKED = raw(MESSAGE, stream=True)
WHOLE = b"".join(STREAM)
DRAINING = connection({**ANTHROPIC, "on_disconnect": "drain"})
CUT = OutcomeUnknownError("the connection broke")


async def begun(*chunks: bytes, cut: Exception | None = None, where: Connection | None = None) -> CallResult:
    """A stream of Anthropic's that has begun."""
    chosen = where or connection()
    result, _ = await executed(planned(ASKED, chosen), Answer(200, EVENTS, chunks, cut), where=chosen)
    return result


async def followed(result: CallResult) -> tuple[list[bytes], Exception | None]:
    """The chunks of a body, and what ended it."""
    chunks: list[bytes] = []
    assert result.body is not None
    try:
        async for chunk in result.body:
            chunks.append(chunk)  # noqa: PERF401 - what came before an error is wanted too
    except OutcomeUnknownError as error:
        return chunks, error
    return chunks, None


class Fed:
    """A transport whose answer comes when a test says so, and which tells what was read and whether it is open."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.awaited = asyncio.Event()
        self.read = 0
        self.open = False

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes] = b"",
        patience_seconds: float = 0.0,
    ) -> AsyncIterator[UpstreamResponse]:
        self.open = True
        chunks = self._chunks()
        try:
            yield UpstreamResponse(200, EVENTS, chunks)
        finally:
            await chunks.aclose()
            self.open = False

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        while (chunk := await self._next()) is not None:
            self.read += 1
            yield chunk

    async def _next(self) -> bytes | None:
        if self._queue.empty():
            self.awaited.set()
        return await self._queue.get()

    def say(self, *chunks: bytes | None) -> None:
        self.awaited.clear()
        for chunk in chunks:
            self._queue.put_nowait(chunk)


async def started(fed: Fed, where: Connection | None = None, connector: LlmConnector | None = None) -> CallResult:
    fed.say(START, BLOCK, DELTA)
    chosen = where or connection()
    return await (connector or LlmConnector()).execute(planned(ASKED, chosen), chosen, lease(), fed)
