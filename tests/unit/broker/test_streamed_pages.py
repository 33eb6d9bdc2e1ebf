from __future__ import annotations

import json

import pytest

from broker.model import IntentState
from broker.outcome import ProblemKind
from connectors.base import CallResult, Plan
from connectors.errors import OutcomeUnknownError
from tests.fakes import Answer, FakeLease, FakeTransport
from tests.house import House
from tests.unit.connectors.aws.desk import AWS, CONNECTOR, SECRET

THROTTLED = Answer(400, chunks=(b'{"__type": "x#ThrottlingException", "message": "slow"}',))
LAST = Answer(chunks=(b'{"TableNames": ["last"]}',))
LOOP = Answer(chunks=(b'{"TableNames": [], "LastEvaluatedTableName": "one"}',))


def page(name: str) -> Answer:
    return Answer(chunks=(json.dumps({"TableNames": ["x" * 700], "LastEvaluatedTableName": name}).encode(),))


@pytest.mark.parametrize(
    ("third", "kind"),
    [
        (THROTTLED, ProblemKind.UPSTREAM_REFUSED),
        (OutcomeUnknownError("cut"), ProblemKind.UPSTREAM_UNREACHABLE),
        (LOOP, ProblemKind.UPSTREAM_UNREACHABLE),
        (LAST, None),
    ],
)
async def test_the_outcome_of_a_listing_is_that_of_its_last_page(
    house: House, third: Answer | Exception, kind: ProblemKind | None
) -> None:
    transport = FakeTransport(page("one"), page("two"), third)

    async def follow(plan: Plan) -> CallResult:
        listing = CONNECTOR.plan("dynamodb:ListTables", {"Paginate": True}, AWS)
        return await CONNECTOR.execute(listing, AWS, FakeLease("A", SECRET), transport)

    house.connector.deed = follow
    outcome = await house.ask(await house.session(), "Read")
    assert len(transport.sent) == 3
    if kind is None:
        assert outcome.state is IntentState.SUCCEEDED
        assert (outcome.result, outcome.output_media_type) == ({"pages": "streamed"}, "application/x-ndjson")
        return
    assert outcome.state is IntentState.FAILED
    assert outcome.problem is not None
    assert outcome.problem.kind is kind
    assert outcome.output_bytes == -1
