from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from broker.alerts.model import AlertKind, Severity
from broker.config.limits import Period
from broker.errors import LedgerUnavailableError
from broker.ledger.events import parse_event
from broker.limits.thresholds import MAX_SESSIONS, Thresholds
from broker.model import JsonObject
from broker.outcome import Problem
from broker.store.base import Accrue, Change, EventFilter, EventType, Position
from broker.store.database import Database
from tests.parts.ledgers import change
from tests.unit.broker.limits.spending import (
    Till,
    budget,
    call,
    calls,
    came_to,
    configured,
    empty_store,
    money,
    opened,
    sessions,
    store,
    strict,
    till,
    tokens,
)

__all__ = ["empty_store", "store"]

DAY = "agent/ci-runner/max_tokens_per_day/2026-11-20"


def looking(shop: Till) -> Thresholds:
    return Thresholds(shop.reader, shop.ledger, shop.clock, lambda: shop.configuration, shop.budgets.take_refusals)


async def told(shop: Till) -> list[JsonObject]:
    found = await shop.reader.events(EventFilter(type=EventType.ALERT_RAISED.value))
    return [parse_event(each.body).data for each in found]


async def facts(shop: Till, name: str = "threshold") -> list[object]:
    return [each["facts"][name] for each in await told(shop)]


@asynccontextmanager
async def counted(store: Database, used: int, key: str = DAY) -> AsyncIterator[tuple[Till, Thresholds]]:
    """Open a till whose agent may use 1000 tokens a day and has used some."""
    async with till(store, budget(tokens(1_000), thresholds=(50, 75, 90))) as shop:
        await shop.spend(opened(), call(0, 1), came_to(0, used))
        yield shop, looking(shop)


@pytest.mark.req("L3")
@pytest.mark.parametrize(
    ("used", "threshold", "severity"),
    [(500, 50, Severity.WARNING), (899, 75, Severity.WARNING), (900, 90, Severity.WARNING), (1_000, 100, "critical")],
)
async def test_the_highest_threshold_that_was_passed_is_told_once(
    store: Database, used: int, threshold: int, severity: str
) -> None:
    async with counted(store, used) as (shop, thresholds):
        assert [await thresholds.look(), await thresholds.look(), await looking(shop).look()] == [1, 0, 0]
        (alert,) = await told(shop)
        assert alert["kind"] == AlertKind.BUDGET.value
        assert alert["severity"] == severity
        assert alert["facts"]["threshold"] == threshold
        assert (alert["facts"]["used"], alert["facts"]["cap"], alert["facts"]["key"]) == (used, 1_000, DAY)
        assert (await shop.rows())[DAY].alerted == threshold


@pytest.mark.parametrize("used", [0, 499])
async def test_below_every_threshold_nothing_is_told(store: Database, used: int) -> None:
    async with counted(store, used) as (shop, thresholds):
        assert await thresholds.look() == 0
        assert await told(shop) == []


async def test_each_threshold_is_told_when_it_is_passed_and_each_period_begins_anew(store: Database) -> None:
    async with counted(store, 500) as (shop, thresholds):
        for used in (0, 100, 100, 100, 100, 200, 900):
            await thresholds.look()
            await shop.ledger.commit(change(Accrue("budgets", {"key": DAY}, {"used": used})))
        await thresholds.look()
        assert await facts(shop) == [50, 75, 90, 100]
        shop.clock.advance(12 * 3600)
        await shop.spend(opened(), call(0, 1), came_to(0, 950))
        assert await thresholds.look() == 1
        assert (await facts(shop, "key"))[-1] == DAY.replace("-20", "-21")


async def test_of_several_processes_that_look_at_once_one_tells(store: Database) -> None:
    async with counted(store, 800) as (shop, thresholds):
        raised = await asyncio.gather(thresholds.look(), *(looking(shop).look() for _ in range(5)))
        assert sum(raised) == 1
        assert len(await told(shop)) == 1


