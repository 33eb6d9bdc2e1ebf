"""What the client makes of answers, without a server: a script of replies on a socket. The server is in integration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker.limits.gcra import Claim, RatesUnavailableError, Short, Taken
from broker.limits.gcra_redis import RedisRates

CLAIMS = [Claim("rate", 60_000, 2, patience_ns=1_000_000), Claim("held", places=1)]


@asynccontextmanager
async def answering(folder: Path, *replies: bytes) -> AsyncIterator[tuple[RedisRates, list[list[bytes]]]]:
    """Serve the protocol of Redis (RESP2): commands of the connection are taken, others get the replies in order."""
    asked: list[list[bytes]] = []
    left = list(replies)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int((await reader.readline())[1:])
                words.append((await reader.readexactly(size + 2))[:-2])
            if words[0] in (b"HELLO", b"CLIENT"):
                writer.write(b"-ERR unknown command\r\n" if words[0] == b"HELLO" else b"+OK\r\n")
                continue
            asked.append(words)
            if not left:
                break
            writer.write(left.pop(0))
        writer.close()

    path = folder / "redis.sock"
    server = await asyncio.start_unix_server(serve, path)
    rates = RedisRates(f"unix://{path}?protocol=2", timeout_seconds=5)
    try:
        yield rates, asked
    finally:
        await rates.aclose()
        server.close()


async def test_all_limits_go_in_one_script_and_its_answer_comes_back_in_nanoseconds(short_tmp: Path) -> None:
    given = b"*4\r\n:1\r\n:0\r\n:0\r\n:7\r\n"
    short = b"*4\r\n:0\r\n:2\r\n:1\r\n:0\r\n"
    async with answering(short_tmp, given, short) as (rates, asked):
        assert await rates.take(CLAIMS, "x") == Taken(7_000)
        assert await rates.take(CLAIMS, "x") == Short("held", places=True)
    keys = [b"{ostiary}:rate:rate", b"{ostiary}:held:rate", b"{ostiary}:rate:held", b"{ostiary}:held:held"]
    [first, second] = asked
    assert first[2] == b"4"
    assert first[3:7] == keys
    assert first[7:] == [b"x", b"30000000", b"60000000", b"60", b"2", b"0", b"1000", b"0", b"1", b"1", b"0"]
    assert first == second


@pytest.mark.parametrize(
    "reply",
    [
        b"+OK\r\n",
        b"*1\r\n:1\r\n",
        b"*4\r\n:1\r\n:0\r\n:0\r\n$1\r\n7\r\n",
        b"-WRONGTYPE no\r\n",
        b"$-1\r\n",
        b"junk\r\n",
        b"",
    ],
)
async def test_an_answer_that_is_none_is_no_answer(short_tmp: Path, reply: bytes) -> None:
    async with answering(short_tmp, *([reply] if reply else [])) as (rates, _):
        with pytest.raises(RatesUnavailableError):
            await rates.take(CLAIMS, "x")


async def test_places_are_given_back_and_renewed_by_lease(short_tmp: Path) -> None:
    async with answering(short_tmp, b":1\r\n", b"$-1\r\n") as (rates, asked):
        await rates.give_back(CLAIMS, "x")
        await rates.renew({"x": CLAIMS, "y": CLAIMS[:1]})
        await rates.renew({})
        with pytest.raises(RatesUnavailableError):
            await rates.renew({"x": CLAIMS})
        with pytest.raises(RatesUnavailableError):
            await rates.give_back(CLAIMS, "x")
    assert asked[0] == [b"ZREM", b"{ostiary}:held:held", b"x"]
    assert asked[1][2:] == [b"1", b"{ostiary}:held:held", b"30000000", b"x"]


async def test_nobody_there_is_no_answer(short_tmp: Path) -> None:
    rates = RedisRates(f"unix://{short_tmp / 'nobody'}")
    with pytest.raises(RatesUnavailableError):
        await rates.take(CLAIMS, "x")
    await rates.aclose()


def test_an_address_that_cannot_be_used_is_not_repeated() -> None:
    with pytest.raises(RatesUnavailableError) as caught:
        RedisRates("gopher://:hunter2@nowhere")
    assert "hunter2" not in str(caught.value)
