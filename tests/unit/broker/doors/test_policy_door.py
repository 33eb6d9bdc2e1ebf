"""``/v1/policy``: operators' questions about policies; agents never get there."""

from __future__ import annotations

import pytest

from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.world import World

DRAFT = {"policies/ci-runner.yaml": "policies:\n  - git:* on **\n"}


@pytest.mark.req("P4")
async def test_lint_can_i_and_who_can_answer_about_the_configuration_in_force(client: Client, world: World) -> None:
    assert (await client.call("GET", "/v1/policy/lint", token=world.ana)).status == 200
    grants = await client.call("GET", "/v1/policy/can-i?agent=ci-runner&action=git:read", token=world.ana)
    assert [row["resource"] for row in grants.json()["rows"]] == ["repos/*/*"]
    who = await client.call("GET", "/v1/policy/who-can?action=git:read&resource=repos/a/b", token=world.ana)
    assert [row["agent"] for row in who.json()["rows"]] == ["ci-runner"]
    missing = await client.call("GET", "/v1/policy/can-i?agent=nobody", token=world.ana)
    assert missing.kind == "not-found"


@pytest.mark.req("P4")
async def test_a_draft_is_compared_and_never_kept(client: Client, world: World) -> None:
    before = dict(world.files)
    reply = await client.call("POST", "/v1/policy/diff", token=world.ana, json_body={"files": DRAFT})
    assert any(row["widens"] for row in reply.json()["rows"])
    assert world.files == before
    gone = await client.call(
        "POST", "/v1/policy/diff", token=world.ana, json_body={"removed": ["policies/ci-runner.yaml"]}
    )
    assert {row["change"] for row in gone.json()["rows"]} == {"newly denied"}


async def test_a_faulty_draft_comes_back_with_every_place(client: Client, world: World) -> None:
    files = {"policies/ci-runner.yaml": "policies:\n  - git:reed on repos/*\n  - x\n"}
    reply = await client.call("POST", "/v1/policy/diff", token=world.ana, json_body={"files": files})
    assert reply.kind == "invalid-params"
    assert [(each["file"], each["line"]) for each in reply.json()["errors"]] == [
        ("policies/ci-runner.yaml", 2), ("policies/ci-runner.yaml", 3),
    ]  # fmt: skip
    odd = {"files": {"../etc/passwd": "x"}}
    assert (await client.call("POST", "/v1/policy/diff", token=world.ana, json_body=odd)).kind == "malformed-request"


@pytest.mark.req("P4")
async def test_replay_unused_and_suggest_read_the_ledger(client: Client, world: World) -> None:
    replayed = await client.call("POST", "/v1/policy/replay", token=world.ana, json_body={"files": DRAFT})
    assert (replayed.status, replayed.json()["intents"]) == (200, 0)
    used = await client.call("GET", "/v1/policy/unused?since_seconds=60", token=world.ana)
    assert used.json()["unused"] == len(used.json()["rules"])
    suggested = await client.call("GET", "/v1/policy/suggest?agent=ci-runner", token=world.ana)
    assert [each["agent"] for each in suggested.json()["suggestions"]] == ["ci-runner"]


async def test_editors_get_the_schema(client: Client, world: World) -> None:
    reply = await client.call("GET", "/v1/policy/schema", token=world.ana)
    assert reply.json()["$schema"].startswith("https://json-schema.org/")


@pytest.mark.req("S1")
async def test_nobody_but_auditors_and_admins_gets_there(client: Client, world: World) -> None:
    for path in ("lint", "schema", "unused", "suggest", "can-i?agent=ci-runner"):
        for token in (world.reader_token, world.ben, world.kim):
            assert (await client.call("GET", f"/v1/policy/{path}", token=token)).kind == "forbidden"
