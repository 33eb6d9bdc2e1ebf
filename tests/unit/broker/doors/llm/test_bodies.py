from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.types import Message, Receive

from broker.doors.app import create_app
from broker.doors.aws.bodies import Buffers
from broker.doors.llm.bodies import read_whole
from broker.doors.llm.door import LARGE_BODY_BYTES
from broker.doors.problems import RefusedError
from broker.exchange import ClientGoneError
from broker.outcome import Outcome, ProblemKind
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.llm.house import RAW, LlmWorld, Seen, answering, ask, make_llm_world

pytestmark = pytest.mark.req("A5")


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
async def test_a_body_arrives_byte_for_byte_however_it_is_cut(world: LlmWorld, client: Client, size: int) -> None:
    answering(world)
    pieces = [RAW[at : at + size] for at in range(0, len(RAW), size)]
    assert (await ask(client, world, body=pieces)).status == 200
    assert world.uploaded().raw == RAW


@pytest.mark.parametrize(
    ("headers", "body", "status", "type_"),
    [
        ({"Content-Encoding": "gzip"}, RAW, 400, "invalid_request_error"),
        ({"Content-Encoding": "identity, br"}, RAW, 400, "invalid_request_error"),
        ({"Content-Type": "text/plain"}, RAW, 400, "invalid_request_error"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, RAW, 400, "invalid_request_error"),
        ({"Content-Type": "application/json; charset=latin-1"}, RAW, 400, "invalid_request_error"),
        ({"Content-Length": "100001"}, [b"{"], 413, "request_too_large"),
        ({"Content-Length": "9" * 40}, [b"{"], 413, "request_too_large"),
        ({}, b" " * 100_001, 413, "request_too_large"),
        ({}, [b" " * 60_000] * 2, 413, "request_too_large"),
        ({}, b"", 400, "invalid_request_error"),
        ({}, b"{", 400, "invalid_request_error"),
        ({}, b"[]", 400, "invalid_request_error"),
        ({}, RAW.replace(b'"model"', b'"model": "x", "model"'), 400, "invalid_request_error"),
        ({}, RAW.replace(b'"model"', b'"m\\u006fdel"'), 400, "invalid_request_error"),
    ],
)
async def test_a_body_that_is_not_to_be_read_is_refused_and_nothing_is_asked(
    world: LlmWorld, client: Client, headers: dict[str, str], body: bytes | list[bytes], status: int, type_: str
) -> None:
    reply = await ask(client, world, body=body, headers=headers)
    assert (reply.status, reply.json()["error"]["type"]) == (status, type_)
    assert reply.headers["x-should-retry"] == "false"
    assert not world.seen


@pytest.mark.parametrize(
    "headers", [{"Content-Encoding": "identity"}, {"Content-Type": 'Application/JSON; charset="UTF-8"'}]
)
async def test_what_says_the_usual_in_other_words_is_taken(
    world: LlmWorld, client: Client, headers: dict[str, str]
) -> None:
    answering(world)
    assert (await ask(client, world, headers=headers)).status == 200


async def test_large_bodies_are_read_as_small_ones_but_not_many_at_once(tmp_path: Path) -> None:
    world = make_llm_world(tmp_path, max_request_bytes=4 << 20, wire_buffer_bytes=2 * LARGE_BODY_BYTES)
    client, body, inside = Client(create_app(world)), RAW[:-1] + b" " * LARGE_BODY_BYTES + b"}", []

    async def act(seen: Seen) -> Outcome:
        # Its body is in memory as long as the call runs.
        inside.append(await ask(client, world, body=body))
        return seen.done()

    world.act = act
    assert (await ask(client, world, body=body)).status == 200
    assert world.uploaded().raw == body
    [busy] = inside
    assert (busy.status, busy.json()["error"]["type"]) == (429, "rate_limit_error")
    assert (busy.headers["retry-after"], "x-should-retry" in busy.headers) == ("1", False)
    answering(world)
    assert (await ask(client, world, body=body)).status == 200


def receiving(*messages: Message) -> Receive:
    waiting = list(messages)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    return receive


PIECE: Message = {"type": "http.request", "body": b"12345", "more_body": True}
GONE: Message = {"type": "http.disconnect"}


async def test_a_client_that_goes_in_the_middle_ends_it() -> None:
    for messages in ((GONE,), (PIECE, GONE)):
        with Buffers(100).hold() as hold, pytest.raises(ClientGoneError):
            await read_whole(receiving(*messages), hold, 100)


async def test_a_body_that_stops_coming_is_not_waited_for() -> None:
    with Buffers(100).hold() as hold, pytest.raises(RefusedError) as caught:
        await read_whole(receiving(PIECE), hold, 100, seconds=0.01)
    assert caught.value.problem.kind is ProblemKind.MALFORMED_REQUEST


async def test_all_bodies_together_have_a_bound_and_give_back_what_they_took() -> None:
    buffers = Buffers(8)
    with buffers.hold() as first:
        with pytest.raises(RefusedError) as caught:
            await read_whole(receiving(PIECE, PIECE), first, 100)
        assert (caught.value.problem.kind, caught.value.problem.retry_after_seconds) == (ProblemKind.TOO_BUSY, 1)
        assert buffers.used_bytes == 5
    assert buffers.used_bytes == 0
