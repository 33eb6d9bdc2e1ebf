from __future__ import annotations

import pytest

from broker.doors.llm.models import offered_by
from broker.doors.llm.words import Envelope
from connectors.base import Connection
from connectors.llm.prices import known_models
from tests.unit.broker.doors.asgi import Client, Reply
from tests.unit.broker.doors.llm.house import OPTIONS, LlmWorld
from tests.unit.broker.doors.parts import FakeProject
from vault.model import CredentialRef

pytestmark = pytest.mark.req("A5")


async def listed(client: Client, world: LlmWorld, path: str = "/v1/models", *, anthropic: bool = True) -> Reply:
    name, value = ("x-api-key", world.pusher_token) if anthropic else ("Authorization", f"Bearer {world.pusher_token}")
    return await client.call("GET", path, headers={name: value})


def ids(reply: Reply) -> list[str]:
    return [each["id"] for each in reply.json()["data"]]


async def test_clients_of_anthropic_get_its_list_with_the_names_of_ones_own_first(
    world: LlmWorld, client: Client
) -> None:
    reply = await listed(client, world, "/v1/models?limit=1000")
    body, found = reply.json(), ids(reply)
    assert (reply.status, body["has_more"], body["first_id"], body["last_id"]) == (200, False, "sonnet", found[-1])
    assert set(found) == {"sonnet", "claude-next", *known_models("anthropic")}
    assert all(set(each) == {"type", "id", "display_name", "created_at"} for each in body["data"])
    assert "claude-opus-4-8" in found


async def test_all_others_get_openais_list(world: LlmWorld, client: Client) -> None:
    reply = await listed(client, world, anthropic=False)
    found = ids(reply)
    assert reply.json()["object"] == "list"
    assert {"fast", "gpt-5", "gpt-9-azure", "gpt-5-mini"} <= set(found)
    assert not any(each.startswith("claude") for each in found)
    others = {each for each in found if "/" in each}
    assert others == {f"mistral/{name}" for name in known_models("mistral")}
    assert reply.json()["data"][0] == {"id": "fast", "object": "model", "created": 0, "owned_by": "openai"}
    both = await client.call("GET", "/v1/models", token=world.pusher_token, headers={"anthropic-version": "2023-06-01"})
    assert "sonnet" in ids(both)


async def test_what_policy_denies_is_not_listed_and_not_found(world: LlmWorld, client: Client) -> None:
    names = ("anthropic/claude-opus-4-8", "openai/gpt-5-nano", "mistral/mistral-large-latest")
    world.unlisted = {f"llm:InvokeModel models/{name}" for name in names}
    assert "claude-opus-4-8" not in ids(await listed(client, world))
    # One is asked for in place of another, and policy is asked about that one.
    assert not {"fast", "gpt-5-nano", "gpt-5-mini"} & set(ids(await listed(client, world, anthropic=False)))
    reply = await listed(client, world, "/v1/models/claude-opus-4-8")
    assert (reply.status, reply.json()["error"]["type"]) == (404, "not_found_error")
    assert (await listed(client, world, "/v1/models/fast", anthropic=False)).status == 404


async def test_one_model_is_found_by_the_name_it_is_listed_under(world: LlmWorld, client: Client) -> None:
    assert (await listed(client, world, "/v1/models/sonnet")).json()["id"] == "sonnet"
    mistral = known_models("mistral")[0]
    for path in (f"/v1/models/mistral/{mistral}", f"/llm/models/v1/models/mistral%2F{mistral}"):
        assert (await listed(client, world, path, anthropic=False)).json()["owned_by"] == "mistral"
    assert (await listed(client, world, "/v1/models/lost")).status == 404


async def test_only_the_connections_of_the_project_count_and_the_named_one_of_them(
    world: LlmWorld, client: Client
) -> None:
    assert ids(await listed(client, world, "/llm/more/v1/models")) == []
    world.config.projects["web"] = FakeProject(("more",))
    reply = await listed(client, world, anthropic=False)
    assert reply.json() == {"object": "list", "data": []}
    # Bedrock serves Anthropic's, and what is on no list of prices would be refused.
    assert set(ids(await listed(client, world))) <= set(known_models("anthropic"))
    assert "claude-opus-4-8" in ids(await listed(client, world))
    del world.config.projects["web"]
    reply = await listed(client, world)
    assert reply.json() == {"data": [], "has_more": False, "first_id": None, "last_id": None}


async def test_a_head_has_no_body_and_a_stranger_no_list(world: LlmWorld, client: Client) -> None:
    reply = await client.call("HEAD", "/v1/models", headers={"x-api-key": world.pusher_token})
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["content-length"]) > 100
    assert (await client.call("GET", "/v1/models")).status == 401


def test_two_connections_list_a_model_once() -> None:
    twice = [Connection(name, "llm", CredentialRef("llm/x"), OPTIONS) for name in ("a", "b")]
    found = [each.id for each in offered_by(twice, Envelope.OPENAI)]
    assert len(found) == len(set(found)) == len(offered_by(twice[:1], Envelope.OPENAI))
