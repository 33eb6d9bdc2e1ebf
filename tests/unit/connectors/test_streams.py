from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from connectors.errors import OutcomeUnknownError
from connectors.streams import HeldBody, read_all


class Source:
    """Two chunks, and a note of what became of them."""

    def __init__(self) -> None:
        self.ended = False
        self.released = 0

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b"ab"
            yield b"cd"
        finally:
            self.ended = True

    def held(self) -> HeldBody:
        stack = AsyncExitStack()
        stack.callback(self.release)
        return HeldBody(self.chunks(), stack)

    def release(self) -> None:
        self.released += 1


async def test_a_body_read_whole_lets_go_once() -> None:
    source = Source()
    assert await read_all(source.held(), 4) == b"abcd"
    assert (source.ended, source.released) == (True, 1)


async def test_a_body_over_the_limit_is_not_read_on() -> None:
    source = Source()
    body = source.held()
    with pytest.raises(OutcomeUnknownError, match="larger than 3 bytes"):
        await read_all(body, 3)
    await body.aclose()
    assert (source.ended, source.released) == (True, 1)


async def test_a_body_never_started_lets_go_when_closed() -> None:
    source = Source()
    await source.held().aclose()
    assert source.released == 1


async def test_a_body_closed_half_way_ends_its_source_and_lets_go_once() -> None:
    source = Source()
    body = source.held()
    assert await anext(body) == b"ab"
    await body.aclose()
    await body.aclose()
    assert (source.ended, source.released) == (True, 1)
    with pytest.raises(StopAsyncIteration):
        await anext(body)


async def test_an_exception_thrown_in_ends_the_source_and_comes_out() -> None:
    source = Source()
    body = source.held()
    await anext(body)
    with pytest.raises(KeyError):
        await body.athrow(KeyError("why"))
    assert (source.ended, source.released) == (True, 1)
