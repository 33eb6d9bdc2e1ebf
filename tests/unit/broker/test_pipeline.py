from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from broker.ids import IntentId
from broker.model import IntentState
from broker.outcome import Outcome, ProblemKind
from connectors.base import CallResult, Plan
from connectors.errors import NotSentError, OutcomeUnknownError, UpstreamRefusedError
from tests.house import SECRET, House, open_house


def kind_of(outcome: Outcome) -> ProblemKind | None:
    return outcome.problem.kind if outcome.problem else None


def failing(error: Exception) -> object:
    async def deed(plan: Plan) -> CallResult:
        raise error

    return deed


def streaming(*chunks: bytes, error: Exception | None = None) -> object:
    async def body() -> AsyncGenerator[bytes, None]:
        for chunk in chunks:
            yield chunk
        if error:
            raise error

    async def deed(plan: Plan) -> CallResult:
        return CallResult({"name": "a"}, body=body(), media_type="text/plain")

    return deed


@pytest.mark.req("A1")
@pytest.mark.req("E1")
@pytest.mark.parametrize("verb", ["Read", "Write"])
async def test_an_allowed_intent_is_sent_once_and_recorded_before_and_after(house: House, verb: str) -> None:
    outcome = await house.ask(await house.session(), verb)
    assert outcome.state is IntentState.SUCCEEDED
    assert outcome.result == {"name": "free"}
    assert len(house.connector.sent) == 1
    assert await house.event_types(intent_id=outcome.intent_id) == ["intent.executing", "intent.succeeded"]
    assert house.vault.open == 0
    assert house.places.in_use == 0


@pytest.mark.req("P1")
@pytest.mark.req("P2")
@pytest.mark.parametrize(("verb", "name"), [("Destroy", "free"), ("Write", "forbidden"), ("Write", "elsewhere")])
async def test_a_denied_intent_is_recorded_and_not_sent(house: House, verb: str, name: str) -> None:
    outcome = await house.ask(await house.session(), verb, name)
    assert (outcome.state, kind_of(outcome)) == (IntentState.DENIED, ProblemKind.DENIED)
    assert outcome.problem
    assert outcome.problem.rule
    assert house.connector.sent == []
    assert await house.event_types(intent_id=outcome.intent_id) == ["intent.denied"]


async def test_an_agent_without_a_policy_may_do_nothing(house: House) -> None:
    outcome = await house.ask(await house.session("stranger"), "Read")
    assert outcome.state is IntentState.DENIED


async def test_an_agent_of_a_project_without_the_connection_may_do_nothing(house: House) -> None:
    outcome = await house.ask(await house.session("pauper"), "Read")
    assert outcome.state is IntentState.DENIED
    assert house.connector.sent == []


@pytest.mark.parametrize(
    ("draft", "kind"),
    [
        ({"action": "paper:Burn", "params": {"name": "a"}}, ProblemKind.UNKNOWN_ACTION),
        ({"action": "nothing", "params": {}}, ProblemKind.UNKNOWN_ACTION),
        ({"action": "paper:Read", "params": {"nme": "a"}}, ProblemKind.INVALID_PARAMS),
        ({"action": "paper:Read", "params": {"name": "\ud800"}}, ProblemKind.INVALID_PARAMS),
        ({"action": "paper:Read", "params": {"name": "a"}, "resource": "sheets/b"}, ProblemKind.RESOURCE_MISMATCH),
        ({"action": "paper:Read", "params": {"name": "a"}, "connection": "other"}, ProblemKind.DENIED),
    ],
)
async def test_a_draft_that_does_not_fit_is_refused_and_nothing_is_sent(
    house: House, draft: dict[str, object], kind: ProblemKind
) -> None:
    from broker.model import IntentDraft

    outcome = await house.broker.submit(await house.session(), IntentDraft(**draft), wait_seconds=0)  # type: ignore[arg-type]
    assert kind_of(outcome) is kind
    assert house.connector.sent == []


async def test_a_resource_that_equals_the_derived_one_is_accepted(house: House) -> None:
    outcome = await house.ask(await house.session(), "Read", "a", resource="sheets/a", connection="paper")
    assert outcome.state is IntentState.SUCCEEDED


@pytest.mark.parametrize(
    ("verb", "error", "state", "kind"),
    [
        ("Read", NotSentError("x"), IntentState.FAILED, ProblemKind.UPSTREAM_UNREACHABLE),
        ("Write", NotSentError("x"), IntentState.FAILED, ProblemKind.UPSTREAM_UNREACHABLE),
        ("Write", UpstreamRefusedError("x", code="No"), IntentState.FAILED, ProblemKind.UPSTREAM_REFUSED),
        ("Read", OutcomeUnknownError("x"), IntentState.FAILED, ProblemKind.UPSTREAM_UNREACHABLE),
        ("Write", OutcomeUnknownError("x"), IntentState.UNKNOWN, ProblemKind.OUTCOME_UNKNOWN),
        ("Write", TimeoutError(), IntentState.UNKNOWN, ProblemKind.OUTCOME_UNKNOWN),
    ],
)
async def test_each_end_of_a_call_has_its_one_outcome_and_is_sent_once(
    house: House, verb: str, error: Exception, state: IntentState, kind: ProblemKind
) -> None:
    house.connector.deed = failing(error)  # type: ignore[assignment]
    outcome = await house.ask(await house.session(), verb)
    assert (outcome.state, kind_of(outcome)) == (state, kind)
    assert len(house.connector.sent) == 1
    assert await house.event_types(intent_id=outcome.intent_id) == ["intent.executing", f"intent.{state.value}"]


