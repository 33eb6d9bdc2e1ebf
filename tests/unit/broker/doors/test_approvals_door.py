from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies.model import Assurance
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.world import World

APPROVALS = "/v1/approvals"


@pytest.fixture
async def waiting(client: Client, world: World) -> str:
    body = {"action": "git:push", "reason": "trust me\x1b[2J"}
    made = await client.call("POST", "/v1/intents", token=world.pusher_token, json_body=body)
    return str(made.json()["approval"]["id"])


@pytest.mark.req("H1")
async def test_an_approver_says_yes_and_the_intent_goes_on(client: Client, world: World, waiting: str) -> None:
    reply = await client.call("POST", f"{APPROVALS}/{waiting}/approve", token=world.ben, json_body={"reason": "fine"})
    shown = reply.json()
    assert (shown["state"], shown["decided_by"], shown["decision_reason"]) == ("approved", "ben", "fine")
    intent = await client.call("GET", f"/v1/intents/{shown['intent']}", token=world.pusher_token)
    assert intent.json()["state"] == "succeeded"


@pytest.mark.req("H3")
async def test_a_bearer_token_says_as_much_about_its_sender_as_a_browser(
    client: Client, world: World, waiting: str
) -> None:
    for verb in ("reject", "approve"):
        await client.call("POST", f"{APPROVALS}/{waiting}/{verb}", token=world.ben)
    assert world.assurances == ["web", "web"]


@pytest.mark.req("H2")
async def test_who_may_answer_and_how_surely_they_must_be_known_is_shown(
    client: Client, world: World, waiting: str
) -> None:
    [asked] = world.approvals_by_id.values()
    shown = (await client.call("GET", f"{APPROVALS}/{waiting}", token=world.eve)).json()
    assert (shown["approvers"], shown["assurance"]) == ([], "chat")
    world.approvals_by_id[asked.id] = replace(asked, approvers=("ben",), assurance=Assurance.PASSKEY)
    shown = (await client.call("GET", f"{APPROVALS}/{waiting}", token=world.eve)).json()
    assert (shown["approvers"], shown["assurance"]) == (["ben"], "passkey")


async def test_a_yes_needs_no_body(client: Client, world: World, waiting: str) -> None:
    reply = await client.call("POST", f"{APPROVALS}/{waiting}/approve", token=world.ben)
    assert (reply.status, reply.json()["decision_reason"]) == (200, None)


async def test_a_no_reaches_the_agent_with_its_reason(client: Client, world: World, waiting: str) -> None:
    reply = await client.call("POST", f"{APPROVALS}/{waiting}/reject", token=world.ben, json_body={"reason": "freeze"})
    assert reply.json()["state"] == "rejected"
    intent = await client.call("GET", f"/v1/intents/{reply.json()['intent']}", token=world.pusher_token)
    assert (intent.kind, intent.json()["reason"]) == ("approval-rejected", "freeze")


@pytest.mark.req("H3")
@pytest.mark.parametrize("who", ["pusher_token", "reader_token", "ana", "eve", "kim"])
@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_agents_and_operators_without_the_role_never_decide(
    client: Client, world: World, waiting: str, who: str, verb: str
) -> None:
    reply = await client.call("POST", f"{APPROVALS}/{waiting}/{verb}", token=getattr(world, who))
    assert (reply.status, reply.kind) == (403, "forbidden")
    assert next(iter(world.approvals_by_id.values())).state == "pending"


@pytest.mark.req("H3")
async def test_what_the_service_refuses_is_told_with_its_own_problem(
    client: Client, world: World, waiting: str
) -> None:
    unexplained = await client.call("POST", f"{APPROVALS}/{waiting}/reject", token=world.ben)
    assert unexplained.kind == "invalid-params"
    unknown = await client.call("POST", f"{APPROVALS}/{world.new_id('apr')}/approve", token=world.ben)
    assert unknown.kind == "not-found"
    await client.call("POST", f"{APPROVALS}/{waiting}/approve", token=world.ben)
    again = await client.call("POST", f"{APPROVALS}/{waiting}/approve", token=world.ben)
    assert (again.status, again.kind) == (409, "approval-conflict")


