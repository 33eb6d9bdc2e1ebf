from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.errors import LedgerUnavailableError, StoreUnavailableError
from broker.limits import breaker
from broker.limits.breaker import Breakers
from broker.limits.breaker_store import SqlBreakers
from broker.limits.runs import BreakerState
from broker.outcome import Problem, ProblemKind
from tests.unit.broker.limits.failing import (
    OLIVIA,
    SESSION,
    TOO_MANY,
    FlakyLedger,
    Shared,
    StagedStore,
    ask,
    fail,
    one_store,
)
from tests.unit.broker.limits.moments import plan, session


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[Shared]:
    async with one_store(tmp_path) as opened:
        yield opened


async def test_who_is_refused_is_told_why_and_for_how_long(shared: Shared) -> None:
    process = shared.process()
    assert fail(process, 6) == [False] * 5 + [True]
    shared.clock.advance(10.5)
    refusal = process.refusal(session(), plan(), "x")
    assert refusal is not None
    assert (refusal.kind, refusal.retry_after_seconds) == (ProblemKind.BREAKER_OPEN, 20)
    assert refusal.extra == {"breaker": SESSION, "last_status": "429", "openings": 1}
    assert process.refusal(session("child", root="ses_a"), plan(), "x") is not None
    assert process.refusal(session("b"), plan(), "x") is None


async def test_failures_in_two_processes_are_summed_and_open_both_with_one_event(shared: Shared) -> None:
    one, two = shared.process(), shared.process()
    assert not any(fail(one, 3) + fail(two, 2))
    await shared.round()
    await shared.round()
    for each in (one, two):
        assert each.refusal(session(), plan(), "x") is not None
    assert len(await shared.told("breaker.opened")) == 1
    [shown] = [each for each in two.standings() if each.key == SESSION]
    assert (shown.tally.failures, shown.tally.agent, shown.openings) == (5, "ci-runner", 1)
    assert shown.state(shared.clock.now_ns()) is BreakerState.OPEN


async def test_two_processes_that_open_at_once_tell_of_it_once_and_agree(shared: Shared) -> None:
    one, two = shared.process(), shared.process()
    fail(one, 5)
    fail(two, 5)
    await asyncio.gather(one.look(), two.look())
    await shared.round()
    assert len(await shared.told("breaker.opened")) == 1
    assert one.standings() == two.standings()
    shared.clock.advance(30)
    assert ask(one, TOO_MANY) is None
    assert ask(two, TOO_MANY) is None  # a probe of its own
    await shared.round()
    await shared.round()
    assert [each["openings"] for each in await shared.told("breaker.opened")] == [1, 2]
    assert one.standings() == two.standings()


async def test_a_success_in_one_process_closes_the_breaker_in_all(shared: Shared) -> None:
    one, two = shared.process(), shared.process()
    fail(one, 5)
    await shared.round()
    assert two.refusal(session(), plan(), "x") is not None
    shared.clock.advance(30)
    assert ask(two, None) is None
    await shared.round()
    await shared.round()
    assert (one.standings(), two.standings()) == ([], [])
    assert not any(fail(one, 5))


async def test_a_success_elsewhere_breaks_the_row_that_was_counted_here(shared: Shared) -> None:
    one, two = shared.process(), shared.process()
    for _ in range(5):
        fail(one, 3)
        await shared.round()
        assert ask(two, None) is None
        await shared.round()
        await shared.round()
    assert one.refusal(session(), plan(), "x") is None
    assert await shared.told("breaker.opened") == []


async def test_a_process_that_begins_knows_what_failed_before(shared: Shared) -> None:
    first = shared.process()
    fail(first, 5)
    await shared.round()
    shared.processes.clear()
    again = shared.process()
    assert again.refusal(session(), plan(), "x") is None
    await again.learn()
    refusal = again.refusal(session(), plan(), "x")
    assert refusal is not None
    assert refusal.retry_after_seconds == 30
    assert len(await shared.told("breaker.opened")) == 1


async def test_what_one_process_counted_and_did_not_write_down_another_one_does(shared: Shared) -> None:
    dies, lives = shared.process(), shared.process()
    fail(dies, 5)
    await SqlBreakers(shared.database).tell(
        {run.known.key: run.news for run in dies._runs.values()}, shared.clock.now_ns()
    )
    shared.processes.remove(dies)
    await shared.round()
    assert len(await shared.told("breaker.opened")) == 1
    assert lives.refusal(session(), plan(), "x") is not None


