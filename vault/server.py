"""The vault's process: a Unix socket for its own user, and nothing else.

On the way in, in this order:

1. The process is hardened before anything else happens.
2. The storage is opened; its lock makes this the only vault on it, so a socket file that is there is a leftover.
3. The socket is made with mode 0600 in a folder of mode 0700.
4. A peer of another user is cut off before a byte of it is read.
5. A frame that does not parse ends its connection.

Answers are in the order asked, but for those that wait for an upstream: they come when they can, known by their ids.

Logs go to stderr, as JSON lines; they hold names, never values.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket as sockets
import stat
import struct
import sys
from pathlib import Path
from typing import Final, Self, cast

import structlog
import uvloop

from vault.errors import BadRequestError, LeaseRefusedError, VaultError
from vault.hardening import harden
from vault.kms import AwsKeyService, KmsKey, KmsRoot
from vault.operations import MAX_TEXT_CHARS, Later, perform
from vault.protocol import Frame, FrameDecoder, FrameError, JsonObject, encode_error, encode_frame
from vault.service import Vault
from vault.storage import SqliteStorage

_UCRED: Final = struct.Struct("=iII")
"""Process, user and group of a peer (unix(7), SO_PEERCRED)."""
_BACKLOG: Final = 128
MAX_LATER: Final = 4096
"""Answers one connection may wait for; more are refused."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger()


def main(socket: Path, storage: Path, root_key: Path | KmsKey | None) -> None:
    """Run the vault until SIGTERM or SIGINT.

    Args:
        socket: Where to listen.
        storage: SQLite file of the sealed rows; made when missing.
        root_key: File of the root key: the vault initialises or unseals itself with it, and makes it for a new
            storage. A KMS key: it unseals itself, and waits to be initialised. None: it waits for a passphrase.

    Raises:
        SystemExit: with code 1 when it cannot start; the reason is on stderr.
    """
    harden()  # 1
    os.umask(0o077)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    try:
        uvloop.run(_serve(socket, storage, root_key))
    except VaultError as error:
        _log.error("vault.start_failed", code=error.code, reason=str(error))
        raise SystemExit(1) from None


class VaultServer:
    """Serves one vault on one socket; an async context manager.

    Args:
        vault: What to serve.
        socket: Path to listen on; its folder is made with mode 0700 when missing.

    Raises:
        VaultError: on entry, when the folder is open to others or the socket cannot be made.
    """

    def __init__(self, vault: Vault, socket: Path) -> None:
        self._vault = vault
        self._socket = socket
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._identity = (0, 0)

    async def __aenter__(self) -> Self:
        _make_private_folder(self._socket.parent)
        listener = self._listen()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Connection(self._vault, self._connections), sock=listener)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            for connection in list(self._connections):
                connection.abort()
            await self._server.wait_closed()
        # Only our own socket is removed: a successor may have put its own there.
        if _identity(self._socket) == self._identity:
            self._socket.unlink(missing_ok=True)

    def _listen(self) -> sockets.socket:
        listener = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        try:
            self._socket.unlink(missing_ok=True)
            # 3. Bound under the umask, so that there is no moment in which the socket is open to others.
            before = os.umask(0o177)
            try:
                listener.bind(str(self._socket))
            finally:
                os.umask(before)
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            reason = os.strerror(error.errno).lower() if error.errno else str(error).lower()
            raise VaultError(f"cannot listen on `{self._socket}`: {reason}") from None
        self._identity = _identity(self._socket)
        return listener


class _Connection(asyncio.Protocol):
    """One client: frames in, answers out."""

    def __init__(self, vault: Vault, connections: set[_Connection]) -> None:
        self._vault = vault
        self._connections = connections
        self._decoder = FrameDecoder()
        self._transport: asyncio.Transport | None = None
        self._later: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's stream transports are no subclass of asyncio.Transport, so this cannot be asserted.
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        peer = transport.get_extra_info("socket").getsockopt(sockets.SOL_SOCKET, sockets.SO_PEERCRED, _UCRED.size)
        process, user, _group = _UCRED.unpack(peer)
        if user != os.geteuid():  # 4
            _log.warning("vault.peer_refused", peer_uid=user, peer_pid=process)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio.Protocol's signature
        self._connections.discard(self)
        self._transport = None
        for task in self._later:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        try:
            frames = self._decoder.feed(data)
        except FrameError:  # 5
            _log.warning("vault.frame_refused")
            self.abort()
            return
        answers = b"".join([self._answer(header, raw) for header, raw in frames])
        if answers:
            self._transport.write(answers)

    def pause_writing(self) -> None:
        # A client that does not read its answers may not ask on: answers would pile up here.
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop the connection without another byte."""
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, header: JsonObject, raw: bytes) -> bytes:
        try:
            answer = perform(self._vault, header, raw)
            if isinstance(answer, tuple):
                return _encoded(header, answer)
            self._answer_later(header, answer)
        except Exception as error:  # noqa: BLE001 - a fault of ours denies this request and no other
            return _denied(header, error)
        return b""

    def _answer_later(self, header: JsonObject, later: Later) -> None:
        if len(self._later) >= MAX_LATER:
            raise BadRequestError(f"{MAX_LATER} answers are waited for on this connection")
        task = asyncio.create_task(self._wait(header, later))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _wait(self, header: JsonObject, later: Later) -> None:
        try:
            encoded = _encoded(header, await later())
        except Exception as error:  # noqa: BLE001 - as above
            encoded = _denied(header, error)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encoded)


async def _serve(socket: Path, storage: Path, root_key: Path | KmsKey | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    rows = SqliteStorage(storage)  # 2
    try:
        vault = Vault(rows, root_key=KmsRoot(root_key, AwsKeyService()) if isinstance(root_key, KmsKey) else root_key)
        vault.start()
        async with VaultServer(vault, socket), vault.rotations.watching(), vault.watching():
            _log.info("vault.listening", state=vault.state.value)
            await stop.wait()
        vault.seal()
        await vault.lending.settled()
    finally:
        rows.close()
    _log.info("vault.stopped")


def _make_private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise VaultError(f"cannot make `{folder}`: {reason}") from None
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise VaultError(f"`{folder}` must belong to the vault's user and have mode 0700")


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.lstat()
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino


def _encoded(header: JsonObject, answer: Frame) -> bytes:
    fields, raw = answer
    return encode_frame({"i": header["i"], **fields}, raw)


def _denied(header: JsonObject, error: Exception) -> bytes:
    if isinstance(error, VaultError):
        _tell(error, header)
    else:
        # The type only: a message or traceback of an unforeseen error may hold what it was handling.
        _log.error("vault.fault", operation=_shown(header, "op"), error=type(error).__name__)
        error = VaultError("the vault failed")
    return encode_frame({"i": header["i"], **encode_error(error)})


def _tell(error: VaultError, header: JsonObject) -> None:
    # Refused leases are worth a line of their own: they are attempts to use a credential where it does not belong.
    if isinstance(error, (LeaseRefusedError, BadRequestError)):
        _log.warning(
            "vault.refused",
            operation=_shown(header, "op"),
            credential=_shown(header, "ref"),
            purpose=_shown(header, "purpose"),
            code=error.code,
        )


def _shown(header: JsonObject, name: str) -> str:
    value = header.get(name, "")
    return value[:MAX_TEXT_CHARS] if isinstance(value, str) else ""