async def test_a_fault_nobody_foresaw_still_gets_its_outcome(house: House) -> None:
    house.connector.deed = failing(ZeroDivisionError())  # type: ignore[assignment]
    session = await house.session()
    for verb, state in (("Write", "intent.unknown"), ("Read", "intent.failed")):
        with pytest.raises(ZeroDivisionError):
            await house.ask(session, verb)
        assert (await house.event_types())[-1] == state


async def test_a_sealed_vault_means_nothing_is_sent(house: House) -> None:
    house.vault.sealed = True
    outcome = await house.ask(await house.session(), "Write")
    assert (outcome.state, kind_of(outcome)) == (IntentState.FAILED, ProblemKind.VAULT_UNAVAILABLE)
    assert house.connector.sent == []


@pytest.mark.req("V2")
async def test_a_result_that_cannot_be_scanned_is_not_released(house: House) -> None:
    async def seal(plan: Plan) -> CallResult:
        house.vault.sealed = True
        return CallResult({"token": SECRET.decode()})

    house.connector.deed = seal
    session = await house.session()
    written = await house.ask(session, "Write")
    assert written.state is IntentState.SUCCEEDED
    assert SECRET.decode() not in str(written)
    house.vault.sealed = False
    read = await house.ask(session, "Read")
    assert (read.state, kind_of(read)) == (IntentState.FAILED, ProblemKind.VAULT_UNAVAILABLE)
    assert SECRET.decode() not in str(read)


@pytest.mark.req("V2")
async def test_a_secret_in_a_result_is_masked(house: House) -> None:
    async def leak(plan: Plan) -> CallResult:
        return CallResult({"echo": f"x{SECRET.decode()}y"})

    house.connector.deed = leak
    outcome = await house.ask(await house.session(), "Read")
    assert outcome.result == {"echo": "x" + "*" * len(SECRET) + "y"}


async def test_a_small_body_comes_back_inside_the_answer(house: House) -> None:
    house.connector.deed = streaming(b"hel", b"lo")  # type: ignore[assignment]
    outcome = await house.ask(await house.session(), "Read")
    assert outcome.result["body"] == {"encoding": "base64", "data": "aGVsbG8="}
    assert outcome.output_bytes == -1


async def test_a_large_body_is_kept_whole_and_masked_across_chunks(house: House) -> None:
    chunks = [b"a" * 1500 + SECRET[:7], SECRET[7:] + b"b" * 600_000, b"end"]
    house.connector.deed = streaming(*chunks)  # type: ignore[assignment]
    outcome = await house.ask(await house.session(), "Read")
    kept = b"".join([piece async for piece in house.outputs.read(IntentId(outcome.intent_id))])
    assert kept == b"".join(chunks).replace(SECRET, b"*" * len(SECRET))
    assert (outcome.output_bytes, outcome.output_media_type) == (len(kept), "text/plain")
    record = await house.record(outcome.intent_id)
    assert record.output_bytes == len(kept)


@pytest.mark.parametrize("chunks", [[b"x" * 2_000_000], [b"x" * 600_000] * 2])
async def test_a_body_over_the_limit_fails_and_is_dropped(house: House, chunks: list[bytes]) -> None:
    house.connector.deed = streaming(*chunks)  # type: ignore[assignment]
    outcome = await house.ask(await house.session(), "Read")
    assert kind_of(outcome) is ProblemKind.OUTPUT_TOO_LARGE
    assert [piece async for piece in house.outputs.read(IntentId(outcome.intent_id))] == []


async def test_a_body_that_is_cut_fails_and_is_dropped(house: House) -> None:
    house.connector.deed = streaming(b"x" * 2000, error=OutcomeUnknownError("cut"))  # type: ignore[assignment]
    outcome = await house.ask(await house.session(), "Read")
    assert outcome.state is IntentState.FAILED
    assert [piece async for piece in house.outputs.read(IntentId(outcome.intent_id))] == []


async def test_a_call_over_its_time_is_unknown_when_it_writes(tmp_path: Path) -> None:
    async def hang(plan: Plan) -> CallResult:
        await asyncio.Event().wait()
        raise AssertionError

    async with open_house(tmp_path, upstream_timeout_seconds=0.01) as house:
        house.connector.deed = hang
        session = await house.session()
        assert (await house.ask(session, "Write")).state is IntentState.UNKNOWN
        assert (await house.ask(session, "Read")).state is IntentState.FAILED


