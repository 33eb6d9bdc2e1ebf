from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from broker.config.limits import Period
from broker.holds import NOTHING, Unit
from broker.ids import SessionId
from broker.limits.budgets import MAX_FAMILIES, MAX_REFUSALS, Drawn
from broker.limits.drawing import FLOOR_TOKENS, MOST, Scope
from broker.model import IntentRecord
from broker.outcome import Problem, ProblemKind
from broker.sessions import MAX_TTL_SECONDS
from broker.store.base import BudgetRow
from broker.store.database import Database
from connectors.usage import Estimate, Usage
from tests.unit.broker.limits.spending import (
    NOON_NS,
    NS,
    amounts,
    budget,
    call,
    calls,
    came_to,
    configured,
    deed,
    empty_store,
    money,
    opened,
    store,
    strict,
    till,
    tokens,
)

__all__ = ["empty_store", "store"]

DAY = "agent/ci-runner/max_tokens_per_day/2026-11-20"
MONTH = "project/data/max_cost_per_month/2026-11"
SESSION = "session/ses_1/max_tokens_per_session"
MIDNIGHT_NS = NOON_NS + 12 * 3600 * NS


@pytest.mark.req("L1")
async def test_a_call_draws_on_its_session_its_agent_and_its_project_at_once(store: Database) -> None:
    own = budget(tokens(10_000, Period.SESSION), tokens(20_000))
    async with till(store, own, budget(money(1))) as shop:
        record = await shop.hold(opened(), call(read=100, write=1_000))
        assert record.hold["lines"] == [
            [DAY, "tokens", 1_100],
            [MONTH, "nano_dollars", 100 * 3 + 1_000 * 15],
            [SESSION, "tokens", 1_100],
        ]
        rows = await shop.rows()
        assert {key: (row.used, row.reserved) for key, row in rows.items()} == {
            key: (0, amount) for key, amount in amounts(record).items()
        }
        assert rows[DAY].ends_at_ns == MIDNIGHT_NS
        assert rows[SESSION].ends_at_ns == opened().expires_at_ns
        await shop.end(record, came_to(100, 40))
        assert {key: (row.used, row.reserved) for key, row in (await shop.rows()).items()} == {
            DAY: (140, 0),
            SESSION: (140, 0),
            MONTH: (100 * 3 + 40 * 15, 0),
        }


async def test_the_ledger_is_told_what_is_reserved(store: Database) -> None:
    async with till(store, budget(tokens(10_000))) as shop:
        drawn = await shop.budgets.draw(opened(), call(), None)
        assert isinstance(drawn, Drawn)
        assert drawn.told == {"reserved": [[DAY, "tokens", 1_100]]}


async def test_what_no_budget_counts_draws_on_none(store: Database) -> None:
    own = budget(tokens(10), calls(5, "s3:Put*"))
    async with till(store, own, strict(money(0))) as shop:
        assert await shop.budgets.draw(opened(), deed("s3:GetObject"), None) == Drawn()
        assert await shop.budgets.draw(opened(agent="removed", project="removed"), call(), None) == Drawn()
        shop.configuration = configured()
        assert await shop.budgets.draw(opened(), call(), None) == Drawn()


@pytest.mark.req("L1")
async def test_calls_are_counted_by_the_pattern_of_their_action(store: Database) -> None:
    own = budget(calls(2, "s3:Put*"), calls(3))
    put, every = (f"agent/ci-runner/max_actions({name})_per_day/2026-11-20" for name in ("s3:Put*", "*"))
    async with till(store, own) as shop:
        for action in ("s3:PutObject", "s3:PutObjectAcl"):
            await shop.end(await shop.hold(opened(), deed(action)), Usage())
        refused = await shop.begin(opened(), deed("s3:PutObject"))
        assert isinstance(refused, Problem)
        assert refused.reason == "max_actions(s3:Put*)_per_day"
        # It is the whole action that must fit.
        assert amounts(await shop.hold(opened(), deed("xs3:PutObject"))) == {every: 1}
        rows = await shop.rows()
    assert (rows[put].used, rows[every].used, rows[every].reserved) == (2, 2, 1)


