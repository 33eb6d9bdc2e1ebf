from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from broker.config.loader import load_configuration
from broker.config.model import Configuration
from broker.limits.gcra import Claim, RatesUnavailableError, Short, Taken
from broker.limits.rate_headers import headers_of
from broker.limits.throttle import MAX_WAITING, UNCOUNTED, Throttle, Turn
from broker.outcome import Problem, ProblemKind
from tests.unit.broker.config.paper import CONNECTORS, MAIN, write
from tests.unit.broker.limits.moments import NS, Moments, plan, session

Make = Callable[..., Throttle]


@pytest.fixture
def moments() -> Moments:
    return Moments()


@pytest.fixture
def make(tmp_path: Path, moments: Moments) -> Make:
    """Make a throttle of what a configuration says of the agent and of the connection ``lake``."""

    def made(agent: str = "", lake: str = "", **options: object) -> Throttle:
        main = MAIN
        if agent:
            main = main.replace("    owner: alice\n", f"    owner: alice\n    rate_limits: {agent}\n")
        if lake:
            main = main.replace("regions: [eu-west-1]}", f"regions: [eu-west-1], rate_limits: {lake}}}")
        found = load_configuration(write(tmp_path, main), CONNECTORS)
        return Throttle(lambda: found, moments.clock, sleep=moments.sleep, **options)  # type: ignore[arg-type]  # of the test's own

    return made


def taken(answer: Turn | Problem) -> Turn:
    assert isinstance(answer, Turn)
    return answer


def refused(answer: Turn | Problem) -> Problem:
    assert isinstance(answer, Problem)
    return answer


async def test_what_no_limit_counts_passes_at_once(make: Make) -> None:
    throttle = make(lake="{max_requests_per_minute: 1}")
    assert await throttle.turn(session(), plan(connection="code")) is UNCOUNTED
    assert await throttle.turn(session(agent="undeclared"), plan(connection="unknown")) is UNCOUNTED
    with UNCOUNTED as turn:
        assert turn.told == {}


@pytest.mark.req("L2")
async def test_beyond_its_rate_an_agent_is_refused_and_told_when_to_come_back(make: Make, moments: Moments) -> None:
    throttle = make("{max_requests_per_minute: 30, burst: 2}")
    for _ in range(2):
        assert taken(await throttle.turn(session(), plan())).told == {}
    problem = refused(await throttle.turn(session(), plan()))
    assert (problem.kind, problem.retry_after_seconds) == (ProblemKind.RATE_LIMITED, 2)
    assert headers_of(problem) == {"RateLimit-Policy": '"requests";q=30;w=60', "RateLimit": '"requests";r=0;t=2'}
    moments.clock.advance(1.5)
    assert refused(await throttle.turn(session(), plan())).retry_after_seconds == 1
    moments.clock.advance(0.5)
    taken(await throttle.turn(session(), plan()))


async def test_a_rate_of_a_session_is_that_of_its_family_and_of_no_other(make: Make) -> None:
    throttle = make("{max_requests_per_minute: 6, burst: 1}")
    taken(await throttle.turn(session("a"), plan()))
    refused(await throttle.turn(session("child", root="ses_a"), plan()))
    taken(await throttle.turn(session("b"), plan()))


async def test_a_rate_of_an_agent_is_that_of_all_its_sessions(make: Make) -> None:
    throttle = make("{max_requests_per_minute: 6, burst: 1, per: agent}")
    taken(await throttle.turn(session("a"), plan()))
    assert "agent ci-runner" in refused(await throttle.turn(session("b"), plan())).detail
    taken(await throttle.turn(session("c", agent="helper"), plan()))


@pytest.mark.parametrize(("per", "second", "third"), [("connection", 1, 1), ("agent", 0, 1), ("session", 0, 0)])
async def test_a_rate_of_a_connection_counts_all_or_by_agent_or_by_session(
    make: Make, per: str, second: int, third: int
) -> None:
    throttle = make(lake=f"{{max_requests_per_minute: 6, burst: 1, per: {per}}}")
    taken(await throttle.turn(session("a"), plan()))
    other_agent = await throttle.turn(session("b", agent="helper"), plan())
    other_session = await throttle.turn(session("c"), plan())
    assert (isinstance(other_agent, Problem), isinstance(other_session, Problem)) == (bool(second), bool(third))


