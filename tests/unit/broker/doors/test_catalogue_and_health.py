from __future__ import annotations

import pytest

from connectors.aws import model
from connectors.aws.connector import AwsConnector
from tests.unit.broker.doors.asgi import Client, Reply
from tests.unit.broker.doors.world import World


def names(reply: Reply) -> list[str]:
    return [item["action"] for item in reply.json()["actions"]]


@pytest.fixture
def aws(world: World) -> World:
    """A world in which all of AWS is offered, to an agent whose policy speaks of little."""
    world.connectors = {**world.connectors, "aws": AwsConnector()}  # type: ignore[dict-item]  # the fakes are typed as such
    world.policy = "policies: [s3:GetObject on lake/*, ecs:Describe* on **, deny sqs:* on **]\n"
    return world


@pytest.mark.req("A1")
async def test_an_agent_sees_the_operations_of_its_projects_connectors(client: Client, world: World) -> None:
    reply = await client.call("GET", "/v1/actions?all=true", token=world.reader_token)
    assert names(reply) == ["s3:Again", "s3:Read"]
    item = reply.json()["actions"][0]
    assert (item["connections"], item["asks"]) == (["aws-main"], ["s3:Again"])
    assert (reply.json()["total"], reply.json()["services"], reply.json()["next"]) == (2, {"s3": 2}, None)


async def test_an_operator_sees_all_and_a_key_admin_none(client: Client, world: World) -> None:
    reply = await client.call("GET", "/v1/actions", token=world.eve)
    assert names(reply) == ["git:Again", "git:Read", "s3:Again", "s3:Read"]
    for path in ("/v1/actions", "/v1/actions/s3:Read"):
        assert (await client.call("GET", path, token=world.kim)).kind == "forbidden"


async def test_an_agent_of_a_project_that_was_removed_sees_nothing(client: Client, world: World) -> None:
    world.config.projects.clear()
    reply = await client.call("GET", "/v1/actions", token=world.reader_token)
    assert reply.json() == {"actions": [], "total": 0, "services": {}, "next": None}
    assert (await client.call("GET", "/v1/actions/s3:Read", token=world.reader_token)).kind == "not-found"


async def test_one_action_has_its_schema_and_an_example(client: Client, world: World) -> None:
    item = (await client.call("GET", "/v1/actions/s3:Read", token=world.reader_token)).json()
    assert (item["params_schema"], item["example"], item["resources"]) == ({"type": "object"}, {"x": "y"}, ["r/{x}"])
    assert (await client.call("GET", "/v1/actions/git:Read", token=world.reader_token)).kind == "not-found"


async def test_without_a_filter_an_agent_gets_what_its_policy_may_let_it_do(client: Client, aws: World) -> None:
    reply = await client.call("GET", "/v1/actions", token=aws.reader_token)
    assert {"s3:GetObject", "s3:HeadObject", "ecs:DescribeServices"} <= set(names(reply))
    assert {"ecs", "s3"} == set(reply.json()["services"])
    assert reply.json()["total"] == len(names(reply)) < 30
    everything = (await client.call("GET", "/v1/actions?all=true", token=aws.reader_token)).json()
    assert (everything["total"], len(everything["actions"])) == (19_796, 50)
    assert everything["services"]["sqs"] == 23


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("service=sqs&q=purge", ["sqs:PurgeQueue"]),
        ("service=states&q=StartSync", ["stepfunctions:StartSyncExecution"]),
        ("q=getobjecttagging", ["s3:GetObjectTagging"]),
        ("service=nope", []),
    ],
)
async def test_actions_are_found_by_service_and_by_part_of_the_name(
    client: Client, aws: World, query: str, found: list[str]
) -> None:
    assert names(await client.call("GET", f"/v1/actions?all=true&{query}", token=aws.reader_token)) == found


async def test_page_by_page_every_action_is_seen_once(client: Client, aws: World) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        path = f"/v1/actions?all=true&service=s3&limit=40&cursor={cursor}"
        reply = await client.call("GET", path, token=aws.reader_token)
        assert bool(reply.json()["services"]) == (cursor == "")
        seen += names(reply)
        cursor = reply.json()["next"]
    assert seen == sorted(set(seen))
    assert {name for name in AwsConnector().operations if name.startswith("s3:")} < set(seen)


async def test_a_page_is_small_and_reads_no_model(client: Client, aws: World) -> None:
    before = model.read_model.cache_info().misses
    reply = await client.call("GET", "/v1/actions?all=true&limit=200", token=aws.reader_token)
    assert len(reply.body) < 100_000
    assert model.read_model.cache_info().misses == before


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "q=%00", "cursor=a%20b", "what=1", "q=" + "x" * 129]
)
async def test_a_filter_out_of_bounds_is_refused(client: Client, world: World, query: str) -> None:
    assert (await client.call("GET", f"/v1/actions?{query}", token=world.reader_token)).status in {400, 422}


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