async def test_all_but_the_star_of_a_pattern_is_what_it_is(store: Database) -> None:
    async with till(store, budget(calls(1, "s3.api:Put*"))) as shop:
        assert await shop.budgets.draw(opened(), deed("s3xapi:PutObject"), None) == Drawn()
        assert amounts(await shop.hold(opened(), deed("s3.api:PutObject")))


async def test_a_call_that_was_never_sent_gives_back_all_it_held(store: Database) -> None:
    async with till(store, budget(tokens(10_000), calls(1))) as shop:
        await shop.end(await shop.hold(opened(), call()), NOTHING)
        assert {(row.used, row.reserved) for row in (await shop.rows()).values()} == {(0, 0)}
        await shop.end(await shop.hold(opened(), call()), None)
        assert {(row.used, row.reserved) for row in (await shop.rows()).values()} == {(1_100, 0), (1, 0)}


async def test_a_strict_budget_reserves_all_that_may_be_written(store: Database) -> None:
    async with till(store, strict(tokens(100_000)), budget(tokens(100_000))) as shop:
        held = amounts(await shop.hold(opened(), call(100, 64_000)))
    assert held == {DAY: 64_100, "project/data/max_tokens_per_day/2026-11-20": 100 + FLOOR_TOKENS}


async def test_an_adaptive_budget_reserves_twice_what_answers_of_the_family_take(store: Database) -> None:
    async with till(store, budget(tokens(1_000_000))) as shop:
        below = opened("ses_2", root_id="ses_1", parent_id="ses_1", depth=1)

        async def reserved(write: int = 64_000) -> int:
            record = await shop.hold(below, call(0, write))
            await shop.end(record, NOTHING)
            return amounts(record)[DAY]

        assert await reserved() == FLOOR_TOKENS
        for written in (100, 200):
            shop.budgets.learn(opened(), came_to(written=written))
        assert await reserved() == FLOOR_TOKENS
        for written in [3_000] * 18 + [50_000]:
            shop.budgets.learn(opened(), came_to(written=written))
        # Of 21 answers the twentieth: one that is long once does not count.
        assert await reserved() == 6_000
        assert await reserved(5_000) == 5_000
        for _ in range(2):
            shop.budgets.learn(below, came_to(written=50_000))
        assert await reserved() == 64_000
        for _ in range(40):
            shop.budgets.learn(opened(), came_to(written=2_500))
        assert await reserved() == 5_000


async def test_only_answers_of_models_are_learned_and_old_families_are_forgotten(store: Database) -> None:
    async with till(store, budget(tokens(1_000_000))) as shop:
        shop.budgets.learn(opened(), came_to(written=9_000))
        shop.budgets.learn(opened(), Usage(output_tokens=60_000))
        assert amounts(await shop.hold(opened(), call(0, 64_000)))[DAY] == 18_000
        for number in range(MAX_FAMILIES):
            shop.budgets.learn(opened(f"ses_{number + 2}"), came_to(written=9_000))
        assert amounts(await shop.hold(opened(), call(0, 64_000)))[DAY] == FLOOR_TOKENS


async def test_when_less_is_left_all_adaptive_budgets_reserve_the_same_shorter_answer(
    store: Database,
) -> None:
    own = budget(tokens(2_000, Period.SESSION), tokens(100_000))
    async with till(store, own, budget(money(1))) as shop:
        await shop.spend(opened(), call(), came_to(500, 500))
        held = amounts(await shop.hold(opened(), call(read=300, write=64_000)))
    assert held == {SESSION: 1_000, DAY: 1_000, MONTH: 300 * 3 + 700 * 15}