async def test_a_group_counts_its_actions_and_the_rest_counts_all(make: Make) -> None:
    group = '{name: gets, actions: "S3:get*", max_requests_per_minute: 6, burst: 1}'
    throttle = make(f"{{max_requests_per_minute: 30, burst: 3, groups: [{group}]}}")
    taken(await throttle.turn(session(), plan("s3:GetObject")))
    assert refused(await throttle.turn(session(), plan("s3:GetBucketAcl"))).extra["limit"] == "gets"
    for _ in range(2):  # what the group refused was not counted by the other limit
        taken(await throttle.turn(session(), plan("s3:PutObject")))
    assert refused(await throttle.turn(session(), plan("s3:PutObject"))).extra["limit"] == "requests"


async def test_agent_and_connection_both_count_and_neither_when_one_refuses(make: Make, moments: Moments) -> None:
    throttle = make("{max_requests_per_minute: 60, burst: 2}", "{max_requests_per_minute: 6, burst: 1}")
    taken(await throttle.turn(session(), plan()))
    for _ in range(5):
        assert "connection lake" in refused(await throttle.turn(session(), plan())).detail
    taken(await throttle.turn(session(), plan(connection="code")))
    moments.clock.advance(10)
    taken(await throttle.turn(session(), plan()))


WAITING = "{max_requests_per_minute: 60, burst: 1, on_exceed: throttle_and_alert, max_delay: 3s}"


