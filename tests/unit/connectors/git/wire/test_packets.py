from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connectors.errors import InvalidParamsError
from connectors.git.wire.packets import MAX_DATA_BYTES, Mark, PacketReader, WireError, WireFault, render, split
from tests.parts.git_wire import joined, packets, pieces

BODY = packets("one\n", Mark.FLUSH, "two", Mark.DELIM, Mark.RESPONSE_END)


def test_what_is_rendered_is_split_into_the_same() -> None:
    assert render(b"a\n") == b"0006a\n"
    assert list(split(BODY)) == [b"one\n", Mark.FLUSH, b"two", Mark.DELIM, Mark.RESPONSE_END]
    longest = b"x" * MAX_DATA_BYTES
    assert list(split(render(longest))) == [longest]


@pytest.mark.parametrize("size", [0, MAX_DATA_BYTES + 1])
def test_a_packet_nobody_may_send_is_not_rendered(size: int) -> None:
    with pytest.raises(ValueError, match="packet"):
        render(b"x" * size)


BROKEN = [b"0", b"000", b"0003", b"0004", b"fff1" + b"x" * 65517, b"00 6ab", b"-006a", b"+006ab", b"0x06ab", b"0008abc"]


@pytest.mark.parametrize("body", BROKEN)
async def test_broken_packets_are_refused_whole_or_as_they_come_in(body: bytes) -> None:
    with pytest.raises(WireError) as caught:
        list(split(body))
    assert caught.value.code is WireFault.MALFORMED
    assert isinstance(caught.value, InvalidParamsError)
    with pytest.raises(WireError) as caught:
        await PacketReader(pieces(body, 3), limit_bytes=1 << 20).read()
    assert caught.value.code is WireFault.MALFORMED


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
async def test_packets_are_read_from_pieces_of_any_size_and_the_rest_is_handed_back(size: int) -> None:
    reader = PacketReader(pieces(BODY + b"PACK and more", size), limit_bytes=1000)
    assert [await reader.read() for _ in range(5)] == [b"one\n", Mark.FLUSH, b"two", Mark.DELIM, Mark.RESPONSE_END]
    assert await reader.peek(4) == b"PACK"
    assert await joined(reader.rest()) == b"PACK and more"


async def test_the_end_of_the_body_is_no_packet_and_leaves_no_rest() -> None:
    reader = PacketReader(pieces(packets("a")), limit_bytes=100)
    assert (await reader.read(), await reader.read(), await reader.peek(1)) == (b"a", None, b"")
    assert await joined(reader.rest()) == b""


async def test_a_line_that_ends_before_its_data_is_cut() -> None:
    with pytest.raises(WireError):
        await PacketReader(pieces(b"0009"), limit_bytes=100).read()


async def test_packets_have_a_limit_and_what_follows_them_has_none() -> None:
    reader = PacketReader(pieces(packets("a" * 46) + b"x" * 500), limit_bytes=50)
    assert await reader.read() == b"a" * 46
    assert len(await joined(reader.rest())) == 500
    with pytest.raises(WireError) as caught:
        await PacketReader(pieces(packets("a" * 47)), limit_bytes=50).read()
    assert caught.value.code is WireFault.TOO_LARGE


async def test_empty_pieces_are_not_handed_on() -> None:
    async def gaps() -> AsyncIterator[bytes]:
        for piece in (b"", b"0000", b"", b"x", b""):
            yield piece

    reader = PacketReader(gaps(), limit_bytes=10)
    assert await reader.read() is Mark.FLUSH
    assert [piece async for piece in reader.rest()] == [b"x"]
