from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from broker.exchange import ClientGoneError
from broker.model import IntentState
from broker.outcome import Outcome, Problem, ProblemKind
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.llm.house import LlmWorld, Seen, answering, ask, refusing

pytestmark = pytest.mark.req("A5")

EVENTS = [b"event: message_start\ndata: {}\n\n", b"event: content_block_delta\ndata: {}\n\n"]
END = b"event: message_stop\ndata: {}\n\n"
SSE = "text/event-stream; charset=utf-8"


def streaming(world: LlmWorld, then: Callable[[Seen], Awaitable[Outcome]]) -> None:
    """Begin an answer and write `EVENTS`; what comes then a test says."""

    async def act(seen: Seen) -> Outcome:
        outlet = seen.exchange.outlet
        assert outlet is not None
        data = {"status": 200, "headers": {"request-id": "req_up", "content-type": SSE, "set-cookie": "x"}}
        await outlet.begin(seen.intent_id, data, SSE)
        for each in EVENTS:
            await outlet.write(each)
        return await then(seen)

    world.act = act


async def whole(seen: Seen) -> Outcome:
    assert seen.exchange.outlet is not None
    await seen.exchange.outlet.write(END)
    return seen.done(None, streamed=True)


async def test_an_answer_is_the_providers_byte_for_byte_with_the_headers_clients_look_at(
    world: LlmWorld, client: Client
) -> None:
    body = b'{"b": 1,\n "a": "\xc3\xa9"}'
    headers = {
        "content-type": "application/json; charset=utf-8",
        "request-id": "req_up",
        "anthropic-ratelimit-tokens-remaining": "7",
        "x-ratelimit-limit-requests": "9",
        "openai-processing-ms": "12",
        "anthropic-organization-id": "org",
        "openai-organization": "org",
        "set-cookie": "secret=1",
        "retry-after": "1\r\nx: y",
        "anthropic-ratelimit-\u00e9": "1",
    }
    answering(world, body, headers=headers)
    reply = await ask(client, world)
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, body, str(len(body)))
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    for name in ("request-id", "anthropic-ratelimit-tokens-remaining", "x-ratelimit-limit-requests"):
        assert reply.headers[name] == headers[name]
    assert reply.headers["openai-processing-ms"] == "12"
    assert reply.headers["x-ostiary-intent"].startswith("int_")
    assert not {"anthropic-organization-id", "openai-organization", "set-cookie", "retry-after"} & reply.headers.keys()
    assert (reply.headers["cache-control"], reply.headers["x-content-type-options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize("status", [0, 199, 300, "200", True, None])
async def test_an_odd_status_of_a_success_is_none(world: LlmWorld, client: Client, status: Any) -> None:
    answering(world, b"{}", result={"status": status, "headers": []})
    reply = await ask(client, world)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/octet-stream")


async def test_a_stream_goes_out_piece_by_piece_and_ends_after_the_last(world: LlmWorld, client: Client) -> None:
    streaming(world, whole)
    reply = await ask(client, world)
    assert (reply.status, reply.body, reply.complete) == (200, b"".join(EVENTS) + END, True)
    assert (reply.headers["content-type"], reply.headers["request-id"]) == (SSE, "req_up")
    assert reply.headers["x-ostiary-intent"].startswith("int_")
    assert reply.headers["x-accel-buffering"] == "no"
    assert not {"content-length", "set-cookie"} & reply.headers.keys()


async def test_each_piece_is_sent_before_the_next_is_taken(world: LlmWorld, client: Client) -> None:
    order: list[str] = []

    class Order:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def noted(message: Any) -> None:
                order.append(f"sent {message.get('body', b'head')!r}")
                await send(message)

            await self.app(scope, receive, noted)

    async def act(seen: Seen) -> Outcome:
        assert seen.exchange.outlet is not None
        await seen.exchange.outlet.begin(seen.intent_id, {}, SSE)
        for each in (b"1", b"2"):
            order.append(f"made {each!r}")
            await seen.exchange.outlet.write(each)
        return seen.done(None, streamed=True)

    world.act = act
    await ask(Client(Order(client.app)), world)
    assert order == ["sent b'head'", "made b'1'", "sent b'1'", "made b'2'", "sent b'2'", "sent b''"]


async def failed(seen: Seen) -> Outcome:
    return seen.refused(Problem(ProblemKind.UPSTREAM_UNREACHABLE, "it broke"))


async def broken(seen: Seen) -> Outcome:
    raise RuntimeError("nobody foresaw it")


@pytest.mark.parametrize("then", [failed, broken])
async def test_a_stream_that_breaks_has_no_end(
    world: LlmWorld, client: Client, then: Callable[[Seen], Awaitable[Outcome]]
) -> None:
    streaming(world, then)
    reply = await ask(client, world)
    assert (reply.status, reply.body, reply.complete) == (200, b"".join(EVENTS), False)


async def test_a_client_that_goes_away_is_noticed_at_the_next_piece(world: LlmWorld, client: Client) -> None:
    noticed: list[int] = []

    async def act(seen: Seen) -> Outcome:
        assert seen.exchange.outlet is not None
        await seen.exchange.outlet.begin(seen.intent_id, {}, SSE)
        for number in range(100):
            try:
                await seen.exchange.outlet.write(b"x")
            except ClientGoneError:
                noticed.append(number)
                break
        problem = Problem(ProblemKind.CANCELLED, "the client went away before the end")
        return seen.refused(problem, IntentState.CANCELLED)

    world.act = act
    reply = await ask(client, world, stop_after=4)
    assert not reply.complete
    assert noticed
    assert noticed[0] <= 6


async def test_a_client_that_is_gone_is_not_answered(world: LlmWorld, client: Client) -> None:
    async def act(seen: Seen) -> Outcome:
        raise ClientGoneError

    world.act = act
    assert (await ask(client, world)).status == 0


@pytest.mark.parametrize(
    ("status", "body", "sent"),
    [
        (400, {"text": '{"type":"error",  "error":{}}'}, b'{"type":"error",  "error":{}}'),
        (529, {"text": "\u00e9"}, "\u00e9".encode()),
        (502, {"encoding": "base64", "data": b64encode(b"<html>\xff").decode()}, b"<html>\xff"),
    ],
)
async def test_the_providers_own_no_is_handed_on_as_it_is(
    world: LlmWorld, client: Client, status: int, body: dict[str, str], sent: bytes
) -> None:
    headers = {"content-type": "application/json", "retry-after": "3", "request-id": "req_up", "x-should-retry": "true"}
    result = {"status": status, "headers": headers, "body": body}
    refusing(world, Problem(ProblemKind.UPSTREAM_REFUSED, "no", extra={"upstream_status": status}), result=result)
    for path in ("/v1/messages", "/v1/chat/completions"):
        reply = await ask(client, world, path)
        assert (reply.status, reply.body) == (status, sent)
        assert (reply.headers["retry-after"], reply.headers["x-should-retry"]) == ("3", "true")
        assert (reply.headers["request-id"], reply.headers["content-type"]) == ("req_up", "application/json")
        assert reply.headers["x-ostiary-intent"].startswith("int_")


@pytest.mark.parametrize("status", [401, 403])
async def test_a_no_about_our_credential_is_not_asked_again_with_the_clients_own(
    world: LlmWorld, client: Client, status: int
) -> None:
    result = {"status": status, "headers": {}, "body": {"text": "{}"}}
    refusing(world, Problem(ProblemKind.UPSTREAM_REFUSED, "no"), result=result)
    reply = await ask(client, world)
    assert (reply.status, reply.body, reply.headers["x-should-retry"]) == (status, b"{}", "false")


@pytest.mark.parametrize(
    "result", [{}, {"body": None}, {"body": {"text": 5}}, {"body": {"data": "**"}}, {"status": 5, "body": []}]
)
async def test_of_a_no_whose_words_are_not_there_the_fact_is_told(
    world: LlmWorld, client: Client, result: dict[str, Any]
) -> None:
    problem = Problem(ProblemKind.UPSTREAM_REFUSED, "overloaded", extra={"upstream_status": 529})
    refusing(world, problem, result=result)
    reply = await ask(client, world)
    assert (reply.status, reply.json()["error"]["type"]) == (529, "overloaded_error")


async def test_what_a_worker_did_after_people_allowed_it_is_fetched_whole(world: LlmWorld, client: Client) -> None:
    small = {"body": {"encoding": "base64", "data": b64encode(b'{"a":1}').decode()}}
    answering(world, None, result=small)
    reply = await ask(client, world)
    assert (reply.status, reply.body) == (200, b'{"a":1}')
    pieces = [b"data: 1\n\n" * 9, b"data: [DONE]\n\n"]

    async def act(seen: Seen) -> Outcome:
        world.outputs.chunks[seen.intent_id] = pieces
        return seen.done(None, output_bytes=sum(map(len, pieces)), output_media_type="text/event-stream")

    world.act = act
    reply = await ask(client, world, "/v1/chat/completions")
    assert (reply.status, reply.body, reply.complete) == (200, b"".join(pieces), True)
    assert reply.headers["content-type"] == "text/event-stream"
    world.outputs.cut_after = 1
    assert not (await ask(client, world, "/v1/chat/completions")).complete
    world.outputs.cut_after = 0
    reply = await ask(client, world, "/v1/chat/completions")
    assert (reply.status, reply.json()["error"]["code"]) == (400, "output_gone")


@pytest.mark.parametrize(
    ("result", "why"),
    [({"withheld": "it could not be scanned"}, "it could not be scanned"), ({"status": 200}, "no answer of a model")],
)
async def test_what_was_done_and_cannot_be_told_is_not_asked_again(
    world: LlmWorld, client: Client, result: dict[str, Any], why: str
) -> None:
    async def act(seen: Seen) -> Outcome:
        return Outcome(seen.intent_id, IntentState.SUCCEEDED, result)

    world.act = act
    reply = await ask(client, world)
    assert (reply.status, reply.headers["x-should-retry"]) == (500, "false")
    message = orjson.loads(reply.body)["error"]["message"]
    assert message.startswith("it was done, but ")
    assert message.endswith(why)


async def test_a_no_of_the_broker_names_its_intent(world: LlmWorld, client: Client) -> None:
    refusing(world, Problem(ProblemKind.DENIED, "policy denies it", rule="policies/a.yaml:3"), IntentState.DENIED)
    reply = await ask(client, world)
    assert (reply.status, reply.json()["error"]["type"]) == (403, "permission_error")
    assert reply.json()["request_id"] == reply.headers["x-ostiary-intent"] == reply.headers["request-id"]
    assert "policies/a.yaml:3" in reply.json()["error"]["message"]
