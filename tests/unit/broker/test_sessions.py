from __future__ import annotations

import asyncio

import pytest

from broker.errors import StoreUnavailableError
from broker.ids import TOKEN_ENTROPY_BYTES, SessionId, hash_token, make_token
from broker.model import Operator, Session
from broker.outcome import Problem, ProblemKind
from broker.sessions import CACHE_SECONDS, MAX_CACHED, MAX_TTL_SECONDS
from broker.store.base import Change, Event, EventType, Insert
from tests.house import House


def kind_of(answer: object) -> ProblemKind | None:
    return answer.kind if isinstance(answer, Problem) else None


@pytest.mark.req("S1")
async def test_a_token_authenticates_its_session_until_it_expires(house: House) -> None:
    session = await house.session(ttl_seconds=60)
    token = house.tokens[session.id]
    assert await house.sessions.authenticate(token) == session
    house.clock.advance(60)
    assert kind_of(await house.sessions.authenticate(token)) is ProblemKind.SESSION_EXPIRED
    assert kind_of(await house.sessions.check(session) or 0) is ProblemKind.SESSION_EXPIRED


@pytest.mark.parametrize("kind", ["s", "o"])
async def test_a_forged_token_is_unknown(house: House, kind: str) -> None:
    forged = make_token(kind, bytes(TOKEN_ENTROPY_BYTES))  # type: ignore[arg-type]
    assert kind_of(await house.sessions.authenticate(forged)) is ProblemKind.UNAUTHENTICATED
    assert kind_of(await house.sessions.authenticate(forged[:-1] + "!")) is ProblemKind.UNAUTHENTICATED


@pytest.mark.req("S2")
async def test_a_kill_here_works_at_once_and_elsewhere_within_the_cache(house: House) -> None:
    session = await house.session()
    token = house.tokens[session.id]
    assert isinstance(await house.sessions.authenticate(token), Session)
    elsewhere = type(house.sessions)(house.reader, house.ledger, house.clock, house.policies, _nothing)
    assert await elsewhere.kill(session.id, house.operator("olivia"))
    house.clock.advance(CACHE_SECONDS)
    assert kind_of(await house.sessions.authenticate(token)) is ProblemKind.SESSION_EXPIRED
    assert not await house.sessions.kill(session.id, house.operator("olivia"))
    assert not await house.sessions.kill(SessionId("ses_none"), house.operator("olivia"))
    assert await house.event_types() == ["session.started", "session.killed"]


async def test_the_database_holds_no_token(house: House) -> None:
    session = await house.session()
    token = house.tokens[session.id].encode()
    folder = house.broker.settings.data
    assert all(token not in each.read_bytes() for each in folder.rglob("*") if each.is_file())


@pytest.mark.parametrize(
    ("agent", "ttl", "kind"),
    [
        ("nobody", 60, ProblemKind.NOT_FOUND),
        ("scribe", 0, ProblemKind.INVALID_PARAMS),
        ("scribe", MAX_TTL_SECONDS + 1, ProblemKind.INVALID_PARAMS),
    ],
)
async def test_a_session_needs_a_known_agent_and_a_bounded_life(
    house: House, agent: str, ttl: int, kind: ProblemKind
) -> None:
    answer = await house.sessions.start(house.operator("olivia"), agent=agent, ttl_seconds=ttl, labels={})
    assert kind_of(answer) is kind
    assert await house.event_types() == []


async def test_an_operator_token_names_its_operator_while_configured(house: House) -> None:
    tokens = {}
    for name in ("olivia", "ghost"):
        tokens[name] = make_token("o", house.clock.entropy(TOKEN_ENTROPY_BYTES))
        row = {"token_hash": hash_token(tokens[name]), "operator": name, "created_at_ns": house.clock.now_ns()}
        row["expires_at_ns"] = house.clock.now_ns() + 10**9
        event = Event(f"evt_{name}", EventType.OPERATOR_TOKEN_ISSUED, house.clock.now_ns(), operator=name)
        await house.ledger.commit(Change(event, (Insert("operator_tokens", row),)))
    answer = await house.sessions.authenticate(tokens["olivia"])
    assert isinstance(answer, Operator)
    assert answer.name == "olivia"
    assert kind_of(await house.sessions.authenticate(tokens["ghost"])) is ProblemKind.UNAUTHENTICATED
    house.clock.advance(2)
    assert kind_of(await house.sessions.authenticate(tokens["olivia"])) is ProblemKind.UNAUTHENTICATED


@pytest.mark.req("S2")
async def test_of_many_kills_at_once_one_counts_and_is_on_the_ledger(house: House) -> None:
    session, olivia = await house.session(), house.operator("olivia")
    elsewhere = [type(house.sessions)(house.reader, house.ledger, house.clock, house.policies, _nothing) for _ in "ab"]
    parties = [*elsewhere, house.sessions] * 4
    killed = await asyncio.gather(*(each.kill(session.id, olivia) for each in parties))
    assert killed.count(True) == 1
    assert await house.event_types() == ["session.started", "session.killed"]


async def test_forgetting_one_session_keeps_the_others_remembered(house: House) -> None:
    first, second = [await house.session() for _ in range(2)]
    for session in (first, second):
        await house.sessions.authenticate(house.tokens[session.id])
    house.sessions.forget(first.id)
    house.sessions.forget(SessionId("ses_none"))
    await house.ledger.aclose()
    (house.broker.settings.data / "ledger.sqlite3").unlink()
    assert isinstance(await house.sessions.authenticate(house.tokens[second.id]), Session)
    with pytest.raises(StoreUnavailableError):
        await house.sessions.authenticate(house.tokens[first.id])


async def test_what_is_remembered_is_bounded(house: House) -> None:
    session = await house.session()
    house.sessions._cache = {hash_token(str(number)): (0, session) for number in range(MAX_CACHED)}
    await house.sessions.authenticate(house.tokens[session.id])
    assert len(house.sessions._cache) == 1


async def _nothing(session_id: SessionId) -> None:
    pass