async def test_an_alert_says_whose_budget_it_is(store: Database) -> None:
    own = budget(tokens(1_000, Period.SESSION), calls(1), sessions(1))
    async with till(store, own, budget(money(0.000_01))) as shop:
        await shop.store(opened())
        below = opened("ses_2", root_id="ses_1", parent_id="ses_1", depth=1)
        await shop.spend(below, call(0, 1_000), came_to(0, 900))
        await shop.ledger.commit(change(*shop.budgets.starting(opened())))
        assert await looking(shop).look() == 4
        found = await shop.reader.events(EventFilter(type=EventType.ALERT_RAISED.value))
        events = [parse_event(each.body) for each in found]
        assert {(each.data["facts"]["budget"], each.agent, each.project, each.session_id) for each in events} == {
            ("max_tokens_per_session", "ci-runner", "data", "ses_1"),
            ("max_actions(*)_per_day", "ci-runner", "data", ""),
            ("max_sessions_per_day", "ci-runner", "data", ""),
            ("max_cost_per_month", "", "data", ""),
        }
        assert len({each.data["subject"] for each in events}) == 4


async def test_what_was_granted_counts_as_part_of_the_budget(store: Database) -> None:
    async with counted(store, 900) as (shop, thresholds):
        await shop.ledger.commit(change(Accrue("budgets", {"key": DAY}, {"extra": 1_000})))
        assert await thresholds.look() == 0
        await shop.ledger.commit(change(Accrue("budgets", {"key": DAY}, {"used": 100})))
        assert await thresholds.look() == 1
        assert await facts(shop, "cap") == [2_000]


async def test_a_budget_that_refused_a_call_is_told_as_if_it_were_used_up(store: Database) -> None:
    async with till(store, strict(tokens(1_000))) as shop:
        await shop.spend(opened(), call(0, 700), came_to(0, 700))
        assert isinstance(await shop.begin(opened(), call(0, 400)), Problem)
        assert await looking(shop).look() == 1
        assert (await facts(shop), await facts(shop, "percent")) == ([100], [70])
        assert isinstance(await shop.begin(opened(), call(0, 400)), Problem)
        assert await looking(shop).look() == 0


async def test_a_refusal_is_told_by_the_next_look_when_the_ledger_is_away(store: Database) -> None:
    class Away:
        async def commit(self, change: Change) -> Position:
            raise LedgerUnavailableError("away")

        def submit(self, change: Change, *, patient: bool = False) -> asyncio.Future[Position]:
            raise LedgerUnavailableError("away")

    async with till(store, strict(tokens(1_000))) as shop:
        await shop.spend(opened(), call(0, 700), came_to(0, 700))
        assert isinstance(await shop.begin(opened(), call(0, 400)), Problem)
        thresholds = looking(shop)
        there, thresholds._committer = thresholds._committer, Away()
        with pytest.raises(LedgerUnavailableError):
            await thresholds.look()
        thresholds._committer = there
        assert await thresholds.look() == 1


async def test_a_cap_of_nothing_is_used_up_by_what_was_used_before(store: Database) -> None:
    async with counted(store, 1) as (shop, thresholds):
        shop.configuration = configured(budget(tokens(0)))
        assert await thresholds.look() == 1


async def test_what_is_not_configured_any_more_is_not_told(store: Database) -> None:
    own = budget(tokens(10, Period.SESSION), tokens(10))
    async with till(store, own, budget(tokens(10))) as shop:
        await shop.spend(opened(), call(0, 10), came_to(0, 10))
        thresholds = looking(shop)
        for configuration in (configured(), configured(budget(calls(1)), budget(calls(1)))):
            shop.configuration = configuration
            assert await thresholds.look() == 0
        base = configured(own, budget(tokens(10)))
        shop.configuration = type(base)(
            **{name: getattr(base, name) for name in base.__dataclass_fields__} | {"agents": {}, "projects": {}}
        )
        assert await thresholds.look() == 0
        # The session itself is not stored here: nobody knows whose it was.
        shop.configuration = base
        assert await thresholds.look() == 2


async def test_more_budgets_than_one_page_are_all_looked_at(store: Database) -> None:
    async with till(store, budget(tokens(10, Period.SESSION))) as shop:
        await shop.store(opened())
        ends_at_ns = shop.clock.now_ns() + 1
        rows = [(f"session/ses_{number:04d}/max_tokens_per_session", ends_at_ns) for number in range(1_005)]
        await shop.ledger.commit(
            change(*(Accrue("budgets", {"key": key}, {"used": 9, "ends_at_ns": ends}) for key, ends in rows))
        )
        thresholds = looking(shop)
        thresholds._sessions = {f"ses_{number:04d}": opened() for number in range(MAX_SESSIONS)}
        del thresholds._sessions["ses_1004"]
        thresholds._sessions |= {f"ses_{number:04d}": None for number in range(1_003)}
        # Of the rest one is remembered and one is not stored.
        assert await thresholds.look() == 1
