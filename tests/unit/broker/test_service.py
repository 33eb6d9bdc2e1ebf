from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from broker.errors import LedgerUnavailableError
from broker.ids import IntentId
from broker.ledger.events import parse_event
from broker.model import IntentDraft, IntentState
from broker.outcome import Outcome, ProblemKind
from broker.store.base import Change, Event, EventFilter, EventType, Update
from connectors.base import CallResult, Plan
from policies.model import AccessRequest, Effect, Requirement
from tests.house import SCRIBE_YAML, House, open_house, write_policy


async def asked(house: House, wait_seconds: float, name: str = "gated", *, dry_run: bool = False) -> Outcome:
    draft = IntentDraft("paper:Write", {"name": name}, dry_run=dry_run)
    return await house.broker.submit(await house.session(), draft, wait_seconds=wait_seconds)


async def parked_in_the_background(house: House, wait_seconds: float) -> tuple[asyncio.Task[Outcome], str]:
    """Ask and wait in a task; return it with the approval it waits for."""
    task = asyncio.create_task(asked(house, wait_seconds))
    async with asyncio.timeout(20):
        while not (found := await house.reader.approvals((), limit=1)):  # noqa: ASYNC110 - nothing tells of a row
            await asyncio.sleep(0.001)
    return task, found[0].id


@pytest.mark.req("H1")
async def test_who_waits_for_a_person_gets_the_end_when_it_comes(house: House) -> None:
    task, approval = await parked_in_the_background(house, 3600)
    await house.approve(approval)
    await house.work()
    outcome = await task
    assert (outcome.state, outcome.result) == (IntentState.SUCCEEDED, {"name": "gated"})


async def test_who_waits_longer_than_they_wanted_is_told_where_it_stands(house: House) -> None:
    task, _ = await parked_in_the_background(house, 5)
    async with asyncio.timeout(20):
        while not task.done():  # the wait begins a moment after the row is there
            house.clock.advance(5)
            await asyncio.wait({task}, timeout=0.01)
    assert task.result().state is IntentState.PENDING_APPROVAL


@pytest.mark.parametrize(("name", "dry_run"), [("free", False), ("gated", True), ("forbidden", False)])
async def test_nobody_waits_for_what_is_decided(house: House, name: str, dry_run: bool) -> None:
    outcome = await asked(house, 3600, name, dry_run=dry_run)
    assert outcome.dry_run is dry_run
    assert outcome.state.terminal is not dry_run


@pytest.mark.req("S1")
async def test_another_sessions_intent_is_no_intent(house: House) -> None:
    mine, other = await house.session(), await house.session()
    outcome = await house.ask(mine, "Read")
    intent = IntentId(outcome.intent_id)
    assert await house.broker.outcome(other, intent) is None
    assert await house.broker.wait(other, intent, 3600) is None
    assert await house.broker.outcome(mine, IntentId("int_none")) is None
    found = await house.broker.outcome(mine, intent)
    assert found is not None
    assert found.result == outcome.result


async def test_a_message_that_fits_nothing_in_the_database_does_nothing(house: House) -> None:
    parked = await house.ask(await house.session(), "Write", "gated")
    intent = IntentId(parked.intent_id)
    assert await house.broker.resume(IntentId("int_none"), 0) is None
    assert await house.broker.resume(intent, 0) is None
    await house.approve(parked.approval_id)
    assert await house.broker.resume(intent, 1) is None
    assert await house.broker.resume(intent, -1) is None
    assert house.connector.sent == []
    assert (await house.record(intent)).state is IntentState.APPROVED


async def test_everything_is_ready(house: House) -> None:
    assert await house.broker.readiness() == {"ledger": True, "vault": True, "store": True, "queue": True}


async def test_what_is_not_ready_is_named(house: House) -> None:
    house.vault.sealed = True
    house.queue.up = False
    await house.ledger.aclose()
    checks = await house.broker.readiness()
    assert checks["ledger"] == "the ledger is closed"
    assert checks["vault"] == "sealed"
    assert str(checks["queue"]).startswith("degraded: ")
    assert checks["store"] is True