async def _arrivals(throttle: Throttle, moments: Moments, many: int) -> tuple[list[asyncio.Task[None]], list[object]]:
    """Ask ``many`` times, one after the other, and note who got through when."""
    passed: list[object] = []
    began_ns = moments.clock.time_ns

    async def ask(number: int) -> None:
        answer = await throttle.turn(session(), plan())
        passed.append((number, (moments.clock.time_ns - began_ns) // NS if isinstance(answer, Turn) else answer.kind))

    tasks = []
    for number in range(many):
        tasks.append(asyncio.create_task(ask(number)))
        await asyncio.sleep(0)
    return tasks, passed


@pytest.mark.req("L2")
async def test_who_may_wait_passes_in_the_order_of_coming_and_nobody_waits_too_long(
    make: Make, moments: Moments
) -> None:
    throttle = make(WAITING)
    tasks, passed = await _arrivals(throttle, moments, 6)
    await moments.advance(0)
    late = ProblemKind.RATE_LIMITED
    assert passed == [(0, 0), (4, late), (5, late)]
    assert throttle.waiting == 3
    await moments.advance(10)
    await asyncio.gather(*tasks)
    assert passed[3:] == [(1, 1), (2, 2), (3, 3)]
    assert throttle.waiting == 0


async def test_the_event_says_how_long_a_request_waited(make: Make, moments: Moments) -> None:
    throttle = make(WAITING)
    taken(await throttle.turn(session(), plan()))
    second = asyncio.create_task(throttle.turn(session(), plan()))
    await moments.advance(5)
    assert taken(await second).told == {"throttled_ms": 1000}


async def test_who_is_cancelled_lets_nobody_overtake_and_frees_no_slot_twice(make: Make, moments: Moments) -> None:
    throttle = make(WAITING)
    tasks, passed = await _arrivals(throttle, moments, 4)
    tasks[1].cancel()
    await moments.advance(0)
    assert throttle.waiting == 2
    await moments.advance(10)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert passed == [(0, 0), (2, 2), (3, 3)]


CONCURRENT = "{max_concurrent: 2}"
IN_LINE = "{max_concurrent: 1, on_exceed: throttle_and_alert, max_delay: 2s}"


async def test_beyond_its_places_an_agent_is_refused_until_one_is_given_back(make: Make) -> None:
    throttle = make(CONCURRENT)
    held = [taken(await throttle.turn(session(), plan())) for _ in range(2)]
    problem = refused(await throttle.turn(session(), plan()))
    assert (problem.kind, problem.retry_after_seconds) == (ProblemKind.TOO_BUSY, 1)
    assert headers_of(problem)["RateLimit-Policy"] == '"requests";q=2;qu="concurrent-requests"'
    with held[0]:
        pass
    with pytest.raises(ZeroDivisionError), taken(await throttle.turn(session(), plan())):
        1 / 0  # noqa: B018 - whatever happened
    with held[0], taken(await throttle.turn(session(), plan())):
        refused(await throttle.turn(session(), plan()))


async def test_who_waits_for_a_place_gets_it_in_the_order_of_coming(make: Make, moments: Moments) -> None:
    throttle = make(IN_LINE)
    passed: list[int] = []

    async def work(number: int) -> None:
        with taken(await throttle.turn(session(), plan())):
            passed.append(number)
            await moments.sleep(0.3)

    tasks = []
    for number in range(5):
        tasks.append(asyncio.create_task(work(number)))
        await moments.advance(0.01)
    await moments.advance(2)
    await asyncio.gather(*tasks)
    assert passed == [0, 1, 2, 3, 4]
    assert throttle._lines == {}


async def test_who_waits_for_a_place_in_vain_is_refused_in_time(make: Make, moments: Moments) -> None:
    throttle = make(IN_LINE)
    held = taken(await throttle.turn(session(), plan()))
    tasks = [asyncio.create_task(throttle.turn(session(), plan())) for _ in range(3)]
    await moments.advance(1.9)
    assert not any(task.done() for task in tasks)
    await moments.advance(0.2)
    assert [refused(await task).kind for task in tasks] == [ProblemKind.TOO_BUSY] * 3
    with held:
        pass
    assert taken(await throttle.turn(session(), plan())).told == {}
    assert throttle._lines == {}


async def test_who_is_cancelled_in_line_keeps_nobody_from_the_place(make: Make, moments: Moments) -> None:
    throttle = make(IN_LINE)
    held = taken(await throttle.turn(session(), plan()))
    tasks = [asyncio.create_task(throttle.turn(session(), plan())) for _ in range(3)]
    await moments.advance(0.1)
    for task in tasks[:2]:
        task.cancel()
    await moments.advance(0.1)
    with held:
        pass
    await moments.advance(0.1)
    assert taken(await tasks[2]).told == {"throttled_ms": 220}


async def test_a_place_that_comes_with_a_slot_is_held_while_the_slot_is_waited_for(
    make: Make, moments: Moments
) -> None:
    throttle = make(WAITING.replace("{", "{max_concurrent: 2, "))
    first = taken(await throttle.turn(session(), plan()))
    waiting = asyncio.create_task(throttle.turn(session(), plan()))
    third = asyncio.create_task(throttle.turn(session(), plan()))
    await moments.advance(0.5)
    with first:
        pass
    await moments.advance(0.6)
    assert waiting.done()
    await moments.advance(0.8)
    assert not third.done()  # it got its place at 0.5, and its slot is the one after
    waiting.cancel()
    await moments.advance(0.2)
    assert taken(await third).told == {"throttled_ms": 2000}


async def test_who_is_cancelled_before_its_slot_gives_its_place_back(make: Make, moments: Moments) -> None:
    throttle = make("{max_concurrent: 2}", WAITING)
    taken(await throttle.turn(session(), plan()))
    waiting = asyncio.create_task(throttle.turn(session(), plan()))
    await moments.advance(0.1)
    refused(await throttle.turn(session(), plan(connection="code")))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    taken(await throttle.turn(session(), plan(connection="code")))


async def test_a_line_for_one_limit_can_end_in_the_line_for_another(make: Make, moments: Moments) -> None:
    group = '{name: gets, actions: "s3:Get*", max_concurrent: 1, on_exceed: throttle_and_alert, max_delay: 5s}'
    throttle = make(f"{{max_concurrent: 2, on_exceed: throttle_and_alert, max_delay: 5s, groups: [{group}]}}")
    put = [taken(await throttle.turn(session(), plan("s3:PutObject"))) for _ in range(2)]
    waiting = asyncio.create_task(throttle.turn(session(), plan("s3:GetObject")))
    await moments.advance(0.1)
    with put[0]:
        pass
    await moments.advance(0.1)
    got = taken(await waiting)
    with put[1]:
        pass
    second = asyncio.create_task(throttle.turn(session(), plan("s3:GetObject")))
    await moments.advance(0.1)
    assert list(throttle._lines) == ["agent/ci-runner/session/ses_a/gets"]
    taken(await throttle.turn(session(), plan("s3:PutObject")))  # it does not stand in that line
    third = asyncio.create_task(throttle.turn(session(), plan("s3:GetObject")))
    await moments.advance(0.1)
    with got:
        pass
    await moments.advance(0.1)
    with taken(await second):
        pass
    await moments.advance(0.1)
    assert taken(await third).told != {}


async def test_when_very_many_wait_the_next_one_is_refused_at_once(make: Make, moments: Moments) -> None:
    throttle = make("{max_requests_per_minute: 60000, burst: 1, on_exceed: throttle_and_alert, max_delay: 60s}")
    tasks = [asyncio.create_task(throttle.turn(session(), plan())) for _ in range(MAX_WAITING + 1)]
    await moments.advance(0)
    assert throttle.waiting == MAX_WAITING
    assert refused(await throttle.turn(session(), plan())).kind is ProblemKind.RATE_LIMITED
    await moments.advance(2)
    assert all(isinstance(answer, Turn) for answer in await asyncio.gather(*tasks))


async def test_a_new_configuration_counts_at_once(make: Make, moments: Moments, tmp_path: Path) -> None:
    current: list[Configuration] = []
    throttle = Throttle(lambda: current[-1], moments.clock, sleep=moments.sleep)
    make("{max_requests_per_minute: 1}")
    current.append(load_configuration(tmp_path, CONNECTORS))
    taken(await throttle.turn(session(), plan()))
    assert refused(await throttle.turn(session(), plan())).retry_after_seconds == 60
    current.append(replace(current[0], agents={}))
    assert await throttle.turn(session(), plan()) is UNCOUNTED


class Away:
    """Shared rates that nobody can reach."""

    def __init__(self) -> None:
        self.renewals = 0

    async def take(self, claims: object, lease: str) -> Taken | Short:
        raise RatesUnavailableError("away")

    async def give_back(self, claims: object, lease: str) -> None:
        raise RatesUnavailableError("away")

    async def renew(self, held: object) -> None:
        self.renewals += 1


async def test_without_the_shared_part_the_limits_hold_and_somebody_is_told(make: Make) -> None:
    told: list[bool] = []
    throttle = make(
        "{max_requests_per_minute: 60, burst: 1, max_concurrent: 5}", shared=Away(), on_degraded=told.append
    )
    assert not throttle.degraded
    taken(await throttle.turn(session(), plan()))
    assert refused(await throttle.turn(session(), plan())).kind is ProblemKind.RATE_LIMITED
    assert (told, throttle.degraded) == ([True], True)
    await throttle.renew()
    await throttle.aclose()


def test_headers_are_made_for_problems_of_limits_only() -> None:
    assert headers_of(Problem(ProblemKind.DENIED, "no")) == {}
    assert headers_of(Problem(ProblemKind.UPSTREAM_REFUSED, "no", extra={"limit": "x", "policy": "theirs"})) == {}
    assert headers_of(Problem(ProblemKind.UPSTREAM_REFUSED, "no", extra={"limit": "x", "policy": {}})) == {}


def test_a_claim_is_what_it_says() -> None:
    assert Claim("k") == Claim("k", 0, 1, 0, 0)
