"""One run of `ssh`, played by a shell: what is malformed, silent or cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.errors import NotSentError, OutcomeUnknownError, UpstreamRefusedError
from connectors.git.ssh.session import running, told


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


async def said(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_packets_are_read_up_to_the_first_flush_whatever_they_hold(tmp_path: Path) -> None:
    async with running(shell("printf 000800000005x0000more"), tmp_path, 20) as session:
        assert await session.until_flush(100) == b"000800000005x0000"
        assert b"".join([piece async for piece in session.pieces()]) == b"more"


@pytest.mark.parametrize("said_first", ["xxxx", "0003", "0001", "-001", "0041abc", "ERR "])
async def test_what_is_no_packet_or_too_large_is_a_definite_no(tmp_path: Path, said_first: str) -> None:
    async with running(shell(f"printf %s '{said_first}'; sleep 20"), tmp_path, 20) as session:
        with pytest.raises(UpstreamRefusedError):
            await session.until_flush(32)


async def test_an_end_before_the_flush_and_silence_are_told_apart(tmp_path: Path) -> None:
    async with running(shell("printf '0010ab'; exit 255"), tmp_path, 20) as session:
        with pytest.raises(asyncio.IncompleteReadError):
            await session.until_flush(100)
        assert await session.is_own_fault()
    async with running(shell("sleep 20"), tmp_path, 0.01) as session:
        with pytest.raises(OutcomeUnknownError):
            await session.until_flush(100)
        with pytest.raises(OutcomeUnknownError):
            _ = [piece async for piece in session.pieces()]
        assert not await session.is_own_fault()


async def test_a_command_that_fails_at_its_end_cuts_its_answer(tmp_path: Path) -> None:
    async with running(shell("printf answer; exit 1"), tmp_path, 20) as session:
        got = []
        with pytest.raises(OutcomeUnknownError):
            got += [piece async for piece in session.pieces()]


async def test_what_is_said_reaches_the_command_and_one_that_hung_up_is_left_alone(tmp_path: Path) -> None:
    async with running(["/bin/cat"], tmp_path, 20) as session:
        await told(session, said(b"a", b"b"))
        assert [piece async for piece in session.pieces()] in ([b"ab"], [b"a", b"b"])
    async with running(shell("exec 0<&-; printf x; exit 0"), tmp_path, 20) as session:
        assert b"".join([piece async for piece in session.pieces()]) == b"x"
        await told(session, said(*[b"y" * 100_000] * 20))


async def test_a_program_that_is_not_there_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(NotSentError):
        await running([str(tmp_path / "none")], tmp_path, 20).__aenter__()
