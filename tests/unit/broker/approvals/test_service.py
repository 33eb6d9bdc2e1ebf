from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from broker.approvals.service import Question
from broker.canonical import canonical_bytes, digest
from broker.ids import ApprovalId
from broker.ledger.events import parse_event
from broker.model import Approval, ApprovalState, IntentState
from broker.outcome import Problem, ProblemKind
from broker.store.base import EventFilter
from policies.model import (
    ApprovalTerms,
    Assurance,
    Decision,
    Effect,
    PolicyVersion,
    Reason,
    Requirement,
    Span,
)
from tests.house import SCRIBE_YAML, House, write_policy
from tests.parts.ledgers import intent


def kind_of(answer: Approval | Problem) -> ProblemKind | None:
    return answer.kind if isinstance(answer, Problem) else None


async def approval_of(house: House, approval_id: str) -> Approval:
    found = await house.reader.approval(ApprovalId(approval_id))
    assert found is not None
    return found


def gated(*terms: ApprovalTerms) -> Decision:
    asked = Requirement("paper:Write", "sheets/gated")
    reasons = (Reason(asked, Effect.REQUIRE_APPROVAL, "gate", Span("policies/scribe.yaml", 6), ""),)
    return Decision(Effect.REQUIRE_APPROVAL, reasons, terms, PolicyVersion("v"))


QUESTION = Question("write", b"{}", "please", {"source_ip": "10.0.0.1"})


async def parked(house: House, *terms: ApprovalTerms, question: Question = QUESTION) -> Approval | Problem:
    """Park an intent of a new session, for which the rules ask with ``terms``."""
    session, name = await house.session(), house.journal.new_id()
    record = intent(name, session_id=session.id, agent="scribe", project="desk", version=0)
    return await house.approvals.park(session, record, gated(*terms), question)


@pytest.mark.req("H1")
@pytest.mark.req("H4")
async def test_a_gated_intent_waits_for_a_human_and_is_then_sent_once(house: House) -> None:
    parked = await house.ask(await house.session(), "Write", "gated", reason="please")
    assert parked.state is IntentState.PENDING_APPROVAL
    assert house.connector.sent == []
    assert (await approval_of(house, parked.approval_id)).reason == "please"
    answer = await house.approve(parked.approval_id)
    assert isinstance(answer, Approval)
    assert house.connector.sent == []
    jobs = list(house.queue.sent)
    outcomes = await house.work()
    assert [each and each.state for each in outcomes] == [IntentState.SUCCEEDED]
    assert await house.event_types(intent_id=parked.intent_id) == [
        "intent.parked", "approval.approved", "intent.executing", "intent.succeeded",
    ]  # fmt: skip
    assert (await approval_of(house, parked.approval_id)).state is ApprovalState.CONSUMED
    house.queue.sent = jobs * 20
    assert await house.work() == [None] * 20
    assert len(house.connector.sent) == 1


@pytest.mark.req("H4")
async def test_the_same_message_delivered_many_times_at_once_executes_once(house: House) -> None:
    parked = await house.ask(await house.session(), "Write", "gated")
    await house.approve(parked.approval_id)
    job = house.queue.sent[0]
    await asyncio.gather(*[house.broker.resume(*job) for _ in range(20)])
    assert len(house.connector.sent) == 1


@pytest.mark.req("H2")
async def test_what_people_are_shown_is_kept_and_the_ledger_can_prove_it(house: House) -> None:
    question = replace(QUESTION, preview={"kind": "x", "n": 1}, connection="paper")
    asked = await parked(house, ApprovalTerms("approvals", 60), question=question)
    assert isinstance(asked, Approval)
    assert (asked.preview, asked.connection) == ({"kind": "x", "n": 1}, "paper")
    assert await approval_of(house, asked.id) == asked
    [stored] = await house.reader.events(EventFilter(type="intent.parked"))
    told = parse_event(stored.body).data
    assert told["preview_digest"] == digest("approval-preview", canonical_bytes(asked.preview))


@pytest.mark.req("H3")
@pytest.mark.parametrize("name", ["olivia", "victor"])
async def test_the_requester_and_those_without_the_role_may_not_answer(house: House, name: str) -> None:
    parked = await house.ask(await house.session(owner="olivia"), "Write", "gated")
    for approve in (True, False):
        answer = await house.approvals.decide(
            ApprovalId(parked.approval_id), house.operator(name), approve=approve, reason="because"
        )
        assert kind_of(answer) is ProblemKind.FORBIDDEN
    assert (await approval_of(house, parked.approval_id)).state is ApprovalState.PENDING


