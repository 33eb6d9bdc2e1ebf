from __future__ import annotations

import pytest

from broker.clock import rfc3339
from broker.config.limits import OnExceed
from broker.holds import Unit
from broker.limits.treasury import Extra
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.budgeting import MONEY, OF_SESSION, RESETS_NS, TOKENS, account
from tests.unit.broker.doors.world import World

BUDGETS = "/v1/budgets"
GRANTS = "/v1/budgets/grants"
OTHER = "agent/pusher/max_tokens_per_day/2027-01-15"

pytestmark = pytest.mark.req("L1")


@pytest.fixture(autouse=True)
def _counted(world: World) -> None:
    world.accounts = [
        account(OTHER, Unit.TOKENS, 10, OnExceed.DENY),
        account(TOKENS, Unit.TOKENS, 1_000, OnExceed.DENY, used=900, reserved=250, extra=100),
        account(MONEY, Unit.NANO_DOLLARS, 5 * 10**9, OnExceed.ASK),
        account(OF_SESSION, Unit.TOKENS, 0, OnExceed.PAUSE_AND_ALERT),
    ]


async def keys(client: Client, token: str, query: str = "") -> list[str]:
    reply = await client.call("GET", BUDGETS + query, token=token)
    assert reply.status == 200
    return [each["key"] for each in reply.json()["budgets"]]


async def test_an_operator_sees_how_every_budget_stands(client: Client, world: World) -> None:
    reply = await client.call("GET", BUDGETS, token=world.eve)
    shown = {each["key"]: each for each in reply.json()["budgets"]}
    assert shown[TOKENS] == {
        "key": TOKENS, "budget": "max_tokens_per_day", "of": "agent", "name": "reader", "unit": "tokens", "cap": 1_000,
        "granted": 100, "used": 900, "reserved": 250, "left": -50, "percent": 81, "resets_at": rfc3339(RESETS_NS),
        "mode": "strict", "on_exceed": "deny",
    }  # fmt: skip
    assert (shown[OF_SESSION]["resets_at"], shown[OF_SESSION]["percent"]) == (None, 100)
    assert shown[MONEY]["left"] == 5 * 10**9


async def test_budgets_are_found_by_agent_project_and_session(client: Client, world: World) -> None:
    session = world.session_of(world.reader_token)
    assert await keys(client, world.ben, "?agent=reader") == [TOKENS]
    assert await keys(client, world.ben, "?project=data") == [MONEY]
    for more in ("", "&agent=reader", "&project=data"):
        assert await keys(client, world.eve, f"?session={session.id}{more}") == [TOKENS, MONEY, OF_SESSION]
    for wrong in ("session=ses_none", f"session={session.id}&agent=pusher", f"session={session.id}&project=web"):
        reply = await client.call("GET", f"{BUDGETS}?{wrong}", token=world.eve)
        assert reply.kind == "not-found"
    assert (await client.call("GET", f"{BUDGETS}?colour=red", token=world.eve)).status == 400


async def test_an_agent_sees_what_counts_its_own_calls_and_no_more(client: Client, world: World) -> None:
    session = world.session_of(world.reader_token)
    for query in ("", f"?session={session.id}", "?agent=reader&project=data"):
        assert await keys(client, world.reader_token, query) == [TOKENS, MONEY, OF_SESSION]
    other = world.session_of(world.pusher_token)
    for query in (f"session={other.id}", "agent=pusher", "project=web"):
        assert (await client.call("GET", f"{BUDGETS}?{query}", token=world.reader_token)).kind == "forbidden"


async def test_who_may_read_nothing_sees_no_budget(client: Client, world: World) -> None:
    assert (await client.call("GET", BUDGETS, token=world.kim)).kind == "forbidden"
    assert (await client.call("GET", BUDGETS)).kind == "unauthenticated"


@pytest.mark.parametrize(
    ("body", "extra"),
    [
        ({"extra": 500}, Extra(500)),
        ({"extra": 500, "unit": "tokens"}, Extra(500, 0, Unit.TOKENS)),
        ({"percent": 50}, Extra(0, 50)),
    ],
)
async def test_an_admin_grants_more_of_a_budget(
    client: Client, world: World, body: dict[str, object], extra: Extra
) -> None:
    reply = await client.call("POST", GRANTS, token=world.ana, json_body={"key": TOKENS, "reason": "release", **body})
    assert (reply.status, reply.json()["granted"]) == (200, 100 + extra.amount)
    assert world.treasury.granted == [(TOKENS, extra, "ana", "release")]


@pytest.mark.parametrize("who", ["eve", "ben", "kim", "reader_token"])
async def test_nobody_but_an_admin_grants(client: Client, world: World, who: str) -> None:
    body = {"key": TOKENS, "extra": 5, "reason": "please"}
    assert (await client.call("POST", GRANTS, token=getattr(world, who), json_body=body)).kind == "forbidden"
    assert world.treasury.granted == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"key": "agent/none/x"}, 404),
        ({"key": "stuck"}, 503),
        ({"key": ""}, 400),
        ({"key": "x" * 257}, 400),
        ({"reason": ""}, 400),
        ({"reason": "x" * 2_001}, 400),
        ({"extra": -1}, 400),
        ({"extra": 1 << 62}, 400),
        ({"extra": 1.5}, 400),
        ({"extra": "5"}, 400),
        ({"extra": True}, 400),
        ({"percent": 1_001}, 400),
        ({"unit": "dollars"}, 400),
        ({"cap": 5}, 400),
    ],
)
async def test_what_cannot_be_granted_is_told(
    client: Client, world: World, body: dict[str, object], status: int
) -> None:
    asked = {"key": TOKENS, "extra": 5, "reason": "why", **body}
    assert (await client.call("POST", GRANTS, token=world.ana, json_body=asked)).status == status
    assert world.treasury.granted == []