async def test_money_that_is_left_bounds_the_answer_too(store: Database) -> None:
    async with till(store, budget(tokens(100_000)), budget(money(0.000_015))) as shop:
        held = amounts(await shop.hold(opened(), call(read=100, write=64_000, extra_nano_dollars=7)))
        # (15000 - 300 - 7) // 15 tokens of an answer, and no nano-dollar more than they cost.
        assert held == {DAY: 100 + 979, MONTH: 307 + 979 * 15}
        free = call(read=10, write=64_000, input_nano_dollars=0, output_nano_dollars=0)
        assert amounts(await shop.hold(opened(), free)) == {DAY: 10 + FLOOR_TOKENS, MONTH: 0}


async def test_what_only_reads_needs_no_token_of_an_answer(store: Database) -> None:
    async with till(store, budget(tokens(100))) as shop:
        await shop.spend(opened(), call(100, 0), came_to(100, 0))
        assert isinstance(await shop.begin(opened(), call(1, 0)), Problem)


@pytest.mark.req("L1")
async def test_a_refusal_says_which_budget_what_is_used_and_when_it_begins_anew(store: Database) -> None:
    async with till(store, budget(tokens(1_000))) as shop:
        await shop.spend(opened(), call(0, 1_000), came_to(0, 990))
        refused = await shop.begin(opened(), call(read=10, write=500))
        assert isinstance(refused, Problem)
        assert refused.kind is ProblemKind.BUDGET_EXCEEDED
        assert refused.reason == "max_tokens_per_day"
        assert refused.rule == "budget max_tokens_per_day of agent ci-runner"
        assert refused.retry_after_seconds == 12 * 3600
        assert refused.extra == {
            "budget": "max_tokens_per_day", "of": "agent", "name": "ci-runner", "unit": "tokens", "cap": 1_000,
            "used": 990, "reserved": 0, "needed": 11, "resets_at": "2026-11-21T00:00:00.000Z",
        }  # fmt: skip
        assert "2026-11-21T00:00:00.000Z" in refused.detail
        assert refused.fix
        shop.clock.advance(0.5)
        later = await shop.begin(opened(), call(read=10, write=500))
        assert isinstance(later, Problem)
        assert later.retry_after_seconds == 12 * 3600
        # One that fits what is left goes through all the same.
        assert amounts(await shop.hold(opened(), call(read=9, write=500))) == {DAY: 10}


async def test_no_waiting_helps_a_session_that_is_used_up_or_a_call_larger_than_its_budget(
    store: Database,
) -> None:
    async with till(store, budget(tokens(100, Period.SESSION))) as shop:
        await shop.spend(opened(), call(0, 100), came_to(0, 100))
        for read in (50, 500):
            refused = await shop.begin(opened(), call(read))
            assert isinstance(refused, Problem)
            assert (refused.retry_after_seconds, refused.extra["resets_at"]) == (0, "")
        assert amounts(await shop.hold(opened("ses_2"), call(0, 100))) == {SESSION.replace("ses_1", "ses_2"): 100}


async def test_what_is_only_reserved_by_calls_under_way_is_worth_a_short_wait(store: Database) -> None:
    async with till(store, strict(tokens(1_000), tokens(1_500, Period.SESSION))) as shop:
        record = await shop.hold(opened(), call(0, 1_000))
        refused = await shop.begin(opened(), call(0, 600))
        assert isinstance(refused, Problem)
        assert 0 < refused.retry_after_seconds <= 10
        shop.clock.advance(12 * 3600 - 2)
        at_the_end = await shop.begin(opened(), call(0, 600))
        assert isinstance(at_the_end, Problem)
        assert at_the_end.retry_after_seconds == 2
        shop.clock.advance(2)
        of_the_session = await shop.begin(opened(), call(0, 600))
        assert isinstance(of_the_session, Problem)
        assert 0 < of_the_session.retry_after_seconds <= 10
        assert shop.budgets.take_refusals() == frozenset()
        await shop.end(record, came_to(0, 100))
        assert amounts(await shop.hold(opened(), call(0, 600)))[SESSION] == 600


