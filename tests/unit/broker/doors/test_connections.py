from __future__ import annotations

import pytest

from broker.doors.connections import PATH
from connectors.base import Connection
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.parts import FakeProject
from tests.unit.broker.doors.world import World


@pytest.fixture
def world(world: World) -> World:
    credential = world.config.connections["git-main"].credential
    for name, connector in (("code", "git"), ("hub", "github")):
        options = {"url": "https://git.example", "api_key": "s3cr3t"}
        world.config.connections[name] = Connection(name, connector, credential, options)
    return world


async def test_an_agent_sees_the_connections_of_its_project_and_the_addresses_of_git_hosts(
    client: Client, world: World
) -> None:
    world.config.projects["data"] = FakeProject(("code", "hub", "gone", "aws-main"))
    reply = await client.call("GET", PATH, token=world.reader_token)
    assert reply.json() == {
        "connections": [
            {"name": "code", "connector": "git", "url": "https://git.example"},
            {"name": "hub", "connector": "github", "url": ""},
            {"name": "aws-main", "connector": "aws", "url": ""},
        ]
    }
    assert "s3cr3t" not in reply.body.decode()


async def test_a_project_that_is_gone_has_no_connections_and_an_operator_has_no_project(
    client: Client, world: World
) -> None:
    del world.config.projects["data"]
    assert (await client.call("GET", PATH, token=world.reader_token)).json() == {"connections": []}
    assert (await client.call("GET", PATH, token=world.ana)).kind == "forbidden"
    assert (await client.call("GET", PATH)).kind == "unauthenticated"
