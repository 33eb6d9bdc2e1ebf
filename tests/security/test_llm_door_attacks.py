"""Attacks through the LLM door, byte by byte: a provider gets what policy judged, or nothing.

What an agent may ask here is one model of Anthropic's, one of OpenAI's, and no more.
"""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.parts.llm_house import ModelHouse, model_house
from tests.parts.llm_providers import KEYS, Providers
from tests.parts.llm_raw import HOST, Answered, send, written
from tests.parts.llm_script import Provider, Reply, Step

pytestmark = [pytest.mark.req("A5"), pytest.mark.req("P1")]

POLICY = """\
  - llm:InvokeModel on models/anthropic/claude-sonnet-5
  - llm:InvokeModel on models/openai/gpt-5
"""
MAY, MAY_NOT = "claude-sonnet-5", "claude-opus-4-8"
MODELS = {
    "/v1/messages": (MAY, MAY_NOT),
    "/v1/chat/completions": ("gpt-5", "gpt-5-mini"),
    "/v1/responses": ("gpt-5", "gpt-5-mini"),
}
"""Where a model is asked: one that policy allows there, and one that it does not."""
KEY = KEYS[Provider.ANTHROPIC]
MESSAGES: Any = [{"role": "user", "content": "hi"}]
MIB = 1 << 20
ADVISOR = {"type": "advisor_20260301", "name": "advisor", "model": MAY_NOT}


def body(**more: Any) -> bytes:
    return json.dumps({"model": MAY, "max_tokens": 64, "messages": MESSAGES, **more}).encode()


def spliced(members: str, limit: str = '"max_tokens": 64, ') -> bytes:
    """A body with members as they are written here, which no library would write; fit for all three formats."""
    return f'{{{limit}"input": "hi", "messages": {json.dumps(MESSAGES)}, {members}}}'.encode()


@pytest.fixture(scope="module")
def running() -> Iterator[ModelHouse]:
    with Providers() as providers, model_house(providers, policy=POLICY) as house:
        yield house


@pytest.fixture
def house(running: ModelHouse) -> Iterator[ModelHouse]:
    running.providers.requests.clear()
    running.providers.reply = Reply()
    yield running
    for each in running.providers.requests:
        assert b"ost_" not in json.dumps(each.headers).encode() + each.body
    assert running.up.get("/readyz") == 200


@pytest.fixture(scope="module")
def token(running: ModelHouse) -> str:
    return running.begin()


@pytest.fixture
def fresh(house: ModelHouse) -> str:
    """A session of the test's own, for what would open the breaker of the shared one."""
    return house.begin()


def refused(house: ModelHouse, answer: Answered, *statuses: int) -> None:
    assert answer.status in statuses, answer.raw[:500]
    assert answer.whole
    assert house.providers.requests == []


@pytest.mark.parametrize("path", MODELS)
@pytest.mark.parametrize(
    "members",
    [
        '"model": MAY, "model": NOT',
        '"model": NOT, "model": MAY',
        '"model": MAY, "mod\\u0065l": NOT',
        '"mod\\u0065l": NOT, "model": MAY',
        '"mod\\u0065l": MAY',
        '"model": [MAY]',
        '"model": null',
        '"model": MAY, "stream": "true"',
        '"model": MAY, "stream": 1',
        '"model": MAY, "stream": false, "stream": true',
        '"model": MAY, "fallbacks": [{"model": NOT}]',
        '"model": MAY, "fallback_model": NOT',
        '"model": MAY, "models": [NOT]',
        '"model": MAY}, {"model": NOT',
    ],
)
def test_a_body_with_a_second_reading_or_another_model_in_it_is_refused(
    house: ModelHouse, token: str, path: str, members: str
) -> None:
    may, may_not = MODELS[path]
    assert send(house.port, written(path, token, spliced(f'"model": "{may}"'))).status == 200
    house.providers.requests.clear()
    named = members.replace("MAY", f'"{may}"').replace("NOT", f'"{may_not}"')
    refused(house, send(house.port, written(path, token, spliced(named))), 400)


