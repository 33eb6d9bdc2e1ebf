"""Rates and places on a real server: the contract, several processes, and a server that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from redis import Redis

from broker.limits.gcra import Claim, RatesUnavailableError, SharedRates, Short, Taken
from broker.limits.gcra_redis import PREFIX, RedisRates
from broker.limits.metering import Meter
from tests.house import ManualClock
from tests.parts.rates import RatesContract
from tests.parts.valkey import PrivateValkey, private_valkey

NS = 10**9


@pytest.fixture(scope="module")
def valkey() -> Iterator[PrivateValkey]:
    with private_valkey() as server:
        yield server


@pytest.fixture
def server(valkey: PrivateValkey) -> Iterator[Redis]:
    with Redis.from_url(valkey.url) as client:
        client.flushall()
        yield client


@pytest.fixture
async def shared(valkey: PrivateValkey, server: Redis) -> AsyncIterator[RedisRates]:
    assert server.ping()
    rates = RedisRates(valkey.url, timeout_seconds=5)
    yield rates
    await rates.aclose()


class TestRedisRates(RatesContract):
    """What several processes count keeps the contract."""

    @pytest.fixture(autouse=True)
    def _given(self, shared: RedisRates) -> None:
        self.shared = shared

    def rates(self) -> SharedRates:
        return self.shared

    async def passes(self, seconds: float) -> None:
        await asyncio.sleep(seconds)  # the time is the server's, which no test can move


async def test_what_many_ask_for_at_once_is_given_as_often_as_there_is(shared: RedisRates, server: Redis) -> None:
    claims = [Claim("many", 60 * NS, 7), Claim("places", places=5)]
    asked = await asyncio.gather(*(shared.take(claims, str(number)) for number in range(100)))
    assert sum(isinstance(answer, Taken) for answer in asked) == 5
    for number in range(100):
        await shared.give_back(claims, str(number))
    asked = await asyncio.gather(*(shared.take(claims, str(number)) for number in range(100)))
    assert sum(isinstance(answer, Taken) for answer in asked) == 2
    assert all(0 < server.pttl(key) <= 700_000 for key in server.keys(PREFIX + "*"))


async def test_a_lease_that_nobody_renews_ends_by_itself(shared: RedisRates, valkey: PrivateValkey) -> None:
    died, claims = RedisRates(valkey.url, timeout_seconds=5, lease_seconds=0.1), [Claim("lease", places=1)]
    assert await died.take(claims, "dead") == Taken()
    assert isinstance(await died.take(claims, "next"), Short)
    await died.aclose()
    deadline = asyncio.get_running_loop().time() + 5
    while isinstance(answer := await shared.take(claims, "next"), Short):
        assert asyncio.get_running_loop().time() < deadline
    assert answer == Taken()


async def test_numbers_that_somebody_planted_are_not_believed(shared: RedisRates, server: Redis) -> None:
    claims = [Claim("planted", NS, 2)]
    for planted in ("nonsense", "1e300", "-1e300", "nan", "inf", ""):
        server.set(f"{PREFIX}rate:planted", planted)
        answer = await shared.take(claims, "x")
        if isinstance(answer, Short):
            assert answer.wait_ns <= 62 * NS, planted
    server.delete(f"{PREFIX}rate:planted")
    server.lpush(f"{PREFIX}rate:planted", "a list")
    with pytest.raises(RatesUnavailableError):
        await shared.take(claims, "x")


async def test_the_script_is_there_again_after_the_server_forgot_it(shared: RedisRates, server: Redis) -> None:
    claims = [Claim("forgotten", NS, 2)]
    await shared.take(claims, "x")
    server.script_flush()
    assert await shared.take(claims, "x") == Taken()


def test_an_url_that_cannot_be_used_is_not_repeated() -> None:
    with pytest.raises(RatesUnavailableError) as caught:
        RedisRates("gopher://:hunter2@nowhere")
    assert "hunter2" not in str(caught.value)


async def test_a_server_that_hangs_costs_a_moment_and_no_more(shared: RedisRates, valkey: PrivateValkey) -> None:
    quick = RedisRates(valkey.url, timeout_seconds=0.05)
    claims = [Claim("hanging", NS, 5)]
    assert await quick.take(claims, "x") == Taken()
    with Redis.from_url(valkey.url) as client:
        client.execute_command("CLIENT", "PAUSE", "600", "ALL")
    with pytest.raises(RatesUnavailableError):
        await quick.take(claims, "x")
    await quick.aclose()
    async with asyncio.timeout(5):  # and then it goes on
        assert await shared.take(claims, "x") == Taken()


async def test_when_the_server_is_killed_midway_the_limits_hold_here_until_it_is_back() -> None:
    with private_valkey() as own:
        shared, clock, told = RedisRates(own.url, timeout_seconds=1), ManualClock(), list[bool]()
        meter = Meter(clock, shared, told.append)
        claims = [Claim("midway", 60 * NS, 4), Claim("places", places=3)]
        assert [await meter.take(claims, name) for name in ("a", "b")] == [Taken(), Taken()]
        own.kill()
        assert await meter.take(claims, "c") == Taken()
        assert (told, meter.degraded) == ([True], True)
        assert await meter.take(claims, "d") == Short("places", places=True)
        for name in "abc":
            meter.give_back(claims, name)
        await meter.aclose()
        assert await meter.take(claims, "d") == Taken()
        assert await meter.take(claims, "e") == Short("midway", 60 * NS)
        own.start()
        assert isinstance(await meter.take(claims, "e"), Short)  # not yet: one request a second looks
        clock.advance(2)
        assert await meter.take(claims, "f") == Taken()
        assert (told, meter.degraded) == ([True, False], False)
        await meter.renew()
        with Redis.from_url(own.url) as client:
            # What was held before and could not be given back meanwhile ends with its lease.
            assert client.zrange(f"{PREFIX}held:places", 0, -1) == [b"a", b"b", b"f"]
            meter.give_back(claims, "f")
            await meter.aclose()
            assert client.zrange(f"{PREFIX}held:places", 0, -1) == [b"a", b"b"]
        await shared.aclose()
