from __future__ import annotations

from typing import Any

import pytest

from tests.unit.broker.doors.asgi import Client, Reply
from tests.unit.broker.doors.world import World

HALTS = "/v1/halts"

pytestmark = pytest.mark.req("S2")


async def stop(client: Client, token: str, **body: Any) -> Reply:
    return await client.call(
        "POST", HALTS, token=token, json_body={"scope": "agent", "name": "reader", "reason": "it ran away", **body}
    )


@pytest.mark.parametrize("who", ["ana", "ben", "kim"])
async def test_who_answers_for_a_part_of_the_house_stops_an_agent(client: Client, world: World, who: str) -> None:
    reply = await stop(client, getattr(world, who))
    assert reply.status == 201
    halt, report = reply.json()["halt"], reply.json()["report"]
    assert (halt["scope"], halt["name"], halt["kind"], halt["reason"]) == ("agent", "reader", "kill", "it ran away")
    assert (halt["started_by"], halt["active"], halt["ends_at"], halt["lifted_by"]) == (who, True, None, None)
    assert (report["calls"], report["sessions"]["count"], report["tokens"]["revoked"]) == (1, 3, 2)


@pytest.mark.parametrize("who", ["eve", "reader_token"])
async def test_others_stop_nothing(client: Client, world: World, who: str) -> None:
    reply = await stop(client, getattr(world, who))
    assert reply.kind == "forbidden"
    assert world.halts == {}


async def test_everything_is_stopped_without_a_name(client: Client, world: World) -> None:
    reply = await stop(client, world.ana, scope="everything", name="")
    assert (reply.status, reply.json()["halt"]["scope"]) == (201, "everything")


async def test_a_report_that_is_not_there_yet_is_null(client: Client, world: World) -> None:
    reply = await stop(client, world.ana, name="slow")
    assert (reply.status, reply.json()["report"]) == (201, None)


async def test_what_is_stopped_already_or_not_there_is_not_stopped(client: Client, world: World) -> None:
    assert (await stop(client, world.ana)).status == 201
    again = await stop(client, world.ben)
    assert (again.status, again.kind) == (409, "halt-conflict")
    unknown = await stop(client, world.ana, name="raeder")
    assert (unknown.kind, unknown.json()["fix"]) == ("not-found", "did you mean `reader`?")
    assert (await stop(client, world.ana, name="raeder", force=True)).status == 201


@pytest.mark.parametrize(
    "body",
    [
        {"scope": "session"},
        {"scope": "Agent"},
        {"scope": None},
        {"name": "x" * 201},
        {"name": 5},
        {"reason": ""},
        {"reason": "x" * 2001},
        {"force": "yes"},
        {"kind": "pause"},
    ],
)
async def test_a_request_of_another_shape_is_refused(client: Client, world: World, body: dict[str, Any]) -> None:
    assert (await stop(client, world.ana, **body)).kind == "malformed-request"
    assert world.halts == {}


async def test_halts_are_listed_for_who_may_read_the_ledger(client: Client, world: World) -> None:
    for name in ("reader", "pusher"):
        await stop(client, world.ana, name=name)
    first = next(iter(world.halts))
    path = f"{HALTS}/{first}/lift"
    await client.call("POST", path, token=world.ana, json_body={"reason": "mended"})
    for who, status in (("eve", 200), ("ben", 200), ("ana", 200), ("kim", 403), ("reader_token", 403)):
        assert (await client.call("GET", HALTS, token=getattr(world, who))).status == status
    every = (await client.call("GET", HALTS, token=world.eve)).json()["halts"]
    assert [(each["name"], each["active"]) for each in every] == [("pusher", True), ("reader", False)]
    active = (await client.call("GET", f"{HALTS}?active=true", token=world.eve)).json()["halts"]
    assert [each["name"] for each in active] == ["pusher"]
    for query in ("active=perhaps", "limit=0", "scope=agent"):
        assert (await client.call("GET", f"{HALTS}?{query}", token=world.eve)).kind == "malformed-request"


async def test_only_an_admin_lets_go_on_and_says_why(client: Client, world: World) -> None:
    halt_id = (await stop(client, world.ben)).json()["halt"]["id"]
    path, body = f"{HALTS}/{halt_id}/lift", {"reason": "mended"}
    for who in ("ben", "kim", "eve", "reader_token"):
        assert (await client.call("POST", path, token=getattr(world, who), json_body=body)).kind == "forbidden"
    for wrong in ({}, {"reason": ""}, {"reason": "x", "force": True}):
        assert (await client.call("POST", path, token=world.ana, json_body=wrong)).kind == "malformed-request"
    lifted = (await client.call("POST", path, token=world.ana, json_body=body)).json()
    assert (lifted["active"], lifted["lifted_by"], lifted["lift_reason"]) == (False, "ana", "mended")
    assert lifted["lifted_at"] is not None
    assert (await client.call("POST", path, token=world.ana, json_body=body)).kind == "halt-conflict"


@pytest.mark.parametrize("halt_id", ["hlt_" + "0" * 26, "hlt_1", "ses_" + "0" * 26, "*"])
async def test_a_halt_that_is_not_there_is_not_lifted(client: Client, world: World, halt_id: str) -> None:
    reply = await client.call("POST", f"{HALTS}/{halt_id}/lift", token=world.ana, json_body={"reason": "x"})
    assert reply.kind == "not-found"