async def test_a_cancelled_caller_leaves_exactly_one_outcome(house: House) -> None:
    entered = asyncio.Event()

    async def hang(plan: Plan) -> CallResult:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    house.connector.deed = hang
    session = await house.session()
    for verb, state in (("Write", "intent.unknown"), ("Read", "intent.failed")):
        entered.clear()
        task = asyncio.create_task(house.ask(session, verb))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await house.event_types())[-1] == state
    assert house.places.in_use == 0


@pytest.mark.req("E1")
async def test_when_the_ledger_cannot_write_nothing_is_executed(house: House) -> None:
    session = await house.session()
    await house.ledger.aclose()
    for verb, name in (("Write", "free"), ("Read", "a"), ("Write", "forbidden"), ("Write", "gated")):
        outcome = await house.ask(session, verb, name)
        assert kind_of(outcome) is ProblemKind.LEDGER_UNAVAILABLE
        assert outcome.result == {}
    assert house.connector.sent == []


async def test_when_the_outcome_cannot_be_recorded_the_result_is_withheld(house: House) -> None:
    async def lose_the_ledger(plan: Plan) -> CallResult:
        await house.ledger.aclose()
        return CallResult({"name": "precious"})

    house.connector.deed = lose_the_ledger
    outcome = await house.ask(await house.session(), "Write")
    assert kind_of(outcome) is ProblemKind.LEDGER_UNAVAILABLE
    assert "precious" not in str(outcome)
    assert (await house.record(outcome.intent_id)).state is IntentState.EXECUTING


async def test_a_read_whose_executing_event_fails_is_withheld(house: House) -> None:
    session = await house.session()
    started = asyncio.Event()

    async def kill_first(plan: Plan) -> CallResult:
        started.set()
        return CallResult({"name": "precious"})

    house.connector.deed = kill_first
    await house.sessions.kill(session.id, house.operator("olivia"))
    outcome = await house.ask(session, "Read")
    assert kind_of(outcome) is ProblemKind.SESSION_EXPIRED
    assert "precious" not in str(outcome)


async def test_the_same_idempotency_key_brings_back_the_first_outcome(house: House) -> None:
    session = await house.session()
    first = await house.ask(session, "Write", idempotency_key="k")
    again = await house.ask(session, "Write", idempotency_key="k")
    assert (again.intent_id, again.state, again.replayed) == (first.intent_id, first.state, True)
    assert len(house.connector.sent) == 1
    other = await house.ask(session, "Read", idempotency_key="k")
    assert kind_of(other) is ProblemKind.IDEMPOTENCY_MISMATCH
    elsewhere = await house.ask(await house.session(), "Write", idempotency_key="k")
    assert elsewhere.intent_id != first.intent_id


async def test_twenty_copies_at_once_with_one_key_write_once(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        session = await house.session()
        copies = [house.ask(session, "Write", idempotency_key="k") for _ in range(20)]
        outcomes = await asyncio.gather(*copies)
        assert len(house.connector.sent) == 1
        assert len({each.intent_id for each in outcomes}) == 1


async def test_a_refused_intent_may_come_again_with_its_key(tmp_path: Path) -> None:
    async with open_house(tmp_path, max_concurrent_per_session=1) as house:
        session = await house.session()
        with house.places.reserve(session.id):  # type: ignore[union-attr]
            refused = await house.ask(session, "Write", idempotency_key="k")
        assert (refused.state, kind_of(refused)) == (IntentState.REFUSED, ProblemKind.TOO_BUSY)
        assert (await house.ask(session, "Write", idempotency_key="k")).state is IntentState.SUCCEEDED


@pytest.mark.parametrize(
    ("name", "state"),
    [("free", IntentState.APPROVED), ("gated", IntentState.PENDING_APPROVAL), ("forbidden", IntentState.DENIED)],
)
async def test_a_dry_run_says_what_would_be_and_does_nothing(house: House, name: str, state: IntentState) -> None:
    session = await house.session()
    outcome = await house.ask(session, "Write", name, dry_run=True, idempotency_key="k")
    assert outcome.state is state
    assert house.connector.sent == []
    assert outcome.approval_id == ""
    real = await house.ask(session, "Write", name, idempotency_key="k")
    assert not real.replayed


async def test_killing_a_session_cuts_what_runs(house: House) -> None:
    entered = asyncio.Event()

    async def hang(plan: Plan) -> CallResult:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    house.connector.deed = hang
    for verb, state in (("Write", IntentState.UNKNOWN), ("Read", IntentState.CANCELLED)):
        entered.clear()
        session = await house.session()
        task = asyncio.create_task(house.ask(session, verb))
        await entered.wait()
        assert await house.sessions.kill(session.id, house.operator("olivia"))
        assert (await task).state is state


async def test_a_session_killed_after_authentication_begins_nothing(house: House) -> None:
    session = await house.session()
    await house.sessions.kill(session.id, house.operator("olivia"))
    for verb, name in (("Write", "free"), ("Write", "gated")):
        assert kind_of(await house.ask(session, verb, name)) is ProblemKind.SESSION_EXPIRED
    assert house.connector.sent == []