async def test_a_store_that_is_gone_is_named(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        (tmp_path / "ledger.sqlite3").unlink()
        assert (await house.broker.readiness())["store"] == "unreachable"


@pytest.mark.req("P1")
async def test_a_new_policy_holds_from_the_next_decision_and_is_on_the_ledger(house: House) -> None:
    session = await house.session()
    assert (await house.ask(session, "Read")).state is IntentState.SUCCEEDED
    before = house.broker.configuration().version
    write_policy(house.broker.settings.data, SCRIBE_YAML + "  - deny paper:Read on sheets/free\n")
    assert await house.broker.reload() == []
    assert (await house.ask(session, "Read")).state is IntentState.DENIED
    assert house.broker.configuration().version != before
    assert "policy.loaded" in await house.event_types()


async def test_a_faulty_policy_is_refused_with_its_places_and_the_old_one_stays(house: House) -> None:
    old = house.broker.configuration()
    write_policy(house.broker.settings.data, "version: 1\nagent: scribe\npolicies:\n  - paper:Raed on sheets/*\n")
    findings = await house.broker.reload()
    assert [(each.file, each.line) for each in findings] == [("policies/scribe.yaml", 4)]
    assert house.broker.configuration() is old
    assert (await house.ask(await house.session(), "Read")).state is IntentState.SUCCEEDED
    (refusal,) = await house.reader.events(EventFilter(type="policy.refused"))
    assert "scribe.yaml:4" in str(parse_event(refusal.body).data["findings"])


async def test_a_policy_whose_change_cannot_be_recorded_is_not_taken(house: House) -> None:
    old = house.broker.configuration()
    write_policy(house.broker.settings.data, SCRIBE_YAML + "  - deny paper:Read on sheets/free\n")
    await house.ledger.aclose()
    with pytest.raises(LedgerUnavailableError):
        await house.broker.reload()
    assert house.broker.configuration() is old


@pytest.mark.req("P1")
async def test_an_agent_without_a_policy_has_one_that_denies_everything(house: House) -> None:
    empty = house.policies.of(await house.session("stranger"))
    request = AccessRequest("stranger", "desk", (Requirement("paper:Read", "sheets/a"),))
    assert empty.decide(request).effect is Effect.DENY


async def test_a_reload_during_a_call_does_not_touch_the_call(house: House) -> None:
    async def reload(plan: Plan) -> CallResult:
        write_policy(house.broker.settings.data, SCRIBE_YAML + "  - deny paper:* on sheets/**\n")
        assert await house.broker.reload() == []
        return CallResult({"name": "a"})

    house.connector.deed = reload
    session = await house.session()
    assert (await house.ask(session, "Write")).state is IntentState.SUCCEEDED
    assert (await house.ask(session, "Write")).state is IntentState.DENIED


@pytest.mark.req("E1")
async def test_approved_work_the_ledger_cannot_record_is_not_done_and_still_waits(house: House) -> None:
    parked = await house.ask(await house.session(), "Write", "gated")
    await house.approve(parked.approval_id)
    await house.ledger.aclose()
    (outcome,) = await house.work()
    assert outcome is not None
    assert outcome.problem is not None
    assert (outcome.state, outcome.problem.kind) == (IntentState.APPROVED, ProblemKind.LEDGER_UNAVAILABLE)
    assert house.connector.sent == []
    assert (await house.record(parked.intent_id)).state is IntentState.APPROVED


@pytest.mark.req("H3")
async def test_an_intent_that_says_approved_without_its_approval_saying_so_is_not_done(house: House) -> None:
    """Somebody with the database in hand forged one row; the two must agree."""
    parked = await house.ask(await house.session(), "Write", "gated")
    forged = Update("intents", {"id": parked.intent_id}, {"state": "approved"})
    event = Event("evt_forged", EventType.APPROVAL_APPROVED, house.clock.now_ns(), intent_id=parked.intent_id)
    await house.ledger.commit(Change(event, (forged,)))
    assert await house.broker.resume(IntentId(parked.intent_id), 0) is None
    assert house.connector.sent == []