async def test_a_family_of_sessions_spends_one_budget_together(store: Database) -> None:
    async with till(store, budget(tokens(1_000, Period.SESSION))) as shop:
        below = opened("ses_9", root_id="ses_1", parent_id="ses_1", depth=1, expires_at_ns=NOON_NS + 60 * NS)
        await shop.spend(below, call(0, 600), came_to(0, 600))
        assert amounts(await shop.hold(opened(), call(0, 600))) == {SESSION: 400}
        # Its row outlives every session of the family, also when the first to act is the one that ends first.
        assert (await shop.rows())[SESSION].ends_at_ns >= NOON_NS + MAX_TTL_SECONDS * NS


async def test_a_new_period_begins_with_nothing_used_and_the_old_one_is_settled_where_it_was(
    store: Database,
) -> None:
    async with till(store, strict(tokens(1_000), zone="Europe/Berlin")) as shop:
        old = await shop.hold(opened(), call(0, 1_000))
        shop.clock.advance(11 * 3600)  # midnight in Berlin
        new = await shop.hold(opened(), call(0, 1_000))
        assert list(amounts(new)) == [DAY.replace("-20", "-21")]
        await shop.end(old, came_to(0, 700))
        rows = await shop.rows()
    assert (rows[DAY].used, rows[DAY].reserved) == (700, 0)
    assert (rows[DAY.replace("-20", "-21")].used, rows[DAY.replace("-20", "-21")].reserved) == (0, 1_000)


async def test_a_reservation_that_lost_at_the_end_of_a_period_is_made_in_the_next(store: Database) -> None:
    async with till(store, budget(tokens(1_000))) as shop:
        await shop.spend(opened(), call(0, 1_000), came_to(0, 1_000))
        drawn = await shop.budgets.draw(opened(), call(), None)
        assert isinstance(drawn, Drawn)
        shop.clock.advance(12 * 3600)
        again = await shop.budgets.short(opened(), call(), drawn.hold, DAY)
        assert isinstance(again, Drawn)
        assert again.hold["lines"] == [[DAY.replace("-20", "-21"), "tokens", 1_000]]


async def test_a_changed_cap_holds_for_the_running_period(store: Database) -> None:
    async with till(store, budget(tokens(1_000))) as shop:
        await shop.spend(opened(), call(0, 1_000), came_to(0, 1_000))
        assert isinstance(await shop.begin(opened(), call()), Problem)
        shop.configuration = configured(budget(tokens(3_000)))
        assert amounts(await shop.hold(opened(), call(0, 1_000))) == {DAY: 1_000}
        shop.configuration = configured(budget(tokens(500)))
        assert isinstance(await shop.begin(opened(), call()), Problem)


async def test_a_call_larger_than_a_whole_budget_is_refused_without_a_try(store: Database) -> None:
    async with till(store, strict(tokens(1_000)), budget(money(5))) as shop:
        refused = await shop.budgets.draw(opened(), call(0, 1_001), None)
        assert isinstance(refused, Problem)
        assert (refused.reason, refused.extra["needed"]) == ("max_tokens_per_day", 1_001)
        assert refused.retry_after_seconds == 0  # it would not fit tomorrow either
        assert await shop.rows() == {}


@pytest.mark.parametrize("read", [1 << 62, 1 << 200])
async def test_an_absurd_estimate_is_refused_and_breaks_nothing(store: Database, read: int) -> None:
    async with till(store, budget(tokens(10**15)), budget(money(10**9))) as shop:
        refused = await shop.begin(opened(), call(read, read))
        assert isinstance(refused, Problem)
        assert refused.extra["needed"] == MOST
        assert shop.ledger.ready


async def test_keys_are_short_texts_whatever_names_there_are(store: Database) -> None:
    long = budget(*(calls(9, "s" * 100, period) for period in Period))
    async with till(store) as shop:
        base = configured(long, long)
        shop.configuration = replace(
            base,
            agents={"a" * 63: replace(base.agents["ci-runner"], name="a" * 63)},
            projects={"b" * 63: replace(base.projects["data"], name="b" * 63)},
        )
        asked = opened("ses_" + "0" * 26, agent="a" * 63, project="b" * 63)
        keys = list(amounts(await shop.hold(asked, deed("s" * 100))))
    assert len(keys) == 9  # a project has none of a session
    assert max(map(len, keys)) < 256
    assert keys == sorted(keys)


