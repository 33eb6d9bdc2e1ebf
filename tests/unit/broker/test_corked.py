"""What is written in one turn of the loop leaves at once, in order, and all of it before the end."""

from __future__ import annotations

import asyncio
from typing import cast

from broker.corked import FLUSH_BYTES, CorkedTransport


class Paper:
    """A transport that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def close(self) -> None:
        self.told.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.told


def corked() -> tuple[CorkedTransport, Paper]:
    paper = Paper()
    return CorkedTransport(cast("asyncio.Transport", paper)), paper


async def turn() -> None:
    await asyncio.sleep(0)


async def test_writes_of_one_turn_leave_as_one_and_those_of_the_next_as_another() -> None:
    transport, paper = corked()
    transport.write(b"head")
    transport.write(b"body")
    assert paper.told == []
    await turn()
    transport.write(b"next")
    await turn()
    assert paper.told == [b"headbody", b"next"]


async def test_a_body_that_streams_leaves_as_it_comes() -> None:
    transport, paper = corked()
    transport.write(b"x" * (FLUSH_BYTES - 1))
    assert paper.told == []
    transport.write(b"y")
    assert paper.told == [b"x" * (FLUSH_BYTES - 1) + b"y"]
    await turn()
    assert len(paper.told) == 1


async def test_closing_sends_what_is_held_first() -> None:
    transport, paper = corked()
    transport.write(b"last")
    transport.close()
    assert paper.told == [b"last", "closed"]
    await turn()
    assert paper.told == [b"last", "closed"]


async def test_everything_else_is_the_transports_own() -> None:
    transport, paper = corked()
    assert not transport.is_closing()
    paper.close()
    assert transport.is_closing()
