"""The calls that run now, by session, so that a kill or a halt can cut them within the second.

A call is bounded in time and can be cut from outside; either way `TimeoutError` comes out of its context and the
call's `killed` tells which it was.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from broker.ids import SessionId

EVERYTHING: Final = "everything"


class Call:
    """One bounded call."""

    __slots__ = ("_limit", "killed", "scopes")

    def __init__(self, limit: asyncio.Timeout, scopes: frozenset[str] = frozenset()) -> None:
        self._limit = limit
        self.killed = False
        self.scopes = scopes

    def extend(self, seconds: float) -> None:
        """Give the call ``seconds`` from now, unless it was cut."""
        if not self.killed and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + seconds)

    def cut(self) -> None:
        """End the call now."""
        self.killed = True
        if not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())


class RunningCalls:
    """Every call of this process."""

    def __init__(self) -> None:
        self._calls: defaultdict[SessionId, set[Call]] = defaultdict(set)
        self._shut: frozenset[str] = frozenset()

    @asynccontextmanager
    async def bounded(
        self, session_id: SessionId, seconds: float, scopes: frozenset[str] = frozenset()
    ) -> AsyncGenerator[Call, None]:
        """Run the body as a call of ``session_id`` that may take ``seconds``.

        Args:
            session_id: Whose call it is.
            seconds: Until it is ended.
            scopes: What else it can be cut by: ``agent:NAME``, ``project:NAME``, ``connection:NAME``.

        Raises:
            TimeoutError: it took longer or was cut.
        """
        async with asyncio.timeout(seconds) as limit:
            call = Call(limit, scopes)
            self._calls[session_id].add(call)
            if self._is_shut(scopes):
                # It was let through before the halt and comes too late: it ends where it would first wait.
                call.cut()
            try:
                yield call
            finally:
                held = self._calls[session_id]
                held.discard(call)
                if not held:
                    del self._calls[session_id]

    def shut(self, scopes: frozenset[str]) -> int:
        """Let no call run in these scopes, and in no others: cut those that do, and from now on each that begins.

        Args:
            scopes: As in `bounded`, or ``everything``; none ends what was said before.

        Returns:
            How many were cut now.
        """
        self._shut = scopes
        calls = [call for held in self._calls.values() for call in held if not call.killed]
        caught = [call for call in calls if self._is_shut(call.scopes)]
        for call in caught:
            call.cut()
        return len(caught)

    def _is_shut(self, scopes: frozenset[str]) -> bool:
        return bool(self._shut) and (EVERYTHING in self._shut or not self._shut.isdisjoint(scopes))

    def cut(self, session_id: SessionId) -> int:
        """Cut every call of a killed session; return how many."""
        calls = list(self._calls.get(session_id, ()))
        for call in calls:
            call.cut()
        return len(calls)
