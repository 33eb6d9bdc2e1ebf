from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from broker.doors.app import create_app
from broker.errors import LedgerUnavailableError, StoreUnavailableError
from broker.limits.budgets import BudgetStatus
from broker.model import IntentState, Session
from broker.outcome import Outcome
from broker.settings import Settings
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.llm.house import PATHS, RAW, LlmWorld, Seen, answering, ask, make_llm_world
from tests.unit.broker.doors.parts import CANARY

pytestmark = pytest.mark.req("A5")

SHA = hashlib.sha256(RAW).hexdigest()
ARN = "arn:aws:bedrock:eu-west-1:1:inference-profile/us.anthropic.claude-opus-4-8-v1:0"
DECLARED = {"upload": {"bytes": len(RAW), "sha256": SHA}}
PEEKED = {"model": "claude-opus-4-8", "max_output_tokens": 8}


@pytest.mark.parametrize("base", ["", "/llm/models"])
@pytest.mark.parametrize(
    ("path", "action", "params"),
    [
        ("/v1/messages?beta=true", "InvokeModel", {"dialect": "messages", "peeked": PEEKED}),
        ("/v1/messages/count_tokens", "CountTokens", {"dialect": "messages", "peeked": PEEKED}),
        ("/v1/chat/completions", "InvokeModel", {"dialect": "chat", "peeked": PEEKED}),
        ("/v1/responses", "InvokeModel", {"dialect": "responses", "peeked": {"model": "claude-opus-4-8"}}),
        (
            f"/model/{ARN.replace('/', '%2F')}/invoke",
            "InvokeModel",
            {"dialect": "invoke", "model": ARN, "stream": False, "peeked": {"max_output_tokens": 8}},
        ),
        (
            "/model/x/invoke-with-response-stream",
            "InvokeModel",
            {"dialect": "invoke", "model": "x", "stream": True, "peeked": {"max_output_tokens": 8}},
        ),
    ],
)
async def test_a_request_is_an_intent_that_holds_what_its_body_says_and_not_the_body(
    world: LlmWorld, client: Client, base: str, path: str, action: str, params: dict[str, Any]
) -> None:
    answering(world)
    assert (await ask(client, world, base + path)).status == 200
    draft = world.seen[0].draft
    headers = {"content-type": "application/json"}
    assert (draft.action, draft.params) == (f"llm:{action}", {"headers": headers, "body": DECLARED, **params})
    assert (draft.connection, draft.joins, draft.source_ip) == ("models" if base else "", True, "127.0.0.1")
    assert world.waits == [7]
    upload = world.uploaded()
    # As often as it is asked for, and the very bytes that came in.
    assert [[piece async for piece in upload] for _ in range(2)] == [[RAW], [RAW]]


async def test_headers_go_along_but_for_credentials_and_what_concerns_the_connection(
    world: LlmWorld, client: Client
) -> None:
    answering(world)
    kept = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "b-2, a-1,b-2",
        "x-claude-code-session-id": "s1",
        "user-agent": "claude-cli/2",
    }
    dropped = {
        "Authorization": f"Bearer {world.pusher_token}",
        "api-key": world.pusher_token,
        "Cookie": "a=b",
        "Proxy-Authorization": "Basic x",
        "Connection": "keep-alive, X-Hop",
        "x-hop": "1",
        "TE": "trailers",
        "Upgrade": "h2c",
    }
    assert (await ask(client, world, headers={**kept, **dropped})).status == 200
    assert world.seen[0].draft.params["headers"] == {**kept, "content-type": "application/json"}


async def test_a_header_that_comes_twice_is_a_list_in_its_order(world: LlmWorld, client: Client) -> None:
    answering(world)
    headers = [("x-api-key", world.pusher_token), ("Content-Type", "application/json")]
    headers += [("anthropic-beta", "b"), ("anthropic-beta", "a")]
    await client.call("POST", "/v1/messages", headers=headers, body=RAW)
    assert world.seen[0].draft.params["headers"]["anthropic-beta"] == "b, a"


async def test_somebody_is_there_for_who_asks_first(world: LlmWorld, client: Client) -> None:
    for path in ("/", "/llm/models", "/llm/models/"):
        reply = await client.call("HEAD", path)
        assert (reply.status, reply.body, reply.complete) == (200, b"", True)
    assert (await client.call("GET", "/llm/models")).status == 405
    assert (await client.call("GET", "/")).kind == "not-found"
    assert world.asked == 0


