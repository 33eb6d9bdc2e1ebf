"""Rates and places in the memory of one process: what holds without Redis, and what remains when Redis is lost."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from broker.clock import Clock
from broker.limits.gcra import Claim, Short, Taken, believed, decide_all

MAX_KEPT: Final = 10_000
"""Limits whose last requests are remembered, those that were asked last; one takes about 200 bytes. Of one that was
forgotten a burst may come at once, as of any that is new."""


class MemoryRates:
    """Implements `broker.limits.gcra.SharedRates` for one process.

    Args:
        clock: Its monotonic time is read.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tats: OrderedDict[str, int] = OrderedDict()
        self._held: dict[str, set[str]] = {}

    async def take(self, claims: Sequence[Claim], lease: str) -> Taken | Short:
        """Give all of ``claims`` or none; places are held under the name ``lease``."""
        answer = self.full(claims) or decide_all(claims, self._tats, self._clock.monotonic_ns())
        if isinstance(answer, Taken):
            self.note(claims, lease, answer)
        return answer

    async def give_back(self, claims: Sequence[Claim], lease: str) -> None:
        """Give the places of a lease back; it may have none."""
        self.free(claims, lease)

    async def renew(self, held: Mapping[str, Sequence[Claim]]) -> None:
        """Do nothing: what is held in this process ends with it."""

    def full(self, claims: Sequence[Claim]) -> Short | None:
        """Return the first limit whose places are all held."""
        for each in claims:
            if each.places and len(self._held.get(each.key, ())) >= each.places:
                return Short(each.key, places=True)
        return None

    def note(self, claims: Sequence[Claim], lease: str, taken: Taken) -> None:
        """Write down what was given, here or elsewhere."""
        now_ns = self._clock.monotonic_ns()
        for each in claims:
            if each.places:
                self._held.setdefault(each.key, set()).add(lease)
            if each.interval_ns:
                tat_ns = believed(self._tats.get(each.key, now_ns), now_ns, each.interval_ns, each.burst)
                self._tats[each.key] = max(tat_ns, now_ns + taken.wait_ns) + each.interval_ns
                self._tats.move_to_end(each.key)
        while len(self._tats) > MAX_KEPT:
            self._tats.popitem(last=False)

    def free(self, claims: Sequence[Claim], lease: str) -> None:
        """Do `give_back` at once."""
        for each in claims:
            held = self._held.get(each.key)
            if held is not None:
                held.discard(lease)
                if not held:
                    del self._held[each.key]
