from __future__ import annotations

from broker.store.base import EventFilter
from tests.house import House


async def test_of_each_resource_it_is_told_whether_it_would_be_done_and_nothing_is_recorded(house: House) -> None:
    session = await house.session()
    before = len(await house.reader.events(EventFilter()))
    names = ["sheets/free", "sheets/gated", "sheets/forbidden", "sheets/other"]
    assert await house.broker.allowed(session, "paper:Write", names) == [True, True, False, False]
    assert await house.broker.allowed(session, "paper:Read", names) == [True, True, False, True]
    assert await house.broker.allowed(session, "paper:Write", []) == []
    assert await house.broker.allowed(await house.session("stranger"), "paper:Read", names) == [False] * 4
    # The two sessions were started; that is all.
    assert len(await house.reader.events(EventFilter())) == before + 1


async def test_a_broker_without_budgets_tells_of_none(house: House) -> None:
    assert list(await house.broker.budget_status(await house.session())) == []
