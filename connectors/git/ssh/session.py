"""One run of one command on the host: what it says, what it is told, how it ended.

``ssh`` is started in an environment made by us, in a session of its own, and is killed when the block ends, however
that comes. What it says to people is dropped: which step failed follows from what was reached, not from words.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from connectors.errors import NotSentError, OutcomeUnknownError, UpstreamRefusedError

CHUNK_BYTES: Final = 256 << 10
_HEX: Final = frozenset(b"0123456789abcdef")
_LENGTH_BYTES: Final = 4
_OWN_FAULT: Final = 255
"""Exit status of ``ssh`` itself; any other is the command's (ssh(1), EXIT STATUS)."""


class SshSession:
    """A running command.

    Args:
        process: The ``ssh`` that runs it.
        seconds: Longest wait for its next piece, or for it to take one.
    """

    def __init__(self, process: Process, seconds: float) -> None:
        if process.stdout is None or process.stdin is None:  # pragma: no cover - both are pipes
            raise NotSentError("ssh has no pipes")
        self._process = process
        self._output = process.stdout
        self._input = process.stdin
        self._seconds = seconds

    async def until_flush(self, limit_bytes: int) -> bytes:
        """Return the packets up to the first flush packet, with it.

        Args:
            limit_bytes: Most they may have.

        Raises:
            asyncio.IncompleteReadError: the command ended before it.
            UpstreamRefusedError: they are none, or more than that.
            OutcomeUnknownError: nothing came for too long.
        """
        found = bytearray()
        try:
            while True:
                async with asyncio.timeout(self._seconds):
                    digits = await self._output.readexactly(_LENGTH_BYTES)
                    size = int(digits, 16) if _HEX.issuperset(digits.lower()) else -1
                    if size == 0:
                        return bytes(found + digits)
                    if size < _LENGTH_BYTES or len(found) + size > limit_bytes:
                        raise _bad_answer()
                    found += digits + await self._output.readexactly(size - _LENGTH_BYTES)
        except TimeoutError:
            raise OutcomeUnknownError("the git host said nothing for too long") from None

    async def write(self, piece: bytes) -> None:
        """Tell the command something.

        Raises:
            ConnectionError: it does not listen any more.
            TimeoutError: it did not take it for too long.
        """
        async with asyncio.timeout(self._seconds):
            self._input.write(piece)
            await self._input.drain()

    async def end_input(self) -> None:
        """Tell the command that this was all."""
        with contextlib.suppress(ConnectionError):
            self._input.close()
            await self._input.wait_closed()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield what the command says until it ends, and end well only when it did.

        Raises:
            OutcomeUnknownError: it failed, was cut, or said nothing for too long.
        """
        try:
            while piece := await asyncio.wait_for(self._output.read(CHUNK_BYTES), self._seconds):
                yield piece
        except TimeoutError:
            raise OutcomeUnknownError("the answer was cut: the git host said nothing for too long") from None
        if await self.ended() != 0:
            raise OutcomeUnknownError("the answer was cut: ssh or the command of the git host failed")

    async def ended(self) -> int:
        """Wait for the end and return the exit status; a command that does not end is killed."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._process.wait()
        except TimeoutError:
            _kill(self._process)
            return await self._process.wait()

    async def is_own_fault(self) -> bool:
        """Wait for the end and tell whether ``ssh`` failed, and not the command."""
        return await self.ended() == _OWN_FAULT


@asynccontextmanager
async def running(arguments: list[str], home: Path, seconds: float) -> AsyncGenerator[SshSession, None]:
    """Run ``ssh`` while the block runs.

    Args:
        arguments: The program and what it is given.
        home: An empty folder, for whoever looks for the user's.
        seconds: Longest wait for its next piece.

    Raises:
        NotSentError: it cannot be started.
    """
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C", "LC_ALL": "C", "HOME": str(home), "SSH_ASKPASS": "false"}
    try:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=environment | {"SSH_ASKPASS_REQUIRE": "never"},
            cwd=home,
            start_new_session=True,
            limit=CHUNK_BYTES,
        )
    except OSError as error:
        raise NotSentError("ssh cannot be started on the broker's machine") from error
    try:
        yield SshSession(process, seconds)
    finally:
        _kill(process)
        # Shielded: a cancelled caller leaves no dead process behind.
        await asyncio.shield(process.wait())


async def told(session: SshSession, pieces: AsyncIterator[bytes]) -> None:
    """Tell a command all of ``pieces``, then that this was all; one that ended early is not told the rest."""
    with contextlib.suppress(ConnectionError):
        async for piece in pieces:
            await session.write(piece)
    await session.end_input()


def _kill(process: Process) -> None:
    # All of its session: what it left behind would hold its pipes.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _bad_answer() -> UpstreamRefusedError:
    return UpstreamRefusedError("the answer of the git host is not of the pack protocol", code="bad-answer")
