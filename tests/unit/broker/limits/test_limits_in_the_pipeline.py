"""Rates and breakers where they work: in a broker on a real store and ledger, with the paper connector."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from broker.ledger.events import parse_event
from broker.model import IntentDraft, IntentState
from broker.outcome import Outcome, ProblemKind
from broker.store.base import EventFilter
from connectors.base import CallResult, Plan
from connectors.errors import UpstreamRefusedError
from tests.house import OSTIARY_YAML, House, open_house, write_policy
from tests.parts.second_process import SecondProcess


async def too_many(plan: Plan) -> CallResult:
    raise UpstreamRefusedError("slow down", code="TooManyRequests", status=429)


def limited(folder: Path, limits: str) -> None:
    """Write a configuration in which the scribe has rate limits."""
    write_policy(folder)
    text = OSTIARY_YAML.replace("scribe: {project: desk}", f"scribe: {{project: desk, rate_limits: {limits}}}")
    (folder / "config" / "ostiary.yaml").write_text(text)


def kind_of(outcome: Outcome) -> ProblemKind | None:
    return outcome.problem.kind if outcome.problem else None


@pytest.mark.req("L2")
async def test_seventy_three_calls_that_all_fail_reach_the_upstream_ten_times_and_alert_once_per_opening(
    house: House,
) -> None:
    house.connector.deed = too_many
    session = await house.session(ttl_seconds=86_400)
    told: list[ProblemKind | None] = []
    for _ in range(73):
        told.append(kind_of(await house.ask(session, "Read")))
        for _ in range(3):
            house.clock.advance(5)
            await house.built.breakers.look()
    assert told[:6] == [ProblemKind.UPSTREAM_REFUSED] * 5 + [ProblemKind.BREAKER_OPEN]
    assert len(house.connector.sent) == told.count(ProblemKind.UPSTREAM_REFUSED) == 10
    assert len(await house.event_types(type="breaker.opened")) == 6
    assert (await house.event_types(session_id=session.id)).count("intent.refused") == 63


async def test_the_same_loop_over_two_processes_is_stopped_as_soon(house: House) -> None:
    house.connector.deed = too_many
    session = await house.session(ttl_seconds=86_400)
    other = SecondProcess(house, "ins_other")
    try:
        for call in range(73):
            broker = house.broker if call % 2 else other.broker
            await broker.submit(session, IntentDraft("paper:Read", {"name": "free"}), wait_seconds=0)
            for _ in range(3):
                house.clock.advance(5)
                await house.built.breakers.look()
                await other.built.breakers.look()
        assert len(house.connector.sent) == 10
        assert len(await house.event_types(type="breaker.opened")) == 6
    finally:
        await other.aclose()


async def test_a_request_that_was_throttled_says_so_on_the_ledger(tmp_path: Path) -> None:
    limited(tmp_path, "{max_concurrent: 1, on_exceed: throttle_and_alert, max_delay: 10s}")
    async with open_house(tmp_path) as house:
        session = await house.session()
        begun, goes_on = asyncio.Event(), asyncio.Event()

        async def slow(plan: Plan) -> CallResult:
            begun.set()
            await goes_on.wait()
            return CallResult({})

        house.connector.deed = slow
        first = asyncio.create_task(house.ask(session, "Read"))
        await begun.wait()
        second = asyncio.create_task(house.ask(session, "Read"))
        await asyncio.sleep(0)
        house.clock.advance(3)
        goes_on.set()
        assert [(await each).state for each in (first, second)] == [IntentState.SUCCEEDED] * 2
        wanted = EventFilter(type="intent.executing")
        waits = [parse_event(each.body).data.get("throttled_ms") for each in await house.reader.events(wanted)]
        assert waits == [None, 3000]


async def test_a_request_that_came_too_fast_is_refused_and_holds_no_place(tmp_path: Path) -> None:
    limited(tmp_path, "{max_requests_per_minute: 6, burst: 1}")
    async with open_house(tmp_path, max_concurrent_intents=2, max_concurrent_per_session=2) as house:
        session = await house.session()
        told = [kind_of(await house.ask(session, "Read")) for _ in range(5)]
        assert told == [None] + [ProblemKind.RATE_LIMITED] * 4
        assert house.places.in_use == 0
        house.clock.advance(10)
        assert (await house.ask(session, "Read")).state is IntentState.SUCCEEDED
        assert len(house.connector.sent) == 2


async def test_what_policy_denies_counts_for_no_breaker_and_no_rate(tmp_path: Path) -> None:
    limited(tmp_path, "{max_requests_per_minute: 6, burst: 1}")
    async with open_house(tmp_path) as house:
        session = await house.session()
        for _ in range(20):
            assert kind_of(await house.ask(session, "Read", "forbidden")) is ProblemKind.DENIED
        assert (await house.ask(session, "Read")).state is IntentState.SUCCEEDED
        assert house.built.breakers.standings() == []
