from __future__ import annotations

import pytest

from broker.alerts.book import State
from broker.alerts.model import Alert, AlertKind, AlertRow, Severity
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.world import World

ALERTS = "/v1/alerts"


def add(world: World, kind: AlertKind = AlertKind.DENIED, agent: str = "reader") -> AlertRow:
    facts = {"resource": "x", "count": 3}
    return world.alerts.add(Alert(kind, "subject", "a title", "do this", Severity.WARNING, agent=agent, facts=facts))


@pytest.mark.req("L3")
async def test_operators_list_alerts_newest_first(client: Client, world: World) -> None:
    first = add(world)
    world.clock.at_ns += 10**9
    second = add(world, AlertKind.HALT, agent="")
    reply = await client.call("GET", ALERTS, token=world.eve)
    shown = reply.json()["alerts"]
    assert [each["id"] for each in shown] == [second.id, first.id]
    assert (shown[0]["agent"], shown[1]["agent"]) == (None, "reader")
    assert shown[1]["facts"] == {"resource": "x", "count": 3}
    assert shown[1]["href"] == f"{ALERTS}/{first.id}"


async def test_filters_are_handed_on_and_unknown_ones_refused(client: Client, world: World) -> None:
    query = f"{ALERTS}?kind=off-hours&since=2027-01-15T12:00:00.5Z&limit=7"
    assert (await client.call("GET", query, token=world.eve)).status == 200
    assert world.alerts.asked == [("off-hours", 1_800_014_400_500_000_000, 7)]
    for wrong in ("kind=nosuch", "limit=0", "limit=501", "since=yesterday", "agent=x", "since=2027-01-15T12:00:00"):
        assert (await client.call("GET", f"{ALERTS}?{wrong}", token=world.eve)).status == 400


@pytest.mark.req("L3")
async def test_one_alert_is_shown_with_how_far_it_came(client: Client, world: World) -> None:
    world.alerts.channels = {"ops": State.DELIVERED, "soc": State.PENDING}
    row = add(world)
    shown = (await client.call("GET", f"{ALERTS}/{row.id}", token=world.ben)).json()
    assert shown["alert"]["id"] == row.id
    assert [(each["channel"], each["state"], each["next_at"] is None) for each in shown["deliveries"]] == [
        ("ops", "delivered", True),
        ("soc", "pending", False),
    ]


@pytest.mark.parametrize("name", ["alt_" + "0" * 26, "alt_x", "test", "..%2f"])
async def test_what_is_not_there_is_not_found(client: Client, world: World, name: str) -> None:
    assert (await client.call("GET", f"{ALERTS}/{name}", token=world.eve)).status == 404


@pytest.mark.req("L3")
async def test_an_admin_sends_one_to_every_channel(client: Client, world: World) -> None:
    world.alerts.channels = {"ops": State.DELIVERED, "soc": State.FAILED}
    reply = await client.call("POST", f"{ALERTS}/test", token=world.ana)
    assert reply.status == 200
    assert [each["state"] for each in reply.json()["deliveries"]] == ["delivered", "failed"]
    assert "ana" in reply.json()["alert"]["title"]
    world.alerts.ledger_away = True
    assert (await client.call("POST", f"{ALERTS}/test", token=world.ana)).kind == "ledger-unavailable"


async def test_agents_and_those_without_the_role_get_nothing(client: Client, world: World) -> None:
    row = add(world)
    for path in (ALERTS, f"{ALERTS}/{row.id}"):
        for token in (world.reader_token, world.kim):
            assert (await client.call("GET", path, token=token)).kind == "forbidden"
    for token in (world.reader_token, world.eve, world.ben, world.kim):
        assert (await client.call("POST", f"{ALERTS}/test", token=token)).kind == "forbidden"
    assert len(world.alerts.rows) == 1
