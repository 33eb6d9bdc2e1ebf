"""The clock and the source of entropy, as protocols, so that nothing else reads either.

Wall time orders what people see and decides expiry; it may jump. Durations come from the monotonic clock.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from typing import Final, Protocol

from broker.ids import ID_ENTROPY_BYTES, IdPrefix, make_id

NS_PER_SECOND: Final = 1_000_000_000
_POOL_BYTES: Final = 1024
"""Drawn at once; a hundred ids."""


class Clock(Protocol):
    """Where time and entropy come from."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, UTC; may jump."""

    def monotonic_ns(self) -> int:
        """Nanoseconds of a clock that never goes back; for durations only."""

    def entropy(self, size: int) -> bytes:
        """``size`` random bytes fit for keys."""


class SystemClock:
    """The machine's clock and entropy."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Nanoseconds of the monotonic clock."""
        return time.monotonic_ns()

    def entropy(self, size: int) -> bytes:
        """Random bytes from the kernel, none of them given twice."""
        return _POOL.take(size)


class _Pool:
    """Bytes drawn from the kernel ahead: a call for each id lets other threads in three times per intent.

    A forked child must not give out what its parent gives out, so it begins anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = b""
        os.register_at_fork(after_in_child=self._begin_anew)

    def take(self, size: int) -> bytes:
        with self._lock:
            if size > len(self._left):
                self._left = os.urandom(max(size, _POOL_BYTES))
            taken, self._left = self._left[:size], self._left[size:]
        return taken

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._left = b""


_POOL: Final = _Pool()


def fresh_id(clock: Clock, prefix: IdPrefix) -> str:
    """Return a new id that sorts by the clock's wall time."""
    return make_id(prefix, at_ms=clock.now_ns() // 1_000_000, entropy=clock.entropy(ID_ENTROPY_BYTES))


def rfc3339(at_ns: int) -> str:
    """Return a wall time as RFC 3339 in UTC with milliseconds: ``2026-11-20T12:00:00.000Z``."""
    seconds, rest = divmod(at_ns, NS_PER_SECOND)
    stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{rest // 1_000_000:03d}Z"
