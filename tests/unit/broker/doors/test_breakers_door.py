from __future__ import annotations

import pytest

from broker.clock import rfc3339
from broker.limits.runs import Standing, Tally
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.world import World

KEY = "connection/lake/aws/prod"
SESSION = "session/ses_1"
RESET = "/v1/breakers/reset"


@pytest.fixture(autouse=True)
def _failing(world: World) -> None:
    now_ns = world.clock.now_ns()
    tally = Tally(5, {"d": 5}, "429", "reader", "data")
    world.standings = {
        KEY: Standing(KEY, Tally(10, {"ses_1": 5, "ses_2": 5}, "503"), 1, now_ns, now_ns + 10**12, now_ns),
        SESSION: Standing(SESSION, tally, 2, 1, 2, 3),
        "session/ses_2": Standing("session/ses_2", Tally(1, {"d": 1}, "403", "reader")),
    }


@pytest.mark.req("L2")
async def test_an_operator_sees_what_fails_and_how_it_stands(client: Client, world: World) -> None:
    reply = await client.call("GET", "/v1/breakers", token=world.eve)
    shown = {each["key"]: each for each in reply.json()["breakers"]}
    assert {key: each["state"] for key, each in shown.items()} == {
        KEY: "open", SESSION: "half_open", "session/ses_2": "closed",
    }  # fmt: skip
    assert shown[KEY] == {
        "key": KEY, "state": "open", "failures": 10, "openings": 1, "last_status": "503", "agent": "",
        "opened_at": rfc3339(world.standings[KEY].opened_at_ns),
        "open_until": rfc3339(world.standings[KEY].open_until_ns),
    }  # fmt: skip
    assert (shown["session/ses_2"]["opened_at"], shown[SESSION]["agent"]) == (None, "reader")


async def test_an_admin_resets_a_breaker_by_its_key(client: Client, world: World) -> None:
    reply = await client.call("POST", RESET, token=world.ana, json_body={"key": KEY, "reason": "key was renewed"})
    assert (reply.status, reply.json()["state"], reply.json()["failures"]) == (200, "closed", 0)
    assert world.breakers.resets == [(KEY, "ana", "key was renewed")]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"key": "session/ses_9", "reason": "why"}, 404),
        ({"key": "", "reason": "why"}, 400),
        ({"key": "x" * 300, "reason": "why"}, 400),
        ({"key": KEY, "reason": ""}, 400),
        ({"key": KEY}, 400),
        ({"reason": "why"}, 400),
        ({"key": KEY, "reason": "x" * 2001}, 400),
        ({"key": KEY, "reason": "why", "force": True}, 400),
        ({"key": "session/stuck", "reason": "why"}, 503),
    ],
)
async def test_what_cannot_be_reset_is_told(client: Client, world: World, body: dict[str, object], status: int) -> None:
    reply = await client.call("POST", RESET, token=world.ana, json_body=body)
    assert reply.status == status
    assert world.breakers.resets == []


async def test_only_an_admin_resets_and_no_agent_sees_any(client: Client, world: World) -> None:
    for token in (world.eve, world.ben, world.kim, world.reader_token):
        reply = await client.call("POST", RESET, token=token, json_body={"key": KEY, "reason": "why"})
        assert reply.status == 403
    for token in (world.kim, world.reader_token):
        assert (await client.call("GET", "/v1/breakers", token=token)).status == 403
    assert world.breakers.resets == []
