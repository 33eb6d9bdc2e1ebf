from __future__ import annotations

from typing import Any

import pytest

from broker.doors.intents import MAX_REASON_CHARS
from broker.doors.problems import TABLE
from broker.outcome import ProblemKind
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.parts import CANARY
from tests.unit.broker.doors.world import World

INTENTS = "/v1/intents"


@pytest.mark.req("A1")
async def test_an_allowed_intent_comes_back_done_with_its_result(client: Client, world: World) -> None:
    reply = await client.call(
        "POST", INTENTS, token=world.reader_token, json_body={"action": "s3:HeadObject", "params": {"Key": "a/b"}}
    )
    assert reply.status == 200
    shown = reply.json()
    assert shown["state"] == "succeeded"
    assert shown["result"] == {"params": {"Key": "a/b"}}
    assert (shown["output"], shown["approval"], shown["decision"], shown["replayed"]) == (None, None, None, False)
    assert world.drafts[0].params == {"Key": "a/b"}


async def test_every_part_of_the_request_reaches_the_broker_unchanged(client: Client, world: World) -> None:
    await client.call(
        "POST",
        INTENTS,
        token=world.reader_token,
        json_body={
            "action": "s3:HeadObject",
            "params": {"n": 1, "deep": [{"ü": None}]},
            "resource": "arn:aws:s3:::b/k",
            "connection": "aws-main",
            "reason": "why not",
            "dry_run": False,
        },
        headers={"Idempotency-Key": "key-1"},
    )
    draft = world.drafts[0]
    assert draft.params == {"n": 1, "deep": [{"ü": None}]}
    assert (draft.resource, draft.connection, draft.reason) == ("arn:aws:s3:::b/k", "aws-main", "why not")
    assert (draft.idempotency_key, draft.dry_run) == ("key-1", False)


@pytest.mark.req("P2")
async def test_a_denied_intent_says_which_rule_and_what_would_help(client: Client, world: World) -> None:
    reply = await client.call("POST", INTENTS, token=world.reader_token, json_body={"action": "s3:DeleteObject"})
    assert reply.status == 403
    assert reply.kind == "denied"
    shown = reply.json()
    assert shown["rule"] == "default deny"
    assert shown["reason"] == "no rule"
    assert shown["fix"] == "ask for: `x`"
    assert shown["state"] == "denied"
    assert shown["instance"] == f"/v1/intents/{shown['intent']}"
    assert shown["decision"]["effect"] == "deny"
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.req("H1")
async def test_an_intent_that_needs_a_person_is_pending_and_says_where_to_look(client: Client, world: World) -> None:
    reply = await client.call("POST", INTENTS, token=world.pusher_token, json_body={"action": "git:push"})
    assert reply.status == 202
    shown = reply.json()
    assert shown["state"] == "pending_approval"
    assert reply.headers["location"] == f"/v1/intents/{shown['intent']}"
    assert int(reply.headers["retry-after"]) > 0
    assert shown["approval"]["id"] in world.approvals_by_id
    assert shown["approval"]["expires_at"].endswith("Z")
    again = await client.call("GET", reply.headers["location"], token=world.pusher_token)
    assert (again.status, again.json()) == (202, shown)


@pytest.mark.parametrize("kind", list(ProblemKind))
async def test_every_kind_of_problem_is_told_with_its_status_and_its_members(
    client: Client, world: World, kind: ProblemKind
) -> None:
    reply = await client.call("POST", INTENTS, token=world.reader_token, json_body={"action": f"fault:{kind}"})
    status, title = TABLE[kind]
    shown = reply.json()
    assert (reply.status, shown["status"], shown["title"]) == (status, status, title)
    assert reply.kind == kind
    assert reply.headers["retry-after"] == "7"
    assert (shown["rule"], shown["reason"], shown["fix"]) == ("policies/a.yaml:3 (a)", "because", "do this")
    assert ("www-authenticate" in reply.headers) is (status == 401)
    again = await client.call("GET", shown["instance"], token=world.reader_token)
    assert (again.status, again.json()) == (status, shown)


async def test_a_dry_run_is_answered_with_the_decision_even_where_a_person_would_be_asked(
    client: Client, world: World
) -> None:
    body = {"action": "git:push", "dry_run": True}
    reply = await client.call("POST", INTENTS, token=world.pusher_token, json_body=body)
    assert reply.status == 200
    assert reply.json()["dry_run"] is True
    assert reply.json()["decision"]["effect"] == "allow"
    assert world.approvals_by_id == {}


async def test_the_same_idempotency_key_brings_back_the_first_outcome(client: Client, world: World) -> None:
    sent: dict[str, Any] = {"json_body": {"action": "s3:HeadObject"}, "headers": {"Idempotency-Key": "k" * 128}}
    first = await client.call("POST", INTENTS, token=world.reader_token, **sent)
    second = await client.call("POST", INTENTS, token=world.reader_token, **sent)
    assert second.json() == {**first.json(), "replayed": True}


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 129, "ä", "a\x7f"])
async def test_what_is_no_idempotency_key_is_refused(client: Client, world: World, key: str) -> None:
    reply = await client.call(
        "POST",
        INTENTS,
        token=world.reader_token,
        json_body={"action": "s3:HeadObject"},
        headers={"Idempotency-Key": key},
    )
    assert reply.kind == "malformed-request"
    assert world.drafts == []


