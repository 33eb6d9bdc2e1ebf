"""Time for tests of limits: who sleeps wakes when the test has moved the clock there, in the order of time."""

from __future__ import annotations

import asyncio
import heapq
import itertools

from broker.ids import SessionId
from broker.model import Session
from connectors.base import Access, Plan
from policies.model import Requirement
from tests.house import ManualClock
from vault.model import CredentialRef

NS = 10**9


class Moments:
    """A clock, and sleep by it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.clock.time_ns + round(seconds * NS), next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let time pass."""
        end_ns = self.clock.time_ns + round(seconds * NS)
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end_ns:
            self.clock.time_ns, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await _settle()
        self.clock.time_ns = end_ns


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def session(name: str = "a", agent: str = "ci-runner", root: str = "") -> Session:
    return Session(SessionId(f"ses_{name}"), agent, "web", "alice", 0, 2**62, root_id=root)


def plan(action: str = "s3:GetObject", connection: str = "lake", credential: str = "aws/prod") -> Plan:
    asked = (Requirement(action, "lake/x"),)
    return Plan(
        "aws", action, connection, CredentialRef(credential), {}, asked, Access.READ, idempotent=True, summary="s"
    )
