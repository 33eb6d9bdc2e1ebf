"""Metering over all processes while Redis answers, and in this process alone while it does not.

Never open and never closed: when Redis is lost, the next decision is made here, by the same rules and with what this
process gave before; each process then allows the whole rate by itself. Redis is tried again by one request a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from broker.clock import NS_PER_SECOND, Clock
from broker.limits.gcra import Claim, RatesUnavailableError, SharedRates, Short, Taken
from broker.limits.gcra_memory import MemoryRates

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 1
"""Between two tries while Redis is lost; the one request that tries waits for it."""


def _unheard(_degraded: bool) -> None:
    """Tell nobody."""


class Meter:
    """Gives turns and places.

    Args:
        clock: Time.
        shared: What the processes share; None for one process alone.
        on_degraded: Called with True when the shared part is lost, with False when it is back.
    """

    def __init__(
        self, clock: Clock, shared: SharedRates | None, on_degraded: Callable[[bool], None] = _unheard
    ) -> None:
        self._clock = clock
        self._local = MemoryRates(clock)
        self._shared = shared
        self._on_degraded = on_degraded
        self._lost = False
        self._again_ns = 0
        self._leases: dict[str, Sequence[Claim]] = {}
        self._returns: set[asyncio.Task[None]] = set()

    @property
    def degraded(self) -> bool:
        """True while what processes should share is counted by each alone."""
        return self._lost

    async def take(self, claims: Sequence[Claim], lease: str) -> Taken | Short:
        """Give all of ``claims`` or none; places are held under the name ``lease`` until `give_back`."""
        full = self._local.full(claims)
        if full is not None:
            return full
        if self._shared is not None and self._may_ask():
            # From now on it may be held there: who is cancelled while it is asked for gives it back, too.
            self._lend(claims, lease)
            try:
                answer = await self._shared.take(claims, lease)
            except RatesUnavailableError as error:
                self._leases.pop(lease, None)  # it ends by itself
                self._lose(error)
            else:
                self._regain()
                return self._agreed(claims, lease, answer)
        return await self._local.take(claims, lease)

    def give_back(self, claims: Sequence[Claim], lease: str) -> None:
        """Give the places of a lease back; twice is once."""
        self._local.free(claims, lease)
        if self._leases.pop(lease, None) is not None and self._shared is not None:
            task = asyncio.get_running_loop().create_task(self._return(self._shared, {lease: claims}))
            self._returns.add(task)
            task.add_done_callback(self._returns.discard)

    async def renew(self) -> None:
        """Say for all leases of this process that they are held still; to be done every few seconds."""
        if self._shared is None or not self._leases:
            return
        held = dict(self._leases)
        try:
            await self._shared.renew(held)
        except RatesUnavailableError as error:
            self._lose(error)
            return
        self._regain()
        # What was given back meanwhile may have been renewed after that.
        await self._return(self._shared, {lease: claims for lease, claims in held.items() if lease not in self._leases})

    async def aclose(self) -> None:
        """Wait for what is being given back."""
        await asyncio.gather(*self._returns, return_exceptions=True)

    def _agreed(self, claims: Sequence[Claim], lease: str, answer: Taken | Short) -> Taken | Short:
        if isinstance(answer, Taken):
            # Written down here as well, so that nobody gets a new burst when Redis is lost.
            self._local.note(claims, lease, answer)
        else:
            self._leases.pop(lease, None)
        return answer

    def _lend(self, claims: Sequence[Claim], lease: str) -> None:
        if any(each.places for each in claims):
            self._leases[lease] = claims

    async def _return(self, shared: SharedRates, leases: Mapping[str, Sequence[Claim]]) -> None:
        for lease, claims in leases.items():
            try:
                await shared.give_back(claims, lease)
            except RatesUnavailableError as error:
                self._lose(error)
                return  # they end by themselves

    def _may_ask(self) -> bool:
        if not self._lost:
            return True
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._again_ns:
            return False
        self._again_ns = now_ns + RETRY_SECONDS * NS_PER_SECOND
        return True

    def _lose(self, error: RatesUnavailableError) -> None:
        self._again_ns = self._clock.monotonic_ns() + RETRY_SECONDS * NS_PER_SECOND
        if not self._lost:
            self._lost = True
            log.warning("rates_degraded", why=str(error))
            self._on_degraded(True)  # noqa: FBT003 - a callback has no names

    def _regain(self) -> None:
        if self._lost:
            self._lost = False
            log.info("rates_restored")
            self._on_degraded(False)  # noqa: FBT003 - a callback has no names
