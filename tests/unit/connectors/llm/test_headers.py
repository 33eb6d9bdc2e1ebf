"""Everything goes on but credentials and what is not the provider's business; back comes what is listed."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import InvalidParamsError
from connectors.llm.headers import (
    MAX_HEADERS,
    MAX_VALUE_CHARS,
    client_ids,
    forwarded,
    media_type_of,
    passed,
    request_id_of,
)
from connectors.llm.words import Dialect

STRIPPED = (
    "authorization", "proxy-authorization", "x-api-key", "api-key", "cookie", "host", "content-length", "content-type",
    "content-encoding", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect",
    "accept-encoding", "x-forwarded-for", "x-forwarded-host", "forwarded", "via", "x-real-ip", "proxy-anything",
    "openai-organization", "openai-project", "x-claude-code-session-id", "x-claude-code-new", "session-id", "thread-id",
    "x-stainless-retry-count", "x-client-request-id", "traceparent", "x-amz-security-token", "x-http-method-override",
    "x-ostiary-intent", "content-digest", "sec-fetch-mode", "x-goog-api-key", "anthropic-workspace-id",
)  # fmt: skip
KEPT = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "context-1m-2025-08-07, interleaved-thinking-2025-05-14,claude-code-20250219",
    "anthropic-dangerous-direct-browser-access": "true",
    "user-agent": "claude-cli/2.1.197 (external, cli)",
    "x-app": "cli",
    "accept": "application/json",
    "x-stainless-lang": "js",
    "openai-beta": "responses=v1",
    "x-something-new": "1",
}


def test_what_is_not_listed_goes_on_unchanged_and_in_order() -> None:
    given = {**KEPT, **dict.fromkeys(STRIPPED, "x")}
    found = forwarded(given, Dialect.MESSAGES)
    assert list(found.items()) == list(KEPT.items())


def test_headers_that_connection_names_stay_here() -> None:
    given = {"connection": "X-App, close , anthropic-beta", **KEPT}
    assert not forwarded(given, Dialect.CHAT).keys() & {"x-app", "anthropic-beta", "connection"}


def test_only_a_client_of_anthropic_gets_a_version_it_did_not_name() -> None:
    assert forwarded({}, Dialect.MESSAGES) == {"anthropic-version": "2023-06-01"}
    assert forwarded({"anthropic-version": "2099-01-01"}, Dialect.MESSAGES) == {"anthropic-version": "2099-01-01"}
    assert forwarded({}, Dialect.CHAT) == {}


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        "x",
        {"a": 1},
        {1: "a"},
        {"Accept": "x"},
        {"AUTHORIZATION": "x"},
        {"a b": "x"},
        {"": "x"},
        {"a\n": "x"},
        {"a": "x\ny"},
        {"a": "x\r"},
        {"a": "\u2603"},
        {"a": "x" * (MAX_VALUE_CHARS + 1)},
        {f"a{number}": "x" for number in range(MAX_HEADERS + 1)},
        {f"a{number}": "x" * MAX_VALUE_CHARS for number in range(5)},
        {"x-amzn-bedrock-guardrailidentifier": "x"},
        {"x-amzn-bedrock-performanceconfig-latency": "optimized"},
    ],
    ids=range(18),
)
def test_what_are_no_headers_is_refused(said: Any) -> None:
    with pytest.raises(InvalidParamsError):
        forwarded(said, Dialect.INVOKE)


def test_what_stays_here_may_hold_what_it_likes() -> None:
    assert forwarded({"cookie": "\u2603", "x-amzn-bedrock-accept": "x"}, Dialect.INVOKE) == {
        "x-amzn-bedrock-accept": "x"
    }


def test_who_asks_is_known_from_claude_code_and_codex_and_never_dirty() -> None:
    claude = {"x-claude-code-session-id": "s", "x-claude-code-agent-id": "a", "x-claude-code-parent-agent-id": "p"}
    assert client_ids(claude) == {"session": "s", "agent": "a", "parent_agent": "p"}
    assert client_ids({"session-id": "c", "thread-id": "t"}) == {"session": "c", "thread": "t"}
    assert client_ids({**claude, "session-id": "c"})["session"] == "s"
    for dirty in ("", "a b", "a\n", "é", "x" * 129):
        assert client_ids({"session-id": dirty}) == {}


def test_only_what_a_client_needs_comes_back() -> None:
    answered = {
        "content-type": "application/json",
        "request-id": "req_1",
        "retry-after": "7",
        "x-should-retry": "true",
        "anthropic-ratelimit-requests-remaining": "4",
        "x-ratelimit-limit-tokens": "5",
        "openai-version": "2020-10-01",
        "anthropic-organization-id": "org",
        "openai-organization": "org",
        "set-cookie": "a=b",
        "server": "cloudflare",
        "x-request-id": "bad\u2603",
    }
    kept = ("anthropic-ratelimit-requests-remaining", "openai-version", "request-id", "retry-after",
            "x-ratelimit-limit-tokens", "x-should-retry", "content-type")  # fmt: skip
    assert passed(answered) == {name: answered[name] for name in kept}
    assert "content-type" not in passed({"content-type": "x" * 200})


def test_a_request_id_is_one_word_or_none() -> None:
    assert request_id_of({"request-id": "", "x-request-id": "r"}) == "r"
    assert request_id_of({"x-amzn-requestid": "a b"}) == request_id_of({}) == ""
    assert media_type_of({"content-type": "a\nb"}) == ""
