"""Bodies that pass through: in both directions, decided, scanned and recorded as everything else."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from broker.ids import IntentId
from broker.model import IntentDraft, IntentState, Session
from broker.outcome import Outcome, ProblemKind
from broker.uploads import kept_as
from connectors.base import CallResult, Plan
from connectors.errors import OutcomeUnknownError, UploadBrokenError
from tests.house import SECRET, House, open_house
from tests.parts.streams import PaperExchange, PaperUpload

BODY = b"x" * 3000 + b"end"
DIGEST = hashlib.sha256(BODY).hexdigest()


def kind(outcome: Outcome) -> ProblemKind | None:
    return outcome.problem.kind if outcome.problem else None


def answering(*chunks: bytes, error: Exception | None = None) -> Any:
    async def body() -> AsyncGenerator[bytes, None]:
        for chunk in chunks:
            yield chunk
        if error:
            raise error

    async def deed(plan: Plan) -> CallResult:
        return CallResult({"name": plan.call["name"]}, body=body(), media_type="text/plain")

    return deed


async def taking(plan: Plan) -> CallResult:
    assert plan.stream is not None
    taken = b"".join([piece async for piece in plan.stream])
    return CallResult({"taken": hashlib.sha256(taken).hexdigest()})


async def submit(house: House, session: Session, verb: str, params: dict[str, Any], exchange: Any) -> Outcome:
    draft = IntentDraft(f"paper:{verb}", params, joins=True)
    return await house.broker.submit(session, draft, wait_seconds=0, exchange=exchange)


def uploading(name: str = "free", **said: Any) -> dict[str, Any]:
    return {"name": name, "body": {"upload": {"bytes": len(BODY), **said}}}


async def test_a_large_body_goes_out_masked_and_its_last_piece_after_the_outcome(house: House) -> None:
    chunks = [b"a" * 1500 + SECRET[:7], SECRET[7:] + b"b" * 5000, b"end"]
    house.connector.deed = answering(*chunks)
    session, exchange = await house.session(), PaperExchange()
    before = list(exchange.written)
    outcome = await submit(house, session, "Read", {"name": "free"}, exchange)
    assert (outcome.state, outcome.streamed, outcome.body) == (IntentState.SUCCEEDED, True, None)
    assert exchange.begun == ({"name": "free"}, "text/plain")
    assert b"".join(exchange.written) == b"".join(chunks).replace(SECRET, b"*" * len(SECRET))
    assert before == []
    assert (await house.record(outcome.intent_id)).result == {}, "what goes out with the answer is not stored"
    assert [piece async for piece in house.outputs.read(IntentId(outcome.intent_id))] == []


async def test_a_small_body_comes_apart_from_the_result_and_the_exchange_is_not_begun(house: House) -> None:
    house.connector.deed = answering(b"hel", b"lo" + SECRET)
    exchange = PaperExchange()
    outcome = await submit(house, await house.session(), "Read", {"name": "free"}, exchange)
    assert (outcome.body, outcome.result) == (b"hello" + b"*" * len(SECRET), {"name": "free"})
    assert (exchange.begun, outcome.streamed) == (None, False)


async def test_a_door_that_takes_no_bodies_has_them_kept(house: House) -> None:
    house.connector.deed = answering(b"hello")
    outcome = await submit(house, await house.session(), "Read", {"name": "free"}, PaperExchange(streams=False))
    assert outcome.result["body"] == {"encoding": "base64", "data": "aGVsbG8="}
    assert (await house.record(outcome.intent_id)).result == outcome.result


async def test_a_body_that_breaks_never_gets_its_last_piece(house: House) -> None:
    house.connector.deed = answering(b"a" * 5000, b"b" * 5000, error=OutcomeUnknownError("cut"))
    exchange = PaperExchange()
    outcome = await submit(house, await house.session(), "Read", {"name": "free"}, exchange)
    assert (outcome.state, outcome.streamed) == (IntentState.FAILED, False)
    assert len(b"".join(exchange.written)) < 10_000


async def test_a_client_that_goes_away_ends_a_read_and_says_so(house: House) -> None:
    house.connector.deed = answering(*[b"a" * 2000] * 9)
    session = await house.session()
    outcome = await submit(house, session, "Read", {"name": "free"}, PaperExchange(gone_after=1))
    assert (outcome.state, kind(outcome)) == (IntentState.CANCELLED, ProblemKind.CANCELLED)
    assert (await house.event_types(session_id=session.id))[-1] == "intent.cancelled"


async def test_a_client_that_goes_away_does_not_undo_a_write(house: House) -> None:
    house.connector.deed = answering(*[b"a" * 2000] * 9)
    outcome = await submit(house, await house.session(), "Write", {"name": "free"}, PaperExchange(gone_after=0))
    assert outcome.state is IntentState.SUCCEEDED


async def test_an_upload_passes_through_once_policy_allows_it(house: House) -> None:
    house.connector.deed = taking
    exchange = PaperExchange(PaperUpload(BODY[:10], BODY[10:]))
    outcome = await submit(house, await house.session(), "Write", uploading(), exchange)
    assert outcome.result == {"taken": DIGEST}


async def test_an_upload_that_is_denied_is_not_read(house: House) -> None:
    upload = PaperUpload(BODY)
    outcome = await submit(house, await house.session(), "Write", uploading("forbidden"), PaperExchange(upload))
    assert (kind(outcome), upload.read) == (ProblemKind.DENIED, 0)


async def test_an_upload_that_breaks_is_a_definite_no(house: House) -> None:
    house.connector.deed = taking
    exchange = PaperExchange(PaperUpload(BODY, broken="the body is cut"))
    outcome = await submit(house, await house.session(), "Write", uploading(), exchange)
    assert (outcome.state, kind(outcome)) == (IntentState.FAILED, ProblemKind.UPLOAD_BROKEN)


@pytest.mark.req("H3")
async def test_a_gated_upload_waits_with_its_bytes_and_the_approved_ones_are_sent(house: House) -> None:
    house.connector.deed = taking
    session = await house.session()
    parked = await submit(house, session, "Write", uploading("gated"), PaperExchange(PaperUpload(BODY)))
    assert parked.state is IntentState.PENDING_APPROVAL
    await house.approve(parked.approval_id)
    await house.work()
    assert (await house.record(parked.intent_id)).result == {"taken": DIGEST}
    assert house.connector.sent[-1].call["params"]["body"]["upload"]["sha256"] == DIGEST
    assert [piece async for piece in house.outputs.read(kept_as(IntentId(parked.intent_id)))] == []


@pytest.mark.req("H3")
async def test_bytes_that_are_no_longer_those_that_were_approved_are_not_sent(house: House) -> None:
    house.connector.deed = taking
    parked = await submit(house, await house.session(), "Write", uploading("gated"), PaperExchange(PaperUpload(BODY)))
    kept = kept_as(IntentId(parked.intent_id))
    await house.outputs.discard(kept)
    await house.outputs.append(kept, 0, b"y" * len(BODY))
    await house.approve(parked.approval_id)
    await house.work()
    record = await house.record(parked.intent_id)
    assert (record.state, record.problem["kind"]) == (IntentState.FAILED, "upload-broken")


@pytest.mark.parametrize(
    ("exchange", "expected"),
    [
        (None, ProblemKind.UPLOAD_BROKEN),
        (PaperExchange(PaperUpload(BODY, broken="cut")), ProblemKind.UPLOAD_BROKEN),
        (PaperExchange(PaperUpload(b"x" * 2_000_000)), ProblemKind.REQUEST_TOO_LARGE),
    ],
    ids=["none", "cut", "large"],
)
async def test_a_gated_upload_that_cannot_be_kept_is_refused_and_leaves_nothing(
    house: House, exchange: Any, expected: ProblemKind
) -> None:
    session = await house.session()
    outcome = await submit(house, session, "Write", uploading("gated"), exchange)
    assert (outcome.state, kind(outcome)) == (IntentState.REFUSED, expected)
    assert [piece async for piece in house.outputs.read(kept_as(IntentId(outcome.intent_id)))] == []


async def test_a_body_a_connector_did_not_get_ends_the_attempt_with_nothing_done(house: House) -> None:
    async def refusing(plan: Plan) -> CallResult:
        assert plan.stream is None
        raise UploadBrokenError("no body came")

    house.connector.deed = refusing
    outcome = await submit(house, await house.session(), "Write", uploading(), PaperExchange())
    assert kind(outcome) is ProblemKind.UPLOAD_BROKEN


async def test_kept_bodies_of_waiting_intents_outlive_those_of_results(tmp_path: Path) -> None:
    async with open_house(tmp_path, output_ttl_seconds=60) as house:
        session = await house.session()
        parked = await submit(house, session, "Write", uploading("gated"), PaperExchange(PaperUpload(BODY)))
        house.clock.advance(120)
        await house.reconciler.round()
        kept = kept_as(IntentId(parked.intent_id))
        assert b"".join([piece async for piece in house.outputs.read(kept)]) == BODY
        house.clock.advance(9 * 86_400)
        await house.reconciler.round()
        assert [piece async for piece in house.outputs.read(kept)] == []
