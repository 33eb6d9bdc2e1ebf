"""What becomes of a call for which a budget has not enough left: people are asked, its owner is paused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from broker.approvals.terms import combined
from broker.config.limits import OnExceed, Period
from broker.holds import Unit
from broker.limits.budgets import Drawn, Grant
from broker.limits.drawing import MOST
from broker.limits.grants import question, worded
from broker.model import Approval
from broker.outcome import Problem, ProblemKind
from broker.store.base import Accrue, BudgetRow
from broker.store.database import Database
from policies.model import Effect, PolicyVersion
from tests.parts.ledgers import approval, change
from tests.unit.broker.limits.spending import (
    NOON_NS,
    NS,
    Till,
    amounts,
    asking,
    budget,
    call,
    calls,
    came_to,
    configured,
    deed,
    empty_store,
    opened,
    pausing,
    store,
    strict,
    till,
    tokens,
)

__all__ = ["empty_store", "store"]

DAY = "agent/ci-runner/max_tokens_per_day/2026-11-20"
MIDNIGHT_NS = NOON_NS + 12 * 3600 * NS


async def asked(shop: Till, plan: Any = None) -> Grant:
    grant = await shop.begin(opened(), plan or call())
    assert isinstance(grant, Grant), grant
    return grant


def answered(shop: Till, grant: Grant, **fields: Any) -> Approval:
    """Return the question about a grant as `broker.approvals` stores it."""
    decision = shop.budgets.asking(opened(), call(), grant).decision
    return approval(**{"rule": decision.reasons[0].rule_id, "preview": grant.to_json(), **fields})


@pytest.mark.req("L1")
async def test_people_are_asked_for_a_stated_extra_and_their_yes_makes_room_for_it(store: Database) -> None:
    async with till(store, asking(tokens(10_000))) as shop:
        await shop.spend(opened(), call(0, 9_900), came_to(0, 9_900))
        grant = await asked(shop, call(200, 1_000))
        assert (grant.key, grant.extra) == (DAY, 5_000)
        assert grant.to_json() | {"asks": ""} == {
            "kind": "budget.extra", "key": DAY, "extra": 5_000, "budget": "max_tokens_per_day", "of": "agent",
            "name": "ci-runner", "unit": "tokens", "cap": 10_000, "granted_before": 0, "used": 9_900, "reserved": 0,
            "resets_at": "2026-11-21T00:00:00.000Z", "asks": "",
        }  # fmt: skip
        given = Grant.of(answered(shop, grant))
        assert given == grant
        record = await shop.hold(opened(), call(200, 1_000), given)
        assert amounts(record) == {DAY: 1_200}
        assert (await shop.rows())[DAY] == BudgetRow(DAY, 9_900, 1_200, extra=5_000, ends_at_ns=MIDNIGHT_NS)
        await shop.end(record, came_to(200, 1_000))
        (status,) = await shop.budgets.status(opened())
        assert (status.cap, status.used, status.percent) == (15_000, 11_100, 74)


async def test_the_question_names_the_terms_of_the_configuration(store: Database) -> None:
    async with till(store, asking(tokens(1_000))) as shop:
        await shop.spend(opened(), call(0, 1_000), came_to(0, 1_000))
        grant = await asked(shop)
        put = shop.budgets.asking(opened(), call(), grant)
        terms = combined(put.decision.approvals)
        assert put.decision.effect is Effect.REQUIRE_APPROVAL
        assert [(each.rule_id, each.span) for each in put.decision.reasons] == [("budget:max_tokens_per_day", None)]
        assert put.decision.policy_version == "c0ffee"
        assert terms is not None
        assert (terms.channel, terms.timeout_seconds, terms.approvers) == ("slack:#spend", 600, ("alice",))
        for words in ("ci-runner", "1100 tokens", "1000 tokens", "max_tokens_per_day", "call llm:InvokeModel"):
            assert words in put.summary
        with pytest.raises(ValueError, match="nobody"):
            question(opened(), call(), Grant(DAY, 1), PolicyVersion(""))


async def test_a_yes_is_enough_for_the_call_that_asked_even_when_others_take_what_was_left(store: Database) -> None:
    async with till(store, asking(tokens(1_000))) as shop:
        await shop.spend(opened(), call(0, 500), came_to(0, 500))
        grant = await asked(shop, call(600, 400))
        assert grant.extra == 1_000  # half of the cap is less than the call
        await shop.spend(opened(), call(500, 0), came_to(500, 0))
        assert amounts(await shop.hold(opened(), call(600, 400), grant)) == {DAY: 1_000}


async def test_of_what_is_overdrawn_a_yes_makes_up_for_that_too(store: Database) -> None:
    async with till(store, asking(tokens(1_000))) as shop:
        await shop.spend(opened(), call(0, 1_000), came_to(0, 9_000))
        grant = await asked(shop, call(0, 300))
        assert grant.extra == 8_300
        assert amounts(await shop.hold(opened(), call(0, 300), grant)) == {DAY: 300}


async def test_two_grants_add_up_and_each_is_asked_for_by_itself(store: Database) -> None:
    async with till(store, asking(tokens(1_000))) as shop:
        await shop.spend(opened(), call(0, 1_000), came_to(0, 1_000))
        first, second = await asked(shop, call(0, 400)), await asked(shop, call(0, 400))
        await shop.hold(opened(), call(0, 400), first)
        await shop.hold(opened(), call(0, 400), second)
        row = (await shop.rows())[DAY]
        assert (row.extra, row.reserved) == (1_000, 800)
        third = await asked(shop, call(300, 400))
        assert third.shown["granted_before"] == 1_000


async def test_people_are_not_asked_twice_about_one_call(store: Database) -> None:
    async with till(store, asking(tokens(1_000))) as shop:
        await shop.spend(opened(), call(0, 1_000), came_to(0, 1_000))
        too_small = Grant(DAY, 10)
        refused = await shop.begin(opened(), call(500, 400), too_small)
        assert isinstance(refused, Problem)
        assert refused.extra["cap"] == 1_010
        # Nothing of a grant is left behind by a call that did not begin.
        assert (await shop.rows())[DAY].extra == 0
        drawn = await shop.budgets.draw(opened(), call(500, 400), None)
        assert isinstance(drawn, Drawn)
        again = await shop.budgets.short(opened(), call(500, 400), drawn.hold, DAY, answered=True)
        assert isinstance(again, Problem)


async def test_with_a_grant_less_than_all_is_reserved_when_that_is_what_fits(store: Database) -> None:
    async with till(store, asking(tokens(1_000))) as shop:
        await shop.spend(opened(), call(0, 1_000), came_to(0, 1_000))
        record = await shop.hold(opened(), call(5, 400), Grant(DAY, 10))
        assert amounts(record) == {DAY: 10}
        assert (await shop.rows())[DAY].extra == 10


async def test_a_grant_of_a_period_that_is_over_counts_for_nothing_and_nobody_is_asked_again(store: Database) -> None:
    async with till(store, asking(tokens(1_000))) as shop:
        await shop.spend(opened(), call(0, 1_000), came_to(0, 1_000))
        grant = await asked(shop)
        shop.clock.advance(12 * 3600)
        await shop.spend(opened(), call(0, 900), came_to(0, 900))
        assert isinstance(await shop.begin(opened(), call(500, 0), grant), Problem)
        assert amounts(await shop.hold(opened(), call(50, 0), grant)) == {DAY.replace("-20", "-21"): 50}
        rows = await shop.rows()
    assert {row.extra for row in rows.values()} == {0}


async def test_a_grant_for_a_budget_nothing_was_drawn_on_keeps_the_end_of_its_period(store: Database) -> None:
    async with till(store, asking(tokens(1_000))) as shop:
        grant = await asked(shop, call(2_000, 0))
        assert grant.extra == 2_000
        await shop.hold(opened(), call(2_000, 0), grant)
        assert (await shop.rows())[DAY] == BudgetRow(DAY, 0, 2_000, extra=2_000, ends_at_ns=MIDNIGHT_NS)


async def test_more_than_can_be_counted_is_not_asked_for(store: Database) -> None:
    async with till(store, asking(tokens(1_000))) as shop:
        await shop.ledger.commit(change(Accrue("budgets", {"key": DAY}, {"extra": MOST - 10, "used": MOST + 990})))
        assert isinstance(await shop.begin(opened(), call()), Problem)


@pytest.mark.parametrize(
    "fields",
    [
        {"rule": "ci.yaml:3 (push)"},
        {"preview": {}},
        {"preview": {"kind": "git.push", "key": DAY, "extra": 5}},
    ],
)
async def test_only_the_answer_to_a_question_about_a_budget_grants_anything(store: Database, fields: Any) -> None:
    async with till(store, asking(tokens(1))) as shop:
        grant = await asked(shop)
        assert Grant.of(answered(shop, grant)) == grant
        assert Grant.of(answered(shop, grant, **fields)) is None


async def test_what_people_were_shown_beside_it_changes_nothing_of_a_grant(store: Database) -> None:
    async with till(store, asking(tokens(1))) as shop:
        grant = await asked(shop)
        given = Grant.of(answered(shop, grant, preview={**grant.to_json(), "cap": 0, "terms": {"channel": "x"}}))
        assert given == grant
        assert given is not None
        assert given.terms is None


async def test_a_budget_that_refuses_goes_before_one_that_asks(store: Database) -> None:
    async with till(store, asking(tokens(1_000)), strict(tokens(1_000))) as shop:
        await shop.spend(opened(), call(0, 1_000), came_to(0, 1_000))
        refused = await shop.begin(opened(), call())
        assert isinstance(refused, Problem)
        assert refused.extra["of"] == "project"


async def test_a_budget_that_asks_is_asked_about_although_another_was_too_small_before(store: Database) -> None:
    async with till(store, asking(tokens(10)), strict(tokens(1_000))) as shop:
        project = "project/data/max_tokens_per_day/2026-11-20"
        await shop.ledger.commit(change(Accrue("budgets", {"key": project}, {"extra": 1_000})))
        assert isinstance(await shop.budgets.draw(opened(), call(500, 600), None), Drawn)
        assert (await asked(shop, call(500, 600))).key == DAY


@pytest.mark.req("L1")
async def test_the_owner_of_a_budget_that_is_used_up_is_paused_until_it_begins_anew(store: Database) -> None:
    project = pausing(tokens(1_000, Period.MONTH))
    async with till(store, pausing(tokens(500)), project) as shop:
        await shop.spend(opened(), call(0, 500), came_to(0, 500))
        refused = await shop.begin(opened(), call())
        assert isinstance(refused, Problem)
        assert refused.kind is ProblemKind.BUDGET_EXCEEDED
        assert shop.paused == [("agent", "ci-runner", MIDNIGHT_NS)]
        shop.configuration = configured(None, project)
        await shop.spend(opened(), call(0, 500), came_to(0, 500))
        await shop.begin(opened(), call())
        assert shop.paused[1:] == [("project", "data", NOON_NS + (10 * 24 + 12) * 3600 * NS)]
        shop.configuration = configured(pausing(tokens(10, Period.SESSION)))
        below = opened("ses_5", root_id="ses_1", parent_id="ses_1", depth=1)
        await shop.spend(opened(), call(0, 10), came_to(0, 10))
        await shop.begin(below, call(0, 5))
        assert shop.paused[2:] == [("session", "ses_1", below.created_at_ns + 8 * 86_400 * NS)]


async def test_nobody_is_paused_for_one_call_that_is_too_large_or_for_what_is_only_reserved(store: Database) -> None:
    terms = replace(strict(tokens(1_000)), on_exceed=OnExceed.PAUSE_AND_ALERT)
    async with till(store, terms) as shop:
        assert isinstance(await shop.begin(opened(), call(0, 1_001)), Problem)
        await shop.hold(opened(), call(0, 900))
        assert isinstance(await shop.begin(opened(), call(0, 900)), Problem)
        assert shop.paused == []


async def test_without_a_way_to_pause_calls_are_refused_one_by_one(store: Database) -> None:
    async with till(store, pausing(calls(1))) as shop:
        shop.budgets = type(shop.budgets)(shop.reader, shop.clock, lambda: shop.configuration)
        await shop.hold(opened(), deed("a:b"))
        row_key = next(iter(await shop.rows()))
        await shop.ledger.commit(change(Accrue("budgets", {"key": row_key}, {"used": 1, "reserved": -1})))
        assert isinstance(await shop.begin(opened(), deed("a:b")), Problem)


async def test_what_was_granted_makes_room_for_a_call_larger_than_the_cap_alone(store: Database) -> None:
    async with till(store, budget(tokens(100))) as shop:
        await shop.ledger.commit(change(Accrue("budgets", {"key": DAY}, {"extra": 500})))
        assert amounts(await shop.hold(opened(), call(400, 1_000))) == {DAY: 600}


async def test_a_budget_that_asks_nobody_refuses(store: Database) -> None:
    # The configuration does not let this be written; what cannot be asked is a no.
    async with till(store, replace(asking(tokens(10)), asking=None)) as shop:
        assert isinstance(await shop.begin(opened(), call()), Problem)


@pytest.mark.parametrize(
    ("unit", "amount", "words"),
    [
        (Unit.TOKENS, 4096, "4096 tokens"),
        (Unit.CALLS, 1, "1 calls"),
        (Unit.SESSIONS, 50, "50 sessions"),
        (Unit.NANO_DOLLARS, 0, "$0"),
        (Unit.NANO_DOLLARS, 500 * NS, "$500"),
        (Unit.NANO_DOLLARS, NS // 4, "$0.25"),
        (Unit.NANO_DOLLARS, NS // 2, "$0.50"),
        (Unit.NANO_DOLLARS, 12 * NS + 1, "$12.000000001"),
        (Unit.NANO_DOLLARS, -NS // 2, "-$0.50"),
    ],
)
def test_amounts_are_written_exactly(unit: Unit, amount: int, words: str) -> None:
    assert worded(unit, amount) == words