@pytest.mark.parametrize(
    "model",
    [
        MAY_NOT, MAY.upper(), "Claude-Sonnet-5", f" {MAY}", f"{MAY} ", f"{MAY}\0", f"{MAY}\n", "claude%2Dsonnet-5",
        "claude-sonnet-%35", "claude\u2010sonnet-5", "\u0441laude-sonnet-5", "claude-sonnet-\uff15", "claude-*", "",
        f"{MAY}/../{MAY_NOT}", f"../{MAY_NOT}", f"anthropic/{MAY}/x", f"openai/{MAY}", f"models/anthropic/{MAY}", "*",
        f"arn:aws:bedrock:eu-west-1::foundation-model/anthropic.{MAY_NOT}-v1:0", f"us.anthropic.{MAY_NOT}-v1:0",
        f"{MAY}?model={MAY_NOT}", f"{MAY}#", f"{MAY},{MAY_NOT}", f"{MAY}:fallback", "a" * 4096,
    ],
)  # fmt: skip
def test_a_name_that_only_looks_like_the_allowed_one_is_refused(house: ModelHouse, token: str, model: str) -> None:
    refused(house, send(house.port, written("/v1/messages", token, body(model=model))), 400, 403)


@pytest.mark.parametrize("tokens", ["99999999999", "-1", "64.5", "6e1", '"64"', "true", "1e999", "[64]"])
def test_a_limit_that_could_be_read_as_another_is_refused(house: ModelHouse, token: str, tokens: str) -> None:
    for path, name in (
        ("/v1/messages", "max_tokens"),
        ("/v1/chat/completions", "max_completion_tokens"),
        ("/v1/responses", "max_output_tokens"),
    ):
        sent = spliced(f'"model": "{MODELS[path][0]}", "{name}": {tokens}', limit="")
        refused(house, send(house.port, written(path, token, sent)), 400)


@pytest.mark.parametrize(
    "tools",
    [
        [ADVISOR],
        [{"name": "a", "input_schema": {}}, ADVISOR],
        [{**ADVISOR, "model": "anthropic/" + MAY}],
        [{**ADVISOR, "model": {"name": MAY_NOT}}],
    ],
)
def test_a_model_that_a_tool_asks_is_held_to_policy(house: ModelHouse, token: str, tools: Any) -> None:
    refused(house, send(house.port, written("/v1/messages", token, body(tools=tools))), 400, 403)


def test_a_tool_that_names_a_model_in_two_ways_is_refused_and_one_that_is_allowed_passes_as_it_is(
    house: ModelHouse, token: str
) -> None:
    for tools in (
        f'[{{"type": "advisor_1", "model": "{MAY}", "model": "{MAY_NOT}"}}]',
        f'[{{"type": "advisor_1", "mod\\u0065l": "{MAY_NOT}"}}]',
    ):
        sent = spliced(f'"model": "{MAY}", "tools": {tools}')
        refused(house, send(house.port, written("/v1/messages", token, sent)), 400)
    sent = body(tools=[{**ADVISOR, "model": MAY}])
    assert send(house.port, written("/v1/messages", token, sent)).status == 200
    assert [each.body for each in house.providers.requests] == [sent]


def test_a_tool_of_openai_that_asks_another_model_is_held_to_policy(house: ModelHouse, token: str) -> None:
    images = [{"type": "image_generation", "model": "gpt-image-1"}]
    for more in ({"tools": images}, {"background": True}):
        sent = json.dumps({"model": "gpt-5", "input": "hi", **more}).encode()
        refused(house, send(house.port, written("/v1/responses", token, sent)), 400)


def test_servers_of_tools_are_anthropics_to_call_and_nobody_else_is_asked_in_its_place(
    house: ModelHouse, fresh: str
) -> None:
    house.providers.script(Provider.ANTHROPIC, Step(status=529))
    sent = body(mcp_servers=[{"type": "url", "url": "https://tools.example/mcp", "name": "t"}])
    assert send(house.port, written("/v1/messages", fresh, sent)).status >= 400
    assert [(each.path, each.body) for each in house.providers.requests] == [("/v1/messages", sent)]


