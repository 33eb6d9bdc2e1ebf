from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from broker.doors.app import create_app
from broker.doors.guard import Guard
from broker.doors.requests import MAX_HEADER_BYTES, MAX_HEADERS, read_body
from broker.exchange import ClientGoneError
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.parts import CANARY, FakeClock
from tests.unit.broker.doors.world import World

INTENTS = "/v1/intents"
INTENT = {"action": "s3:HeadObject"}


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ([("Authorization", "Bearer a"), ("authorization", "Bearer b")], "`authorization` stands twice"),
        ([("Content-Length", "1"), ("Content-Length", "2")], "`content-length` stands twice"),
        ([("Content-Type", "application/json"), ("Content-Type", "text/plain")], "`content-type` stands twice"),
        ([("Idempotency-Key", "a"), ("Idempotency-Key", "b")], "`idempotency-key` stands twice"),
        ([("Host", "a"), ("Host", "b")], "`host` stands twice"),
        ([("Transfer-Encoding", "chunked"), ("Content-Length", "5")], "both"),
        ([(f"x-{index}", "1") for index in range(MAX_HEADERS + 1)], "more than"),
        ([("x", "y" * MAX_HEADER_BYTES)], "more than"),
    ],
)
@pytest.mark.req("O2")
async def test_headers_two_readers_may_read_differently_are_refused_before_anything_looks_at_them(
    client: Client, world: World, headers: list[tuple[str, str]], said: str
) -> None:
    reply = await client.call("POST", INTENTS, headers=headers)
    assert reply.kind == "malformed-request"
    assert said in reply.json()["detail"]
    assert reply.headers["connection"] == "close"
    assert world.asked == 0


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/v1/whoami", INTENTS])
async def test_every_answer_forbids_sniffing_caching_framing_and_scripts(client: Client, path: str) -> None:
    reply = await client.call("GET", path)
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic eDp5", "bearer\tx", "Bearer " + "a" * 513, "Token ost_s_x", "ost_s_x", "Bearer é"],
)
@pytest.mark.req("S1")
async def test_without_a_bearer_token_nothing_is_read(client: Client, world: World, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    reply = await client.call("POST", INTENTS, json_body=INTENT, headers=headers)
    assert (reply.status, reply.kind) == (401, "unauthenticated")
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert reply.headers["connection"] == "close"
    assert world.drafts == []


@pytest.mark.req("S1")
async def test_forged_mistyped_and_expired_tokens_are_refused(client: Client, world: World) -> None:
    mistyped = world.reader_token[:-1] + ("a" if world.reader_token[-1] != "a" else "b")
    forged = world.new_token("s")
    for token in (mistyped, forged):
        reply = await client.call("POST", INTENTS, token=token, json_body=INTENT)
        assert (reply.status, reply.kind) == (401, "unauthenticated")
        assert token not in reply.body.decode()
    world.clock.at_ns += 3600 * 10**9
    reply = await client.call("POST", INTENTS, token=world.reader_token, json_body=INTENT)
    assert (reply.status, reply.kind) == (401, "session-expired")
    assert world.drafts == []


async def test_a_declared_size_over_the_limit_is_refused_without_reading_the_body(world: World) -> None:
    received = 0

    async def receive() -> Message:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": b"x", "more_body": True}

    for declared in ("100001", "9" * 5000):
        replies: list[Message] = []

        async def send(message: Message, replies: list[Message] = replies) -> None:
            replies.append(message)

        scope = _scope(world, [(b"content-length", declared.encode()), (b"content-type", b"application/json")])
        await create_app(world)(scope, receive, send)
        assert replies[0]["status"] == 413
        assert (b"connection", b"close") in replies[0]["headers"]
    assert received == 0


@pytest.mark.req("O2")
async def test_an_undeclared_body_is_read_no_further_than_its_limit(world: World) -> None:
    received = 0

    async def receive() -> Message:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    replies: list[Message] = []

    async def send(message: Message) -> None:
        replies.append(message)

    scope = _scope(world, [(b"transfer-encoding", b"chunked"), (b"content-type", b"application/json")])
    await create_app(world)(scope, receive, send)
    assert replies[0]["status"] == 413
    assert received == 101
    assert (b"connection", b"close") in replies[0]["headers"]


@pytest.mark.parametrize("chunks", [[b"x" * 100_001], [b"x" * 60_000, b"x" * 60_000]])
async def test_a_body_over_the_limit_is_refused_however_it_comes(
    client: Client, world: World, chunks: list[bytes]
) -> None:
    headers = {"Content-Type": "application/json"}
    reply = await client.call("POST", INTENTS, token=world.reader_token, body=chunks, headers=headers)
    assert reply.kind == "request-too-large"


async def test_a_body_in_many_pieces_is_put_together(client: Client, world: World) -> None:
    whole = json.dumps(INTENT).encode()
    pieces = [whole[index : index + 1] for index in range(len(whole))]
    headers = {"Content-Type": "application/json"}
    reply = await client.call("POST", INTENTS, token=world.reader_token, body=pieces, headers=headers)
    assert reply.status == 200
    assert "connection" not in reply.headers


@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "application/json; charset=latin-1", "application/jsonx", "multipart/mixed", "a" * 200],
)
async def test_another_media_type_is_refused(client: Client, world: World, media_type: str) -> None:
    body = json.dumps(INTENT).encode()
    headers = {"Content-Type": media_type}
    reply = await client.call("POST", INTENTS, token=world.reader_token, body=body, headers=headers)
    assert (reply.status, reply.kind) == (415, "unsupported-media-type")


