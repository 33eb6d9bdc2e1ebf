"""The folders of one instance, and the lock that makes it one.

Sockets stand for rights: who can connect to the vault's may use credentials. So the run directory is ours alone, and
what somebody else may have put there first (it can be under /tmp) is refused, not repaired.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from broker.supervisor.errors import AlreadyRunningError, UnsafeFolderError

LOCK_NAME: Final = "supervisor.lock"
"""Locked by flock(2) while a supervisor runs; holds its process id."""


def make_private(folder: Path) -> bool:
    """Make a folder with mode 0700; return whether it is new.

    Raises:
        UnsafeFolderError: it is there and is a link, no folder, not ours, or open to others.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = True
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        new = False
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeFolderError(f"`{folder}` is not a folder")
    if found.st_uid != os.geteuid():
        raise UnsafeFolderError(f"`{folder}` belongs to another user")
    if found.st_mode & 0o077:
        raise UnsafeFolderError(f"`{folder}` is open to others; `chmod 700` it")
    return new


@contextlib.contextmanager
def instance_lock(run_dir: Path) -> Iterator[None]:
    """Hold the lock of an instance; the kernel lets go of it when this process ends, however it ends.

    Raises:
        AlreadyRunningError: another process holds it.
    """
    descriptor = os.open(run_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = _pid_in(descriptor)
            raise AlreadyRunningError(f"ostiary already runs on this data folder (process `{pid}`)") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def running_supervisor(run_dir: Path) -> int | None:
    """Return the process id of the supervisor that holds the lock, None when none does."""
    try:
        descriptor = os.open(run_dir / LOCK_NAME, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid_in(descriptor)
    finally:
        os.close(descriptor)
    return None


def _pid_in(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None