@pytest.mark.parametrize(
    "path",
    [
        "/v1//messages", "/v1/messages/", "/v1/./messages", "/v1/x/../messages", "/v1/%2e%2e/v1/messages",
        "/v1/%6dessages", "/v1/messages%2f", "/v1/messages%00", "/v1/messages;x=1", "//v1/messages", "/V1/messages",
        "/v1/messages/batches", "/v1/files", "/v1/embeddings", "/v1/completions", "/v1/complete", "/v1/realtime",
        "/llm/models/../other/v1/messages", "/llm/models//v1/messages", "/llm/models%2f/v1/messages",
        "/llm//v1/messages", "/llm/models/v1/organizations/me", f"/model/{MAY}%252e/invoke", f"/model/{MAY}/converse",
        f"/model/{MAY}%2f..%2f{MAY_NOT}/invoke", f"/model/{MAY}/../{MAY_NOT}/invoke",
    ],
)  # fmt: skip
def test_a_path_with_two_readings_or_to_what_is_not_metered_leads_nowhere(
    house: ModelHouse, token: str, path: str
) -> None:
    answer = send(house.port, written(path, token, body()))
    assert answer.status in (400, 403, 404, 405), answer.raw[:300]
    assert house.providers.requests == []


def test_the_connection_of_nobody_is_like_one_of_others_and_no_proxy_is_here(house: ModelHouse, token: str) -> None:
    others = send(house.port, written("/llm/others/v1/messages", token, body()))
    refused(house, others, 400, 403, 404)
    for target in (f"{house.providers.url}/v1/messages", f"http://api.anthropic.com:{house.port}/v1/messages/batches"):
        send(house.port, written(target, token, body()))
        assert all(each.headers["x-api-key"] == KEY for each in house.providers.requests)
        assert not [each for each in house.providers.requests if "batches" in each.path]
    assert send(house.port, written(f"{HOST}:443", token, b"", method="CONNECT")).status in (400, 404, 405)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer {other}"},
        {"authorization": f"Bearer {KEY}"},
        {"api-key": KEY},
        {"authorization": "Basic dXNlcjpwYXNz"},
        {"content-encoding": "gzip"},
        {"content-encoding": "identity, gzip"},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=utf-7"},
    ],
    ids=str,
)
def test_two_tokens_and_bodies_that_say_they_are_something_else_are_refused(
    house: ModelHouse, token: str, headers: dict[str, str]
) -> None:
    said = {name: value.replace("{other}", house.begin()) for name, value in headers.items()}
    sent = gzip.compress(body()) if "gzip" in str(headers) else body()
    refused(house, send(house.port, written("/v1/messages", token, sent, **said)), 400, 401, 403, 415)


def test_a_providers_key_opens_nothing(house: ModelHouse) -> None:
    refused(house, send(house.port, written("/v1/messages", KEY, body())), 401, 403)
    refused(house, send(house.port, written("/v1/messages", "", body())), 401)


