from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.credentials import ContainerProvider

from broker.access_keys import session_of
from broker.clock import NS_PER_SECOND
from broker.doors.app import create_app
from broker.doors.aws_keys import PATH, SECURITY_TOKEN
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.parts import CANARY, FakeProject
from tests.unit.broker.doors.server import serving
from tests.unit.broker.doors.world import World


async def test_a_session_is_shown_its_own_access_key_until_its_end(client: Client, world: World) -> None:
    reply = await client.call("GET", PATH, token=world.reader_token)
    session = world.session_of(world.reader_token)
    shown = reply.json()
    assert (reply.status, reply.headers["cache-control"]) == (200, "no-store")
    assert session_of(shown["AccessKeyId"]) == session.id
    assert shown["SecretAccessKey"] == (await world.aws_secret(session.id)).reveal().decode()
    assert (shown["Token"], shown["Region"]) == (SECURITY_TOKEN, "eu-central-1")
    ends = datetime.fromisoformat(shown["Expiration"])
    assert ends == datetime.fromtimestamp(session.expires_at_ns / NS_PER_SECOND, UTC)


async def test_two_sessions_have_different_keys(client: Client, world: World) -> None:
    own = (await client.call("GET", PATH, token=world.reader_token)).json()
    other = (await client.call("GET", PATH, token=world.session("reader"))).json()
    assert own["AccessKeyId"] != other["AccessKeyId"]
    assert own["SecretAccessKey"] != other["SecretAccessKey"]


@pytest.mark.parametrize(
    ("name", "region"), [("aws-main", "eu-central-1"), ("aws-far", "us-east-2"), ("git-main", ""), ("other", "")]
)
async def test_the_region_is_that_of_the_named_connection_if_the_project_has_it(
    client: Client, world: World, name: str, region: str
) -> None:
    world.config.connections["aws-far"] = _far(world)
    world.config.connections["other"] = _far(world)
    world.config.projects["data"] = FakeProject(("git-main", "aws-main", "gone", "aws-far"))
    reply = await client.call("GET", f"{PATH}?connection={name}", token=world.reader_token)
    if region:
        assert reply.json()["Region"] == region
    else:
        assert reply.kind == "not-found"


def _far(world: World) -> Any:
    near = world.config.connections["aws-main"]
    return type(near)("aws-far", "aws", near.credential, {"regions": ["us-east-2"]})


async def test_a_session_without_a_connection_to_aws_has_no_key(client: Client, world: World) -> None:
    assert (await client.call("GET", PATH, token=world.pusher_token)).kind == "not-found"
    del world.config.projects["web"]
    assert (await client.call("GET", PATH, token=world.pusher_token)).kind == "not-found"


async def test_an_operator_and_a_session_that_is_over_have_none(client: Client, world: World) -> None:
    assert (await client.call("GET", PATH, token=world.ana)).kind == "forbidden"
    await world.sessions.kill(world.session_of(world.reader_token).id, world.config.operators["ana"])
    assert (await client.call("GET", PATH, token=world.reader_token)).kind == "session-expired"


async def test_a_vault_that_is_away_is_a_problem_to_be_tried_again(client: Client, world: World) -> None:
    world.vault_away = True
    reply = await client.call("GET", PATH, token=world.reader_token)
    assert (reply.status, reply.kind) == (503, "vault-unavailable")
    assert int(reply.headers["retry-after"]) > 0
    assert CANARY not in reply.body.decode()


async def test_the_secret_is_in_no_log(client: Client, world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = (await client.call("GET", PATH, token=world.reader_token)).json()["SecretAccessKey"]
    assert secret not in caplog.text
    assert world.reader_token not in caplog.text


@pytest.fixture
def url(world: World) -> Iterator[str]:
    world.clock.at_ns = int(datetime.now(UTC).timestamp()) * NS_PER_SECOND
    with serving(create_app(world)) as (host, port):
        yield f"http://{host}:{port}"


def test_an_sdk_fetches_them_as_container_credentials(world: World, url: str) -> None:
    token = world.session("reader")
    environment = {
        ContainerProvider.ENV_VAR_FULL: url + PATH,
        ContainerProvider.ENV_VAR_AUTH_TOKEN: f"Bearer {token}",
    }
    found = ContainerProvider(environ=environment).load().get_frozen_credentials()
    assert session_of(found.access_key) == world.session_of(token).id
    assert found.token == SECURITY_TOKEN
