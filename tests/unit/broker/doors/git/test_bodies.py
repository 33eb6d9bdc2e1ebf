from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from broker.doors.git import bodies
from broker.doors.git.bodies import Pack, RequestBody, read_bounded
from connectors.errors import InvalidParamsError, UploadBrokenError
from tests.parts.git_wire import joined, pieces
from tests.parts.hurried import hurried

LIMIT = 1 << 20


class Sender:
    """A body in messages, and what its sender does after them."""

    def __init__(self, *messages: bytes, ends: bool = True, encoding: str = "", pause: float = 0) -> None:
        self.left = list(messages)
        self.ends = ends
        self.pause = pause
        headers = [(b"content-encoding", encoding.encode())] if encoding else []
        self.body = RequestBody({"headers": headers}, self.receive)

    async def receive(self) -> Message:
        await asyncio.sleep(self.pause)
        if not self.left:
            return {"type": "http.disconnect"}
        body = self.left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self.left) or not self.ends}


async def read(sender: Sender, limit: int = LIMIT) -> bytes:
    return await read_bounded(sender.body.pieces(), limit)


async def test_a_plain_body_comes_as_it_was_sent() -> None:
    sender = Sender(b"one", b"", b"two")
    assert [piece async for piece in sender.body.pieces()] == [b"one", b"two"]
    assert sender.body.ended


async def test_a_message_without_a_body_is_its_end() -> None:
    async def receive() -> Message:
        return {"type": "http.request"}

    body = RequestBody({"headers": []}, receive)
    assert [piece async for piece in body.pieces()] == []
    assert body.ended


@given(data=st.binary(max_size=3000), size=st.integers(1, 700), level=st.integers(0, 9))
def test_a_packed_body_is_unpacked_however_it_is_cut(data: bytes, size: int, level: int) -> None:
    packed = gzip.compress(data * 40, level)
    sender = Sender(*(packed[at : at + size] for at in range(0, len(packed), size)), encoding="GZIP")
    assert hurried(read(sender)) == data * 40


async def test_a_packed_body_may_end_with_an_empty_message() -> None:
    assert await read(Sender(gzip.compress(b"one"), b"", encoding="x-gzip")) == b"one"


@pytest.mark.req("A3")
async def test_a_bomb_is_unpacked_piece_by_piece_and_no_further_than_it_is_read() -> None:
    sender = Sender(gzip.compress(b"\0" * (16 << 20)), encoding="gzip")
    first = await anext(sender.body.pieces())
    assert 0 < len(first) <= 256 << 10
    with pytest.raises(InvalidParamsError):
        await read(Sender(gzip.compress(b"\0" * (16 << 20)), encoding="gzip"))


PACKED = gzip.compress(b"hello" * 100)
BROKEN = {
    "no gzip": [b"hello, world, this is no gzip at all"],
    "zlib": [zlib.compress(b"hello")],
    "cut": [PACKED[:-1]],
    "cut in the middle": [PACKED[:10], PACKED[10:15]],
    "nothing": [b""],
    "a wrong checksum": [PACKED[:-8] + b"\0" * 8],
    "something behind": [PACKED + b"x"],
    "another member": [PACKED, PACKED],
    "something in a message of its own behind": [PACKED, b"x"],
}


@pytest.mark.parametrize("messages", BROKEN.values(), ids=BROKEN)
async def test_what_is_not_one_whole_gzip_member_is_broken(messages: list[bytes]) -> None:
    with pytest.raises(UploadBrokenError):
        await read(Sender(*messages, encoding="gzip"))


@pytest.mark.parametrize("encoding", ["deflate", "br", "gzip, gzip", "zstd", "gzipx"])
def test_an_encoding_git_never_uses_is_refused(encoding: str) -> None:
    with pytest.raises(InvalidParamsError):
        Sender(encoding=encoding)


async def test_a_body_over_its_limit_is_read_no_further() -> None:
    sender = Sender(*[b"x" * 10] * 9)
    with pytest.raises(InvalidParamsError):
        await read(sender, 50)
    assert len(sender.left) == 3
    assert await read(Sender(b"x" * 50), 50) == b"x" * 50


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_a_client_that_goes_away_breaks_the_body(encoding: str) -> None:
    sender = Sender(PACKED[:9], ends=False, encoding=encoding)
    with pytest.raises(UploadBrokenError):
        await read(sender)
    assert sender.body.ended, "there is nothing to be drained"


def test_a_client_that_stands_still_breaks_the_body() -> None:
    assert hurried(read(Sender(b"a", b"b", pause=bodies.IDLE_SECONDS - 1))) == b"ab"
    with pytest.raises(UploadBrokenError):
        hurried(read(Sender(b"a", b"b", pause=bodies.IDLE_SECONDS + 1)))


async def test_a_body_nobody_wants_is_read_to_its_end() -> None:
    sender = Sender(*[b"x" * 1000] * 20, encoding="gzip")
    await sender.body.drain()
    assert (sender.left, sender.body.ended) == ([], True)
    await sender.body.drain()


async def test_a_body_nobody_wants_and_that_does_not_end_is_left() -> None:
    sender = Sender(*[bytes(bodies.DRAIN_BYTES // 2 - 1)] * 9)
    await sender.body.drain()
    assert (len(sender.left), sender.body.ended) == (6, False)
    sender = Sender(b"x", ends=False)
    await sender.body.drain()
    assert sender.body.ended


def test_a_body_nobody_wants_and_that_drips_is_left() -> None:
    sender = Sender(*[b"x"] * 100, pause=bodies.DRAIN_SECONDS / 10 - 1)
    hurried(sender.body.drain())
    assert not sender.body.ended
    assert len(sender.left) > 80


async def test_a_pack_says_nothing_after_its_end() -> None:
    pack = Pack(pieces(b"PACK", 2))
    assert await joined(aiter(pack)) == b"PACK"
    assert pack.trailers == {}
