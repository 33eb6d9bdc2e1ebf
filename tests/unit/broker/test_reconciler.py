from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from broker.ids import IntentId
from broker.model import IntentState
from broker.outcome import ProblemKind
from broker.store.base import Change, Update
from tests.house import House


async def orphan(house: House, verb: str) -> str:
    """An intent whose process died while it executed."""
    outcome = await house.ask(await house.session(), verb)
    done = await house.record(outcome.intent_id)
    revived = Update("intents", {"id": done.id}, {"state": "executing", "owner": "ins_dead"})
    from broker.store.base import EventType

    event = house.journal.event(EventType.INTENT_EXECUTING, replace(done, state=IntentState.EXECUTING), {})
    await house.ledger.commit(Change(event, (revived,)))
    return outcome.intent_id


@pytest.mark.req("H4")
@pytest.mark.parametrize(
    ("verb", "state", "kind"),
    [
        ("Read", IntentState.FAILED, ProblemKind.UPSTREAM_UNREACHABLE),
        ("Write", IntentState.UNKNOWN, ProblemKind.OUTCOME_UNKNOWN),
    ],
)
async def test_the_work_of_a_dead_process_gets_its_one_outcome(
    house: House, verb: str, state: IntentState, kind: ProblemKind
) -> None:
    intent_id = await orphan(house, verb)
    await house.heartbeats.beat("ins_dead", house.clock.now_ns())
    await house.reconciler.round()
    assert (await house.record(intent_id)).state is IntentState.EXECUTING
    house.clock.advance(16)
    await house.reconciler.round()
    record = await house.record(intent_id)
    assert record.state is state
    assert record.problem["kind"] == kind.value
    before = await house.event_types(intent_id=intent_id)
    await house.reconciler.round()
    assert await house.event_types(intent_id=intent_id) == before


async def test_approvals_of_a_session_killed_elsewhere_are_voided(house: House) -> None:
    session = await house.session()
    parked = await house.ask(session, "Write", "gated")
    from broker.store.base import Event, EventType

    event = Event("evt_kill", EventType.SESSION_KILLED, house.clock.now_ns(), session_id=session.id)
    step = Update("sessions", {"id": session.id}, {"killed_at_ns": house.clock.now_ns()})
    await house.ledger.commit(Change(event, (step,)))
    await house.reconciler.round()
    assert (await house.record(parked.intent_id)).state is IntentState.CANCELLED


async def test_bodies_nobody_fetched_are_dropped(house: House) -> None:
    intent_id = IntentId("int_x")
    await house.outputs.append(intent_id, 0, b"old")
    house.clock.advance(3601)
    await house.outputs.append(IntentId("int_y"), 0, b"new")
    await house.reconciler.round()
    assert [piece async for piece in house.outputs.read(intent_id)] == []
    assert [piece async for piece in house.outputs.read(IntentId("int_y"))] == [b"new"]


async def test_a_round_without_a_ledger_changes_nothing_and_ends(house: House) -> None:
    parked = await house.ask(await house.session(), "Write", "gated")
    house.clock.advance(3600)
    await house.ledger.aclose()
    await house.reconciler.round()
    assert (await house.record(parked.intent_id)).state is IntentState.PENDING_APPROVAL


async def test_an_execution_somebody_else_concluded_meanwhile_is_left_alone(house: House) -> None:
    intent_id = await orphan(house, "Write")
    house.clock.advance(3600)
    await asyncio.gather(house.reconciler.round(), house.reconciler.round(), house.reconciler.round())
    assert (await house.event_types(intent_id=intent_id)).count("intent.unknown") == 1
