"""Rates and places of several processes, in Redis or Valkey: all limits of one request in one script, all or none.

Time is the server's, in microseconds: Lua counts in floating point, and nanoseconds since 1970 do not fit its 53 bits.
A rate is one number with the time it is of use; places are a sorted set of leases by when they end, so that a process
that died holds none for long. Redis is not trusted: who writes there can make requests pass faster or slower, and
nothing else; a number that cannot be true is not believed. It is asked once, with little patience, and what goes wrong
is RatesUnavailableError: its callers know what to do without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from broker.limits.gcra import MAX_PATIENCE_NS, Claim, RatesUnavailableError, Short, Taken

PREFIX: Final = "{ostiary}:"
"""Of every key; the braces keep them together on one node of a cluster, as one script touches several."""

TIMEOUT_SECONDS: Final = 0.05
"""Longest wait for an answer: a request that waits longer is better off with what its own process knows."""
LEASE_SECONDS: Final = 30
"""After which a lease that was not renewed is over."""
RENEW_SECONDS: Final = 10.0
"""Between two renewals: two may fail."""
MAX_CONNECTIONS: Final = 64

_NS_PER_MICRO: Final = 1_000
_MICROS_PER_SECOND: Final = 1_000_000

_TAKE: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local lease, lasts, patience_of_all = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local tats, longest, short, short_wait = {}, 0, 0, 0
for i = 1, #KEYS / 2 do
  local interval, burst = tonumber(ARGV[4 * i]), tonumber(ARGV[4 * i + 1])
  local places, patience = tonumber(ARGV[4 * i + 2]), tonumber(ARGV[4 * i + 3])
  if places > 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[2 * i], '-inf', now)
    if redis.call('ZCARD', KEYS[2 * i]) >= places then return {0, i, 1, 0} end
  end
  if interval > 0 then
    local tat = tonumber(redis.call('GET', KEYS[2 * i - 1]) or now) or now
    if tat ~= tat then tat = now end
    tat = math.min(tat, now + patience_of_all + burst * interval)
    local wait = tat - (burst - 1) * interval - now
    if wait > longest then longest = wait end
    if wait > patience and wait > short_wait then short, short_wait = i, wait end
    tats[i] = tat
  end
end
if short > 0 then return {0, short, 0, short_wait} end
for i = 1, #KEYS / 2 do
  if tats[i] then
    local tat = math.max(tats[i], now + longest) + tonumber(ARGV[4 * i])
    redis.call('SET', KEYS[2 * i - 1], string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000) + 1000)
  end
  if tonumber(ARGV[4 * i + 2]) > 0 then
    redis.call('ZADD', KEYS[2 * i], now + lasts, lease)
    redis.call('PEXPIRE', KEYS[2 * i], math.ceil(lasts / 1000))
  end
end
return {1, 0, 0, longest}
"""

_RENEW: Final = """
local clock = redis.call('TIME')
local ends = clock[1] * 1000000 + clock[2] + tonumber(ARGV[1])
for i = 1, #KEYS do
  redis.call('ZADD', KEYS[i], ends, ARGV[i + 1])
  redis.call('PEXPIRE', KEYS[i], math.ceil(tonumber(ARGV[1]) / 1000))
end
"""


class RedisRates:
    """Implements `broker.limits.gcra.SharedRates`.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        timeout_seconds: Longest wait for an answer.
        lease_seconds: After which a lease that was not renewed is over.

    Raises:
        RatesUnavailableError: the URL cannot be used; the text does not hold it, as it may hold a password.
    """

    def __init__(
        self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        try:
            pool = BlockingConnectionPool.from_url(
                url, max_connections=MAX_CONNECTIONS, timeout=None, retry=Retry(NoBackoff(), 0)
            )
        except (ValueError, TypeError):
            raise RatesUnavailableError("the URL of Redis cannot be used") from None
        self._redis = Redis.from_pool(pool)
        self._take = self._redis.register_script(_TAKE)
        self._renew = self._redis.register_script(_RENEW)
        self._seconds = timeout_seconds
        self._lasts = int(lease_seconds * _MICROS_PER_SECOND)

    async def take(self, claims: Sequence[Claim], lease: str) -> Taken | Short:
        """Give all of ``claims`` or none; places are held under the name ``lease``.

        Raises:
            RatesUnavailableError: no answer; a slot may be lost, and a place until its lease is over.
        """
        keys = [key for each in claims for key in (_rate_key(each), _places_key(each))]
        numbers: list[str | int] = [lease, self._lasts, MAX_PATIENCE_NS // _NS_PER_MICRO]
        for each in claims:
            interval, patience = -(-each.interval_ns // _NS_PER_MICRO), each.patience_ns // _NS_PER_MICRO
            numbers += [interval, each.burst, each.places, patience]
        async with self._asked():
            given, index, places, wait = _integers(await self._take(keys, numbers))
        if given:
            return Taken(wait * _NS_PER_MICRO)
        return Short(claims[index - 1].key, wait * _NS_PER_MICRO, bool(places))

    async def give_back(self, claims: Sequence[Claim], lease: str) -> None:
        """Give the places of a lease back; it may have none.

        Raises:
            RatesUnavailableError: no answer; they are free at the end of the lease.
        """
        async with self._asked(), self._redis.pipeline(transaction=False) as pipeline:
            for each in claims:
                if each.places:
                    pipeline.zrem(_places_key(each), lease)
            await pipeline.execute()

    async def renew(self, held: Mapping[str, Sequence[Claim]]) -> None:
        """Say that leases are held still, also where Redis lost them.

        Raises:
            RatesUnavailableError: no answer.
        """
        pairs = [(_places_key(each), lease) for lease, claims in held.items() for each in claims if each.places]
        if pairs:
            async with self._asked():
                await self._renew([key for key, _ in pairs], [self._lasts, *(lease for _, lease in pairs)])

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    @asynccontextmanager
    async def _asked(self) -> AsyncGenerator[None, None]:
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except (RedisError, OSError, ValueError) as error:  # TimeoutError is an OSError
            raise RatesUnavailableError(f"Redis cannot be asked ({type(error).__name__})") from None


def _integers(answer: Any) -> tuple[int, int, int, int]:  # noqa: ANN401 - whatever the server says
    """Return the four integers of an answer.

    Raises:
        ValueError: it is something else.
    """
    match answer:
        case [int(given), int(index), int(places), int(wait)]:
            return given, index, places, wait
        case _:
            raise ValueError("not the answer of the script")


def _rate_key(claim: Claim) -> str:
    return f"{PREFIX}rate:{claim.key}"


def _places_key(claim: Claim) -> str:
    return f"{PREFIX}held:{claim.key}"
