"""Claude Code's documented gateway contract, request by request, as its client sends them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.parts.llm_house import ModelHouse, model_house
from tests.parts.llm_providers import KEYS, Providers
from tests.parts.llm_script import Provider, Step

pytestmark = pytest.mark.req("A5")

BETAS = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24"
BODY: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 64000,
    "stream": True,
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1"},
        {"type": "text", "text": "You are Claude Code", "cache_control": {"type": "ephemeral"}},
    ],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    "tools": [{"name": "Bash", "description": "run", "input_schema": {"type": "object"}, "strict": True}],
    "metadata": {"user_id": "user_1"},
    "thinking": {"type": "adaptive"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "high"},
}
RAW = json.dumps(BODY, indent=1).encode()


@pytest.fixture(scope="module")
def running() -> Iterator[ModelHouse]:
    with Providers() as providers, model_house(providers) as house:
        yield house


@pytest.fixture
def house(running: ModelHouse) -> ModelHouse:
    running.providers.requests.clear()
    return running


def send(
    house: ModelHouse, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def messages(house: ModelHouse, token: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    given = {
        "content_type": "application/json",
        "authorization": f"Bearer {token}",
        "anthropic_version": "2023-06-01",
        "anthropic_beta": BETAS,
        "accept_encoding": "gzip, deflate, br, zstd",
        "x_claude_code_session_id": "0f8c-session",
        "x_claude_code_agent_id": "agent-7",
        "x_app": "cli",
        "cookie": "a=b",
        **headers,
    }
    return send(house, "POST", "/v1/messages?beta=true", RAW, **given)


def test_the_probe_at_the_start_is_answered_without_a_token(house: ModelHouse) -> None:
    status, _, body = send(house, "HEAD", "/")
    assert (status, body) == (200, b"")
    assert send(house, "GET", "/inference-profiles?type=SYSTEM_DEFINED")[0] == 404


def test_a_turn_goes_upstream_byte_for_byte_with_the_key_swapped(house: ModelHouse) -> None:
    token = house.begin()
    status, headers, body = messages(house, token)
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert b"event: message_start" in body
    assert body.rstrip().endswith(b"}")
    assert b"message_stop" in body
    (sent,) = house.providers.requests
    assert sent.body == RAW
    assert sent.headers["anthropic-beta"] == BETAS
    assert sent.headers["x-api-key"] == KEYS[Provider.ANTHROPIC]
    assert sent.headers["accept-encoding"] == "identity"
    assert not {"authorization", "cookie"} & sent.headers.keys()
    told = house.outcome(token)["data"]
    assert "0f8c-session" in json.dumps(told)
    assert "agent-7" in json.dumps(told)
    assert headers["request-id"]


@pytest.mark.parametrize("name", ["x_api_key", "authorization"])
def test_each_variable_for_the_token_works_and_two_that_differ_are_refused(house: ModelHouse, name: str) -> None:
    token, other = house.begin(), house.begin()
    given = {"content_type": "application/json", "anthropic_version": "2023-06-01"}
    bearer = f"Bearer {token}" if name == "authorization" else token
    assert send(house, "POST", "/v1/messages", RAW, **given, **{name: bearer})[0] == 200
    both = {"x_api_key": other, "authorization": f"Bearer {token}"}
    assert send(house, "POST", "/v1/messages", RAW, **given, **both)[0] == 401
    same = {"x_api_key": token, "authorization": f"Bearer {token}"}
    assert send(house, "POST", "/v1/messages", RAW, **given, **same)[0] == 200


def test_a_refusal_makes_the_client_stop_with_our_words(house: ModelHouse) -> None:
    token = house.begin()
    raw = json.dumps({**BODY, "model": "claude-haiku-4-5"}).encode()
    given = {"content_type": "application/json", "authorization": f"Bearer {token}", "anthropic_version": "2023-06-01"}
    status, headers, body = send(house, "POST", "/v1/messages?beta=true", raw, **given)
    assert (status, headers["x-should-retry"]) == (403, "false")
    told = json.loads(body)
    assert (told["type"], told["error"]["type"]) == ("error", "permission_error")
    assert "no-haiku" in told["error"]["message"]


def test_a_session_that_was_killed_is_told_so_once(house: ModelHouse) -> None:
    token = house.begin()
    house.call("DELETE", f"/v1/sessions/{house.session_of(token)}", house.admin)
    status, headers, body = messages(house, token)
    assert (status, headers["x-should-retry"]) == (401, "false")
    assert json.loads(body)["error"]["type"] == "authentication_error"


def test_what_the_provider_says_of_its_own_limits_goes_through(house: ModelHouse) -> None:
    house.providers.script(Provider.BEDROCK, Step(status=429))
    house.providers.script(Provider.ANTHROPIC, Step(status=429, headers={"retry-after": "7"}))
    status, headers, _ = messages(house, house.begin())
    assert status == 429
    assert "x-should-retry" not in headers or headers["x-should-retry"] == "true"


def test_models_are_listed_in_anthropics_form_with_ids_the_client_takes(house: ModelHouse) -> None:
    status, _, body = send(
        house, "GET", "/v1/models?limit=1000", x_api_key=house.begin(), anthropic_version="2023-06-01"
    )
    assert status == 200
    ids = [each["id"] for each in json.loads(body)["data"]]
    assert "claude-opus-4-8" in ids
    assert not [each for each in ids if each.startswith("claude-haiku")]


def test_the_bedrock_form_is_served_with_frames(house: ModelHouse) -> None:
    token = house.begin()
    kept = {name: BODY[name] for name in ("system", "messages", "tools", "metadata", "max_tokens", "thinking")}
    raw = json.dumps({**kept, "anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["x-1"]}).encode()
    path = "/model/eu.anthropic.claude-opus-4-8-v1%3A0/invoke"
    given = {"content_type": "application/json", "authorization": f"Bearer {token}"}
    status, headers, body = send(house, "POST", f"{path}-with-response-stream", raw, **given)
    assert (status, headers["content-type"]) == (200, "application/vnd.amazon.eventstream")
    assert body
    assert house.providers.requests[-1].body == raw
    assert house.outcome(token)["data"]["usage"]["model"] == "anthropic/claude-opus-4-8"
    status, _, body = send(house, "POST", path, raw, **given)
    assert (status, json.loads(body)["type"]) == (200, "message")
