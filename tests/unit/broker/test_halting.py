"""A kill stops what runs, what waits and what is queued, and says what it was; a lift lets go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from broker.halting import MAX_NAMED, MAX_REASON, Stopped
from broker.ids import ApprovalId, HaltId, IntentId
from broker.ledger.events import parse_event
from broker.model import HaltScope, IntentState, Session
from broker.outcome import Problem, ProblemKind
from broker.store.base import Change, EventFilter, EventType, new_event
from broker.store.rows import insert_approval
from connectors.base import CallResult, Plan
from tests.house import House
from tests.parts.halting import (
    FOR_CONNECTIONS,
    FOR_SESSIONS,
    OVER,
    Hanging,
    child_of,
    finished,
    kill,
    kind_of,
    lift,
    living,
    told,
)
from vault.model import Revoked

pytestmark = pytest.mark.req("S2")


@pytest.mark.parametrize(("scope", "name"), FOR_SESSIONS)
async def test_a_kill_ends_sessions_with_their_children_and_reports_all_it_stopped(
    house: House, scope: HaltScope, name: str
) -> None:
    session = await house.session()
    child = await child_of(house, session)
    bystander = await house.session("pauper")
    house.vault.tokens = {session.id: Revoked(2, 1)}
    waiting = await house.ask(session, "Write", "gated")
    approved = await house.ask(session, "Write", "gated")
    await house.approve(approved.approval_id)
    house.connector.deed = hanging = Hanging()
    running = asyncio.create_task(house.ask(session, "Read"))
    await hanging.arrived.wait()
    assert isinstance(await house.sessions.authenticate(house.tokens[session.id]), Session)
    report = told(stopped := await kill(house, scope, name))
    ended = {session.id, child.id} | ({bystander.id} if scope is HaltScope.EVERYTHING else set())
    assert (report["calls"], report["resumed"], set(report["stages_ms"])) == (1, False, {"end", "void", "revoke"})
    assert (report["sessions"]["count"], set(report["sessions"]["names"])) == (len(ended), ended)
    assert report["approvals"] == {"count": 1, "names": [waiting.approval_id]}
    assert report["queued"] == {"count": 1, "names": [approved.intent_id]}
    assert report["tokens"] == {"revoked": 2, "failed": 1, "pending": 0}
    assert kind_of(await house.sessions.authenticate(house.tokens[session.id])) is ProblemKind.SESSION_EXPIRED
    cut = await running
    assert (cut.state, kind_of(cut)) == (IntentState.CANCELLED, ProblemKind.CANCELLED)
    assert {each.id for each in await living(house)} == {bystander.id} - ended
    for session_id in ended:
        assert (await house.event_types(session_id=session_id)).count("session.killed") == 1
    (event,) = await house.reader.events(EventFilter(type="halt.reported"))
    assert parse_event(event.body).data["report"] == report
    marked = await house.reader.halt(stopped.halt.id)
    assert marked is not None
    assert marked.reported_at_ns > 0


async def test_the_message_about_an_approved_intent_is_void_in_the_queue(house: House) -> None:
    session = await house.session()
    parked = await house.ask(session, "Write", "gated")
    await house.approve(parked.approval_id)
    assert len(house.queue.sent) == 1
    stopped = await kill(house, HaltScope.CONNECTION, "paper")
    assert await house.work() == [None]
    assert (await house.record(parked.intent_id)).state is IntentState.CANCELLED
    await lift(house, stopped.halt)
    await house.reconciler.round()
    assert (await house.work(), house.connector.sent) == ([], [])


@pytest.mark.parametrize(("scope", "name"), FOR_CONNECTIONS)
async def test_a_kill_of_a_connection_ends_no_session_and_voids_what_waits_for_it(
    house: House, scope: HaltScope, name: str
) -> None:
    session = await house.session()
    parked = await house.ask(session, "Write", "gated")
    stopped = await kill(house, scope, name)
    report = told(stopped)
    assert (report["sessions"]["count"], report["approvals"]["names"]) == (0, [parked.approval_id])
    assert kind_of(await house.ask(session, "Read")) is ProblemKind.HALTED
    assert kind_of(await house.ask(session, "Write", "gated")) is ProblemKind.HALTED
    assert isinstance(await house.session(), Session)
    await lift(house, stopped.halt)
    assert (await house.ask(session, "Read")).state is IntentState.SUCCEEDED


async def test_a_stream_under_way_is_cut(house: House) -> None:
    begun = asyncio.Event()

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"x" * 2_000
        begun.set()
        await asyncio.Event().wait()

    async def streams(plan: Plan) -> CallResult:
        return CallResult({}, body=pieces())

    house.connector.deed = streams
    asked = asyncio.create_task(house.ask(await house.session(), "Read"))
    await begun.wait()
    assert told(await kill(house, HaltScope.CONNECTION, "paper"))["calls"] == 1
    assert (await asked).state is IntentState.CANCELLED


async def test_nothing_is_begun_after_a_kill_by_those_who_asked_at_the_same_moment(house: House) -> None:
    house.connector.deed = hanging = Hanging()
    for scope, name in (*FOR_SESSIONS, *FOR_CONNECTIONS):
        session = await house.session()
        asked = [
            asyncio.create_task(house.ask(session, verb, "free"))
            for verb in ("Read", "Write") * 4
        ]  # fmt: skip
        for _ in range(hanging.begun % 3):
            await asyncio.sleep(0)
        stopped = await kill(house, scope, name)
        outcomes = await asyncio.gather(*asked)
        assert {each.state for each in outcomes} <= {
            IntentState.CANCELLED, IntentState.UNKNOWN, IntentState.REFUSED
        }  # fmt: skip
        before = hanging.begun
        assert kind_of(await house.ask(session, "Read")) in OVER
        assert hanging.begun == before
        await lift(house, stopped.halt)
    assert house.places.in_use == 0


async def test_people_lift_a_pause_and_sessions_go_on(house: House) -> None:
    session = await house.session()
    await house.built.limits._halts.pause("agent", "scribe", reason="spent", until_ns=0)
    assert kind_of(await house.ask(session, "Read")) is ProblemKind.HALTED
    assert kind_of(await house.sessions.start(house.operator("olivia"), agent="scribe", ttl_seconds=9, labels={})) is (
        ProblemKind.HALTED
    )
    (pause,) = await house.reader.halts(active=True)
    await finished(house)
    await lift(house, pause)
    assert (await house.ask(session, "Read")).state is IntentState.SUCCEEDED
    assert "halt.reported" not in await house.event_types()


async def test_a_pause_that_is_over_is_lifted_by_the_next_look(house: House) -> None:
    until_ns = house.clock.now_ns() + 10**9
    await house.built.limits._halts.pause("project", "desk", reason="spent", until_ns=until_ns)
    house.clock.advance(1)
    await house.built.halting.look()
    assert (await house.event_types())[-1] == "halt.lifted"


@pytest.mark.parametrize(
    ("scope", "name", "kind", "fix"),
    [
        (HaltScope.AGENT, "scrib", ProblemKind.NOT_FOUND, "did you mean `scribe`?"),
        (HaltScope.PROJECT, "dekk", ProblemKind.NOT_FOUND, "did you mean `desk`?"),
        (HaltScope.CONNECTION, "papper", ProblemKind.NOT_FOUND, "did you mean `paper`?"),
        (HaltScope.CONNECTOR, "papers", ProblemKind.NOT_FOUND, "did you mean `paper`?"),
        (HaltScope.AGENT, "\0\ud800", ProblemKind.NOT_FOUND, ""),
        (HaltScope.AGENT, "", ProblemKind.INVALID_PARAMS, ""),
        (HaltScope.EVERYTHING, "scribe", ProblemKind.INVALID_PARAMS, ""),
        (HaltScope.SESSION, "ses_1", ProblemKind.INVALID_PARAMS, "ostiary kill session"),
    ],
)
async def test_what_is_not_there_is_not_stopped(
    house: House, scope: HaltScope, name: str, kind: ProblemKind, fix: str
) -> None:
    answer = await house.built.halting.kill(scope, name, operator=house.operator("alice"), reason="it ran away")
    assert isinstance(answer, Problem)
    assert answer.kind is kind
    assert fix in answer.fix
    assert await house.reader.halts() == []


@pytest.mark.parametrize("reason", ["", " \n", "\0", "\ud800", "x" * (MAX_REASON + 1)])
async def test_stopping_and_going_on_need_a_reason(house: House, reason: str) -> None:
    halting, olivia = house.built.halting, house.operator("olivia")
    answer = await halting.kill(HaltScope.AGENT, "scribe", operator=olivia, reason=reason)
    assert kind_of(answer) is ProblemKind.INVALID_PARAMS
    halt = (await kill(house, HaltScope.AGENT, "scribe")).halt
    assert kind_of(await halting.lift(halt.id, operator=olivia, reason=reason)) is ProblemKind.INVALID_PARAMS
    assert await house.reader.halts(active=True) != []


async def test_a_halt_is_lifted_once_and_only_when_there_is_one(house: House) -> None:
    halting, olivia = house.built.halting, house.operator("olivia")
    assert kind_of(await halting.lift(HaltId("hlt_none"), operator=olivia, reason="x")) is ProblemKind.NOT_FOUND
    halt = (await kill(house, HaltScope.AGENT, "scribe")).halt
    await lift(house, halt)
    assert kind_of(await halting.lift(halt.id, operator=olivia, reason="x")) is ProblemKind.HALT_CONFLICT
    assert isinstance(await house.session(), Session)


async def test_an_agent_that_only_the_ledger_knows_is_stopped_by_force(house: House) -> None:
    session = await house.session("stranger")
    config = house.broker.settings.config_dir / "ostiary.yaml"
    config.write_text(config.read_text().replace("  stranger: {project: desk}\n", ""))
    assert await house.broker.reload() == []
    halting, alice = house.built.halting, house.operator("alice")
    plain = await halting.kill(HaltScope.AGENT, "stranger", operator=alice, reason="gone")
    never = await halting.kill(HaltScope.AGENT, "nobody", operator=alice, reason="gone", force=True)
    assert (kind_of(plain), kind_of(never)) == (ProblemKind.NOT_FOUND, ProblemKind.NOT_FOUND)
    too_long = await halting.kill(HaltScope.CONNECTION, "x" * 201, operator=alice, reason="gone", force=True)
    assert kind_of(too_long) is ProblemKind.NOT_FOUND
    assert told(await kill(house, HaltScope.AGENT, "stranger", force=True))["sessions"]["names"] == [session.id]
    assert isinstance(await kill(house, HaltScope.PROJECT, "desk", force=True), Stopped)
    no_project = await halting.kill(HaltScope.PROJECT, "none", operator=alice, reason="gone", force=True)
    assert kind_of(no_project) is ProblemKind.NOT_FOUND
    for scope in (HaltScope.CONNECTION, HaltScope.CONNECTOR):
        assert told(await kill(house, scope, "gone", force=True))["sessions"]["count"] == 0


async def test_a_report_counts_all_and_names_the_first(house: House) -> None:
    started = [await house.session() for _ in range(MAX_NAMED + 5)]
    report = told(await kill(house, HaltScope.EVERYTHING, ""))
    assert (report["sessions"]["count"], len(report["sessions"]["names"])) == (len(started), MAX_NAMED)
    assert (await house.event_types(type="session.killed", limit=500)).count("session.killed") == len(started)


async def test_an_approval_whose_intent_is_gone_holds_nothing_up(house: House) -> None:
    session = await house.session()
    parked = await house.ask(session, "Write", "gated")
    (known,) = await house.reader.open_approvals(HaltScope.EVERYTHING, "")
    orphan = replace(known, id=ApprovalId("apr_orphan"), intent_id=IntentId("int_gone"))
    event = new_event(house.clock, EventType.INTENT_PARKED, {})
    await house.ledger.commit(Change(event, (insert_approval(orphan),)))
    async with asyncio.timeout(20):
        assert told(await kill(house, HaltScope.AGENT, "scribe"))["approvals"]["names"] == [parked.approval_id]
