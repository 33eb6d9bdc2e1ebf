"""What counters and budgets promise, on every database they run on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from broker.errors import BudgetExceededError, ConflictError
from broker.ledger.log import Ledger
from broker.ledger.sources import DatabaseSource
from broker.ledger.verify import verify
from broker.store.base import Accrue, BudgetRow, EventFilter, Insert, Reserve, Update
from broker.store.database import Database
from broker.store.reader import SqlReader
from broker.store.statements import UnwritableError
from broker.store.tables import usage_hours
from tests.parts.ledgers import beat, change, running

KEY = "agent/ci-runner/max_tokens_per_day/2026-11-20"
HOUR = {"hour_ns": 0, "session_id": "ses_1", "model": "m", "upstream": "", "agent": "ci-runner", "project": "acme"}


def used(amount: int, key: str = KEY) -> Accrue:
    return Accrue("budgets", {"key": key}, {"used": amount})


async def commit(ledger: Ledger, *steps: Any) -> None:
    await ledger.commit(change(*steps))


async def row(database: Database, key: str = KEY) -> BudgetRow | None:
    return (await SqlReader(database).budgets([key])).get(key)


def outcomes(answers: Sequence[object]) -> dict[str, int]:
    kinds = [type(answer).__name__ for answer in answers]
    return {kind: kinds.count(kind) for kind in set(kinds)}


async def test_a_counter_begins_with_its_first_addition_and_adds_up(database: Database) -> None:
    async with running(database) as ledger:
        for calls, tokens in ((1, 5), (1, 0), (2, -3)):
            await commit(ledger, Accrue("usage_hours", HOUR, {"calls": calls, "input_tokens": tokens}))
        await commit(ledger, Accrue("usage_hours", {**HOUR, "model": "other"}, {"calls": 9}))
    with database.connect() as connection:
        found = connection.execute(select(usage_hours).order_by(usage_hours.c.model)).all()
    assert [(each.model, each.calls, each.input_tokens, each.output_tokens) for each in found] == [
        ("m", 4, 2, 0),
        ("other", 9, 0, 0),
    ]


UNWRITABLE = (
    Accrue("usage_hours", {"hour_ns": 0}, {"calls": 1}),
    Accrue("budgets", {"key": KEY}, {}),
    Accrue("budgets", {"key": KEY}, {"used": 1 << 63}),
    Accrue("budgets", {"key": "a\0b"}, {"used": 1}),
    Reserve(KEY, -1, 10),
    Reserve(KEY, 1, -10),
    Reserve(KEY, 1, 1 << 63),
    Reserve("a\0b", 1, 1),
)


async def test_a_counter_that_no_database_could_hold_is_refused_before_it_is_written(database: Database) -> None:
    async with running(database) as ledger:
        for step in UNWRITABLE:
            with pytest.raises(UnwritableError):
                await commit(ledger, step)
        await commit(ledger, beat("a"))
        assert ledger.ready
    assert await SqlReader(database).running_budgets(-1) == []


async def test_a_reservation_fits_up_to_the_cap_and_not_beyond(database: Database) -> None:
    async with running(database) as ledger:
        await commit(ledger, Reserve(KEY, 60, 100, ends_at_ns=7))
        with pytest.raises(BudgetExceededError) as lost:
            await commit(ledger, beat("a"), Reserve(KEY, 41, 100))
        await commit(ledger, Reserve(KEY, 40, 100))
        with pytest.raises(BudgetExceededError):
            await commit(ledger, Reserve(KEY, 1, 100))
        await commit(ledger, Reserve(KEY, 0, 100))
    assert lost.value.key == KEY
    assert await row(database) == BudgetRow(KEY, 0, 100, ends_at_ns=7)
    assert await SqlReader(database).live_instances(0) == set()
    assert len(await SqlReader(database).events(EventFilter())) == 3


async def test_the_first_reservation_of_a_budget_is_held_to_its_cap_too(database: Database) -> None:
    async with running(database) as ledger:
        with pytest.raises(BudgetExceededError):
            await commit(ledger, Reserve(KEY, 11, 10))
        assert await row(database) is None
        await commit(ledger, Reserve(KEY, 10, 10))
    assert await row(database) == BudgetRow(KEY, 0, 10)


async def test_what_is_used_counts_with_what_is_reserved(database: Database) -> None:
    async with running(database) as ledger:
        await commit(ledger, Reserve(KEY, 30, 100))
        await commit(ledger, Accrue("budgets", {"key": KEY}, {"used": 55, "reserved": -30}))
        with pytest.raises(BudgetExceededError):
            await commit(ledger, Reserve(KEY, 46, 100))
        await commit(ledger, Reserve(KEY, 45, 100, used=True))
    assert await row(database) == BudgetRow(KEY, 100, 0)


async def test_a_cap_that_was_changed_holds_for_what_was_counted_before(database: Database) -> None:
    async with running(database) as ledger:
        await commit(ledger, Reserve(KEY, 100, 100))
        with pytest.raises(BudgetExceededError):
            await commit(ledger, Reserve(KEY, 0, 99))
        await commit(ledger, Reserve(KEY, 20, 120))
    assert await row(database) == BudgetRow(KEY, 0, 120)


async def test_a_grant_makes_room_in_the_same_transaction_and_not_without_it(database: Database) -> None:
    grant = Accrue("budgets", {"key": KEY}, {"extra": 50})
    async with running(database) as ledger:
        await commit(ledger, Reserve(KEY, 100, 100))
        with pytest.raises(BudgetExceededError):
            await commit(ledger, grant, Reserve(KEY, 51, 100))
        with pytest.raises(BudgetExceededError):
            await commit(ledger, Reserve(KEY, 50, 100))
        await commit(ledger, grant, Reserve(KEY, 50, 100))
    assert await row(database) == BudgetRow(KEY, 0, 150, extra=50)


async def test_a_grant_of_a_budget_that_nothing_was_drawn_on_keeps_the_end_of_its_period(database: Database) -> None:
    steps = (Reserve(KEY, 0, 1 << 61, ends_at_ns=9), Accrue("budgets", {"key": KEY}, {"extra": 5}))
    async with running(database) as ledger:
        await commit(ledger, *steps, Reserve(KEY, 15, 10, ends_at_ns=9))
    assert await row(database) == BudgetRow(KEY, 0, 15, extra=5, ends_at_ns=9)


async def test_of_several_budgets_all_are_told_or_none(database: Database) -> None:
    async with running(database) as ledger:
        await commit(ledger, Reserve("a", 10, 10), Reserve("b", 5, 10))
        with pytest.raises(BudgetExceededError) as lost:
            await commit(ledger, Reserve("b", 5, 10), Reserve("a", 1, 10), Reserve("c", 1, 10))
    assert lost.value.key == "a"
    assert await SqlReader(database).budgets(["a", "b", "c"]) == {"a": BudgetRow("a", 0, 10), "b": BudgetRow("b", 0, 5)}


async def test_amounts_near_the_end_of_the_range_are_compared_and_not_wrapped(database: Database) -> None:
    most = 1 << 61
    async with running(database) as ledger:
        await commit(ledger, Accrue("budgets", {"key": KEY}, {"extra": most}))
        await commit(ledger, Reserve(KEY, most, most))
        await commit(ledger, Reserve(KEY, most, most))
        with pytest.raises(BudgetExceededError):
            await commit(ledger, Reserve(KEY, 1, most))
        with pytest.raises(BudgetExceededError):
            await commit(ledger, Reserve(KEY, most, most))
    assert await row(database) == BudgetRow(KEY, 0, 2 * most, extra=most)


async def test_losers_of_a_batch_leave_the_winners_their_reservation(database: Database) -> None:
    async with running(database) as ledger:
        tries = [ledger.commit(change(Insert("instances", {"id": str(n)}), Reserve(KEY, 3, 10))) for n in range(20)]
        answers = await asyncio.gather(*tries, return_exceptions=True)
    assert outcomes(answers) == {"Position": 3, "BudgetExceededError": 17}
    assert await row(database) == BudgetRow(KEY, 0, 9)
    assert len(await SqlReader(database).live_instances(-1)) == 3
    assert verify(DatabaseSource(database)).ok


@pytest.mark.req("L1")
async def test_two_writers_at_once_reserve_no_more_than_there_is(database: Database) -> None:
    async with running(database) as one, running(database) as two:
        # Each names the budgets in its own order: neither waits for the other for ever.
        tries = [
            writer.commit(change(*(Reserve(key, 1, 25) for key in keys)))
            for _ in range(50)
            for writer, keys in ((one, "ab"), (two, "ba"))
        ]
        answers = await asyncio.gather(*tries, return_exceptions=True)
    assert outcomes(answers) == {"Position": 25, "BudgetExceededError": 75}
    assert await SqlReader(database).budgets("ab") == {key: BudgetRow(key, 0, 25) for key in "ab"}


async def test_a_threshold_is_told_by_the_first_of_two(database: Database) -> None:
    tells = Update("budgets", {"key": KEY, "alerted": 0}, {"alerted": 80})
    async with running(database) as one, running(database) as two:
        await commit(one, used(80))
        answers = await asyncio.gather(one.commit(change(tells)), two.commit(change(tells)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == [ConflictError.__name__, "Position"]
    assert await row(database) == BudgetRow(KEY, 80, alerted=80)


async def test_running_budgets_come_by_key_and_page_by_page(database: Database) -> None:
    async with running(database) as ledger:
        for key, ends_at_ns in (("c", 11), ("a", 11), ("over", 10), ("b", 12), ("endless", 0)):
            await commit(ledger, Reserve(key, 1, 1, ends_at_ns=ends_at_ns))
    reader = SqlReader(database)
    assert [each.key for each in await reader.running_budgets(10)] == ["a", "b", "c"]
    assert [each.key for each in await reader.running_budgets(10, "a", 1)] == ["b"]
    assert await reader.running_budgets(10, "c") == []
    assert await reader.budgets([]) == {}
    assert await reader.budgets(["nothing\0", "a"]) == {"a": BudgetRow("a", 0, 1, ends_at_ns=11)}
