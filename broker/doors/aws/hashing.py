"""Digests of bodies that stream in, computed beside the event loop: a gigabyte takes a second of a core."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

BATCH_BYTES: Final = 1 << 20
"""Hashed at once; smaller pieces would cost more to hand over than to hash."""

_THREADS: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="digest")


class BackgroundDigest:
    """A SHA-256 in the making; a body below `BATCH_BYTES` meets no thread.

    At most two batches are held: one that is hashed and one that fills up.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._running: Future[None] | None = None

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes >= BATCH_BYTES:
            self._settle()
            self._running = _THREADS.submit(self._digest.update, self._take())

    def hexdigest(self) -> str:
        """Return the digest of all of them."""
        self._settle()
        self._digest.update(self._take())
        return self._digest.hexdigest()

    def _take(self) -> bytes:
        held, self._held, self._held_bytes = self._held, [], 0
        return b"".join(held)

    def _settle(self) -> None:
        # A millisecond at the most, and only where hashing is slower than the network.
        if self._running is not None:
            self._running.result()
            self._running = None
