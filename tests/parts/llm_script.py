"""What fake providers of models are told to answer, and how to fail."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Provider(StrEnum):
    """Whose wire format it is."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    AZURE = "azure"
    BEDROCK = "bedrock"


class Fault(StrEnum):
    """How an answer goes wrong; all but the first happen in a stream."""

    NO_ANSWER = "no-answer"
    """The connection ends without a byte."""
    ERROR_BEFORE_CONTENT = "error-before-content"
    """200, what stands before any content, the provider's error event, a clean end."""
    ERROR_AMID_CONTENT = "error-amid-content"
    CUT_BEFORE_CONTENT = "cut-before-content"
    """The connection ends within the answer."""
    CUT_AMID_CONTENT = "cut-amid-content"
    TRUNCATED = "truncated"
    """Some content, then the end of the HTTP answer as if that were all."""
    BAD_SUM = "bad-sum"
    """A frame amid the content has another byte than its sum was made of; of Bedrock only."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answers, in the words of no provider.

    Args:
        text: Its text, streamed word by word.
        thinking: What it thought before; empty for nothing.
        tool: Name of the tool it calls; empty for none.
        arguments: Of the tool.
        input_tokens: Read, without those of the two caches.
        output_tokens: Written.
        cache_read: Read from the cache.
        cache_write: Written to the cache, those of an hour among them; Anthropic's alone.
        cache_write_1h: Of these, for an hour.
        reasoning: Of those written, how many nobody sees; OpenAI's alone.
        more_usage: Further fields of Anthropic's usage.
        deltas: How many ``message_delta`` events Anthropic sends; each says all there was up to it.
        incomplete: The answer ends since it became too long.
        failed: OpenAI's Responses end with ``response.failed``.
    """

    text: str = "hello from the fake provider"
    thinking: str = ""
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    input_tokens: int = 42
    output_tokens: int = 17
    cache_read: int = 1000
    cache_write: int = 200
    cache_write_1h: int = 0
    reasoning: int = 0
    more_usage: Mapping[str, Any] = field(default_factory=dict)
    deltas: int = 1
    incomplete: bool = False
    failed: bool = False


class Gate:
    """Lets a server go on, one pass after the other; nothing waits for a clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._passes = asyncio.Semaphore(0)
        self.reached = threading.Event()
        """Set when the server waits here for the first time."""

    def release(self, passes: int = 1) -> None:
        """Let so many waits end; from any thread."""
        for _ in range(passes):
            self._loop.call_soon_threadsafe(self._passes.release)

    async def wait(self) -> None:
        """Wait for a pass; in the server."""
        self.reached.set()
        await self._passes.acquire()


@dataclass(frozen=True, slots=True)
class Step:
    """How one request is answered.

    Args:
        reply: What the model says; None to let the request decide, see `Providers.command`.
        status: HTTP status; above 399 the answer is an error in the provider's own envelope.
        headers: Further headers of the answer, ``retry-after`` for one.
        error: Type and message of the error, where the status or a fault makes one; None for the usual one.
        fault: How it goes wrong.
        first_byte: Waits there before the head of the answer.
        drip: Waits there before each event of a stream.
    """

    reply: Reply | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: tuple[str, str] | None = None
    fault: Fault | None = None
    first_byte: Gate | None = None
    drip: Gate | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream.

    Args:
        raw: As it goes over the wire.
        content: Whether it is content, so that no other provider can be asked any more.
    """

    raw: bytes
    content: bool = False
