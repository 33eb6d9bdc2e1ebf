"""What the tests of the connector work with: connections, plans as the doors make them, answers on the wire."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from connectors.base import CallResult, Connection, JsonObject, Plan
from connectors.llm.bodies import Whole
from connectors.llm.connection import LlmConnection
from connectors.llm.connector import LlmConnector
from connectors.llm.words import Dialect
from tests.fakes import Answer, FakeLease, FakeTransport
from vault.model import CredentialKind, CredentialRef

KEY = "sk-planted-0123456789"
ANTHROPIC = {"name": "anthropic", "speaks": "anthropic"}
SECOND = {"name": "second", "speaks": "anthropic", "credential": "llm/other", "url": "https://second.example/api"}
BEDROCK = {"name": "bedrock", "speaks": "bedrock", "credential": "aws/prod", "region": "eu-west-1", "profile": "eu"}
OPENAI = {"name": "openai", "speaks": "openai", "credential": "llm/openai"}
AZURE = {
    "name": "azure",
    "speaks": "azure",
    "credential": "llm/azure",
    "url": "https://acme.openai.azure.com",
    "api_version": "v1",
    "deployments": {"gpt-5": "prod-gpt5"},
}
MISTRAL = {"name": "mistral", "speaks": "openai", "provider": "mistral", "url": "https://api.mistral.ai"}

MESSAGE: JsonObject = {
    "model": "claude-opus-4-8",
    "max_tokens": 1024,
    "messages": [{"role": "user", "content": "hello"}],
}
CHAT: JsonObject = {"model": "gpt-5", "messages": [{"role": "user", "content": "hello"}]}
RESPONSES: JsonObject = {"model": "gpt-5", "input": "hello"}
USAGE = {"input_tokens": 42, "output_tokens": 17, "cache_read_input_tokens": 1000}
ANSWER = json.dumps(
    {"id": "msg_1", "type": "message", "model": "claude-opus-4-8", "content": [{"type": "text", "text": "hi"}],
     "usage": USAGE}
).encode()  # fmt: skip
COUNTED = b'{"input_tokens": 12}'
JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream; charset=utf-8"}


def event(kind: str, **members: Any) -> bytes:
    """One event as Anthropic sends it."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


START = event(
    "message_start",
    message={"id": "msg_1", "model": "claude-opus-4-8", "usage": {**USAGE, "output_tokens": 1}},
)
PING = event("ping")
BLOCK = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
DELTA = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hello there"})
DONE = event("message_delta", delta={"stop_reason": "end_turn"}, usage=USAGE)
STOP = event("message_stop")
OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
STREAM = (START, PING, BLOCK, DELTA, DONE, STOP)


def connection(*upstreams: JsonObject, **options: Any) -> Connection:
    """A connection with these upstreams."""
    model = LlmConnection.model_validate({"upstreams": list(upstreams or (ANTHROPIC,)), **options})
    return Connection("models", "llm", CredentialRef("llm/anthropic"), model.model_dump(mode="json"))


def raw(body: JsonObject, **more: Any) -> bytes:
    """A body as a client writes it: with blanks."""
    return json.dumps({**body, **more}).encode()


def planned(
    body: bytes | JsonObject,
    where: Connection | None = None,
    *,
    dialect: Dialect = Dialect.MESSAGES,
    action: str = "llm:InvokeModel",
    headers: dict[str, str] | None = None,
    model: str = "",
    stream: bool = False,
) -> Plan:
    """The plan a door has made, with the body to be sent."""
    whole = Whole(dialect, body if isinstance(body, bytes) else raw(body))
    params = whole.params(headers or {}, model=model, stream=stream)
    plan = LlmConnector().plan(action, params, where or connection())
    fallbacks = tuple(replace(each, stream=whole) for each in plan.fallbacks)
    return replace(plan, stream=whole, fallbacks=fallbacks)


def lease(kind: CredentialKind = CredentialKind.BEARER) -> FakeLease:
    """A lease on a provider's key, or on a key of AWS."""
    return FakeLease("AKIDEXAMPLE", KEY if kind is CredentialKind.AWS else f"Bearer {KEY}", kind)


async def executed(
    plan: Plan,
    *script: Answer | BaseException,
    where: Connection | None = None,
    kind: CredentialKind = CredentialKind.BEARER,
    connector: LlmConnector | None = None,
) -> tuple[CallResult, FakeTransport]:
    """The result of a plan with these answers, and what was sent for it."""
    transport = FakeTransport(*script)
    return await sent_by(connector or LlmConnector(), plan, where or connection(), transport, kind), transport


async def sent_by(
    connector: LlmConnector, plan: Plan, where: Connection, transport: FakeTransport, kind: CredentialKind
) -> CallResult:
    """The result of a plan over a transport."""
    return await connector.execute(plan, where, lease(kind), transport)


async def text_of(result: CallResult) -> bytes:
    """The body of a result, whole."""
    assert result.body is not None
    return b"".join([chunk async for chunk in result.body])


def hours_pass() -> None:
    """Let every timer of this test's event loop be due."""
    loop = asyncio.get_running_loop()
    later = loop.time() + 24 * 3600
    loop.time = lambda: later  # type: ignore[method-assign] # the clock of the loop, not code of ours
