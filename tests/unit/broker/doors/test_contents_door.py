from __future__ import annotations

import base64

import pytest

from broker.config.content import Store
from broker.contents.capture import ContentPart
from broker.contents.service import Kept, KeptPart
from broker.errors import LedgerUnavailableError
from broker.ids import IntentId
from broker.model import Role
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.world import World

PROMPT, ANSWER = ContentPart.PROMPT, ContentPart.ANSWER


@pytest.fixture
def path(world: World) -> str:
    intent_id = IntentId(world.new_id("int"))
    parts = {
        PROMPT: KeptPart(b"<script>", 8, cut=False, masked=0),
        ANSWER: KeptPart(b"\xff", 900, cut=True, masked=2, withheld="why"),
    }
    world.contents.kept[intent_id] = Kept(intent_id, Store.REDACTED, 0, 10**9, parts)
    return f"/v1/intents/{intent_id}/content"


async def test_an_auditor_and_an_admin_read_both_parts_as_text_in_json(client: Client, world: World, path: str) -> None:
    reply = await client.call("GET", path, token=world.operator("ada", Role.AUDITOR))
    found = reply.json()
    assert reply.headers["content-type"] == "application/json"
    assert (found["store"], found["kept_at"], found["expires_at"]) == (
        "redacted", "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:01.000Z",
    )  # fmt: skip
    assert found["prompt"] == {
        "size_bytes": 8, "cut": False, "masked": 0, "withheld": None, "encoding": "utf-8", "data": "<script>",
    }  # fmt: skip
    assert (found["answer"]["encoding"], found["answer"]["withheld"]) == ("base64", "why")
    assert base64.b64decode(found["answer"]["data"]) == b"\xff"
    assert (await client.call("GET", path, token=world.ana)).status == 200
    assert [name for _, name, _ in world.contents.reads] == ["ada", "ana"]


async def test_one_part_is_asked_for_alone(client: Client, world: World, path: str) -> None:
    found = (await client.call("GET", f"{path}?part=answer", token=world.ana)).json()
    assert (found["prompt"], found["answer"]["size_bytes"]) == (None, 900)
    assert world.contents.reads[0][2] == (ANSWER,)
    for query in ("part=both", "parts=answer"):
        assert (await client.call("GET", f"{path}?{query}", token=world.ana)).kind == "malformed-request"


async def test_nobody_else_reads_it_neither_the_agent_that_asked_nor_who_approves(
    client: Client, world: World, path: str
) -> None:
    for token in (world.reader_token, world.ben, world.eve, world.kim):
        assert (await client.call("GET", path, token=token)).kind == "forbidden"
    assert (await client.call("GET", path)).kind == "unauthenticated"
    assert world.contents.reads == []


async def test_what_is_not_kept_is_not_found(client: Client, world: World) -> None:
    unknown = f"/v1/intents/{world.new_id('int')}/content"
    assert (await client.call("GET", unknown, token=world.ana)).kind == "not-found"
    assert (await client.call("GET", "/v1/intents/int_x/content", token=world.ana)).kind == "not-found"


async def test_an_outage_shows_nothing(client: Client, world: World, path: str) -> None:
    world.contents.away = LedgerUnavailableError("away")
    reply = await client.call("GET", path, token=world.ana)
    assert (reply.status, reply.kind) == (503, "ledger-unavailable")
    assert b"script" not in reply.body
