from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from broker.config.limits import Period
from broker.config.model import Agent, Project
from broker.errors import LedgerUnavailableError
from broker.holds import Unit
from broker.ledger.events import parse_event
from broker.limits.drawing import MOST
from broker.limits.treasury import MAX_PERCENT, MAX_REASON_CHARS, Account, Extra, Treasury
from broker.model import IntentRecord, Operator, Role, Session
from broker.outcome import Problem, ProblemKind
from broker.store.base import Accrue, Change, Committer, Event, EventFilter, EventType, Position, Reserve
from broker.store.database import Database
from tests.parts.ledgers import event
from tests.unit.broker.limits.failing import FlakyLedger
from tests.unit.broker.limits.spending import (
    NANO,
    NOON_NS,
    NS,
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

pytestmark = pytest.mark.req("L1")

DAY = "agent/ci-runner/max_tokens_per_day/2026-11-20"
RUNNING = "agent/ci-runner/max_tokens_per_day"
MONTH = "project/data/max_cost_per_month/2026-11"
OF_SESSION = "session/ses_1/max_tokens_per_session"
OLIVIA = Operator("olivia", frozenset({Role.ADMIN}))
HOUR_NS = 3_600 * NS


def treasury(shop: Till, committer: Committer | None = None) -> Treasury:
    return Treasury(shop.reader, committer or shop.ledger, shop.clock, lambda: shop.configuration)


@asynccontextmanager
async def shown(store: Database) -> AsyncIterator[tuple[Till, Treasury]]:
    """Open a till with budgets of an agent, of its sessions and of its project."""
    own = strict(tokens(1_000), tokens(400, Period.SESSION), calls(5, "s3:Put*"))
    async with till(store, own, budget(money(2))) as shop:
        yield shop, treasury(shop)


async def grant(safe: Treasury, key: str, extra: Extra | int = 10, reason: str = "release") -> Account | Problem:
    wanted = Extra(extra) if isinstance(extra, int) else extra
    return await safe.grant(key, wanted, operator=OLIVIA, reason=reason)


async def granted(safe: Treasury, key: str, extra: Extra | int = 10) -> Account:
    found = await grant(safe, key, extra)
    assert isinstance(found, Account), found
    return found


async def kind(safe: Treasury, key: str, extra: Extra | int = 10, reason: str = "release") -> ProblemKind:
    found = await grant(safe, key, extra, reason)
    assert isinstance(found, Problem), found
    return found.kind


async def told(shop: Till) -> list[Event]:
    found = await shop.reader.events(EventFilter(type=EventType.BUDGET_GRANTED.value))
    return [parse_event(each.body) for each in found]


async def test_every_budget_of_agents_and_projects_is_shown_as_it_stands(store: Database) -> None:
    async with shown(store) as (shop, safe):
        await shop.spend(opened(), call(100, 100), came_to(100, 50))
        await shop.hold(opened(), call(0, 200))
        found = {each.counter.key: each for each in await safe.accounts()}
        assert list(found) == sorted(found)
        assert set(found) == {DAY, MONTH, "agent/ci-runner/max_actions(s3:Put*)_per_day/2026-11-20"}
        day = found[DAY]
        assert (day.row.used, day.row.reserved, day.left, day.percent) == (150, 200, 650, 15)
        assert found[MONTH].row.used == 100 * 3 + 50 * 15


async def test_what_counts_a_session_is_shown_with_what_its_family_did(store: Database) -> None:
    async with shown(store) as (shop, safe):
        child = opened("ses_2", root_id="ses_1")
        await shop.spend(child, call(0, 100), came_to(0, 70))
        for session in (opened(), child):
            found = {each.counter.key: each.row.used for each in await safe.of_session(session)}
            assert (found[OF_SESSION], found[DAY]) == (70, 70)
        assert await safe.of_session(opened("ses_3", agent="removed", project="removed")) == []


async def test_budgets_are_chosen_by_agent_and_project(store: Database) -> None:
    async with shown(store) as (shop, safe):
        known = shop.configuration
        shop.configuration = replace(
            known,
            agents={**known.agents, "other": Agent("other", "web", "", "", budget(tokens(0)))},
            projects={**known.projects, "web": Project("web", "", (), None)},
        )
        other = "agent/other/max_tokens_per_day/2026-11-20"

        async def keys(**wanted: str) -> set[str]:
            return {each.counter.key for each in await safe.accounts(**wanted)}

        puts = "agent/ci-runner/max_actions(s3:Put*)_per_day/2026-11-20"
        assert await keys() == {DAY, puts, MONTH, other}
        assert await keys(agent="ci-runner") == {DAY, puts}
        assert await keys(project="data") == {DAY, puts, MONTH}
        assert await keys(agent="other", project="web") == await keys(project="web") == {other}
        assert await keys(agent="other", project="data") == await keys(agent="none") == set()
        [nothing] = await safe.accounts(agent="other")
        assert (nothing.left, nothing.percent) == (0, 100)


async def test_more_budgets_than_one_statement_takes_are_shown(store: Database) -> None:
    async with till(store) as shop:
        own = budget(tokens(5))
        agents = {f"a{n}": Agent(f"a{n}", "data", "", "", own) for n in range(1_100)}
        shop.configuration = replace(shop.configuration, agents=agents)
        await shop.spend(opened(agent="a99"), call(0, 5), came_to(0, 5))
        found = await treasury(shop).accounts()
        assert len(found) == 1_100
        assert [each.counter.owner for each in found if each.row.used] == ["a99"]


async def test_what_is_granted_is_there_for_calls_and_on_the_ledger(store: Database) -> None:
    async with shown(store) as (shop, safe):
        big = call(0, 1_200)
        shop.configuration = configured(strict(tokens(1_000)))
        assert isinstance(await shop.begin(opened(), big), Problem)
        account = await granted(safe, DAY, 200)
        assert (account.row.extra, account.left) == (200, 1_200)
        assert isinstance(await shop.begin(opened(), big), IntentRecord)
        again = await granted(safe, DAY, 50)
        assert (again.row.extra, again.row.reserved, again.left) == (250, 1_200, 50)
        events = await told(shop)
        assert [(each.operator, each.agent, each.project, each.session_id) for each in events] == [
            ("olivia", "ci-runner", "data", "")
        ] * 2
        assert events[1].data == {
            "key": DAY, "budget": "max_tokens_per_day", "of": "agent", "name": "ci-runner", "unit": "tokens",
            "cap": 1_000, "extra": 50, "granted": 250, "used": 0, "reserved": 1_200, "reason": "release",
        }  # fmt: skip


async def test_a_grant_for_a_budget_nobody_drew_on_ends_with_its_period(store: Database) -> None:
    async with shown(store) as (shop, safe):
        await granted(safe, RUNNING, 7)
        row = (await shop.rows())[DAY]
        assert (row.extra, row.used, row.reserved, row.ends_at_ns) == (7, 0, 0, NOON_NS + 12 * HOUR_NS)
        shop.clock.advance(12 * 3_600)
        [tomorrow] = [each for each in await safe.accounts() if each.counter.key.startswith(RUNNING)]
        assert (tomorrow.counter.key[-2:], tomorrow.row.extra) == ("21", 0)


async def test_money_sessions_and_calls_are_granted_in_their_own_units(store: Database) -> None:
    async with till(store, budget(sessions(2), calls(1)), budget(money(2))) as shop:
        safe = treasury(shop)
        dollars = await granted(safe, MONTH, Extra(5 * NANO, unit=Unit.NANO_DOLLARS))
        assert dollars.left == 7 * NANO
        assert (await granted(safe, "agent/ci-runner/max_sessions_per_day", 1)).left == 3
        assert (await granted(safe, "agent/ci-runner/max_actions(*)_per_day", Extra(1, unit=Unit.CALLS))).left == 2
        first = (await told(shop))[0]
        assert (first.agent, first.project) == ("", "data")


async def test_five_dollars_are_not_five_nano_dollars_nor_tokens(store: Database) -> None:
    async with shown(store) as (shop, safe):
        assert await kind(safe, MONTH, 5) is ProblemKind.INVALID_PARAMS
        assert await kind(safe, MONTH, Extra(5, unit=Unit.TOKENS)) is ProblemKind.INVALID_PARAMS
        assert await kind(safe, DAY, Extra(5 * NANO, unit=Unit.NANO_DOLLARS)) is ProblemKind.INVALID_PARAMS
        assert await shop.rows() == {}


@pytest.mark.parametrize(("percent", "extra"), [(50, 500), (MAX_PERCENT, 10_000), (1, 10)])
async def test_a_percentage_is_of_the_cap_and_not_of_what_was_granted(
    store: Database, percent: int, extra: int
) -> None:
    async with shown(store) as (_, safe):
        await granted(safe, DAY, 3)
        assert (await granted(safe, DAY, Extra(percent=percent))).row.extra == 3 + extra


async def test_what_is_no_amount_is_not_granted(store: Database) -> None:
    async with till(store, budget(tokens(1_000), calls(0))) as shop:
        safe = treasury(shop)
        for extra in (
            Extra(), Extra(5, 5), Extra(-5), Extra(MOST + 1), Extra(percent=-1), Extra(percent=MAX_PERCENT + 1),
        ):  # fmt: skip
            assert await kind(safe, DAY, extra) is ProblemKind.INVALID_PARAMS
        nothing = await kind(safe, "agent/ci-runner/max_actions(*)_per_day", Extra(percent=50))
        assert nothing is ProblemKind.INVALID_PARAMS
        assert await told(shop) == []


@pytest.mark.parametrize("reason", ["", " \n", "x" * (MAX_REASON_CHARS + 1), "a\0b", "\ud800"])
async def test_a_grant_without_a_reason_that_can_be_kept_is_none(store: Database, reason: str) -> None:
    async with shown(store) as (shop, safe):
        assert await kind(safe, DAY, reason=reason) is ProblemKind.INVALID_PARAMS
        assert await shop.rows() == {}


@pytest.mark.parametrize(
    "key",
    [
        "",
        "agent",
        "agent/ci-runner",
        "agent/none/max_tokens_per_day/2026-11-20",
        "agent/ci-runner/max_tokens_per_week",
        "agent/ci-runner/max_tokens_per_day/",
        "agent/ci-runner/max_tokens_per_day/2026-11-20/x",
        "agent/ci-runner/max_tokens_per_session",
        "agent/data/max_cost_per_month",
        "project/ci-runner/max_tokens_per_day",
        "project/none/max_cost_per_month/2026-11",
        "connection/lake/max_tokens_per_day",
        "session/ses_none/max_tokens_per_session",
        "session/ses_1\0/max_tokens_per_session",
        "session/" + "s" * 300,
    ],
)
async def test_what_is_not_configured_is_not_granted(store: Database, key: str) -> None:
    async with shown(store) as (shop, safe):
        await shop.store(opened())
        assert await kind(safe, key) is ProblemKind.NOT_FOUND
        assert await shop.rows() == {}


@pytest.mark.parametrize("label", ["2026-11-19", "2026-11-21"])
async def test_a_period_that_does_not_run_is_refused_and_the_one_that_does_is_named(
    store: Database, label: str
) -> None:
    async with shown(store) as (shop, safe):
        refused = await grant(safe, f"{RUNNING}/{label}")
        assert isinstance(refused, Problem)
        assert (refused.kind, DAY in refused.fix) == (ProblemKind.NOT_FOUND, True)
        assert await shop.rows() == {}


async def test_a_session_that_lives_is_granted_more_for_its_whole_family(store: Database) -> None:
    async with shown(store) as (shop, safe):
        child = opened("ses_2", root_id="ses_1", parent_id="ses_1", depth=1)
        for session in (opened(), child):
            await shop.store(session)
        assert (await granted(safe, OF_SESSION, 100)).left == 500
        found = {each.counter.key: each.left for each in await safe.of_session(child)}
        assert found[OF_SESSION] == 500
        [granting] = await told(shop)
        assert (granting.session_id, granting.agent, granting.project) == ("ses_1", "ci-runner", "data")
        # What is counted with its family has no budget of its own; that of its agent is not the session's.
        assert await kind(safe, "session/ses_2/max_tokens_per_session") is ProblemKind.NOT_FOUND
        assert await kind(safe, "session/ses_1/max_tokens_per_day") is ProblemKind.NOT_FOUND


@pytest.mark.parametrize(
    "over",
    [
        lambda session: replace(session, killed_at_ns=NOON_NS),
        lambda session: replace(session, expires_at_ns=NOON_NS),
        lambda session: replace(session, agent="removed", project="removed"),
    ],
)
async def test_a_session_that_is_over_is_granted_nothing(store: Database, over: Callable[[Session], Session]) -> None:
    async with shown(store) as (shop, safe):
        await shop.store(over(opened()))
        assert await kind(safe, OF_SESSION) is ProblemKind.NOT_FOUND
        assert await told(shop) == []


async def test_grants_at_once_are_all_there(store: Database) -> None:
    async with shown(store) as (shop, safe):
        other = treasury(shop)
        await asyncio.gather(*(granted(each, DAY, n) for n, each in enumerate([safe, other] * 3, 1)))
        assert (await shop.rows())[DAY].extra == sum(range(1, 7))
        events = await told(shop)
        assert sorted(each.data["extra"] for each in events) == list(range(1, 7))
        assert max(each.data["granted"] for each in events) == 21


async def test_grants_together_never_pass_what_can_be_counted(store: Database) -> None:
    async with shown(store) as (shop, safe):
        answers = await asyncio.gather(*(grant(treasury(shop), DAY, MOST // 2) for _ in range(4)))
        assert sum(isinstance(each, Account) for each in answers) == 2
        assert (await shop.rows())[DAY].extra == MOST // 2 * 2
        assert await kind(safe, DAY, 1 << 32) is ProblemKind.INVALID_PARAMS


class Contended(FlakyLedger):
    """A ledger before which another grant comes first, so many times."""

    def __init__(self, shop: Till, times: int) -> None:
        super().__init__(shop.ledger)
        self._times = times

    async def commit(self, change: Change) -> Position:
        if self._times:
            self._times -= 1
            other = (Reserve(DAY, 0, 0, ends_at_ns=2 * NOON_NS), Accrue("budgets", {"key": DAY}, {"extra": 1}))
            await super().commit(Change(event(), other))
        return await super().commit(change)


async def test_a_grant_that_lost_is_tried_again_on_what_is_there_then(store: Database) -> None:
    async with shown(store) as (shop, _):
        found = await granted(treasury(shop, Contended(shop, 3)), DAY, 10)
        assert found.row.extra == (await shop.rows())[DAY].extra == 13
        assert [each.data["granted"] for each in await told(shop)] == [13]


async def test_a_grant_that_always_loses_is_given_up(store: Database) -> None:
    async with shown(store) as (shop, _):
        assert await kind(treasury(shop, Contended(shop, 1_000)), DAY, 10) is ProblemKind.TOO_BUSY
        assert await told(shop) == []


async def test_nothing_is_granted_that_the_ledger_cannot_record(store: Database) -> None:
    async with shown(store) as (shop, _):
        away = FlakyLedger(shop.ledger)
        away.up = False
        with pytest.raises(LedgerUnavailableError):
            await grant(treasury(shop, away), DAY)
        assert await shop.rows() == {}