def test_what_a_client_smuggles_in_headers_does_not_reach_a_provider(house: ModelHouse, token: str) -> None:
    smuggled = {
        "connection": "close, x-api-key, anthropic-version, x-mine",
        "x-mine": "1",
        "cookie": "a=b",
        "proxy-authorization": "Basic eA==",
        "x-goog-api-key": "mine",
        "openai-organization": "mine",
        "x-http-method-override": "DELETE",
        "x-original-url": "/v1/files",
        "x-forwarded-host": "elsewhere.example",
        "x-amz-security-token": "mine",
        "te": "trailers",
        "expect": "100-continue",
    }
    assert send(house.port, written("/v1/messages", token, body(), **smuggled)).whole
    [sent] = house.providers.requests
    assert not [name for name in smuggled if name in sent.headers and name != "connection"]
    assert (sent.headers["x-api-key"], sent.headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert token not in json.dumps(sent.headers)


@pytest.mark.parametrize(
    "framing",
    [
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: 5\r\ntransfer-encoding: chunked",
        "content-length: 5\r\ncontent-length: 50",
        "transfer-encoding: xchunked",
        "transfer-encoding: chunked, identity",
        "content-length: +5",
        "content-length: 0x5",
        "content-length : 5",
    ],
)
def test_a_body_with_two_ends_is_one_request_at_most_and_never_a_second(
    house: ModelHouse, token: str, framing: str
) -> None:
    hidden = written("/v1/messages", token, body())
    head = f"POST /v1/messages HTTP/1.1\r\nhost: {HOST}\r\nx-api-key: {token}\r\n"
    head += f"content-type: application/json\r\n{framing}\r\n\r\n"
    answer = send(house.port, head.encode() + b"0\r\n\r\n" + hidden)
    assert answer.status in (0, 400, 411, 501), answer.raw[:300]
    assert house.providers.requests == []


def test_a_body_of_33_mib_is_refused_whether_it_says_so_or_not(house: ModelHouse, token: str) -> None:
    refused(house, send(house.port, written("/v1/messages", token, b"", content_length=str(33 * MIB))), 413)
    piece = b"%x\r\n%b\r\n" % (MIB, b" " * MIB)
    usual = written("/v1/messages", token, b"", content_length="", transfer_encoding="chunked")
    answer = send(house.port, usual + piece * 33 + b"0\r\n\r\n")
    assert answer.status in (0, 413)
    assert house.providers.requests == []


def test_bodies_that_never_end_hold_nobody_else_up(house: ModelHouse, token: str) -> None:
    head = written("/v1/messages", token, b"", content_length="1000")
    slow = [socket.create_connection((HOST, house.port)) for _ in range(50)]
    try:
        for each in slow:
            each.sendall(head + b'{"model": ')
        assert send(house.port, written("/v1/messages", token, body())).status == 200
        assert len(house.providers.requests) == 1
    finally:
        for each in slow:
            each.close()


def test_a_key_that_a_provider_says_reaches_no_client_in_any_part_of_an_answer(house: ModelHouse, fresh: str) -> None:
    told = f"your key is {KEY} and now you know"
    house.providers.reply = Reply(text=told)
    whole = send(house.port, written("/v1/messages", fresh, body()))
    streamed = send(house.port, written("/v1/messages", fresh, body(stream=True)))
    house.providers.reply = Reply(text="a tool", tool="Bash", arguments={"command": f"curl -H 'x-api-key: {KEY}'"})
    tool = send(house.port, written("/v1/messages", fresh, body(tools=[{"name": "Bash"}])))
    house.providers.script(Provider.ANTHROPIC, Step(status=400, error=("invalid_request_error", f"bad key {KEY}")))
    no = send(house.port, written("/v1/messages", fresh, body()))
    house.providers.script(
        Provider.ANTHROPIC, Step(headers={"anthropic-ratelimit-x": KEY, "x-ratelimit-y": f"a {KEY} b"})
    )
    named = send(house.port, written("/v1/messages", fresh, body()))
    assert len(house.providers.requests) == 5
    assert [each.status for each in (whole, streamed, tool, no, named)] == [200, 200, 200, 400, 200]
    for answer in (whole, streamed, tool, no, named):
        assert KEY.encode() not in answer.raw
        assert KEY not in said_in(answer)
    _, page = house.call("GET", "/v1/events?limit=1000", house.admin)
    assert KEY not in json.dumps(page)


def said_in(answer: Answered) -> str:
    """All text and arguments of an answer's events, put together as a client does."""
    found = []
    for line in answer.body.split(b"\n"):
        if line.startswith(b"data: "):
            delta = json.loads(line[6:]).get("delta", {})
            found.append(delta.get("text", "") + delta.get("partial_json", ""))
    return "".join(found)