@pytest.mark.parametrize(
    ("prefer", "waited"),
    [
        ("wait=5", 5),
        ("respond-async, wait=7", 7),
        ("WAIT = 9", 9),
        ("wait=99999999999999999999", 60),
        ("wait=-1", 0),
        ("wait=x", 0),
        ("wait=٣", 0),
        ("waits=3", 0),
        ("", 0),
    ],
)
async def test_a_wait_is_capped_and_an_unreadable_one_ignored(
    client: Client, world: World, prefer: str, waited: int
) -> None:
    reply = await client.call(
        "POST",
        INTENTS,
        token=world.reader_token,
        json_body={"action": "s3:HeadObject"},
        headers={"Prefer": prefer.encode().decode("latin-1")},
    )
    assert world.waits == [waited]
    assert reply.headers.get("preference-applied", "wait=0") == f"wait={waited}"


async def test_the_agents_words_are_clipped(client: Client, world: World) -> None:
    body = {"action": "s3:HeadObject", "reason": "x" * (MAX_REASON_CHARS + 1)}
    await client.call("POST", INTENTS, token=world.reader_token, json_body=body)
    assert world.drafts[0].reason == "x" * MAX_REASON_CHARS


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": 1}, "/action"),
        ({"action": ""}, "/action"),
        ({"action": "x" * 129}, "/action"),
        ({"params": {}}, "/action"),
        ({"action": "a:b", "params": []}, "/params"),
        ({"action": "a:b", "params": None}, "/params"),
        ({"action": "a:b", "dry_run": "true"}, "/dry_run"),
        ({"action": "a:b", "dry_run": 1}, "/dry_run"),
        ({"action": "a:b", "reason": 1}, "/reason"),
        ({"action": "a:b", "resource": "r" * 2049}, "/resource"),
        ({"action": "a:b", "connection": ["c"]}, "/connection"),
        ({"action": "a:b", "admin": True}, "/admin"),
        ({"action": "a:b", "\x1b[2J/~": True}, "/?[2J~1~0"),
    ],
)
@pytest.mark.req("O2")
async def test_wrong_types_are_refused_with_their_place_and_without_their_value(
    client: Client, world: World, body: dict[str, Any], pointer: str
) -> None:
    reply = await client.call("POST", INTENTS, token=world.reader_token, json_body=body)
    assert (reply.status, reply.kind) == (400, "malformed-request")
    assert reply.json()["errors"][0]["pointer"] == pointer
    assert "input" not in reply.json()["errors"][0]
    assert world.drafts == []


async def test_an_operator_makes_no_intents_and_reads_none(client: Client, world: World) -> None:
    made = await client.call("POST", INTENTS, token=world.ana, json_body={"action": "s3:HeadObject"})
    assert made.kind == "forbidden"
    read = await client.call("GET", f"{INTENTS}/{world.new_id('int')}", token=world.ana)
    assert read.kind == "forbidden"
    assert world.drafts == []


async def test_only_post_makes_intents(client: Client) -> None:
    reply = await client.call("PUT", INTENTS)
    assert reply.kind == "method-not-allowed"
    assert reply.headers["allow"] == "POST"


@pytest.mark.req("S1")
async def test_another_sessions_intent_looks_like_none(client: Client, world: World) -> None:
    made = await client.call("POST", INTENTS, token=world.reader_token, json_body={"action": "s3:HeadObject"})
    path = f"{INTENTS}/{made.json()['intent']}"
    other = await client.call("GET", path, token=world.pusher_token)
    none = await client.call("GET", f"{INTENTS}/{world.new_id('int')}", token=world.pusher_token)
    assert other.status == 404
    assert other.body == none.body
    own = await client.call("GET", path, token=world.reader_token)
    assert own.json() == made.json()


@pytest.mark.parametrize(
    "name", ["x", "int_", "int_" + "a" * 25, "int_" + "A" * 26, "int_" + "i" * 26, "ses_" + "a" * 26]
)
async def test_an_id_that_cannot_be_is_not_found(client: Client, world: World, name: str) -> None:
    reply = await client.call("GET", f"{INTENTS}/{name}", token=world.reader_token)
    assert reply.kind == "not-found"


async def test_waiting_for_a_pending_intent_ends_when_a_person_has_answered(client: Client, world: World) -> None:
    made = await client.call("POST", INTENTS, token=world.pusher_token, json_body={"action": "git:push"})
    [approval_id] = world.approvals_by_id

    async def approve() -> None:
        await client.call("POST", f"/v1/approvals/{approval_id}/approve", token=world.ben)

    world.before_second_look = approve
    reply = await client.call("GET", made.headers["location"], token=world.pusher_token, headers={"Prefer": "wait=30"})
    assert (reply.status, reply.json()["state"]) == (200, "succeeded")
    assert reply.headers["preference-applied"] == "wait=30"


@pytest.mark.req("O2")
async def test_an_unexpected_fault_tells_an_id_and_nothing_else(
    client: Client, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = await client.call("POST", INTENTS, token=world.reader_token, json_body={"action": "fault:boom"})
    assert (reply.status, reply.kind) == (500, "internal")
    assert CANARY not in reply.body.decode()
    error_id = reply.json()["instance"].removeprefix("urn:ostiary:error:")
    logged = "".join(capsys.readouterr())
    assert error_id in logged
    assert "RuntimeError" in logged
    assert CANARY not in logged
    assert world.reader_token not in logged


async def test_a_ledger_that_cannot_write_is_told_as_such(client: Client, world: World) -> None:
    reply = await client.call("POST", INTENTS, token=world.reader_token, json_body={"action": "fault:ledger"})
    assert (reply.status, reply.kind) == (503, "ledger-unavailable")
    assert CANARY not in reply.body.decode()
    assert reply.headers["retry-after"] == "5"