async def test_what_failed_long_ago_is_forgotten(shared: Shared) -> None:
    one = shared.process()
    fail(one, 4)
    await shared.round()
    shared.clock.advance(900)
    await shared.round()
    assert one.standings() == []
    assert not any(fail(one, 4))
    two = shared.process()
    await shared.round()
    assert [each.tally.failures for each in two.standings()] == [4, 4]


async def test_a_reset_closes_it_everywhere_and_is_told_with_its_reason(shared: Shared) -> None:
    one, two = shared.process(), shared.process()
    fail(one, 5)
    await shared.round()
    shared.clock.advance(0.1)
    standing = await two.reset(SESSION, OLIVIA, "the quota was raised")
    assert not isinstance(standing, Problem)
    await shared.round()
    assert [each.refusal(session(), plan(), "x") for each in (one, two)] == [None, None]
    [told] = await shared.told("breaker.reset")
    assert (told["by"], told["reason"], told["breaker"], told["failures"]) == (
        "olivia", "the quota was raised", SESSION, 5,
    )  # fmt: skip
    assert fail(one, 6) == [False] * 5 + [True]
    await shared.round()
    assert [each["openings"] for each in await shared.told("breaker.opened")] == [1, 1]


async def test_a_reset_covers_what_nobody_was_told_yet(shared: Shared) -> None:
    one, two = shared.process(), shared.process()
    fail(one, 3)
    await shared.round()
    fail(one, 1)  # told only after the reset
    shared.clock.advance(0.1)
    assert not isinstance(await two.reset(SESSION, OLIVIA, "why"), Problem)
    await shared.round()
    assert not any(fail(two, 4))
    await shared.round()
    assert one.refusal(session(), plan(), "x") is None


@pytest.mark.parametrize("key", ["session/ses_unknown", "", "x" * 5000, "session/\0", "session/\ud800"])
async def test_what_has_no_failures_cannot_be_reset(shared: Shared, key: str) -> None:
    answer = await shared.process().reset(key, OLIVIA, "why")
    assert isinstance(answer, Problem)
    assert answer.kind is ProblemKind.NOT_FOUND


@pytest.mark.parametrize("reason", ["", " \n", "x" * 2001, "a\0b", "\ud800"])
async def test_a_reset_needs_a_reason(shared: Shared, reason: str) -> None:
    process = shared.process()
    fail(process, 5)
    answer = await process.reset(SESSION, OLIVIA, reason)
    assert isinstance(answer, Problem)
    assert answer.kind is ProblemKind.INVALID_PARAMS
    assert process.refusal(session(), plan(), "x") is not None


async def test_while_the_ledger_is_away_it_is_open_here_and_told_later(shared: Shared) -> None:
    ledger = FlakyLedger(shared.ledger)
    process = Breakers(SqlBreakers(shared.database), ledger, shared.clock)
    fail(process, 5)
    ledger.up = False
    for _ in range(2):
        with pytest.raises(LedgerUnavailableError):
            await process.look()
    with pytest.raises(LedgerUnavailableError):
        await process.reset(SESSION, OLIVIA, "why")
    assert process.refusal(session(), plan(), "x") is not None
    ledger.up = True
    await process.look()
    assert len(await shared.told("breaker.opened")) == 1


async def test_while_the_store_is_away_nothing_is_lost_and_nothing_counted_twice(shared: Shared) -> None:
    store = StagedStore(shared.database)
    process = Breakers(store, shared.ledger, shared.clock)
    fail(process, 2)
    store.told_up = False
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            await process.look()
    assert [each.tally.failures for each in process.standings()] == [2, 2]
    fail(process, 1)
    store.told_up = True
    for _ in range(2):
        await process.look()
    other = shared.process()
    await other.look()
    for each in (process, other):
        assert [standing.tally.failures for standing in each.standings()] == [3, 3]


async def test_what_fails_and_what_succeeds_while_others_are_told_is_neither_lost_nor_doubled(shared: Shared) -> None:
    process = shared.process()
    fail(process, 2)
    looking = asyncio.create_task(process.look())
    await asyncio.sleep(0)
    fail(process, 1)
    await looking
    await shared.round()
    assert [each.tally.failures for each in process.standings()] == [3, 3]
    fail(process, 1)
    looking = asyncio.create_task(process.look())
    await asyncio.sleep(0)
    shared.clock.advance(0.1)
    ask(process, None)
    await looking
    await shared.round()
    await shared.round()
    assert process.standings() == []
    other = shared.process()
    await other.look()
    assert other.standings() == []