@pytest.mark.req("H3")
async def test_only_those_the_rule_names_may_answer(house: House) -> None:
    asked = await parked(house, ApprovalTerms("approvals", 60, ("alice", "olivia")), ApprovalTerms("approvals", 90))
    assert isinstance(asked, Approval)
    for name in ("bob", "olivia"):
        for approve in (True, False):
            answer = await house.approvals.decide(asked.id, house.operator(name), approve=approve, reason="because")
            assert kind_of(answer) is ProblemKind.FORBIDDEN
    assert await approval_of(house, asked.id) == asked
    assert kind_of(await house.approve(asked.id, "alice")) is None


@pytest.mark.req("H3")
@pytest.mark.parametrize("approve", [True, False])
async def test_an_answer_that_is_not_sure_enough_does_not_count(house: House, approve: bool) -> None:
    asked = await parked(house, ApprovalTerms("approvals", 60, assurance=Assurance.WEB))
    assert isinstance(asked, Approval)
    answer = partial(house.approvals.decide, asked.id, house.operator("alice"), approve=approve, reason="because")
    for weak in (await answer(), await answer(assurance=Assurance.CHAT)):
        assert isinstance(weak, Problem)
        assert weak.kind is ProblemKind.FORBIDDEN
        assert "`web`" in weak.detail
    assert (await approval_of(house, asked.id)).state is ApprovalState.PENDING
    assert kind_of(await answer(assurance=Assurance.PASSKEY)) is None


@pytest.mark.req("H3")
async def test_what_nobody_may_answer_is_denied_and_not_kept(house: House) -> None:
    answer = await parked(house, ApprovalTerms("approvals", 60, ("alice",)), ApprovalTerms("approvals", 60, ("bob",)))
    assert kind_of(answer) is ProblemKind.DENIED
    assert await house.reader.approvals(()) == []
    assert await house.event_types(type="intent.parked") == []


@pytest.mark.req("H2")
async def test_the_terms_are_on_the_ledger_and_the_facts_with_the_approval(house: House) -> None:
    asked = await parked(house, ApprovalTerms("approvals", 60, ("alice",), Assurance.WEB))
    assert isinstance(asked, Approval)
    assert (await approval_of(house, asked.id)).context == {"source_ip": "10.0.0.1"}
    [stored] = await house.reader.events(EventFilter(type="intent.parked"))
    data = parse_event(stored.body).data
    assert (data["approvers"], data["assurance"]) == (["alice"], "web")


async def test_a_role_taken_away_counts_at_the_moment_of_the_answer(house: House) -> None:
    parked = await house.ask(await house.session(), "Write", "gated")
    alice = house.operator("alice")
    config = house.broker.settings.config_dir / "ostiary.yaml"
    config.write_text(config.read_text().replace("alice: {roles: [approver]}", "alice: {roles: [viewer]}"))
    assert await house.broker.reload() == []
    answer = await house.approvals.decide(ApprovalId(parked.approval_id), alice, approve=True, reason="")
    assert kind_of(answer) is ProblemKind.FORBIDDEN


async def test_a_no_needs_a_reason_and_the_agent_gets_it(house: House) -> None:
    session = await house.session()
    parked = await house.ask(session, "Write", "gated")
    approval_id, alice = ApprovalId(parked.approval_id), house.operator("alice")
    assert kind_of(await house.approvals.decide(approval_id, alice, approve=False, reason=" ")) is (
        ProblemKind.INVALID_PARAMS
    )
    for unfit in ("x" * 3000, "a\0b", "\ud800"):
        answer = await house.approvals.decide(approval_id, alice, approve=False, reason=unfit)
        assert kind_of(answer) is ProblemKind.INVALID_PARAMS
    await house.approvals.decide(approval_id, alice, approve=False, reason="not today")
    told = await house.broker.outcome(session, (await house.record(parked.intent_id)).id)
    assert told is not None
    assert told.state is IntentState.REJECTED
    assert told.problem
    assert (told.problem.kind, told.problem.reason) == (ProblemKind.APPROVAL_REJECTED, "not today")
    assert kind_of(await house.approve(parked.approval_id, "bob")) is ProblemKind.APPROVAL_CONFLICT


async def test_an_answer_to_nothing_is_not_found(house: House) -> None:
    assert kind_of(await house.approve("apr_nothing")) is ProblemKind.NOT_FOUND


async def test_silence_is_no(house: House) -> None:
    session = await house.session()
    first, second = [await house.ask(session, "Write", "gated") for _ in range(2)]
    house.clock.advance(600)
    assert kind_of(await house.approve(first.approval_id)) is ProblemKind.APPROVAL_EXPIRED
    await house.reconciler.round()
    for parked in (first, second):
        assert (await house.record(parked.intent_id)).state is IntentState.EXPIRED
    assert kind_of(await house.approve(second.approval_id)) is ProblemKind.APPROVAL_EXPIRED


