"""Rates of requests, and how many at once, of whoever they are set for: an agent, a session, a connection.

1. The limits that count a request are picked: those of its agent and those of its connection, by action.
2. Its places are taken and its slot is reserved, all or none (`broker.limits.gcra`). Places come with the slot, so a
   request that waits for its slot holds its places already: neither rate nor number is ever exceeded.
3. Where it may wait (``throttle_and_alert``), it does, up to the bound of the limit: for its slot, which nobody later
   gets before it; for places in a line, first come, first served. Lines are of this process; requests in other
   processes that want the same places try again and again, too, in no order with these.
4. Otherwise, and when it would take too long, it is refused with the time after which it fits.

A request that is cancelled while it waits gives its places back at once. Its slot passes unused: others behind it have
theirs already, and it was asked for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import TracebackType
from typing import Final, Self

from broker.clock import NS_PER_SECOND, Clock
from broker.config.limits import OnRate, Per, RateLimit
from broker.config.model import Configuration
from broker.limits.gcra import Claim, SharedRates, Short, Taken, interval_of
from broker.limits.metering import Meter
from broker.limits.rate_headers import terms_of
from broker.model import JsonObject, Session
from broker.outcome import Problem, ProblemKind
from connectors.base import Plan

MAX_WAITING: Final = 1_000
"""Requests of one process that wait for their turn; one more is refused where it would have waited."""
LOOK_SECONDS: Final = 0.02
"""Between two looks of the first in a line at whether its place is free."""
_NS_PER_MILLISECOND: Final = 1_000_000


class Turn(AbstractContextManager["Turn"]):
    """The turn of a request; leaving the context gives its places back, whatever happened.

    Args:
        give_back: Does that.
        told: What the `executing` event says of it: ``throttled_ms`` when it had to wait.
    """

    __slots__ = ("_give_back", "told")

    def __init__(self, give_back: Callable[[], None] | None = None, told: JsonObject | None = None) -> None:
        self._give_back = give_back
        self.told: JsonObject = told or {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._give_back is not None:
            self._give_back()


UNCOUNTED: Final = Turn()
"""The turn of a request that no limit counts."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """A limit that counts a request."""

    limit: RateLimit
    claim: Claim
    whose: str


@dataclass(slots=True)
class _Line:
    """Those who wait for the places of one limit; the lock lets them in in the order in which they came."""

    waiting: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class _Request:
    """One request that is counted."""

    counted: tuple[_Counted, ...]
    lease: str
    since_ns: int
    patient: bool

    def claims(self, now_ns: int) -> list[Claim]:
        """Return what it claims now: the longer it waited, the less it may still wait."""
        waited_ns = now_ns - self.since_ns
        return [replace(each.claim, patience_ns=self._left(each.claim, waited_ns)) for each in self.counted]

    def of(self, key: str) -> _Counted:
        return next(each for each in self.counted if each.claim.key == key)

    def may_wait(self, key: str, now_ns: int) -> bool:
        return self._left(self.of(key).claim, now_ns - self.since_ns) > 0

    def _left(self, claim: Claim, waited_ns: int) -> int:
        return max(0, claim.patience_ns - waited_ns) if self.patient else 0


class Throttle:
    """Lets requests through at their rate.

    Args:
        configuration: Returns the one in force.
        clock: Time, and names for leases.
        shared: What several processes meter together; None for one process alone.
        on_degraded: Called with True when the shared part is lost, with False when it is back.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        configuration: Callable[[], Configuration],
        clock: Clock,
        shared: SharedRates | None = None,
        *,
        on_degraded: Callable[[bool], None] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._configuration = configuration
        self._clock = clock
        self._meter = Meter(clock, shared, on_degraded) if on_degraded else Meter(clock, shared)
        self._sleep = sleep
        self._lines: dict[str, _Line] = {}
        self._waiting = 0
        self._name = clock.entropy(8).hex()
        self._count = 0

    @property
    def degraded(self) -> bool:
        """True while what processes should share is counted by each alone, because Redis is lost."""
        return self._meter.degraded

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn now."""
        return self._waiting

    async def turn(self, session: Session, plan: Plan) -> Turn | Problem:
        """Wait for the turn of a request and hold its places, or say that it came too fast."""
        counted = self._counting(session, plan)  # 1
        if not counted:
            return UNCOUNTED
        self._count += 1
        since_ns = self._clock.monotonic_ns()
        request = _Request(counted, f"{self._name}-{self._count}", since_ns, self._waiting < MAX_WAITING)
        claims = [each.claim for each in counted]
        self._waiting += 1
        try:
            answer = await self._taken(request)  # 2
            if isinstance(answer, Short):
                return self._refusal(request, answer)  # 4
            if answer.wait_ns:
                await self._sleep(answer.wait_ns / NS_PER_SECOND)  # 3
        except BaseException:
            self._meter.give_back(claims, request.lease)
            raise
        finally:
            self._waiting -= 1
        waited_ms = (self._clock.monotonic_ns() - since_ns) // _NS_PER_MILLISECOND
        told = {"throttled_ms": waited_ms} if answer.wait_ns or waited_ms >= LOOK_SECONDS * 1_000 else {}
        return Turn(lambda: self._meter.give_back(claims, request.lease), told)

    async def renew(self) -> None:
        """Say that what is held is held still; to be done every `broker.limits.gcra_redis.RENEW_SECONDS`."""
        await self._meter.renew()

    async def aclose(self) -> None:
        """Wait for what is being given back."""
        await self._meter.aclose()

    async def _taken(self, request: _Request) -> Taken | Short:
        key = next((each.claim.key for each in request.counted if each.claim.key in self._lines), "")
        while True:
            answer = await (self._in_line(key, request) if key else self._take(request))
            if isinstance(answer, Taken) or not answer.places:
                return answer
            if not request.may_wait(answer.key, self._clock.monotonic_ns()):
                return answer
            key = answer.key

    async def _in_line(self, key: str, request: _Request) -> Taken | Short:
        """Wait for the places of one limit; what is short in the end may be another."""
        line = self._lines.setdefault(key, _Line())
        line.waiting += 1
        try:
            async with line.lock:
                while True:
                    answer = await self._take(request)
                    if isinstance(answer, Taken) or not answer.places or answer.key != key:
                        return answer
                    if not request.may_wait(key, self._clock.monotonic_ns()):
                        return answer
                    await self._sleep(LOOK_SECONDS)
        finally:
            line.waiting -= 1
            if not line.waiting:
                del self._lines[key]

    async def _take(self, request: _Request) -> Taken | Short:
        return await self._meter.take(request.claims(self._clock.monotonic_ns()), request.lease)

    def _counting(self, session: Session, plan: Plan) -> tuple[_Counted, ...]:
        configuration = self._configuration()
        agent = configuration.agents.get(session.agent)
        of_agent = agent.rates if agent is not None else ()
        of_connection = configuration.rates.get(plan.connection, ())
        if not of_agent and not of_connection:
            return ()
        return (
            *_counted(of_agent, plan, session, f"agent/{session.agent}"),
            *_counted(of_connection, plan, session, f"connection/{plan.connection}"),
        )

    def _refusal(self, request: _Request, short: Short) -> Problem:
        counted = request.of(short.key)
        limit = counted.limit
        extra = terms_of(limit, places=short.places)
        if short.places:
            return Problem(
                ProblemKind.TOO_BUSY,
                f"{counted.whose} already executes {limit.concurrent} requests",
                reason=f"rate limit `{limit.name}`",
                fix="wait for one of them to end, then send it again",
                retry_after_seconds=1,
                extra=extra,
            )
        return Problem(
            ProblemKind.RATE_LIMITED,
            f"{counted.whose} may ask {limit.per_minute} times a minute, {limit.burst} of them at once",
            reason=f"rate limit `{limit.name}`",
            fix="wait, then send it again",
            retry_after_seconds=-(-short.wait_ns // NS_PER_SECOND),
            extra=extra,
        )


def _counted(limits: Sequence[RateLimit], plan: Plan, session: Session, owner: str) -> list[_Counted]:
    """Return those of an owner's limits that count a request."""
    found = []
    for limit in limits:
        if limit.actions != "*" and _pattern(limit.actions).fullmatch(plan.action) is None:
            continue
        whose = {Per.SESSION: f"session/{session.family_id}", Per.AGENT: f"agent/{session.agent}"}.get(limit.per, owner)
        patience = limit.max_delay_seconds if limit.on_exceed is OnRate.THROTTLE_AND_ALERT else 0.0
        claim = Claim(
            f"{owner}/{limit.name}" if whose == owner else f"{owner}/{whose}/{limit.name}",
            interval_of(limit.per_minute) if limit.per_minute else 0,
            limit.burst,
            limit.concurrent,
            int(patience * NS_PER_SECOND),
        )
        found.append(_Counted(limit, claim, whose.replace("/", " ", 1)))
    return found


@lru_cache(maxsize=1024)
def _pattern(actions: str) -> re.Pattern[str]:
    """Return what a pattern of actions matches; in whatever case somebody wrote it, it limits."""
    return re.compile(".*".join(map(re.escape, actions.split("*"))), re.IGNORECASE | re.DOTALL)
