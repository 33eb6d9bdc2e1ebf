"""One request goes out as planned; what comes back that is no stream, and who is asked when nothing does."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Access, Plan, UpstreamResponse
from connectors.errors import (
    ConnectorError,
    NotSentError,
    OutcomeUnknownError,
    UploadBrokenError,
    UpstreamRefusedError,
)
from connectors.llm.bodies import Whole
from connectors.llm.connector import LlmConnector
from connectors.llm.refusals import MAX_ERROR_BYTES
from connectors.llm.sending import MAX_ANSWER_BYTES
from connectors.llm.words import Dialect
from connectors.usage import Usage
from tests.fakes import Answer, FakeTransport
from tests.unit.connectors.llm.desk import (
    ANSWER,
    ANTHROPIC,
    AZURE,
    BEDROCK,
    CHAT,
    COUNTED,
    JSON,
    KEY,
    MESSAGE,
    OPENAI,
    SECOND,
    connection,
    executed,
    hours_pass,
    lease,
    planned,
    raw,
    sent_by,
    text_of,
)
from vault.model import CredentialKind

OK = Answer(200, {**JSON, "request-id": "req_1", "anthropic-organization-id": "org"}, (ANSWER,))
ENVELOPE = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down \xc3\xa9"},"request_id":"r"}'
NOW_NS = 1_760_000_000_000_000_000


class Pieces:
    """A body that comes in pieces, once."""

    trailers: Mapping[str, str] = {}

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._pieces:
            yield self._pieces.pop(0)


class Silent:
    """A transport whose upstream never says anything."""

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes] = b"",
        patience_seconds: float = 0.0,
    ) -> AsyncIterator[UpstreamResponse]:
        hours_pass()
        await asyncio.Event().wait()
        yield UpstreamResponse(200, {}, nothing())


async def nothing() -> Any:
    yield b""


async def failed(plan: Plan, step: Answer | BaseException, where: Any = None, **more: Any) -> Any:
    transport = FakeTransport(step)
    kind = more.get("kind", CredentialKind.BEARER)
    with pytest.raises(ConnectorError) as caught:
        await sent_by(LlmConnector(lambda: NOW_NS), plan, where or connection(), transport, kind)
    assert transport.open == 0
    return caught.value


async def test_the_bytes_of_the_client_go_on_with_the_providers_key() -> None:
    body = b'{ "messages" : [] , "model" : "claude-opus-4-8", "max_tokens": 5, "new_field": {"b":1,"a":2} }\n'
    headers = {"authorization": "Bearer agent", "x-api-key": "agent", "cookie": "a=b", "anthropic-beta": "x, y"}
    result, transport = await executed(planned(body, headers=headers), OK)
    (sent,) = transport.sent
    assert (sent.method, sent.url, sent.body) == ("POST", "https://api.anthropic.com/v1/messages", body)
    assert sent.headers == {
        "anthropic-beta": "x, y",
        "anthropic-version": "2023-06-01",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "x-api-key": KEY,
    }
    assert await text_of(result) == ANSWER
    assert transport.open == 0


async def test_every_kind_of_upstream_gets_its_key_in_its_own_header() -> None:
    for upstream, header, value in (
        (OPENAI, "authorization", f"Bearer {KEY}"),
        (AZURE, "api-key", KEY),
    ):
        where = connection(upstream)
        _, transport = await executed(planned(CHAT, where, dialect=Dialect.CHAT), OK, where=where)
        credentials = {"authorization", "api-key", "x-api-key"} & transport.sent[0].headers.keys()
        assert credentials == {header}
        assert transport.sent[0].headers[header] == value


async def test_the_answer_comes_with_its_usage_headers_and_facts() -> None:
    plan = planned(MESSAGE, headers={"x-claude-code-session-id": "s"})
    result, _ = await executed(plan, OK)
    assert result.data == {"status": 200, "headers": {"request-id": "req_1", "content-type": "application/json"}}
    assert (result.media_type, result.upstream_request_id, result.live) == ("application/json", "req_1", False)
    usage = result.usage
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (1042, 1000, 17)
    assert (usage.model, usage.upstream, usage.estimated) == ("anthropic/claude-opus-4-8", "anthropic", False)
    assert (usage.request_bytes, usage.response_bytes) == (len(raw(MESSAGE)), len(ANSWER))
    assert usage.nano_dollars > 0
    assert usage.prices
    assert result.facts["llm"] == {
        "upstream": "anthropic",
        "asked": "claude-opus-4-8",
        "model": "anthropic/claude-opus-4-8",
        "sent": "claude-opus-4-8",
        "served": "claude-opus-4-8",
        "dialect": "messages",
        "request": plan.call["body"],
        "client": {"session": "s"},
        "answer": {"bytes": len(ANSWER), "sha256": hashlib.sha256(ANSWER).hexdigest()},
    }


async def test_an_answer_without_usage_is_estimated_and_never_free() -> None:
    result, _ = await executed(planned(MESSAGE), Answer(200, JSON, (b"not json at all",)))
    assert result.usage.estimated
    assert result.usage.input_tokens == len(raw(MESSAGE)) // 3 + 1
    assert result.usage.output_tokens > 0
    empty, _ = await executed(planned(MESSAGE), Answer(200, JSON))
    assert await text_of(empty) == b""
    assert empty.usage.nano_dollars > 0


async def test_counting_tokens_is_not_metered() -> None:
    plan = planned(MESSAGE, action="llm:CountTokens")
    result, transport = await executed(plan, Answer(200, JSON, (COUNTED,)))
    assert transport.sent[0].url.endswith("/v1/messages/count_tokens")
    assert await text_of(result) == COUNTED
    assert result.usage == Usage(request_bytes=len(raw(MESSAGE)), response_bytes=len(COUNTED))
    error = await failed(plan, OutcomeUnknownError("cut"))
    assert error.usage == Usage(request_bytes=len(raw(MESSAGE)))


async def test_only_the_name_of_the_model_changes_where_an_upstream_has_another() -> None:
    where = connection(ANTHROPIC, aliases={"sonnet": "anthropic/claude-sonnet-5"})
    body = b'{"system":[{"type":"text","text":"a \\u00e9"}], "model": "sonnet", "max_tokens":  5}'
    _, transport = await executed(planned(body, where), OK, where=where)
    assert (
        transport.sent[0].body
        == b'{"system":[{"type":"text","text":"a \\u00e9"}],"model":"claude-sonnet-5","max_tokens":5}'
    )


async def test_usage_is_asked_for_beside_what_the_client_asked_for() -> None:
    where = connection(OPENAI)
    for options, wanted in (
        ({}, {"include_usage": True}),
        ({"stream_options": None}, {"include_usage": True}),
        (
            {"stream_options": {"include_obfuscation": False, "include_usage": False}},
            {"include_obfuscation": False, "include_usage": True},
        ),
    ):
        plan = planned(raw(CHAT, stream=True, **options), where, dialect=Dialect.CHAT)
        _, transport = await executed(plan, OK, where=where)
        assert json.loads(transport.sent[0].body) == {**CHAT, "stream": True, "stream_options": wanted}


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503, 529, 301, 204])
async def test_another_upstream_may_be_asked_when_this_one_is_at_fault(status: int) -> None:
    error = await failed(planned(MESSAGE), Answer(status, JSON, (ENVELOPE,)))
    assert isinstance(error, UpstreamRefusedError)
    assert (error.elsewhere, error.status, error.code) == (True, status, "rate_limit_error")


@pytest.mark.parametrize("status", [400, 402, 405, 409, 413, 418, 422])
async def test_nobody_else_is_asked_when_the_request_is_at_fault(status: int) -> None:
    error = await failed(planned(MESSAGE), Answer(status, {}, (b"{}",)))
    assert isinstance(error, UpstreamRefusedError)
    assert (error.elsewhere, error.status, error.code) == (False, status, f"http-{status}")


@pytest.mark.parametrize("cause", [NotSentError("no connection"), OutcomeUnknownError("cut")])
async def test_another_upstream_may_be_asked_when_no_answer_came(cause: ConnectorError) -> None:
    error = await failed(planned(raw(MESSAGE, stream=True)), cause)
    assert type(error) is type(cause)
    assert error.elsewhere


async def test_what_no_answer_cost_is_known_of_a_stream_only() -> None:
    streamed = await failed(planned(raw(MESSAGE, stream=True)), OutcomeUnknownError("cut"))
    assert streamed.usage.estimated
    assert (streamed.usage.output_tokens, streamed.usage.input_tokens > 0) == (0, True)
    whole = await failed(planned(MESSAGE), OutcomeUnknownError("cut"))
    assert whole.usage is None
    assert (await failed(planned(raw(MESSAGE, stream=True)), NotSentError("no"))).usage is None


async def test_an_answer_that_was_cut_in_the_middle_is_paid_for_and_not_asked_for_again() -> None:
    for step in (
        Answer(200, JSON, (ANSWER[:9],), cut=OutcomeUnknownError("cut")),
        Answer(200, JSON, (b"x" * MAX_ANSWER_BYTES, b"x")),
    ):
        error = await failed(planned(MESSAGE), step)
        assert isinstance(error, OutcomeUnknownError)
        assert not error.elsewhere
        assert error.usage is None


async def test_an_upstream_that_says_nothing_in_time_is_given_up() -> None:
    for body, options in ((raw(MESSAGE, stream=True), "first_byte_seconds"), (raw(MESSAGE), "answer_seconds")):
        where = connection(**{options: 60})
        plan = planned(body, where)
        with pytest.raises(OutcomeUnknownError) as caught:
            await LlmConnector().execute(plan, where, lease(), Silent())
        assert caught.value.elsewhere


async def test_the_providers_error_is_handed_on_byte_for_byte() -> None:
    headers = {**JSON, "request-id": "req_2", "retry-after": "7", "x-should-retry": "true", "server": "x"}
    error = await failed(planned(MESSAGE), Answer(429, headers, (ENVELOPE[:20], ENVELOPE[20:])))
    assert error.answer.data["status"] == 429
    assert error.answer.data["body"]["text"].encode() == ENVELOPE
    kept = ("content-type", "request-id", "retry-after", "x-should-retry")
    assert error.answer.data["headers"] == {name: headers[name] for name in kept}
    assert error.upstream_request_id == "req_2"
    # What a provider says may quote the request, and this goes on the ledger.
    assert "slow down" not in str(error)


async def test_an_error_that_is_no_text_or_too_large_or_cut_is_still_an_answer() -> None:
    binary = await failed(planned(MESSAGE), Answer(400, JSON, (b"\xff\x00",)))
    assert base64.b64decode(binary.answer.data["body"]["data"]) == b"\xff\x00"
    for step in (
        Answer(500, JSON, (b"x" * (MAX_ERROR_BYTES + 1),)),
        Answer(500, JSON, (b'{"type"',), cut=OutcomeUnknownError("cut")),
        Answer(500),
    ):
        error = await failed(planned(MESSAGE), step)
        assert json.loads(error.answer.data["body"]["text"])["error"]["type"] == "api_error"
        assert error.status == 500


@pytest.mark.parametrize(
    ("dialect", "upstream", "status"),
    [(Dialect.MESSAGES, ANTHROPIC, 403), (Dialect.CHAT, OPENAI, 400), (Dialect.INVOKE, BEDROCK, 403)],
)
async def test_that_our_credential_was_refused_is_said_in_our_words(
    dialect: Dialect, upstream: dict[str, Any], status: int
) -> None:
    where = connection(upstream)
    body: dict[str, Any] = {Dialect.MESSAGES: MESSAGE, Dialect.CHAT: CHAT}.get(dialect, {"messages": []})
    plan = planned(body, where, dialect=dialect, model="claude-opus-4-8" if dialect is Dialect.INVOKE else "")
    kind = CredentialKind.AWS if upstream is BEDROCK else CredentialKind.BEARER
    said = b'{"error":{"message":"Incorrect API key provided: sk-pla*6789","code":"invalid_api_key"}}'
    error = await failed(plan, Answer(401, JSON, (said,)), where, kind=kind)
    answer = error.answer.data
    assert (error.status, answer["status"], error.elsewhere) == (401, status, True)
    assert "6789" not in json.dumps(answer)
    assert answer["headers"]["x-should-retry"] == "false"


async def test_a_body_that_is_not_the_declared_one_is_not_sent() -> None:
    plan = planned(MESSAGE)
    other = raw(MESSAGE, max_tokens=64000)
    of_the_same_facts_and_length = raw(MESSAGE).replace(b"hello", b"jello")
    for stream in (
        Whole(Dialect.MESSAGES, of_the_same_facts_and_length),
        Pieces(of_the_same_facts_and_length),
        Whole(Dialect.MESSAGES, other),
        Whole(Dialect.CHAT, raw(MESSAGE)),
        Pieces(other),
        Pieces(raw(MESSAGE)[:-1]),
        Pieces(),
    ):
        error = await failed(replace(plan, stream=stream), OK)
        assert isinstance(error, UploadBrokenError)
        assert not error.elsewhere


async def test_facts_that_are_not_those_of_the_body_are_found_out_before_it_is_sent() -> None:
    whole = Whole(Dialect.MESSAGES, raw(MESSAGE, stream=True, speed="fast"))
    for lie in (
        {"model": "claude-haiku-4-5"},
        {"max_output_tokens": 1},
        {"stream": False},
        {"fast": False},
        {"service_tier": "standard_only"},
    ):
        params = whole.params({})
        params["peeked"] = {**params["peeked"], **lie}
        plan = replace(LlmConnector().plan("llm:InvokeModel", params, connection()), stream=whole)
        transport = FakeTransport(OK)
        with pytest.raises(UploadBrokenError):
            await LlmConnector().execute(plan, connection(), lease(), transport)
        assert transport.sent == []


async def test_a_body_that_came_in_pieces_can_be_sent_to_a_second_upstream() -> None:
    where, connector = connection(ANTHROPIC, SECOND), LlmConnector()
    plan = planned(MESSAGE, where)
    stream, text = Pieces(raw(MESSAGE)[:9], raw(MESSAGE)[9:]), raw(MESSAGE)
    transport = FakeTransport(Answer(529), OK)
    with pytest.raises(UpstreamRefusedError):
        await sent_by(connector, replace(plan, stream=stream), where, transport, CredentialKind.BEARER)
    second = replace(plan.fallbacks[0], stream=stream)
    await sent_by(connector, second, where, transport, CredentialKind.BEARER)
    assert [sent.body for sent in transport.sent] == [text, text]


async def test_what_was_not_planned_for_this_connection_or_has_no_body_is_not_sent() -> None:
    plan = planned(MESSAGE)
    moved = connection({**ANTHROPIC, "url": "https://other.example"})
    for each, where in (
        (plan, moved),
        (plan, connection(OPENAI)),
        (replace(plan, stream=None), connection()),
        (replace(plan, upload=None, call={**plan.call, "payload_sha256": "0" * 64}), connection()),
        (replace(plan, call={**plan.call, "url": "https://api.anthropic.com.evil.example/v1/messages"}), connection()),
    ):
        error = await failed(each, OK, where)
        assert isinstance(error, NotSentError)


async def test_a_credential_of_another_kind_is_not_shown_to_a_provider() -> None:
    error = await failed(planned(MESSAGE), OK, kind=CredentialKind.BASIC)
    assert isinstance(error, NotSentError)
    assert error.elsewhere


async def test_a_plan_of_an_intent_is_sent_from_its_params() -> None:
    plan = LlmConnector().plan("llm:InvokeModel", {"dialect": "messages", "body": MESSAGE}, connection())
    assert plan.access is Access.READ
    _, transport = await executed(plan, OK)
    assert json.loads(transport.sent[0].body) == MESSAGE


async def test_cancelling_is_not_taken_for_an_answer() -> None:
    with pytest.raises(asyncio.CancelledError):
        await executed(planned(MESSAGE), asyncio.CancelledError())
