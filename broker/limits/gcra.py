"""How rates are metered: the generic cell rate algorithm, the "leaky bucket as a meter". Pure, on whole nanoseconds.

Of each limit one number is kept: when its next request would come if all came evenly, its *theoretical arrival time*
(TAT). A request may come up to ``burst - 1`` intervals before that, and moves it on by one interval. So in any stretch
of time no more begin than its length over the interval, plus the burst.

A request that may wait takes a slot of the future: whoever comes later gets a later one, so nobody is overtaken and
nobody starves. One that several limits count gets one slot that fits all of them, or none of them is touched.

Source: ATM Forum, Traffic Management Specification 4.1 (af-tm-0121.000), section 4.4.2; ITU-T I.371.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from broker.clock import NS_PER_SECOND
from broker.errors import BrokerError

MINUTE_NS: Final = 60 * NS_PER_SECOND
MAX_PATIENCE_NS: Final = 60 * NS_PER_SECOND
"""Longest a request waits for its turn: beyond it clients have given up. A TAT further ahead than this and a burst was
made by another rate, or by another clock, and is not believed."""


class RatesUnavailableError(BrokerError):
    """What is shared between processes cannot be asked; each goes by what it knows itself."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """It may come now.

    Args:
        tat_ns: The TAT after it.
    """

    tat_ns: int


@dataclass(frozen=True, slots=True)
class Wait:
    """It comes too early.

    Args:
        ns: By how much, above 0.
    """

    ns: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What one request claims of one limit.

    Args:
        key: Of the limit and of whose requests it counts together.
        interval_ns: Between two requests that come evenly; 0 when it limits no rate.
        burst: How many may come at once after a pause, 1 or more.
        places: Most at the same time; 0 when it limits no number.
        patience_ns: How long the request may wait for this limit, 0 to `MAX_PATIENCE_NS`.
    """

    key: str
    interval_ns: int = 0
    burst: int = 1
    places: int = 0
    patience_ns: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """All that was claimed is given.

    Args:
        wait_ns: When its slot begins, from now; 0 for at once.
    """

    wait_ns: int = 0


@dataclass(frozen=True, slots=True)
class Short:
    """One limit has nothing left; none was touched.

    Args:
        key: Which one.
        wait_ns: When it has, from now; 0 when nobody knows.
        places: True when it is the places that are all held.
    """

    key: str
    wait_ns: int = 0
    places: bool = False


class SharedRates(Protocol):
    """What several processes meter together; every method may raise RatesUnavailableError."""

    async def take(self, claims: Sequence[Claim], lease: str) -> Taken | Short:
        """Give all of ``claims`` or none; places are held under the name ``lease``."""

    async def give_back(self, claims: Sequence[Claim], lease: str) -> None:
        """Give the places of a lease back; it may have none."""

    async def renew(self, held: Mapping[str, Sequence[Claim]]) -> None:
        """Say that leases are held still, by name what they claimed; one that is not renewed in time is over."""


def interval_of(per_minute: int) -> int:
    """Return the nanoseconds between two requests of a rate, rounded so that it is never exceeded."""
    return -(-MINUTE_NS // per_minute)


def believed(tat_ns: int, now_ns: int, interval_ns: int, burst: int) -> int:
    """Return a TAT that was kept, as far as it can be true."""
    return min(tat_ns, now_ns + MAX_PATIENCE_NS + burst * interval_ns)


def decide(tat_ns: int, now_ns: int, interval_ns: int, burst: int) -> Allowed | Wait:
    """Decide on one request of one limit.

    Args:
        tat_ns: TAT of the limit; any moment of the past when it is new.
        now_ns: Now, on the same clock.
        interval_ns: Between two requests that come evenly, 1 or more.
        burst: How many may come at once after a pause, 1 or more.
    """
    tat_ns = believed(tat_ns, now_ns, interval_ns, burst)
    early_ns = tat_ns - (burst - 1) * interval_ns - now_ns
    return Wait(early_ns) if early_ns > 0 else Allowed(max(tat_ns, now_ns) + interval_ns)


def decide_all(claims: Sequence[Claim], tats: Mapping[str, int], now_ns: int) -> Taken | Short:
    """Decide on one request that several limits count; a limit that is not in ``tats`` is new.

    Returns:
        The first slot that fits all; or the limit for which it would have to wait longest, of those for which that is
        longer than it may.
    """
    longest_ns, refusing = 0, Short("")
    for each in claims:
        if not each.interval_ns:
            continue
        decided = decide(tats.get(each.key, now_ns), now_ns, each.interval_ns, each.burst)
        if isinstance(decided, Wait):
            longest_ns = max(longest_ns, decided.ns)
            if decided.ns > max(each.patience_ns, refusing.wait_ns):
                refusing = Short(each.key, decided.ns)
    return refusing if refusing.key else Taken(longest_ns)
