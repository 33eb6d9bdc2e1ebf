from __future__ import annotations

import pytest

from broker.clock import NS_PER_SECOND
from broker.usage import HOUR_NS, By, Spent
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.world import World

pytestmark = pytest.mark.req("L1")

PATH = "/v1/usage"
SPENT = Spent(calls=2, input_tokens=10, output_tokens=3, nano_dollars=2_385_000)


async def test_an_operator_sees_what_was_spent_split_as_asked(client: Client, world: World) -> None:
    world.reader.spent = [(("acme/large", "ses_1"), SPENT)]
    reply = await client.call("GET", f"{PATH}?by=model&by=session&agent=reader&zone=Europe/Berlin", token=world.eve)
    found = reply.json()
    assert found["rows"] == [{"key": {"model": "acme/large", "session": "ses_1"}, "spent": found["total"]}]
    assert (found["total"]["dollars"], found["total"]["calls"], found["by"]) == ("0.002385000", 2, ["model", "session"])
    asked = world.reader.usage_asked
    assert (asked.by, asked.agent, asked.sessions) == ((By.MODEL, By.SESSION), "reader", ())
    day = 86_400 * NS_PER_SECOND
    assert asked.since_ns == (world.clock.now_ns() - day) // HOUR_NS * HOUR_NS


async def test_an_agent_sees_its_own_session_and_no_other(client: Client, world: World) -> None:
    own = world.session_of(world.reader_token)
    reply = await client.call("GET", PATH, token=world.reader_token)
    assert reply.status == 200
    assert world.reader.usage_asked.sessions == (own.id,)
    assert (await client.call("GET", f"{PATH}?session={own.id}", token=world.reader_token)).status == 200
    for other in ("session=ses_other", "agent=pusher"):
        assert (await client.call("GET", f"{PATH}?{other}", token=world.reader_token)).kind == "forbidden"
    assert (await client.call("GET", PATH, token=world.kim)).kind == "forbidden"
    assert (await client.call("GET", PATH)).kind == "unauthenticated"


@pytest.mark.parametrize(
    "query", ["by=moon", "zone=Mars/Base", "since=yesterday", "since=2026-01-01T00:00:00", "colour=red"]
)
async def test_a_question_that_cannot_be_read_is_refused(client: Client, world: World, query: str) -> None:
    reply = await client.call("GET", f"{PATH}?{query}", token=world.eve)
    assert (reply.status, reply.kind) == (400, "malformed-request")


async def test_a_time_is_rounded_outwards_to_hours(client: Client, world: World) -> None:
    query = "since=2026-11-20T08:30:00%2B01:00&until=2026-11-20T09:10:00Z"
    found = (await client.call("GET", f"{PATH}?{query}", token=world.eve)).json()
    assert (found["since"], found["until"]) == ("2026-11-20T07:00:00.000Z", "2026-11-20T10:00:00.000Z")
    assert found["rows"] == []
