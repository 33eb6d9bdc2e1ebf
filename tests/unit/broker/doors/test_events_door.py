from __future__ import annotations

import pytest

from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.parts import START_NS
from tests.unit.broker.doors.world import World

EVENTS = "/v1/events"


@pytest.fixture(autouse=True)
def story(world: World) -> None:
    reader, pusher = world.session_of(world.reader_token), world.session_of(world.pusher_token)
    for number in range(6):
        world.clock.at_ns = START_NS + number * 10**9
        session = pusher if number % 2 else reader
        kind = "intent.denied" if number > 3 else "intent.succeeded"
        world.tell(kind, session, action=f"s3:Op{number}", intent_id=f"int_{number}")


async def _seqs(client: Client, world: World, query: str) -> list[int]:
    reply = await client.call("GET", f"{EVENTS}?{query}", token=world.eve)
    assert reply.status == 200, reply.body
    return [item["seq"] for item in reply.json()["events"]]


@pytest.mark.req("E1")
async def test_each_filter_leaves_what_it_names(client: Client, world: World) -> None:
    session = world.session_of(world.reader_token)
    assert await _seqs(client, world, f"session={session.id}") == [1, 3, 5]
    assert await _seqs(client, world, "agent=pusher") == [2, 4, 6]
    assert await _seqs(client, world, "project=data&type=intent.denied") == [5]
    assert await _seqs(client, world, "action=s3:Op2") == [3]
    assert await _seqs(client, world, "intent=int_4") == [5]
    assert await _seqs(client, world, "since=2027-01-15T08:00:02Z&until=2027-01-15T08:00:04%2B00:00") == [3, 4]
    assert await _seqs(client, world, "since=2027-01-15T09:00:02.000001%2B01:00") == [4, 5, 6]
    assert await _seqs(client, world, "since=1900-01-01T00:00:00Z") == [1, 2, 3, 4, 5, 6]


async def test_pages_go_on_in_both_directions_until_there_is_no_more(client: Client, world: World) -> None:
    first = (await client.call("GET", f"{EVENTS}?limit=4", token=world.eve)).json()
    assert first["next"] == 4
    assert await _seqs(client, world, "limit=4&after=4") == [5, 6]
    newest = (await client.call("GET", f"{EVENTS}?limit=3&order=desc", token=world.eve)).json()
    assert ([item["seq"] for item in newest["events"]], newest["next"]) == ([6, 5, 4], 4)
    assert await _seqs(client, world, "limit=3&order=desc&before=4") == [3, 2, 1]
    last = (await client.call("GET", f"{EVENTS}?limit=6", token=world.eve)).json()
    assert last["next"] is None


async def test_a_record_is_shown_as_it_was_written(client: Client, world: World) -> None:
    [item] = (await client.call("GET", f"{EVENTS}?limit=1", token=world.eve)).json()["events"]
    assert item["event"] == world.events[0]
    assert item["leaf"] == "01" * 32


@pytest.mark.parametrize(
    "query",
    [
        "sesion=x",
        "limit=0",
        "limit=1001",
        "limit=x",
        "after=-1",
        "after=9223372036854775808",
        "type=nothing",
        "order=up",
        "since=yesterday",
        "since=2027-01-15T08:00:00",
        "agent=%00",
        "agent=%F0%9F%98%80",
        "session=" + "a" * 129,
    ],
)
async def test_a_filter_that_cannot_be_is_refused_and_not_ignored(client: Client, world: World, query: str) -> None:
    reply = await client.call("GET", f"{EVENTS}?{query}", token=world.eve)
    assert reply.kind == "malformed-request"


@pytest.mark.req("S1")
@pytest.mark.parametrize("who", ["reader_token", "kim"])
async def test_agents_and_key_admins_do_not_search_the_ledger(client: Client, world: World, who: str) -> None:
    assert (await client.call("GET", EVENTS, token=getattr(world, who))).kind == "forbidden"


async def test_a_store_that_cannot_be_read_is_told_as_such(client: Client, world: World) -> None:
    world.store_away = True
    for path in (EVENTS, "/v1/approvals"):
        reply = await client.call("GET", path, token=world.eve)
        assert (reply.status, reply.kind) == (503, "store-unavailable")
        assert "CANARY" not in reply.body.decode()