@pytest.mark.req("L1")
async def test_of_a_thousand_calls_at_once_exactly_those_that_fit_get_through(store: Database) -> None:
    own = strict(calls(100), tokens(10**9), tokens(10**9, Period.SESSION))
    async with till(store, own, budget(money(10**6))) as shop:
        session, plan = opened(), call(100, 1_000)
        begun = await asyncio.gather(*(shop.begin(session, plan) for _ in range(1_000)))
        held = [each for each in begun if isinstance(each, IntentRecord)]
        refused = [each for each in begun if isinstance(each, Problem)]
        assert (len(held), len(refused)) == (100, 900)
        assert {each.kind for each in refused} == {ProblemKind.BUDGET_EXCEEDED}
        await asyncio.gather(*(shop.end(record, came_to(100, 300)) for record in held))
        rows = await shop.rows()
    assert {row.reserved for row in rows.values()} == {0}
    assert sorted(row.used for row in rows.values()) == [100, 40_000, 40_000, 100 * (300 + 300 * 15)]


async def test_how_budgets_stand_is_told_with_what_was_granted(store: Database) -> None:
    own = budget(tokens(1_000, Period.SESSION), tokens(3_000), calls(0))
    async with till(store, own, budget(money(1))) as shop:
        shop.configuration = configured(budget(tokens(1_000, Period.SESSION), tokens(3_000)), budget(money(1)))
        await shop.spend(opened(), call(0, 600), came_to(0, 500))
        await shop.hold(opened(), call(0, 100))
        shop.configuration = configured(own, budget(money(1)))
        stand = {each.name: each for each in await shop.budgets.status(opened())}
        session, day = stand["max_tokens_per_session"], stand["max_tokens_per_day"]
        assert (session.scope, session.owner, session.unit) == (Scope.SESSION, "ses_1", Unit.TOKENS)
        assert (session.cap, session.used, session.reserved, session.percent) == (1_000, 500, 100, 50)
        assert (session.resets_at_ns, day.resets_at_ns) == (0, MIDNIGHT_NS)
        assert (day.key, day.scope, day.owner, day.percent) == (DAY, Scope.AGENT, "ci-runner", 16)
        assert stand["max_actions(*)_per_day"].percent == 100
        assert (stand["max_cost_per_month"].scope, stand["max_cost_per_month"].used) == (Scope.PROJECT, 500 * 15)
        of_agent = await shop.budgets.statuses(Scope.AGENT, "ci-runner")
        assert [each.name for each in of_agent] == ["max_tokens_per_day", "max_actions(*)_per_day"]
        of_project = await shop.budgets.statuses(Scope.PROJECT, "data")
        assert [each.name for each in of_project] == ["max_cost_per_month"]
        assert await shop.budgets.statuses(Scope.AGENT, "nobody") == []


async def test_refusals_are_kept_until_they_are_taken_and_not_without_bound(store: Database) -> None:
    async with till(store, strict(tokens(0, Period.SESSION))) as shop:
        for number in range(MAX_REFUSALS + 2):
            session = opened(f"ses_{number}", id=SessionId(f"ses_{number}"))
            assert isinstance(await shop.budgets.draw(session, call(), None), Problem)
        assert len(shop.budgets.take_refusals()) == MAX_REFUSALS
        assert shop.budgets.take_refusals() == frozenset()


async def test_an_estimate_of_several_calls_counts_as_many(store: Database) -> None:
    async with till(store, budget(calls(5))) as shop:
        batch = deed("s3:PutObject", Estimate(calls=3))
        await shop.hold(opened(), batch)
        assert isinstance(await shop.begin(opened(), batch), Problem)
        (row,) = (await shop.rows()).values()
    assert row == BudgetRow(row.key, 0, 3, ends_at_ns=MIDNIGHT_NS)
