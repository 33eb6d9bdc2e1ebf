"""Locks between processes: on a file that is never removed, let go by the kernel when its holder dies."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from connectors.errors import NotSentError

_PAUSE_SECONDS: Final = 0.01


@asynccontextmanager
async def locked(path: Path, *, exclusive: bool, seconds: float) -> AsyncIterator[None]:
    """Hold a lock for the block; several may share one that is not exclusive.

    It is asked for again and again rather than waited for in the kernel, so that waiting takes no thread and ends at
    once when the caller gives up.

    Args:
        path: The file, made when missing; its folder exists.
        exclusive: Whether nobody else may hold it.
        seconds: How long to wait for it.

    Raises:
        NotSentError: somebody else held it all the time.
        OSError: the file cannot be made.
    """
    descriptor = _open(path)
    try:
        until = time.monotonic() + seconds
        while not _got(descriptor, exclusive=exclusive):
            if time.monotonic() >= until:
                raise NotSentError("another process has been at work on the mirror for too long")
            await asyncio.sleep(_PAUSE_SECONDS)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Tell whether nobody else holds a lock; if so, nobody gets it before the block ends.

    Args:
        path: As `locked`.
    """
    descriptor = _open(path)
    try:
        yield _got(descriptor, exclusive=True)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _got(descriptor: int, *, exclusive: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