async def test_an_approval_not_used_in_time_is_not_used(house: House) -> None:
    parked = await house.ask(await house.session(), "Write", "gated")
    await house.approve(parked.approval_id)
    house.clock.advance(601)
    assert await house.work() == [None]
    assert (await house.record(parked.intent_id)).state is IntentState.EXPIRED
    assert house.connector.sent == []


async def test_an_approval_never_beats_a_deny(house: House) -> None:
    parked = await house.ask(await house.session(), "Write", "gated")
    await house.approve(parked.approval_id)
    write_policy(house.broker.settings.data, SCRIBE_YAML + "  - deny paper:Write on sheets/gated\n")
    assert await house.broker.reload() == []
    outcomes = await house.work()
    assert [each and each.state for each in outcomes] == [IntentState.DENIED]
    assert house.connector.sent == []
    assert (await approval_of(house, parked.approval_id)).state is ApprovalState.CANCELLED


async def test_what_is_no_longer_what_was_approved_is_not_sent(house: House) -> None:
    parked = await house.ask(await house.session(), "Write", "gated")
    await house.approve(parked.approval_id)
    house.connector.edition = 2
    outcome = (await house.work())[0]
    assert outcome is not None
    assert outcome.problem
    assert outcome.problem.kind is ProblemKind.STALE_PLAN
    assert house.connector.sent == []
    assert (await approval_of(house, parked.approval_id)).state is ApprovalState.CANCELLED


@pytest.mark.req("S2")
async def test_killing_the_session_voids_what_waits(house: House) -> None:
    session = await house.session()
    waiting, granted = [await house.ask(session, "Write", "gated") for _ in range(2)]
    await house.approve(granted.approval_id)
    await house.sessions.kill(session.id, house.operator("olivia"))
    for parked in (waiting, granted):
        assert (await house.record(parked.intent_id)).state is IntentState.CANCELLED
    assert await house.work() == [None]
    assert kind_of(await house.approve(waiting.approval_id)) is ProblemKind.APPROVAL_CONFLICT
    assert house.connector.sent == []


async def test_a_session_that_ended_while_waiting_is_turned_away(house: House) -> None:
    session = await house.session(ttl_seconds=60)
    parked = await house.ask(session, "Write", "gated")
    house.clock.advance(61)
    await house.approve(parked.approval_id)
    outcome = (await house.work())[0]
    assert outcome is not None
    assert outcome.problem
    assert outcome.problem.kind is ProblemKind.SESSION_EXPIRED
    assert house.connector.sent == []


async def test_an_approved_intent_waits_for_a_free_place(house: House) -> None:
    session = await house.session()
    parked = await house.ask(session, "Write", "gated")
    await house.approve(parked.approval_id)
    held = [house.places.reserve(session.id) for _ in range(64)]
    assert [each and each.state for each in await house.work()] == [IntentState.APPROVED]
    for each in held:
        with each:  # type: ignore[union-attr]
            pass
    await house.reconciler.round()
    assert [each and each.state for each in await house.work()] == [IntentState.SUCCEEDED]


async def test_a_lost_queue_loses_nothing(house: House) -> None:
    parked = await house.ask(await house.session(), "Write", "gated")
    await house.approve(parked.approval_id)
    house.queue.sent.clear()
    house.queue.up = False
    await house.reconciler.round()
    assert house.queue.sent == []
    house.queue.up = True
    await house.reconciler.round()
    await house.work()
    assert (await house.record(parked.intent_id)).state is IntentState.SUCCEEDED
    assert len(house.connector.sent) == 1


async def test_of_approve_reject_expire_and_kill_at_once_one_wins(house: House) -> None:
    for _ in range(25):
        session = await house.session()
        parked = await house.ask(session, "Write", "gated")
        approval = await approval_of(house, parked.approval_id)
        alice, bob = house.operator("alice"), house.operator("bob")
        await asyncio.gather(
            house.approvals.decide(approval.id, alice, approve=True, reason=""),
            house.approvals.decide(approval.id, bob, approve=False, reason="no"),
            house.approvals.end(approval, ApprovalState.EXPIRED, "late"),
            house.approvals.end(approval, ApprovalState.CANCELLED, "killed"),
        )
        ends = [each for each in await house.event_types(intent_id=parked.intent_id) if each.startswith("approval.")]
        assert len(ends) == 1
        final = await approval_of(house, parked.approval_id)
        intent = await house.record(parked.intent_id)
        assert (final.state.value, intent.state.value) in {
            ("approved", "approved"), ("rejected", "rejected"), ("expired", "expired"), ("cancelled", "cancelled"),
        }  # fmt: skip
        assert final.version == 2
