"""Fail-over: other upstreams are asked in order, each once, as far as policy allows them and the error lets them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.catalog import Resolved
from broker.exchange import ClientGoneError
from broker.execution import _usage_of
from broker.holds import NOTHING
from broker.ledger.events import parse_event
from broker.model import IntentDraft, IntentState
from broker.outcome import ProblemKind
from broker.store.base import EventFilter
from connectors.base import CallResult, Plan
from connectors.errors import ConnectorError, NotSentError, OutcomeUnknownError, UpstreamRefusedError
from connectors.usage import Estimate, Usage
from tests.house import SECRET, House
from vault.errors import LeaseRefusal, LeaseRefusedError

pytestmark = pytest.mark.req("A5")


def elsewhere(error: ConnectorError) -> ConnectorError:
    error.elsewhere = True
    return error


def scripted(house: House, *steps: Exception | CallResult) -> None:
    left = list(steps)

    async def deed(plan: Plan) -> CallResult:
        step = left.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    house.connector.deed = deed


def overloaded(status: int = 529) -> ConnectorError:
    return elsewhere(UpstreamRefusedError("overloaded", code="overloaded_error", status=status))


async def concluded(house: House, intent_id: str) -> dict[str, object]:
    events = await house.reader.events(EventFilter(intent_id=intent_id, newest_first=True))
    return parse_event(events[0].body).data


async def test_the_next_upstream_is_asked_where_the_first_gave_nothing_worth_having(house: House) -> None:
    house.connector.spares = [("second:1", "sheets/free"), ("third:1", "sheets/free")]
    scripted(house, overloaded(), elsewhere(NotSentError("refused")), CallResult({"name": "third"}))
    outcome = await house.ask(await house.session(), "Read")
    assert (outcome.state, outcome.result) == (IntentState.SUCCEEDED, {"name": "third"})
    assert [plan.host for plan in house.connector.sent] == ["", "second:1", "third:1"]
    data = await concluded(house, outcome.intent_id)
    assert data["tried"] == [
        {"host": "", "status": 529, "code": "overloaded_error"},
        {"host": "second:1", "code": "NotSentError"},
    ]
    assert (house.vault.open, house.places.in_use) == (0, 0)


async def test_an_error_that_is_the_agents_own_asks_nobody_else(house: House) -> None:
    house.connector.spares = [("second:1", "sheets/free")]
    scripted(house, UpstreamRefusedError("bad", code="invalid_request_error", status=400))
    outcome = await house.ask(await house.session(), "Read")
    assert outcome.problem
    assert outcome.problem.kind is ProblemKind.UPSTREAM_REFUSED
    assert len(house.connector.sent) == 1


async def test_what_the_last_upstream_said_is_what_is_told(house: House) -> None:
    house.connector.spares = [("second:1", "sheets/free")]
    scripted(house, elsewhere(OutcomeUnknownError("cut")), overloaded(503))
    outcome = await house.ask(await house.session(), "Read")
    assert outcome.problem
    assert outcome.problem.extra["upstream_status"] == 503


async def test_an_upstream_that_policy_does_not_name_is_not_asked(house: House) -> None:
    house.connector.spares = [("denied:1", "sheets/forbidden"), ("third:1", "sheets/other")]
    scripted(house, overloaded(), CallResult({"name": "third"}))
    outcome = await house.ask(await house.session(), "Read")
    assert outcome.state is IntentState.SUCCEEDED
    assert [plan.host for plan in house.connector.sent] == ["", "third:1"]


async def test_an_upstream_that_people_would_be_asked_about_is_not_asked(house: House) -> None:
    house.connector.spares = [("gated:1", "sheets/gated")]
    scripted(house, overloaded())
    outcome = await house.ask(await house.session(), "Write")
    assert outcome.state is IntentState.FAILED
    assert len(house.connector.sent) == 1


async def test_a_credential_that_is_refused_asks_the_next_upstream(house: House) -> None:
    house.connector.spares = [("second:1", "sheets/free")]
    scripted(house, LeaseRefusedError("not bound", LeaseRefusal.HOST), CallResult({"name": "second"}))
    outcome = await house.ask(await house.session(), "Read")
    assert outcome.result == {"name": "second"}


async def test_the_words_of_an_upstream_that_refuses_come_back_scanned_and_are_not_stored(house: House) -> None:
    answer = CallResult({"status": 400, "body": {"text": f"bad key {SECRET.decode()}"}})
    scripted(house, UpstreamRefusedError("bad", code="invalid", status=400, answer=answer))
    outcome = await house.ask(await house.session(), "Read")
    assert outcome.state is IntentState.FAILED
    assert outcome.result == {"status": 400, "body": {"text": "bad key " + "*" * len(SECRET)}}
    assert (await house.record(outcome.intent_id)).result == {}


async def test_words_that_cannot_be_scanned_are_not_handed_on(house: House) -> None:
    async def deed(plan: Plan) -> CallResult:
        house.vault.sealed = True
        raise UpstreamRefusedError("bad", code="invalid", status=400, answer=CallResult({"status": 400}))

    house.connector.deed = deed
    outcome = await house.ask(await house.session(), "Read")
    assert outcome.problem
    assert outcome.problem.kind is ProblemKind.VAULT_UNAVAILABLE
    assert outcome.result == {}


async def test_usage_of_a_call_is_on_its_outcome_and_summed_by_the_hour(house: House) -> None:
    spent = Usage(input_tokens=40, output_tokens=2, nano_dollars=9, estimated=True, model="acme/large")
    spent = replace(spent, upstream="one", prices="v1")
    scripted(house, CallResult({}, usage=spent, facts={"body": "d1"}), CallResult({}, usage=spent))
    session = await house.session()
    outcome = await house.ask(session, "Read")
    await house.ask(session, "Read")
    data = await concluded(house, outcome.intent_id)
    assert data["body"] == "d1"
    assert data["usage"] == {
        "model": "acme/large", "upstream": "one", "input_tokens": 40, "output_tokens": 2, "cache_read_tokens": 0,
        "cache_write_tokens": 0, "nano_dollars": 9, "prices": "v1", "usage_estimated": True,
    }  # fmt: skip
    with house.reader._database.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT session_id, agent, project, model, upstream, calls, estimated_calls, input_tokens, nano_dollars"
            " FROM usage_hours"
        ).fetchall()
    assert [tuple(row) for row in rows] == [(session.id, "scribe", "desk", "acme/large", "one", 2, 2, 80, 18)]


@pytest.mark.parametrize(
    ("error", "metered", "spent"),
    [
        (NotSentError("nothing left"), True, NOTHING),
        (UpstreamRefusedError("no", code="x", status=400), True, Usage()),
        (OutcomeUnknownError("cut"), True, None),
        (TimeoutError(), True, None),
        (ClientGoneError(), True, None),
        (OutcomeUnknownError("cut"), False, Usage()),
        (LeaseRefusedError("not bound", LeaseRefusal.HOST), True, NOTHING),
    ],
)
async def test_a_call_without_an_answer_is_settled_by_what_can_be_known_of_it(
    house: House, error: Exception, metered: bool, spent: Usage | None
) -> None:
    resolved = house.broker._services.catalog.resolve("desk", IntentDraft("paper:Read", {"name": "a"}))
    assert isinstance(resolved, Resolved)
    assert _usage_of(error, replace(resolved.plan, estimate=Estimate(metered=metered))) == spent


async def test_what_a_connector_says_of_a_call_that_failed_counts(house: House) -> None:
    error = OutcomeUnknownError("cut")
    error.usage = Usage(input_tokens=7)
    resolved = house.broker._services.catalog.resolve("desk", IntentDraft("paper:Read", {"name": "a"}))
    assert isinstance(resolved, Resolved)
    assert _usage_of(error, resolved.plan) == Usage(input_tokens=7)
