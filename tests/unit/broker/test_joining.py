"""Clients that know no ids: the same request again is the same intent, until its answer was fetched."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from broker.catalog import Catalog, Resolved
from broker.ids import ApprovalId
from broker.model import IntentDraft, IntentState, Session
from broker.outcome import Outcome, ProblemKind
from connectors.base import Access
from tests.house import House
from tests.parts.streams import PaperExchange, PaperUpload


async def ask(house: House, session: Session, *, exchange: Any = None, **params: Any) -> Outcome:
    draft = IntentDraft("paper:Write", {"name": "gated", **params}, joins=True)
    return await house.broker.submit(session, draft, wait_seconds=0, exchange=exchange)


@pytest.mark.req("H3")
async def test_the_same_request_joins_its_approval_and_fetches_what_became_of_it_once(house: House) -> None:
    session = await house.session()
    first = await ask(house, session, token="one")
    again = await ask(house, session, token="two")
    assert (again.intent_id, again.state) == (first.intent_id, IntentState.PENDING_APPROVAL)
    assert len(await house.event_types(type="intent.parked")) == 1
    await house.approve(first.approval_id)
    assert (await ask(house, session)).state is IntentState.APPROVED
    await house.work()
    fetched = await ask(house, session, token="three")
    assert (fetched.intent_id, fetched.result) == (first.intent_id, {"name": "gated"})
    assert len(house.connector.sent) == 1
    assert len(await house.event_types(type="intent.fetched")) == 1
    anew = await ask(house, session)
    assert (anew.intent_id != first.intent_id, anew.state) == (True, IntentState.PENDING_APPROVAL)


async def test_a_no_is_fetched_once_and_then_people_may_be_asked_again(house: House) -> None:
    session = await house.session()
    first = await ask(house, session)
    approval = await house.approvals.decide(
        ApprovalId(first.approval_id), house.operator("alice"), approve=False, reason="not today"
    )
    assert approval is not None
    told = await ask(house, session)
    assert (told.intent_id, told.problem and told.problem.kind) == (first.intent_id, ProblemKind.APPROVAL_REJECTED)
    assert (await ask(house, session)).intent_id != first.intent_id


async def test_another_request_and_another_session_join_nothing(house: House) -> None:
    session = await house.session()
    first = await ask(house, session)
    assert (await ask(house, await house.session())).intent_id != first.intent_id
    plain = await house.ask(session, "Write", "gated")
    assert plain.intent_id != first.intent_id


async def test_requests_at_the_same_moment_ask_people_once(house: House) -> None:
    session = await house.session()
    outcomes = await asyncio.gather(*(ask(house, session, token=str(number)) for number in range(8)))
    assert len({outcome.intent_id for outcome in outcomes}) == 1
    assert len(await house.event_types(type="intent.parked")) == 1


async def test_fetching_at_the_same_moment_leaves_one_note(house: House) -> None:
    session = await house.session()
    first = await ask(house, session)
    await house.approve(first.approval_id)
    await house.work()
    record = await house.record(first.intent_id)
    waiting = house.broker._services.waiting
    await asyncio.gather(waiting.fetched(record), waiting.fetched(record))
    assert len(await house.event_types(type="intent.fetched")) == 1


async def test_an_upload_joins_by_its_bytes(house: House) -> None:
    session = await house.session()

    async def put(body: bytes) -> Outcome:
        said = {"upload": {"bytes": len(body)}}
        return await ask(house, session, exchange=PaperExchange(PaperUpload(body)), body=said)

    first = await put(b"one")
    assert (await put(b"one")).intent_id == first.intent_id
    assert (await put(b"two")).intent_id != first.intent_id


async def test_every_reading_of_a_request_must_be_allowed(house: House) -> None:
    session = await house.session()
    readings = (("paper:Read", {"name": "forbidden"}), ("paper:Read", {"unreadable": 1}))
    for alternatives, state in ((readings[1:], IntentState.SUCCEEDED), (readings, IntentState.DENIED)):
        draft = IntentDraft("paper:Read", {"name": "free"}, alternatives=alternatives)
        assert (await house.broker.submit(session, draft, wait_seconds=0)).state is state


async def test_the_other_readings_are_looked_at_again_after_the_approval(house: House) -> None:
    session = await house.session()
    draft = IntentDraft("paper:Write", {"name": "gated"}, alternatives=(("paper:Read", {"name": "free"}),))
    parked = await house.broker.submit(session, draft, wait_seconds=0)
    await house.approve(parked.approval_id)
    await house.work()
    assert (await house.record(parked.intent_id)).state is IntentState.SUCCEEDED


def test_a_reading_that_returns_secrets_makes_the_plan_one_that_does(house: House) -> None:
    draft = IntentDraft("paper:Read", {"name": "free"}, alternatives=(("paper:Reveal", {"name": "free"}),))
    resolved = Catalog({"paper": house.connector}, house.policies).resolve("desk", draft)
    assert isinstance(resolved, Resolved)
    assert resolved.plan.access is Access.SECRET
