from __future__ import annotations

from typing import Any

import pytest

from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.world import World

SESSIONS = "/v1/sessions"


@pytest.mark.req("S1")
async def test_an_admin_starts_a_session_and_its_token_works(client: Client, world: World) -> None:
    body = {"agent": "reader", "ttl_seconds": 60, "labels": {"run": "17"}}
    reply = await client.call("POST", SESSIONS, token=world.ana, json_body=body)
    assert reply.status == 201
    shown = reply.json()
    assert reply.headers["location"] == f"{SESSIONS}/{shown['session']['id']}"
    assert shown["session"]["labels"] == {"run": "17"}
    me = await client.call("GET", "/v1/whoami", token=shown["token"])
    assert me.json()["session"] == shown["session"]
    assert (me.json()["kind"], me.json()["name"], me.json()["project"]) == ("agent", "reader", "data")


@pytest.mark.req("S1")
async def test_a_session_is_started_with_the_scope_that_holds_it(client: Client, world: World) -> None:
    rules = ["s3:GetObject on raw/*", "deny s3:GetObject on raw/secret"]
    reply = await client.call("POST", SESSIONS, token=world.ana, json_body={"agent": "reader", "scope": rules})
    shown = reply.json()["session"]
    assert (shown["scopes"], shown["parent"], shown["added_labels"]) == ([rules], None, {})


@pytest.mark.req("S1")
async def test_a_session_hands_out_one_that_it_can_see_and_end(client: Client, world: World) -> None:
    mine = world.session_of(world.reader_token)
    body = {"scope": ["s3:GetObject on raw/*"], "ttl_seconds": 60, "labels": {"part": "lint"}}
    reply = await client.call("POST", f"{SESSIONS}/children", token=world.reader_token, json_body=body)
    assert reply.status == 201
    shown = reply.json()["session"]
    assert (shown["parent"], shown["agent"], shown["owner"]) == (mine.id, "reader", "ana")
    assert (shown["scopes"], shown["added_labels"]) == ([body["scope"]], {"part": "lint"})
    path = f"{SESSIONS}/{shown['id']}"
    assert reply.headers["location"] == path
    child_token = reply.json()["token"]
    for token in (world.reader_token, child_token, world.eve):
        assert (await client.call("GET", path, token=token)).status == 200
    assert (await client.call("GET", f"{path}/events", token=world.reader_token)).status == 200
    upwards = await client.call("DELETE", f"{SESSIONS}/{mine.id}", token=child_token)
    stranger = await client.call("DELETE", path, token=world.pusher_token)
    assert (upwards.kind, stranger.kind) == ("not-found", "not-found")
    assert (await client.call("DELETE", path, token=world.reader_token)).status == 204
    assert (await client.call("GET", "/v1/whoami", token=child_token)).kind == "session-expired"


@pytest.mark.req("S1")
async def test_a_scope_that_is_too_wide_is_refused_with_what_it_would_open(client: Client, world: World) -> None:
    before = len(world.sessions_by_id)
    reply = await client.call(
        "POST", f"{SESSIONS}/children", token=world.reader_token, json_body={"scope": ["*:* on **"]}
    )
    assert (reply.status, reply.kind, reply.json()["witness"]) == (403, "scope-too-wide", {"action": "x:Y"})
    assert len(world.sessions_by_id) == before


@pytest.mark.parametrize("who", ["ana", "ben", "eve"])
async def test_operators_hand_out_no_session_of_an_agent(client: Client, world: World, who: str) -> None:
    body = {"scope": ["s3:GetObject on raw/*"]}
    reply = await client.call("POST", f"{SESSIONS}/children", token=getattr(world, who), json_body=body)
    assert reply.kind == "forbidden"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scope": []},
        {"scope": "s3:GetObject on raw/*"},
        {"scope": [5]},
        {"scope": [""]},
        {"scope": ["x" * 1025]},
        {"scope": ["s3:GetObject on raw/*"] * 65},
        {"scope": ["s3:GetObject on raw/*"], "agent": "pusher"},
        {"scope": ["s3:GetObject on raw/*"], "ttl_seconds": 0},
        {"scope": ["s3:GetObject on raw/*"], "labels": {"A": "b"}},
    ],
)
async def test_a_child_request_of_another_shape_is_refused(client: Client, world: World, body: dict[str, Any]) -> None:
    before = len(world.sessions_by_id)
    reply = await client.call("POST", f"{SESSIONS}/children", token=world.reader_token, json_body=body)
    assert reply.kind == "malformed-request"
    assert len(world.sessions_by_id) == before


async def test_an_operator_learns_its_roles(client: Client, world: World) -> None:
    reply = await client.call("GET", "/v1/whoami", token=world.ben)
    assert reply.json() == {"kind": "operator", "name": "ben", "project": None, "roles": ["approver"], "session": None}


