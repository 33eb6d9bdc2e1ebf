from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.limits import breaker
from tests.unit.broker.limits.failing import (
    CONNECTION,
    MISSING,
    OURS,
    SESSION,
    TOO_MANY,
    Shared,
    ask,
    fail,
    one_store,
)
from tests.unit.broker.limits.moments import plan, session


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[Shared]:
    async with one_store(tmp_path) as opened:
        yield opened


@pytest.mark.req("L2")
async def test_the_loop_of_the_brief_is_stopped_at_call_six_and_reaches_the_upstream_ten_times(shared: Shared) -> None:
    """73 calls in 19 minutes, one every 15 s, all 429: five, then one each time the breaker is half open."""
    process, sent = shared.process(), []
    for call in range(1, 74):
        if ask(process, TOO_MANY) is None:
            sent.append(call)
        for _ in range(3):
            await shared.round(5)
    assert sent == [1, 2, 3, 4, 5, 7, 11, 19, 35, 67]
    openings = await shared.told("breaker.opened")
    assert [each["openings"] for each in openings] == [1, 2, 3, 4, 5, 6]
    assert [each["open_seconds"] for each in openings] == [30, 60, 120, 240, 480, 900]
    assert openings[0] == {
        "breaker": SESSION, "openings": 1, "failures": 5, "most_identical": 5, "last_status": "429",
        "open_seconds": 30, "session": "ses_a", "agent": "ci-runner", "by": "",
    }  # fmt: skip


async def test_a_success_in_between_forgets_all(shared: Shared) -> None:
    process = shared.process()
    for _ in range(10):
        fail(process, 4)
        assert ask(process, None) is None
    assert process.standings() == []
    await shared.round()
    assert await shared.told("breaker.opened") == []


async def test_what_we_refused_ourselves_counts_for_nothing(shared: Shared) -> None:
    process = shared.process()
    assert not any(fail(process, 50, OURS))
    assert not any(ask(process, OURS, digest="same") for _ in range(50))
    assert process.standings() == []


@pytest.mark.req("L2")
async def test_the_same_request_that_only_fails_is_stopped_after_ten_whatever_failed(shared: Shared) -> None:
    process = shared.process()
    assert not any(fail(process, 30, MISSING))  # different requests
    refused = [ask(process, MISSING, digest="same") is not None for _ in range(12)]
    assert refused == [False] * 10 + [True] * 2
    await shared.round()
    [opened] = await shared.told("breaker.opened")
    assert (opened["failures"], opened["most_identical"], opened["last_status"]) == (0, 10, "404")


async def test_a_request_that_fails_by_the_agents_fault_reopens_nothing_unless_it_is_that_one(shared: Shared) -> None:
    process = shared.process()
    for _ in range(10):
        ask(process, MISSING, digest="same")
    shared.clock.advance(30)
    for number in range(5):  # each one gives its turn back
        assert ask(process, MISSING, digest=f"other {number}") is None
    assert ask(process, MISSING, digest="same") is None
    assert ask(process, MISSING, digest="other") is not None


async def test_a_half_open_breaker_lets_one_call_through_at_a_time(shared: Shared) -> None:
    process = shared.process()
    fail(process, 5)
    shared.clock.advance(30)
    assert process.refusal(session(), plan(), "x") is None
    waiting = process.refusal(session(), plan(), "x")
    assert waiting is not None
    assert waiting.retry_after_seconds == 30
    process.feed(session(), plan(), "x", None)
    assert ask(process, TOO_MANY) is None
    assert [each.openings for each in process.standings()] == [0, 0]


async def test_a_probe_that_never_comes_back_keeps_others_out_for_half_a_minute_only(shared: Shared) -> None:
    process = shared.process()
    fail(process, 5)
    shared.clock.advance(30)
    assert process.refusal(session(), plan(), "x") is None
    shared.clock.advance(29)
    assert process.refusal(session(), plan(), "x") is not None
    shared.clock.advance(1)
    assert process.refusal(session(), plan(), "x") is None


async def test_what_was_under_way_when_it_opened_makes_it_no_longer(shared: Shared) -> None:
    process = shared.process()
    for number in range(50):
        process.feed(session(), plan(), str(number), TOO_MANY)
    assert [each.openings for each in process.standings() if each.key == SESSION] == [1]
    shared.clock.advance(30)
    process.feed(session(), plan(), "late", TOO_MANY)
    assert [each.openings for each in process.standings() if each.key == SESSION] == [2]


async def test_a_connection_is_closed_when_it_fails_for_several_and_by_nobody_alone(shared: Shared) -> None:
    process = shared.process()
    for number in range(20):
        process.feed(session("a"), plan(), str(number), TOO_MANY)
    assert process.refusal(session("b"), plan(), "x") is None
    for number in range(5):
        process.feed(session("b", agent="helper"), plan(), str(number), TOO_MANY)
    refusal = process.refusal(session("c"), plan(), "x")
    assert refusal is not None
    assert refusal.extra["breaker"] == "connection/lake"
    assert "aws/prod" not in str(refusal)
    assert process.refusal(session("c"), plan(credential="aws/dev"), "x") is None
    assert process.refusal(session("c"), plan(connection="other"), "x") is None
    shared.clock.advance(30)
    assert ask(process, None, name="c") is None
    assert process.refusal(session("d"), plan(), "x") is None
    assert process.refusal(session("e"), plan(), "x") is None


async def test_a_loop_with_ten_minutes_between_its_calls_is_still_stopped(shared: Shared) -> None:
    process = shared.process()
    for _ in range(5):
        assert ask(process, TOO_MANY) is None
        await shared.round(600)
    await shared.round()
    assert len(await shared.told("breaker.opened")) == 1


async def test_very_many_failing_breakers_are_not_all_remembered(shared: Shared) -> None:
    process = shared.process()
    for number in range(breaker.MAX_RUNS + 5):
        process.feed(session(str(number)), plan(), "d", TOO_MANY)
    assert len(process._runs) == breaker.MAX_RUNS
    assert "session/ses_0" not in process._runs


async def test_a_half_open_connection_lets_one_session_try_and_tells_the_others(shared: Shared) -> None:
    process = shared.process()
    for name in "ab":
        for number in range(5):
            process.feed(session(name), plan(), str(number), TOO_MANY)
    await shared.round()
    assert {each["breaker"] for each in await shared.told("breaker.opened")} == {
        CONNECTION,
        "session/ses_a",
        "session/ses_b",
    }
    shared.clock.advance(30)
    assert process.refusal(session("c"), plan(), "x") is None
    assert process.refusal(session("d"), plan(), "x") is not None
    process.feed(session("c"), plan(), "x", TOO_MANY)
    refusal = process.refusal(session("d"), plan(), "x")
    assert refusal is not None
    assert refusal.retry_after_seconds == 60
