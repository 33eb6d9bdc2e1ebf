"""What became of a call whose outcome was unknown is learned by reading back, and nothing is done again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.ids import IntentId
from broker.ledger.events import parse_event
from broker.model import IntentRecord, IntentState
from broker.settling import SETTLE_SECONDS
from broker.store.base import EventFilter
from connectors.base import CallResult, Connection, JsonObject, Plan
from connectors.errors import InvalidParamsError, NotSentError, OutcomeUnknownError
from connectors.inspection import Settlement
from tests.house import SECRET, House, PaperConnector, open_house


class Lossy(PaperConnector):
    """Loses the answer of every write; a read tells what stands on the sheet."""

    def __init__(self) -> None:
        super().__init__()
        self.deed = self.lose
        self.sheet: Any = "new"
        self.look_at = "paper:Read"
        self.how = "the sheet has it"

    async def lose(self, plan: Plan) -> CallResult:
        if plan.action != "paper:Read":
            raise OutcomeUnknownError("cut")
        if isinstance(self.sheet, Exception):
            raise self.sheet
        return CallResult({"sheet": self.sheet})

    def plan(self, action: str, params: JsonObject, connection: Connection) -> Plan:
        plan = super().plan(action, params, connection)
        return plan if action == "paper:Read" else replace(plan, trace={"name": params["name"]})

    def look(self, action: str, trace: JsonObject, connection: Connection) -> Plan | None:
        return self.plan(self.look_at, {"name": trace["name"]}, connection) if self.look_at else None

    def settle(self, action: str, trace: JsonObject, data: JsonObject) -> Settlement | None:
        assert trace["attempt"].startswith("int_")
        happened = {"new": True, "other": False}.get(data["sheet"])
        return None if happened is None else Settlement(happened, self.how, dict(data) if happened else {})


@pytest.fixture
async def lossy(tmp_path: Path) -> AsyncIterator[tuple[House, Lossy]]:
    connector = Lossy()
    async with open_house(tmp_path, connector=connector) as house:
        yield house, connector


async def lost(house: House) -> IntentRecord:
    outcome = await house.ask(await house.session(), "Write")
    assert outcome.state is IntentState.UNKNOWN
    return await house.record(outcome.intent_id)


async def reconciled(house: House, intent_id: str) -> list[JsonObject]:
    found = await house.reader.events(EventFilter(intent_id=intent_id, type="intent.reconciled"))
    return [parse_event(each.body).data for each in found]


async def test_a_write_that_is_proven_done_has_succeeded_and_the_ledger_says_how_it_is_known(
    lossy: tuple[House, Lossy],
) -> None:
    house, connector = lossy
    record = await lost(house)
    await house.reconciler.round()
    after = await house.record(record.id)
    assert (after.state, after.result, after.problem) == (IntentState.SUCCEEDED, {"sheet": "new"}, {})
    (event,) = await reconciled(house, record.id)
    assert (event["state"], event["known_by"], event["how"]) == ("succeeded", "read-back", connector.how)
    assert [plan.action for plan in connector.sent] == ["paper:Write", "paper:Read"]
    assert house.vault.open == 0


async def test_a_write_that_is_proven_not_done_has_failed(lossy: tuple[House, Lossy]) -> None:
    house, connector = lossy
    connector.sheet = "other"
    record = await lost(house)
    await house.reconciler.round()
    after = await house.record(record.id)
    assert (after.state, after.problem["reason"]) == (IntentState.FAILED, "read-back")


@pytest.mark.parametrize("sheet", ["nothing certain", NotSentError("away"), OutcomeUnknownError("cut")])
async def test_what_proves_nothing_leaves_it_unknown_and_is_asked_again_less_and_less_often(
    lossy: tuple[House, Lossy], sheet: Any
) -> None:
    house, connector = lossy
    connector.sheet = sheet
    record = await lost(house)
    asked = []
    for _ in range(40):
        await house.reconciler.round()
        asked.append(len(connector.sent) - 1)
        house.clock.advance(1)
    assert asked[0] == 1
    assert asked[-1] == 4, "at once, after 5, 15 and 35 seconds"
    assert (await house.record(record.id)).state is IntentState.UNKNOWN
    assert await reconciled(house, record.id) == []
    connector.sheet = "new"
    house.clock.advance(60)
    await house.reconciler.round()
    assert (await house.record(record.id)).state is IntentState.SUCCEEDED


async def test_after_an_hour_nobody_asks_any_more(lossy: tuple[House, Lossy]) -> None:
    house, connector = lossy
    record = await lost(house)
    house.clock.advance(SETTLE_SECONDS + 1)
    await house.reconciler.round()
    assert (await house.record(record.id)).state is IntentState.UNKNOWN
    assert len(connector.sent) == 1


@pytest.mark.parametrize("look_at", ["", "paper:Write", "paper:Reveal"], ids=["nothing", "a write", "a secret"])
async def test_only_a_read_is_ever_made(lossy: tuple[House, Lossy], look_at: str) -> None:
    house, connector = lossy
    record = await lost(house)
    connector.look_at = look_at
    await house.reconciler.round()
    assert (await house.record(record.id)).state is IntentState.UNKNOWN
    assert len(connector.sent) == 1


async def test_a_trace_of_another_connection_is_left_alone(lossy: tuple[House, Lossy]) -> None:
    house, connector = lossy
    record = await lost(house)

    def strange(action: str, trace: JsonObject, connection: Connection) -> Plan | None:
        raise InvalidParamsError("another connection")

    connector.look = strange  # type: ignore[method-assign] # a connector of ours that changed its mind
    await house.reconciler.round()
    assert (await house.record(record.id)).state is IntentState.UNKNOWN


async def test_an_answer_with_a_secret_in_it_is_not_kept(lossy: tuple[House, Lossy]) -> None:
    house, connector = lossy
    connector.how = f"it says {SECRET.decode()}"
    record = await lost(house)
    await house.reconciler.round()
    after = await house.record(record.id)
    assert (after.state, after.result) == (IntentState.SUCCEEDED, {})
    assert SECRET.decode() not in str(await reconciled(house, record.id))


async def test_a_sealed_vault_leaves_it_for_later(lossy: tuple[House, Lossy]) -> None:
    house, _ = lossy
    record = await lost(house)
    house.vault.sealed = True
    await house.reconciler.round()
    assert (await house.record(record.id)).state is IntentState.UNKNOWN


async def test_a_write_whose_process_died_is_unknown_first_and_then_known(lossy: tuple[House, Lossy]) -> None:
    house, connector = lossy
    session = await house.session()

    async def dies(plan: Plan) -> CallResult:
        if plan.action == "paper:Read":
            return CallResult({"sheet": "new"})
        raise SystemExit  # stands for a kill: nothing is concluded

    connector.deed = dies
    with pytest.raises(SystemExit):
        await house.ask(session, "Write")
    (record,) = await house.reader.intents((IntentState.UNKNOWN,))
    await house.reconciler.round()
    assert (await house.record(IntentId(record.id))).state is IntentState.SUCCEEDED
    kinds = await house.event_types(intent_id=record.id)
    assert kinds == ["intent.executing", "intent.unknown", "intent.reconciled"]
