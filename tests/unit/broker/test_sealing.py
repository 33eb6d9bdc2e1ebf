from __future__ import annotations

import pytest

from broker.access_keys import access_key_id, secret_access_key, session_of
from broker.ids import SessionId
from broker.model import IntentState
from broker.outcome import Problem
from connectors.base import CallResult, Plan
from tests.house import House
from vault.errors import VaultError


@pytest.mark.req("V2")
async def test_secrets_in_a_result_are_sealed_and_named(house: House) -> None:
    async def tell(plan: Plan) -> CallResult:
        data = {"Name": "db", "Parts": [{"a/b": "hunter2"}], "Number": 7}
        return CallResult(data, secrets=(("Parts", 0, "a/b"), ("Number",)))

    house.connector.deed = tell
    outcome = await house.ask(await house.session(), "Write")
    name = f"sealed/{outcome.intent_id}"
    assert outcome.result == {
        "Name": "db",
        "Parts": [{"a/b": f"sealed:{name}#/Parts/0/a~1b"}],
        "Number": f"sealed:{name}#/Number",
    }
    assert house.vault.kept == {outcome.intent_id: {"/Parts/0/a~1b": "hunter2", "/Number": "7"}}
    assert (await house.record(outcome.intent_id)).result == outcome.result


async def test_secrets_that_cannot_be_sealed_are_not_released(house: House) -> None:
    async def tell(plan: Plan) -> CallResult:
        house.vault.sealed = True
        return CallResult({"Password": "hunter2"}, secrets=(("Password",),))

    house.connector.deed = tell
    outcome = await house.ask(await house.session(), "Write")
    assert outcome.state is IntentState.SUCCEEDED
    assert "hunter2" not in str(outcome)


async def test_the_access_key_of_a_session_names_it_and_its_secret_is_its_own(house: House) -> None:
    one, other = await house.session(), await house.session()
    assert session_of(access_key_id(one.id)) == one.id
    first = await house.broker.aws_secret(one.id)
    assert first.reveal() == (await house.broker.aws_secret(one.id)).reveal()
    assert first.reveal() != (await house.broker.aws_secret(other.id)).reveal()
    assert len(first.reveal()) == 43
    assert secret_access_key(first).reveal() != first.reveal()
    house.vault.sealed = True
    with pytest.raises(VaultError):
        await house.broker.aws_secret(one.id)


@pytest.mark.parametrize(
    "key_id", ["", "AKIAIOSFODNN7EXAMPLE", "OST", "OST" + "a" * 26, "OST" + "I" * 26, "OST" + "0" * 27]
)
def test_what_is_no_access_key_of_a_session_names_none(key_id: str) -> None:
    assert session_of(key_id) is None


async def test_a_session_known_by_its_id_dies_with_a_kill(house: House) -> None:
    session = await house.session()
    assert (await house.sessions.authenticate_id(session.id)) == session
    await house.sessions.kill(session.id, house.operator("olivia"))
    assert isinstance(await house.sessions.authenticate_id(session.id), Problem)
    assert isinstance(await house.sessions.authenticate_id(SessionId("ses_" + "0" * 26)), Problem)


async def test_a_lease_is_told_who_holds_it(house: House) -> None:
    session = await house.session()
    await house.ask(session, "Read")
    assert house.vault.lent == [(None, f"scribe/{session.id}")]
