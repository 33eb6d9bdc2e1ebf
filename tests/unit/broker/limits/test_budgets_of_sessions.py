"""How many sessions operators may start in a day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.ids import SessionId
from broker.limits.budgets import Budgets
from broker.model import Operator, Role, Session
from broker.outcome import Problem, ProblemKind
from broker.sessions import Sessions
from broker.store.database import Database
from tests.house import open_house
from tests.unit.broker.limits.spending import (
    Till,
    budget,
    configured,
    empty_store,
    opened,
    pausing,
    sessions,
    store,
    till,
    tokens,
)

__all__ = ["empty_store", "store"]

OLIVIA = Operator("olivia", frozenset({Role.ADMIN}))
DAY = "agent/ci-runner/max_sessions_per_day/2026-11-20"


async def nothing(_session_id: SessionId) -> None:
    """Nothing runs here that a kill could cut."""


@asynccontextmanager
async def desk(store: Database, **terms: Any) -> AsyncIterator[tuple[Till, Sessions]]:
    """Open a till, and sessions that are counted: three a day."""
    async with till(store, budget(sessions(3), tokens(100), **terms)) as shop:
        yield (
            shop,
            Sessions(shop.reader, shop.ledger, shop.clock, lambda: shop.configuration, nothing, count=shop.budgets),
        )


async def start(started: Sessions, agent: str = "ci-runner") -> Session | Problem:
    answer = await started.start(OLIVIA, agent=agent, ttl_seconds=60, labels={})
    return answer if isinstance(answer, Problem) else answer[0]


@pytest.mark.req("L1")
async def test_of_many_sessions_started_at_once_as_many_begin_as_a_day_has(store: Database) -> None:
    async with desk(store, zone="Europe/Berlin") as (shop, started):
        answers = await asyncio.gather(*(start(started) for _ in range(20)))
        begun = [each for each in answers if isinstance(each, Session)]
        refused = [each for each in answers if isinstance(each, Problem)]
        assert (len(begun), len(refused)) == (3, 17)
        assert {each.kind for each in refused} == {ProblemKind.BUDGET_EXCEEDED}
        assert {each.extra["resets_at"] for each in refused} == {"2026-11-20T23:00:00.000Z"}
        assert {each.retry_after_seconds for each in refused} == {11 * 3600}
        row = (await shop.rows())[DAY]
        assert (row.used, row.reserved) == (3, 0)
        assert shop.budgets.take_refusals() == {DAY}
        assert await shop.reader.session(begun[0].id) == begun[0]
        shop.clock.advance(11 * 3600)
        assert isinstance(await start(started), Session)


async def test_sessions_handed_out_by_sessions_are_not_counted(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        base = house.policies()
        scribe = replace(base.agents["scribe"], budget=budget(sessions(1)))
        limited = replace(base, agents={**base.agents, "scribe": scribe})
        budgets = Budgets(house.reader, house.clock, lambda: limited)
        started = Sessions(house.reader, house.ledger, house.clock, lambda: limited, nothing, count=budgets)
        parent = await start(started, "scribe")
        assert isinstance(parent, Session)
        for _ in range(2):
            child = await started.start_child(parent, scope=["paper:Read on sheets/free"], ttl_seconds=60, labels={})
            assert not isinstance(child, Problem)
        assert isinstance(await start(started, "scribe"), Problem)


async def test_nobody_is_paused_when_no_more_sessions_may_be_started(store: Database) -> None:
    async with desk(store) as (shop, started):
        shop.configuration = configured(pausing(sessions(0)))
        assert isinstance(await start(started), Problem)
        assert shop.paused == []


async def test_a_budget_that_was_changed_at_that_moment_lets_the_operator_try_again(store: Database) -> None:
    async with desk(store) as (shop, _):
        answer = await shop.budgets.not_started(opened(), DAY.replace("-20", "-19"))
        assert (answer.kind, answer.retry_after_seconds) == (ProblemKind.TOO_BUSY, 1)


async def test_sessions_that_nothing_counts_begin_without_bound(store: Database) -> None:
    async with desk(store) as (shop, _):
        shop.configuration = configured(budget(sessions(0)))
        uncounted = Sessions(shop.reader, shop.ledger, shop.clock, lambda: shop.configuration, nothing)
        assert isinstance(await start(uncounted), Session)