@pytest.mark.req("H1")
async def test_a_late_yes_counts_for_nothing(client: Client, world: World, waiting: str) -> None:
    world.clock.at_ns += 3600 * 10**9
    reply = await client.call("POST", f"{APPROVALS}/{waiting}/approve", token=world.ben)
    assert (reply.status, reply.kind) == (410, "approval-expired")


@pytest.mark.parametrize("body", [{"reason": 5}, {"reason": "x" * 1001}, {"approve": True}])
async def test_a_decision_of_another_shape_is_refused(
    client: Client, world: World, waiting: str, body: dict[str, Any]
) -> None:
    reply = await client.call("POST", f"{APPROVALS}/{waiting}/approve", token=world.ben, json_body=body)
    assert reply.kind == "malformed-request"
    assert next(iter(world.approvals_by_id.values())).state == "pending"


@pytest.mark.req("H2")
async def test_what_is_shown_was_computed_by_the_broker_and_the_parked_bytes_stay_hidden(
    client: Client, world: World, waiting: str
) -> None:
    reply = await client.call("GET", f"{APPROVALS}/{waiting}", token=world.eve)
    shown = reply.json()
    assert shown["summary"] == "push 1 ref to acme/app: refs/heads/main"
    assert shown["resources"] == ["repos/acme/app/branches/main"]
    assert list(shown)[-2:] == ["preview", "reason"]
    assert "DRAFT-BYTES" not in reply.body.decode()


@pytest.mark.req("H2")
async def test_the_effect_is_shown_with_one_approval_and_left_out_of_a_list(client: Client, world: World) -> None:
    preview = {"kind": "git.push", "totals": {"commits": 3}}
    body = {"action": "git:push", "params": preview}
    made = await client.call("POST", "/v1/intents", token=world.pusher_token, json_body=body)
    asked = made.json()["approval"]["id"]
    shown = (await client.call("GET", f"{APPROVALS}/{asked}", token=world.eve)).json()
    assert (shown["preview"], shown["connection"], shown["policy_version"]) == (preview, "code", "v1")
    listed = (await client.call("GET", APPROVALS, token=world.eve)).json()["approvals"]
    assert [each["preview"] for each in listed] == [None]
    decided = await client.call("POST", f"{APPROVALS}/{asked}/approve", token=world.ben)
    assert decided.json()["preview"] == preview


@pytest.mark.req("S1")
async def test_an_agent_sees_the_approvals_of_its_own_session_only(client: Client, world: World, waiting: str) -> None:
    own = await client.call("GET", APPROVALS, token=world.pusher_token)
    assert [item["id"] for item in own.json()["approvals"]] == [waiting]
    assert (await client.call("GET", f"{APPROVALS}/{waiting}", token=world.pusher_token)).status == 200
    other = await client.call("GET", APPROVALS, token=world.reader_token)
    assert other.json() == {"approvals": []}
    hidden = await client.call("GET", f"{APPROVALS}/{waiting}", token=world.reader_token)
    assert hidden.kind == "not-found"


async def test_lists_are_filtered_by_state_and_project(client: Client, world: World, waiting: str) -> None:
    async def ids(query: str) -> list[str]:
        reply = await client.call("GET", f"{APPROVALS}?{query}", token=world.eve)
        return [item["id"] for item in reply.json()["approvals"]]

    assert await ids("state=pending&project=web") == [waiting]
    assert await ids("state=rejected") == []
    assert await ids("project=data") == []
    assert (await client.call("GET", f"{APPROVALS}?state=maybe", token=world.eve)).kind == "malformed-request"
    assert (await client.call("GET", f"{APPROVALS}?stat=pending", token=world.eve)).kind == "malformed-request"
    assert (await client.call("GET", APPROVALS, token=world.kim)).kind == "forbidden"
    assert (await client.call("GET", f"{APPROVALS}/{waiting}", token=world.kim)).kind == "forbidden"
    assert (await client.call("GET", f"{APPROVALS}/{world.new_id('apr')}", token=world.eve)).kind == "not-found"
