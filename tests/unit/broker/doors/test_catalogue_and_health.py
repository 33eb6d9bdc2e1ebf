from __future__ import annotations

import pytest

from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.world import World


@pytest.mark.req("A1")
async def test_an_agent_sees_the_operations_of_its_projects_connectors(client: Client, world: World) -> None:
    reply = await client.call("GET", "/v1/actions", token=world.reader_token)
    assert [item["action"] for item in reply.json()["actions"]] == ["s3:Again", "s3:Read"]
    item = reply.json()["actions"][0]
    assert item["connections"] == ["aws-main"]
    assert (item["params_schema"], item["example"], item["resources"]) == ({"type": "object"}, {"x": "y"}, ["r/{x}"])


async def test_an_operator_sees_all_and_a_key_admin_none(client: Client, world: World) -> None:
    reply = await client.call("GET", "/v1/actions", token=world.eve)
    assert [item["action"] for item in reply.json()["actions"]] == ["git:Again", "git:Read", "s3:Again", "s3:Read"]
    assert (await client.call("GET", "/v1/actions", token=world.kim)).kind == "forbidden"


async def test_an_agent_of_a_project_that_was_removed_sees_nothing(client: Client, world: World) -> None:
    world.config.projects.clear()
    reply = await client.call("GET", "/v1/actions", token=world.reader_token)
    assert reply.json() == {"actions": []}


async def test_livez_answers_whatever_the_parts_do(client: Client, world: World) -> None:
    world.checks = {}
    assert (await client.call("GET", "/livez")).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("checks", "status"),
    [
        ({"ledger": True, "vault": "ok"}, 200),
        ({"ledger": False, "vault": True}, 503),
        ({"ledger": True, "vault": "sealed"}, 503),
        ({}, 503),
    ],
)
async def test_readyz_is_as_bad_as_its_worst_check(
    client: Client, world: World, checks: dict[str, bool | str], status: int
) -> None:
    world.checks = checks
    reply = await client.call("GET", "/readyz")
    assert (reply.status, reply.json()) == (status, {"ready": status == 200, "checks": checks})


async def test_metrics_are_prometheus_text(client: Client) -> None:
    reply = await client.call("GET", "/metrics")
    assert b"ostiary_test_total 1.0" in reply.body
    assert reply.headers["content-type"].startswith("text/plain")


async def test_what_is_nowhere_is_a_problem_too(client: Client) -> None:
    assert (await client.call("GET", "/nowhere")).kind == "not-found"
    assert (await client.call("GET", "/v1/whoami/")).kind == "not-found"
    wrong = await client.call("PATCH", "/v1/whoami")
    assert (wrong.status, wrong.kind, wrong.headers["allow"]) == (405, "method-not-allowed", "GET")
