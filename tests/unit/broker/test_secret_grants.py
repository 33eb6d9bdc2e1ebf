from __future__ import annotations

import pytest

from broker.ids import SessionId
from broker.ledger.events import fields_of
from broker.model import IntentDraft, IntentState, Session
from broker.outcome import ProblemKind
from broker.store.base import EventFilter
from broker.studies.records import recorded
from connectors.base import CallResult, Plan
from policies.model import Effect
from tests.house import SCRIBE_YAML, House, write_policy

ASKED = IntentDraft("paper:Reveal", {"name": "a"})
WITHOUT = SCRIBE_YAML + "  - paper:Reveal on sheets/*\n"
GRANT = "  - allow: paper:Reveal on sheets/a\n    returns_secrets: true\n"


async def with_policy(house: House, text: str) -> Session:
    write_policy(house.broker.settings.data, text)
    assert await house.broker.reload() == []
    return await house.session()


@pytest.mark.req("P1")
@pytest.mark.parametrize("text", [SCRIBE_YAML, WITHOUT])
async def test_what_returns_secrets_is_denied_by_default_and_the_fix_names_the_option(house: House, text: str) -> None:
    outcome = await house.broker.submit(await with_policy(house, text), ASKED, wait_seconds=0)
    assert outcome.state is IntentState.DENIED
    assert outcome.problem is not None
    assert outcome.problem.kind is ProblemKind.DENIED
    assert outcome.problem.fix.endswith("`paper:Reveal on sheets/a` with `returns_secrets: true`")
    assert house.connector.sent == []
    (event,) = await house.reader.events(EventFilter(intent_id=outcome.intent_id, type="intent.denied"))
    assert fields_of(event.body)["data"]["returns_secrets"] is True


async def test_a_rule_with_the_option_grants_it_and_the_secret_is_sealed(house: House) -> None:
    async def tell(plan: Plan) -> CallResult:
        return CallResult({"Value": "hunter2"}, secrets=(("Value",),))

    house.connector.deed = tell
    outcome = await house.broker.submit(await with_policy(house, WITHOUT + GRANT), ASKED, wait_seconds=0)
    assert outcome.state is IntentState.SUCCEEDED
    assert "hunter2" not in str(outcome.result)
    (again,) = [each async for each in recorded(house.reader) if each.intent_id == outcome.intent_id]
    assert (again.returns_secrets, again.request().returns_secrets) == (True, True)


async def test_what_returns_none_is_granted_and_recorded_as_ever(house: House) -> None:
    outcome = await house.ask(await with_policy(house, WITHOUT + GRANT), "Read")
    assert outcome.state is IntentState.SUCCEEDED
    (again,) = [each async for each in recorded(house.reader) if each.intent_id == outcome.intent_id]
    assert not again.returns_secrets


@pytest.mark.parametrize("draft", [ASKED, IntentDraft("paper:Reveal", {}, resource="sheets/a")])
async def test_an_explanation_knows_what_the_action_returns(house: House, draft: IntentDraft) -> None:
    asking = Session(SessionId(""), "scribe", "desk", "", 0, 0)
    for text, effect in ((WITHOUT, Effect.DENY), (WITHOUT + GRANT, Effect.ALLOW)):
        await with_policy(house, text)
        found = await house.broker.explain(asking, draft, facts={})
        assert found.decision.effect is effect  # type: ignore[union-attr]  # an answer, no problem
