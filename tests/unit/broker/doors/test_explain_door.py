"""``/v1/explain`` and what ``/v1/actions`` says of rules: an agent learns about itself only."""

from __future__ import annotations

import pytest

from broker.clock import NS_PER_SECOND
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.world import World

PATH = "/v1/explain"


@pytest.mark.req("P4")
async def test_an_agent_learns_which_rule_decides_about_it(client: Client, world: World) -> None:
    wanted = {"action": "s3:GetObject", "resource": "lake/secret/a"}
    reply = await client.call("POST", PATH, token=world.reader_token, json_body=wanted)
    said = reply.json()
    assert (reply.status, said["effect"]) == (200, "deny")
    (match, _) = said["requirements"][0]["layers"][0]["matches"]
    assert (match["file"], match["line"], match["effect"]) == ("policies/reader.yaml", 3, "deny")
    assert said["fix"]
    assert len(said["policy_version"]) == 64


async def test_a_question_does_and_records_nothing(client: Client, world: World) -> None:
    before = list(world.events)
    await client.call(
        "POST", PATH, token=world.reader_token, json_body={"action": "s3:GetObject", "resource": "lake/a"}
    )
    assert (world.events, world.drafts) == (before, [])


async def test_the_strictest_requirement_is_the_answer(client: Client, world: World) -> None:
    params = {"lake/a": 1, "nowhere": 1}
    wanted = {"action": "s3:GetObject", "params": params}
    reply = await client.call("POST", PATH, token=world.reader_token, json_body=wanted)
    assert [each["effect"] for each in reply.json()["requirements"]] == ["deny", "allow"]
    assert reply.json()["effect"] == "deny"


async def test_the_moment_and_facts_can_be_supposed(client: Client, world: World) -> None:
    wanted = {
        "action": "s3:GetObject", "resource": "lake/a",
        "at": "2027-01-15T08:00:00Z", "context": {"source_ip": "10.0.0.1"},
    }  # fmt: skip
    await client.call("POST", PATH, token=world.reader_token, json_body=wanted)
    _, draft, facts, now_ns = world.questions[0]
    assert (facts, now_ns) == ({"source_ip": "10.0.0.1"}, 1_800_000_000 * NS_PER_SECOND)
    assert draft.source_ip == "127.0.0.1"


@pytest.mark.req("S1")
async def test_an_agent_cannot_ask_about_another(client: Client, world: World) -> None:
    wanted = {"action": "s3:GetObject", "resource": "lake/a", "agent": "pusher"}
    assert (await client.call("POST", PATH, token=world.reader_token, json_body=wanted)).kind == "forbidden"
    wanted["agent"] = "reader"
    assert (await client.call("POST", PATH, token=world.reader_token, json_body=wanted)).status == 200


async def test_an_operator_who_may_read_asks_about_any_agent(client: Client, world: World) -> None:
    wanted = {"action": "s3:GetObject", "resource": "lake/a", "agent": "pusher"}
    reply = await client.call("POST", PATH, token=world.eve, json_body=wanted)
    assert reply.json()["effect"] == "allow"
    session, draft, _, _ = world.questions[0]
    assert (session.id, session.agent, session.project, draft.source_ip) == ("", "pusher", "web", "")
    wanted["agent"] = "nobody"
    assert (await client.call("POST", PATH, token=world.eve, json_body=wanted)).kind == "not-found"
    assert (await client.call("POST", PATH, token=world.kim, json_body=wanted)).kind == "forbidden"


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        ({"action": "s3:Unknown", "params": {"a": 1}}, "unknown-action"),
        ({"action": "s3:GetObject", "resource": "lake/a", "at": "tomorrow"}, "invalid-params"),
        ({"action": "", "resource": "lake/a"}, "malformed-request"),
        ({"action": "s3:GetObject", "resource": "lake/a", "context": {"x": [1]}}, "malformed-request"),
        ({"action": "s3:GetObject", "resorce": "lake/a"}, "malformed-request"),
    ],
)
async def test_what_cannot_be_explained_is_a_problem(
    client: Client, world: World, wanted: dict[str, object], kind: str
) -> None:
    assert (await client.call("POST", PATH, token=world.reader_token, json_body=wanted)).kind == kind


@pytest.mark.req("P4")
async def test_an_agent_sees_the_rules_about_each_of_its_actions(client: Client, world: World) -> None:
    world.policy = (
        "policies:\n  - s3:* on lake/*\n  - deny s3:Read on lake/x\n"
        '  - {allow: s3:Again on b, until: "2099-01-01T00:00:00Z"}\n'
    )
    again, read = [
        (await client.call("GET", f"/v1/actions/{name}", token=world.reader_token)).json()
        for name in ("s3:Again", "s3:Read")
    ]
    assert [(rule["effect"], rule["resources"]) for rule in read["rules"]] == [
        ("allow", ["lake/*"]),
        ("deny", ["lake/x"]),
    ]
    assert [rule["conditional"] for rule in again["rules"]] == [False, True]
    assert read["rules"][0]["place"] == "policies/reader.yaml:2"
    assert read["more_rules"] == 0


async def test_many_rules_are_counted_and_not_all_listed(client: Client, world: World) -> None:
    world.policy = "policies:\n" + "".join(f"  - s3:Read on lake/{number}\n" for number in range(60))
    read = (await client.call("GET", "/v1/actions/s3:Read", token=world.reader_token)).json()
    assert (len(read["rules"]), read["more_rules"]) == (50, 10)
    assert (await client.call("GET", "/v1/actions/s3:Read", token=world.eve)).json()["rules"] == []


async def test_of_very_many_pairs_the_strictest_are_explained(client: Client, world: World) -> None:
    params = {f"lake/{number}": 1 for number in range(30)} | {"nowhere": 1}
    reply = await client.call(
        "POST", PATH, token=world.reader_token, json_body={"action": "s3:GetObject", "params": params}
    )
    said = reply.json()
    assert (said["effect"], said["asked"], len(said["requirements"])) == ("deny", 31, 20)
    assert said["requirements"][0]["resource"] == "nowhere"


async def test_what_is_no_resource_is_a_denial_with_its_error(client: Client, world: World) -> None:
    wanted = {"action": "s3:GetObject", "resource": "lake/\n"}
    said = (await client.call("POST", PATH, token=world.reader_token, json_body=wanted)).json()
    assert said["effect"] == "deny"
    assert said["requirements"][0]["errors"]