async def test_a_success_that_nobody_was_told_of_is_not_undone_by_an_old_count(shared: Shared) -> None:
    one = shared.process()
    fail(one, 4)
    await shared.round()
    shared.clock.advance(0.1)
    ask(one, None)
    fail(one, 1)
    await shared.round()
    assert [each.tally.failures for each in one.standings()] == [1, 1]


async def test_what_nothing_happened_to_for_a_week_is_not_stored_any_more(shared: Shared) -> None:
    process, store = shared.process(), SqlBreakers(shared.database)
    fail(process, 1)
    await shared.round()
    assert len(await store.read(0)) == 2
    await shared.round(breaker.KEEP_SECONDS + 1)
    assert await store.read(0) == []


async def test_an_opening_that_a_success_closed_before_it_was_told_is_not_told(shared: Shared) -> None:
    process = shared.process()
    fail(process, 5)
    ask(process, None, name="b")
    process.feed(session(), plan(), "straggler", None)
    await shared.round()
    assert await shared.told("breaker.opened") == []
    assert ask(process, None) is None


async def test_what_fails_after_a_reset_counts_even_before_it_is_known_here(shared: Shared) -> None:
    store, two = StagedStore(shared.database), shared.process()
    one = Breakers(store, shared.ledger, shared.clock)
    fail(one, 4)
    await one.look()
    shared.clock.advance(0.1)
    assert not isinstance(await two.reset(SESSION, OLIVIA, "why"), Problem)

    def meanwhile() -> None:
        shared.clock.advance(0.1)
        fail(one, 1)  # which is the fifth, as far as it knows
        assert one.refusal(session(), plan(), "x") is not None

    store.while_read = meanwhile
    await one.look()
    assert {each.key: each.tally.failures for each in one.standings()}[SESSION] == 1
    assert one.refusal(session(), plan(), "x") is None


async def test_what_was_forgotten_everywhere_meanwhile_cannot_be_reset(shared: Shared) -> None:
    process, store = shared.process(), SqlBreakers(shared.database)
    fail(process, 1)
    await shared.round()
    await store.expire(shared.clock.now_ns() + 1)
    answer = await process.reset(SESSION, OLIVIA, "why")
    assert isinstance(answer, Problem)
    assert answer.kind is ProblemKind.NOT_FOUND
    assert await shared.told("breaker.reset") == []


async def test_what_succeeds_while_others_are_told_of_failures_forgets_those(shared: Shared) -> None:
    store, other = StagedStore(shared.database), shared.process()
    process = Breakers(store, shared.ledger, shared.clock)

    def succeeds_and_fails_once() -> None:
        shared.clock.advance(0.1)
        ask(process, None)
        fail(process, 1)

    fail(process, 4)
    store.while_told = succeeds_and_fails_once
    for _ in range(2):
        await process.look()
    fail(process, 2)
    await process.look()
    store.while_read = succeeds_and_fails_once
    await process.look()
    assert [each.tally.failures for each in process.standings()] == [1, 1]
    await process.look()
    await other.look()
    assert process.standings() == other.standings()
    assert [each.tally.failures for each in other.standings()] == [1, 1]


async def test_a_process_that_ends_tells_the_others_first_or_ends_all_the_same(shared: Shared) -> None:
    store, other = StagedStore(shared.database), shared.process()
    process = Breakers(store, shared.ledger, shared.clock)
    fail(process, 2)
    store.told_up = False
    await process.aclose()
    store.told_up = True
    await process.aclose()
    await other.look()
    assert [each.tally.failures for each in other.standings()] == [2, 2]


async def test_what_was_told_is_known_here_even_when_it_cannot_be_read_back(shared: Shared) -> None:
    store = StagedStore(shared.database)
    process = Breakers(store, shared.ledger, shared.clock)
    fail(process, 2)
    store.read_up = False
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            await process.look()
    assert [each.tally.failures for each in process.standings()] == [2, 2]
    store.read_up = True
    await process.look()
    assert [each.tally.failures for each in process.standings()] == [2, 2]


async def test_a_success_elsewhere_closes_what_opened_again_here_and_was_not_told_yet(shared: Shared) -> None:
    one, two = shared.process(), shared.process()
    fail(one, 5)
    await shared.round()
    shared.clock.advance(30)
    assert ask(one, TOO_MANY) is None  # its probe
    shared.clock.advance(0.1)
    assert ask(two, None) is None  # the other's
    await two.look()
    await shared.round()
    await shared.round()
    assert one.refusal(session(), plan(), "x") is None
    assert [each["openings"] for each in await shared.told("breaker.opened")] == [1]
