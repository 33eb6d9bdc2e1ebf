"""An agent of SSH for one key and one attempt (draft-ietf-sshm-ssh-agent): it lists the key and has the vault sign.

What it is asked to sign is judged in the vault, which signs user authentications only. Every other request of the
protocol (add, remove, lock, extensions, …) gets its plain "failure".
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from vault.errors import VaultError
from vault.model import Lease

MAX_MESSAGE_BYTES: Final = 64 << 10
MAX_SIGNATURES: Final = 64
"""One for each connection; an attempt makes a handful."""

_FAILURE: Final = bytes([5])
_LIST: Final = 11
_LISTED: Final = 12
_SIGN: Final = 13
_SIGNED: Final = 14
_LENGTH_BYTES: Final = 4


class Agent:
    """Answers ``ssh``.

    Args:
        lease: Signs; on an SSH key.

    Attributes:
        was_asked: Whether a connection came so far that the user is authenticated: the host has proved its own key.
        fault: Why the vault did not sign, if it did not.
    """

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._public_key = lease.ssh_public_key
        self._left = MAX_SIGNATURES
        self.was_asked = False
        self.fault: VaultError | None = None

    async def answer(self, message: bytes) -> bytes:
        """Return the answer to one message, both without their length."""
        kind, body = message[:1], message[1:]
        if kind == bytes([_LIST]) and not body:
            self.was_asked = True
            return bytes([_LISTED]) + (1).to_bytes(4, "big") + string(self._public_key) + string(b"ostiary")
        if kind == bytes([_SIGN]):
            return await self._sign(body)
        return _FAILURE

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it goes away or says what is no message."""
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
                if not 0 < size <= MAX_MESSAGE_BYTES:
                    return
                writer.write(string(await self.answer(await reader.readexactly(size))))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _sign(self, body: bytes) -> bytes:
        try:
            key, at = _string(body, 0)
            data, at = _string(body, at)
        except ValueError:
            return _FAILURE
        if key != self._public_key or len(body) != at + 4 or self._left <= 0:
            return _FAILURE
        self._left -= 1
        try:
            signature = await self._lease.sign_ssh(data, int.from_bytes(body[at:], "big"))
        except VaultError as error:
            self.fault = error
            return _FAILURE
        return bytes([_SIGNED]) + string(signature)


@asynccontextmanager
async def listening(agent: Agent, path: Path) -> AsyncGenerator[None, None]:
    """Let an agent answer on a socket of mode 0600 while the block runs.

    Args:
        agent: Answers.
        path: In a folder of mode 0700; at most 107 bytes long.

    Raises:
        OSError: the socket cannot be made.
    """
    server = await asyncio.start_unix_server(agent.serve, path, limit=MAX_MESSAGE_BYTES)
    try:
        os.chmod(path, 0o600)  # noqa: PTH101 - the folder keeps others out until then
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - one entry of a folder of our own


def string(value: bytes) -> bytes:
    """Return a string as SSH writes it: four bytes of length, then the bytes (RFC 4251 section 5)."""
    return len(value).to_bytes(_LENGTH_BYTES, "big") + value


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    start = at + _LENGTH_BYTES
    end = start + int.from_bytes(data[at:start], "big")
    if end > len(data):
        raise ValueError
    return data[start:end], end