@pytest.mark.parametrize(
    ("method", "path", "status", "type_"),
    [
        ("POST", "/v1/messages/batches", 404, "not_found_error"),
        ("POST", "/v1/complete", 404, "not_found_error"),
        ("GET", "/v1/messages", 405, "invalid_request_error"),
        ("POST", "/v1/messages?a=%zz", 400, "invalid_request_error"),
        ("POST", "/v1/files", 404, "invalid_request_error"),
        ("POST", "/v1/embeddings", 404, "invalid_request_error"),
        ("GET", "/v1/responses/r1", 404, "invalid_request_error"),
        ("POST", "/openai/deployments/d/chat/completions?api-version=1", 404, "invalid_request_error"),
        ("POST", "/v1/models", 405, "invalid_request_error"),
        ("DELETE", "/v1/models/x", 405, "invalid_request_error"),
        ("GET", "/inference-profiles?type=SYSTEM_DEFINED", 404, ""),
        ("POST", "/model/x/converse", 404, ""),
        ("GET", "/model/x/invoke", 405, ""),
    ],
)
async def test_what_is_not_metered_is_refused_at_once_in_the_form_of_whose_it_is(
    world: LlmWorld, client: Client, method: str, path: str, status: int, type_: str
) -> None:
    # Openly or not: nobody is asked who it is, and nothing is read.
    reply = await client.call(method, path, headers={"Content-Length": "3"}, body=[b"abc"])
    assert (reply.status, reply.headers["x-should-retry"]) == (status, "false")
    assert ("allow" in reply.headers) is (status == 405)
    assert (reply.json()["error"]["type"] if type_ else reply.headers["x-amzn-errortype"]) in {
        type_,
        "ResourceNotFoundException",
        "ValidationException",
    }
    assert (world.seen, world.asked) == ([], 0)


async def test_a_client_of_anthropic_is_refused_in_its_form_where_the_path_does_not_say(client: Client) -> None:
    reply = await client.call("POST", "/v1/files", headers={"anthropic-version": "2023-06-01"})
    assert (reply.status, reply.json()["type"], reply.json()["error"]["type"]) == (404, "error", "not_found_error")


async def test_a_websocket_is_refused_at_once(world: LlmWorld, client: Client) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    reply = await client.call("GET", "/v1/responses", headers=upgrade)
    assert (reply.status, reply.headers["allow"], world.asked) == (405, "POST", 0)


async def test_control_paths_stay_those_of_our_own_api(world: LlmWorld, client: Client) -> None:
    reply = await client.call("GET", "/v1/whoami", token=world.pusher_token)
    assert (reply.status, "pusher" in str(reply.json())) == (200, True)
    assert (await client.call("GET", "/v1/sessions/ses_x", token=world.pusher_token)).kind == "not-found"


@pytest.mark.parametrize("path", PATHS.values())
async def test_what_waits_for_people_is_told_with_the_link_and_not_asked_again_by_itself(
    world: LlmWorld, client: Client, path: str
) -> None:
    async def act(seen: Seen) -> Outcome:
        return Outcome(seen.intent_id, IntentState.PENDING_APPROVAL, approval_id="apr_1")

    world.act = act
    reply = await ask(client, world, path)
    assert reply.status in {400, 403}
    assert reply.headers["x-should-retry"] == "false"
    assert b"http://ostiary.test/v1/approvals/apr_1" in reply.body


@pytest.mark.parametrize(
    ("public_url", "host", "link"),
    [
        ("https://o.example", "ostiary.test", b" https://o.example/v1/approvals/apr_1 "),
        ("https://o.example", "bad host", b" https://o.example/v1/approvals/apr_1 "),
        ("", "bad host", b" /v1/approvals/apr_1 "),
        ("", "[::1]:87", b" http://[::1]:87/v1/approvals/apr_1 "),
    ],
)
async def test_links_lead_where_people_reach_the_api(tmp_path: Path, public_url: str, host: str, link: bytes) -> None:
    world = make_llm_world(tmp_path, public_url=public_url)

    async def act(seen: Seen) -> Outcome:
        return Outcome(seen.intent_id, IntentState.PENDING_APPROVAL, approval_id="apr_1")

    world.act = act
    reply = await ask(Client(create_app(world)), world, headers={"Host": host})
    assert link in reply.body


@pytest.mark.parametrize(
    ("fault", "status", "again"),
    [
        (RuntimeError(CANARY), 500, False),
        (LedgerUnavailableError(CANARY), 529, True),
        (StoreUnavailableError(CANARY), 529, True),
    ],
)
async def test_what_nobody_foresaw_says_nothing_of_itself(
    world: LlmWorld, client: Client, fault: Exception, status: int, again: bool
) -> None:
    async def act(seen: Seen) -> Outcome:
        raise fault

    world.act = act
    reply = await ask(client, world)
    assert (reply.status, "x-should-retry" not in reply.headers) == (status, again)
    assert CANARY.encode() not in reply.body
    if status == 500:
        assert reply.headers["x-ostiary-problem"] == "outcome-unknown"


class FaultyWorld(LlmWorld):
    async def budget_status(self, session: Session) -> Sequence[BudgetStatus]:
        raise RuntimeError(CANARY)


async def test_a_fault_before_anything_was_handed_on_is_a_fault(tmp_path: Path) -> None:
    world = FaultyWorld(Settings(data=tmp_path))
    reply = await ask(Client(create_app(world)), world)
    assert (reply.status, reply.json()["error"]["type"]) == (500, "api_error")
    assert (reply.headers["x-ostiary-problem"], reply.headers["x-should-retry"]) == ("internal", "false")
    assert reply.headers["request-id"].startswith("req_")
    assert CANARY.encode() not in reply.body
