from __future__ import annotations

from dataclasses import replace

import pytest

from broker.ids import IntentId
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.world import World

INTENTS = "/v1/intents"


async def _get(client: Client, world: World, action: str = "s3:GetObject") -> str:
    made = await client.call("POST", INTENTS, token=world.reader_token, json_body={"action": action})
    return str(made.json()["intent"])


def _change(world: World, intent_id: str, **changes: object) -> None:
    owner, outcome = world.outcomes[IntentId(intent_id)]
    world.outcomes[IntentId(intent_id)] = (owner, replace(outcome, **changes))  # type: ignore[arg-type] # names vary


@pytest.mark.req("A1")
async def test_a_body_is_streamed_as_a_file_with_its_type_and_length(client: Client, world: World) -> None:
    made = await client.call("POST", INTENTS, token=world.reader_token, json_body={"action": "s3:GetObject"})
    shown = made.json()["output"]
    reply = await client.call("GET", shown["href"], token=world.reader_token)
    assert reply.body == b"0123456789" * 20_000
    assert reply.headers["content-length"] == str(shown["bytes"]) == "200000"
    assert reply.headers["content-type"] == shown["media_type"] == "text/csv"
    assert reply.headers["content-disposition"].startswith("attachment")
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_a_small_body_inside_the_result_is_given_the_same_way(client: Client, world: World) -> None:
    intent_id = await _get(client, world, "s3:Small")
    reply = await client.call("GET", f"{INTENTS}/{intent_id}/output", token=world.reader_token)
    assert reply.body == b"tiny"
    assert reply.headers["content-type"] == "application/octet-stream"


async def test_an_empty_body_is_a_body(client: Client, world: World) -> None:
    intent_id = await _get(client, world)
    world.outputs.chunks[intent_id] = []
    _change(world, intent_id, output_bytes=0)
    reply = await client.call("GET", f"{INTENTS}/{intent_id}/output", token=world.reader_token)
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "0")


@pytest.mark.parametrize(
    "upstream",
    [
        "text/html\r\nset-cookie: a=b",
        "",
        "html",
        "text/ html",
        "a/b;\x00",
        "text/é",
        "a/" + "b" * 65,
        "a/b; " + "c" * 200,
    ],
)
async def test_an_upstreams_odd_media_type_never_reaches_the_headers(
    client: Client, world: World, upstream: str
) -> None:
    intent_id = await _get(client, world)
    _change(world, intent_id, output_media_type=upstream)
    reply = await client.call("GET", f"{INTENTS}/{intent_id}/output", token=world.reader_token)
    assert reply.headers["content-type"] == "application/octet-stream"


async def test_a_body_no_longer_kept_is_gone(client: Client, world: World) -> None:
    intent_id = await _get(client, world)
    world.outputs.chunks.clear()
    reply = await client.call("GET", f"{INTENTS}/{intent_id}/output", token=world.reader_token)
    assert (reply.status, reply.kind) == (410, "output-gone")


async def test_an_intent_without_a_body_has_none_to_give(client: Client, world: World) -> None:
    for action in ("s3:HeadObject", "git:push"):
        intent_id = await _get(client, world, action)
        reply = await client.call("GET", f"{INTENTS}/{intent_id}/output", token=world.reader_token)
        assert reply.kind == "not-found"


@pytest.mark.req("S1")
async def test_another_sessions_body_is_not_found(client: Client, world: World) -> None:
    intent_id = await _get(client, world)
    reply = await client.call("GET", f"{INTENTS}/{intent_id}/output", token=world.pusher_token)
    assert reply.kind == "not-found"
    assert world.outputs.read_chunks == 0


@pytest.mark.parametrize("size", [199_999, 200_001, 100])
async def test_a_body_that_is_not_as_long_as_was_said_is_cut(client: Client, world: World, size: int) -> None:
    intent_id = await _get(client, world)
    _change(world, intent_id, output_bytes=size)
    reply = await client.call("GET", f"{INTENTS}/{intent_id}/output", token=world.reader_token)
    assert not reply.complete


async def test_reading_stops_when_the_client_goes_away(client: Client, world: World) -> None:
    intent_id = await _get(client, world)
    await client.call("GET", f"{INTENTS}/{intent_id}/output", token=world.reader_token, stop_after=3)
    assert world.outputs.read_chunks < 10
