"""Sums of what calls came to, split and named."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from broker.clock import NS_PER_SECOND
from broker.store.spending import TooManyRowsError, sums_of
from broker.usage import HOUR_NS, By, Spent, UsageFilter, answer, dollars, hours, total
from connectors.base import CallResult, Plan
from connectors.usage import Usage
from tests.house import Deed, House

pytestmark = pytest.mark.req("L1")

UTC = ZoneInfo("UTC")


def test_the_ends_of_a_question_are_whole_hours_around_what_was_asked() -> None:
    asked = hours(UsageFilter(since_ns=HOUR_NS + 1, until_ns=3 * HOUR_NS + 1))
    assert (asked.since_ns, asked.until_ns) == (HOUR_NS, 4 * HOUR_NS)
    assert hours(UsageFilter(since_ns=HOUR_NS)).until_ns == 0


def test_hours_of_one_day_are_one_row_of_it_in_the_zone_that_was_asked_for() -> None:
    evening = 1_795_125_600 * NS_PER_SECOND  # 2026-11-19T22:00Z
    rows = [
        ((evening,), Spent(calls=1)),
        ((evening + HOUR_NS,), Spent(calls=2)),
        ((evening + 2 * HOUR_NS,), Spent(calls=4)),
    ]
    assert [(row.key, row.spent.calls) for row in answer((By.DAY,), rows, UTC)] == [
        (((By.DAY, "2026-11-19"),), 3),
        (((By.DAY, "2026-11-20"),), 4),
    ]
    assert [row.spent.calls for row in answer((By.DAY,), rows, ZoneInfo("Europe/Berlin"))] == [1, 6]
    assert [row.key[0][1] for row in answer((By.HOUR,), rows[:1], UTC)] == ["2026-11-19T22:00:00+00:00"]


def test_without_a_time_the_dearest_comes_first() -> None:
    rows = [
        (("a",), Spent(nano_dollars=1)),
        (("b",), Spent(nano_dollars=5)),
        (("c",), Spent(nano_dollars=1, input_tokens=9)),
    ]
    found = answer((By.AGENT,), rows, UTC)
    assert [row.key[0][1] for row in found] == ["b", "c", "a"]
    assert total(found) == Spent(nano_dollars=7, input_tokens=9)


@pytest.mark.parametrize(
    ("nano", "shown"),
    [(0, "0.000000000"), (2_385_000, "0.002385000"), (1_500_000_000, "1.500000000"), (-5, "-0.000000005")],
)
def test_money_is_told_to_the_last_digit(nano: int, shown: str) -> None:
    assert dollars(nano) == shown


async def test_the_store_answers_by_session_model_and_day(house: House) -> None:
    first, second = await house.session(), await house.session()
    for session, model, spent in ((first, "acme/large", 5), (first, "acme/small", 1), (second, "acme/large", 7)):
        house.connector.deed = costing(model, spent)
        await house.ask(session, "Read")
    house.clock.advance(86_400)
    await house.ask(second, "Read")
    by = (By.SESSION, By.MODEL)
    since = UsageFilter(since_ns=house.clock.now_ns() - 40 * HOUR_NS, by=by)
    rows = answer(by, await house.reader.usage(hours(since)), UTC)
    assert [([value for _, value in row.key], row.spent.nano_dollars) for row in rows] == [
        ([second.id, "acme/large"], 14), ([first.id, "acme/large"], 5), ([first.id, "acme/small"], 1),
    ]  # fmt: skip
    today = UsageFilter(since_ns=house.clock.now_ns() - 2 * HOUR_NS)
    assert [spent.nano_dollars for _, spent in await house.reader.usage(hours(today))] == [7]
    before = UsageFilter(until_ns=house.clock.now_ns() - 2 * HOUR_NS, agent="scribe", project="desk", by=(By.DAY,))
    assert sum(spent.nano_dollars for _, spent in await house.reader.usage(hours(before))) == 13
    assert await house.reader.usage(UsageFilter(agent="nobody")) == []
    assert await house.reader.usage(UsageFilter(agent="no\0body")) == []
    one = UsageFilter(sessions=(first.id,), model="acme/small")
    assert [spent.calls for _, spent in await house.reader.usage(one)] == [1]


async def test_an_answer_that_is_too_long_is_none(house: House) -> None:
    session = await house.session()
    for model in ("acme/a", "acme/b"):
        house.connector.deed = costing(model, 1)
        await house.ask(session, "Read")
    by_model = UsageFilter(by=(By.MODEL,))
    with house.reader._database.connect() as connection:
        assert len(sums_of(connection, by_model, max_rows=2)) == 2
        with pytest.raises(TooManyRowsError):
            sums_of(connection, by_model, max_rows=1)


def costing(model: str, nano_dollars: int) -> Deed:
    async def deed(plan: Plan) -> CallResult:
        return CallResult({}, usage=Usage(input_tokens=1, nano_dollars=nano_dollars, model=model, upstream="one"))

    return deed