@pytest.mark.req("S1")
@pytest.mark.parametrize("who", ["ben", "eve", "kim", "reader_token"])
async def test_nobody_but_an_admin_starts_sessions(client: Client, world: World, who: str) -> None:
    before = len(world.sessions_by_id)
    reply = await client.call("POST", SESSIONS, token=getattr(world, who), json_body={"agent": "reader"})
    assert reply.kind == "forbidden"
    assert len(world.sessions_by_id) == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"agent": 5},
        {"agent": "reader", "ttl_seconds": "60"},
        {"agent": "reader", "ttl_seconds": True},
        {"agent": "reader", "ttl_seconds": 0},
        {"agent": "reader", "ttl_seconds": 604_801},
        {"agent": "reader", "ttl_seconds": 1.5},
        {"agent": "reader", "labels": {"A": "b"}},
        {"agent": "reader", "labels": {"a": 1}},
        {"agent": "reader", "labels": {"a": "b" * 257}},
        {"agent": "reader", "labels": {f"l{n}": "x" for n in range(17)}},
        {"agent": "reader", "owner": "ben"},
        {"agent": "reader", "scope": "git:push on x"},
        {"agent": "reader", "scope": ["git:push on x"] * 65},
    ],
)
async def test_a_session_request_of_another_shape_is_refused(
    client: Client, world: World, body: dict[str, Any]
) -> None:
    before = len(world.sessions_by_id)
    reply = await client.call("POST", SESSIONS, token=world.ana, json_body=body)
    assert reply.kind == "malformed-request"
    assert len(world.sessions_by_id) == before


async def test_a_session_of_an_unknown_agent_is_not_started(client: Client, world: World) -> None:
    reply = await client.call("POST", SESSIONS, token=world.ana, json_body={"agent": "nobody"})
    assert reply.kind == "not-found"


@pytest.mark.req("S2")
@pytest.mark.parametrize("who", ["ana", "ben", "reader_token"])
async def test_admins_approvers_and_the_session_itself_end_it_for_ever(client: Client, world: World, who: str) -> None:
    session = world.session_of(world.reader_token)
    reply = await client.call("DELETE", f"{SESSIONS}/{session.id}", token=getattr(world, who))
    assert (reply.status, reply.body) == (204, b"")
    dead = await client.call("GET", "/v1/whoami", token=world.reader_token)
    assert dead.kind == "session-expired"
    ended_by = world.events[-1]["operator"]
    assert ended_by == ("agent:reader" if who == "reader_token" else who)


async def test_killing_twice_is_no_fault_and_killing_nothing_is(client: Client, world: World) -> None:
    session = world.session_of(world.reader_token)
    for _ in range(2):
        reply = await client.call("DELETE", f"{SESSIONS}/{session.id}", token=world.ana)
        assert reply.status == 204
    reply = await client.call("DELETE", f"{SESSIONS}/{world.new_id('ses')}", token=world.ana)
    assert reply.kind == "not-found"


@pytest.mark.req("S1")
async def test_a_session_can_neither_end_nor_see_another(client: Client, world: World) -> None:
    other = world.session_of(world.pusher_token)
    for method, path in (("DELETE", ""), ("GET", ""), ("GET", "/events")):
        reply = await client.call(method, f"{SESSIONS}/{other.id}{path}", token=world.reader_token)
        assert reply.kind == "not-found"
    assert world.sessions_by_id[other.id].killed_at_ns == 0


@pytest.mark.parametrize("who", ["eve", "kim"])
async def test_other_operators_end_nothing(client: Client, world: World, who: str) -> None:
    session = world.session_of(world.reader_token)
    reply = await client.call("DELETE", f"{SESSIONS}/{session.id}", token=getattr(world, who))
    assert reply.kind == "forbidden"


async def test_readers_and_the_session_itself_see_it(client: Client, world: World) -> None:
    session = world.session_of(world.reader_token)
    for token in (world.ana, world.ben, world.eve, world.reader_token):
        reply = await client.call("GET", f"{SESSIONS}/{session.id}", token=token)
        assert reply.json()["agent"] == "reader"
        assert reply.json()["killed_at"] is None
    reply = await client.call("GET", f"{SESSIONS}/{session.id}", token=world.kim)
    assert reply.kind == "forbidden"
    reply = await client.call("GET", f"{SESSIONS}/{world.new_id('ses')}", token=world.ana)
    assert reply.kind == "not-found"


@pytest.mark.req("E2")
async def test_a_replay_tells_one_session_in_order_page_by_page(client: Client, world: World) -> None:
    mine, other = world.session_of(world.reader_token), world.session_of(world.pusher_token)
    for number in range(5):
        world.tell("intent.denied", mine, data={"number": number})
        world.tell("intent.denied", other)
    told: list[int] = []
    after: int | None = 0
    while after is not None:
        path = f"{SESSIONS}/{mine.id}/events?limit=2&after={after}"
        page = (await client.call("GET", path, token=world.reader_token)).json()
        told += [item["event"]["data"]["number"] for item in page["events"]]
        after = page["next"]
    assert told == [0, 1, 2, 3, 4]