@pytest.mark.parametrize("media_type", ["APPLICATION/JSON", 'application/json; charset="UTF-8"', "application/json;"])
async def test_json_in_utf8_is_taken_however_it_is_spelt(client: Client, world: World, media_type: str) -> None:
    body = json.dumps(INTENT).encode()
    headers = {"Content-Type": media_type}
    reply = await client.call("POST", INTENTS, token=world.reader_token, body=body, headers=headers)
    assert reply.status == 200


async def test_a_body_that_never_ends_is_given_up() -> None:
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise TimeoutError
        return {"type": "http.request", "body": b"{", "more_body": True}

    with pytest.raises(Exception, match="malformed-request"):
        await read_body({"headers": [(b"content-type", b"application/json")]}, receive, 100)


@pytest.mark.parametrize("before", [0, 1])
async def test_nobody_is_answered_when_the_client_goes_away_while_sending(world: World, before: int) -> None:
    piece: Message = {"type": "http.request", "body": b"{", "more_body": True}
    messages: list[Message] = [*[piece] * before, {"type": "http.disconnect"}]
    replies: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        replies.append(message)

    await create_app(world)(_scope(world, [(b"content-type", b"application/json")]), receive, send)
    assert replies == []
    assert world.drafts == []


async def test_an_answer_that_breaks_after_its_start_is_left_unfinished_and_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError(CANARY)

    client = Client(Guard(lambda _: broken, broken, FakeClock()))
    reply = await client.call("GET", "/")
    assert (reply.status, reply.complete) == (200, False)
    logged = "".join(capsys.readouterr())
    assert "RuntimeError" in logged
    assert CANARY not in logged


async def test_a_door_may_set_its_own_security_headers() -> None:
    async def door(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-security-policy", b"default-src 'self'")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    reply = await Client(Guard(lambda _: door, door, FakeClock())).call("GET", "/")
    assert reply.headers["content-security-policy"] == "default-src 'self'"
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_websockets_are_closed(world: World) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    await create_app(world)({"type": "websocket", "path": "/"}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_the_server_may_start_and_stop_it(world: World) -> None:
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    sent: list[Any] = []

    async def send(message: Message) -> None:
        sent.append(message["type"])

    inbox.put_nowait({"type": "lifespan.startup"})
    inbox.put_nowait({"type": "lifespan.shutdown"})
    await create_app(world)({"type": "lifespan", "state": {}}, inbox.get, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_reading_of_a_body_whose_client_is_gone_says_so() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientGoneError):
        await read_body({"headers": [(b"content-type", b"application/json")]}, receive, 100)


def _scope(world: World, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    token = (b"authorization", b"Bearer " + world.reader_token.encode())
    return {"type": "http", "method": "POST", "path": INTENTS, "query_string": b"", "headers": [token, *headers]}
