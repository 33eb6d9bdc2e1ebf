"""Minted credentials that can be taken back, until they end, and the taking back.

Whoever takes one back here does it once: it is out of the list before its upstream is told. Telling is best effort, in
threads of their own, at most `MAX_TELLING` at once and apart from minting, so that an upstream that is slow to mint
keeps nothing open. It goes on when nobody waits for it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from vault.issuers.minted import Minted, MintKey
from vault.later import in_thread
from vault.model import Revoked

MAX_LIVE: Final = 8192
MAX_TELLING: Final = 16
ANSWER_SECONDS: Final = 25.0
"""Longest wait for the upstream; shorter than that of the vault's client, so that it gets an answer."""


class Revocations:
    """What is live upstream and can be taken back.

    Args:
        clock: Nanoseconds since the epoch, UTC.
        max_live: How many it holds; of more, the oldest is taken back.
    """

    def __init__(self, clock: Callable[[], int], *, max_live: int = MAX_LIVE) -> None:
        self._clock = clock
        self._max_live = max_live
        self._live: OrderedDict[int, tuple[MintKey, Minted]] = OrderedDict()
        self._next = 0
        self._threads = asyncio.Semaphore(MAX_TELLING)
        self._telling: set[asyncio.Task[bool]] = set()

    def add(self, key: MintKey, minted: Minted) -> None:
        """Remember what was minted, if it can be taken back."""
        if minted.revoke is None:
            return
        self._live[self._next] = (key, minted)
        self._next += 1
        if len(self._live) > self._max_live:
            now_ns = self._clock()
            for number in [each for each, (_, held) in self._live.items() if held.expires_at_ns <= now_ns]:
                del self._live[number]
        if len(self._live) > self._max_live:
            self.take_back(self._live.popitem(last=False)[1][1])

    def take_back(self, minted: Minted) -> None:
        """Begin to take back what nobody is to have; nothing when it cannot be."""
        if minted.revoke is not None:
            self._tell([minted])

    def revoke(self, is_over: Callable[[MintKey], bool]) -> list[asyncio.Task[bool]]:
        """Begin to take back all that was minted for keys that are over; each task tells whether it was."""
        numbers = [number for number, (key, _) in self._live.items() if is_over(key)]
        now_ns = self._clock()
        taken = [minted for _, minted in map(self._live.pop, numbers)]
        return self._tell([minted for minted in taken if minted.expires_at_ns > now_ns])

    async def settled(self, seconds: float) -> None:
        """Wait until nothing is being taken back, or for ``seconds``."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=seconds)

    def _tell(self, given_up: Iterable[Minted]) -> list[asyncio.Task[bool]]:
        tasks = []
        for minted in given_up:
            task = asyncio.get_running_loop().create_task(self._told(minted))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)
            tasks.append(task)
        return tasks

    async def _told(self, minted: Minted) -> bool:
        async with self._threads:
            return await in_thread(lambda: minted.revoke is not None and minted.revoke())


async def counted(tasks: list[asyncio.Task[bool]], seconds: float = ANSWER_SECONDS) -> Revoked:
    """Wait for what `Revocations.revoke` began; what takes longer than ``seconds`` goes on and counts as failed."""
    if not tasks:
        return Revoked(0, 0)
    done, _ = await asyncio.wait(tasks, timeout=seconds)
    revoked = sum(not task.cancelled() and task.exception() is None and task.result() for task in done)
    return Revoked(revoked, len(tasks) - revoked)
