"""Bodies of answers: read whole under a cap, or handed on while they hold the connection they come from."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from types import TracebackType

from connectors.errors import OutcomeUnknownError


async def read_all(body: AsyncGenerator[bytes, None], limit: int) -> bytes:
    """Return the whole body.

    Args:
        body: Where it comes from.
        limit: Largest size in bytes.

    Raises:
        OutcomeUnknownError: it is larger, or it was cut.
    """
    parts: list[bytes] = []
    size = 0
    async for part in body:
        size += len(part)
        if size > limit:
            raise OutcomeUnknownError(f"the answer is larger than {limit} bytes")
        parts.append(part)
    return b"".join(parts)


class HeldBody(AsyncGenerator[bytes, None]):
    """A body that closes what holds it open when it ends, breaks or is closed.

    A plain generator would not do: closing one that was never started does not run its ``finally``, and the connection
    would stay open.

    Args:
        body: Where the chunks come from.
        stack: What holds it open.
    """

    def __init__(self, body: AsyncGenerator[bytes, None], stack: AsyncExitStack) -> None:
        self._body = body
        self._stack = stack

    async def asend(self, value: None) -> bytes:
        """Return the next chunk."""
        try:
            return await self._body.asend(value)
        except BaseException:  # the end and a cancelled reader too: whatever stops the body lets the connection go
            await self._stack.aclose()
            raise

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,  # noqa: ARG002 - the signature of AsyncGenerator
        tb: TracebackType | None = None,  # noqa: ARG002 - the signature of AsyncGenerator
        /,
    ) -> bytes:
        """Close everything and raise the given exception."""
        await self.aclose()
        raise typ

    async def aclose(self) -> None:
        """Close the body and what holds it open; twice is the same as once."""
        try:
            await self._body.aclose()
        finally:
            await self._stack.aclose()
