"""What is behind each path of the fake providers, in the words of whom it belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tests.parts import llm_openai_wire as openai
from tests.parts import llm_wire as wire
from tests.parts.llm_http import Request
from tests.parts.llm_script import Event, Provider, Reply

JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
FRAMES = {"content-type": "application/vnd.amazon.eventstream"}
_BEDROCK = re.compile(r"/model/(?P<model>[^/]+)/invoke(?P<stream>-with-response-stream)?")
_AZURE = re.compile(r"/openai/deployments/(?P<model>[^/]+)/chat/completions")
_TOOL = "Bash"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one path answers.

    Args:
        provider: Whose path it is.
        model: Which model is asked.
        streams: Whether the answer is to come in events.
        whole: Makes the body of an answer that is no stream.
        events: Makes the events of one that is.
        media: Headers of a stream.
        failure: Makes the event of an error amid a stream, from its type and message.
        fresh: Whether a loop's first turn is asked for: there is a tool to call, and it was not called yet.
    """

    provider: Provider
    model: str
    streams: bool
    whole: Callable[[Reply, str, int], dict[str, Any]]
    events: Callable[[Reply, str, int], list[Event]]
    media: Mapping[str, str]
    failure: Callable[[str, str], Event]
    fresh: bool


def dialect_of(request: Request) -> Dialect | None:
    """Return how a request is answered; None for no model's path."""
    if request.method != "POST":
        return None
    match request.path:
        case "/v1/messages":
            return _messages(request)
        case "/v1/chat/completions":
            return _chat(request, Provider.OPENAI)
        case "/openai/v1/chat/completions":
            return _chat(request, Provider.AZURE)
        case "/v1/responses":
            return _responses(request, Provider.OPENAI)
        case "/openai/v1/responses":
            return _responses(request, Provider.AZURE)
        case path if found := _BEDROCK.fullmatch(path):
            return _invoke(request, unquote(found["model"]), streams=found["stream"] is not None)
        case path if (found := _AZURE.fullmatch(path)) and "api-version=" in request.query:
            return _chat(request, Provider.AZURE, unquote(found["model"]))
        case _:
            return None


def owner_of(request: Request) -> Provider:
    """Return whose path it is, for the envelope of an error."""
    if request.path.startswith("/openai/"):
        return Provider.AZURE
    if request.path.startswith("/model/"):
        return Provider.BEDROCK
    anthropic = request.path.startswith("/v1/messages") or "anthropic-version" in request.headers
    return Provider.ANTHROPIC if anthropic else Provider.OPENAI


def error_of(provider: Provider, status: int, kind: str = "", message: str = "") -> tuple[dict[str, str], bytes]:
    """Return headers and body of an error in a provider's envelope."""
    match provider:
        case Provider.ANTHROPIC:
            return dict(JSON), wire.dumps(wire.anthropic_error(status, kind, message))
        case Provider.OPENAI:
            return dict(JSON), wire.dumps(openai.openai_error(status, kind, message))
        case Provider.AZURE:
            return dict(JSON), wire.dumps(openai.azure_error(status, kind, message))
        case Provider.BEDROCK:
            headers, body = wire.bedrock_error(status, kind, message)
            return {**JSON, **headers}, body


def models_of(provider: Provider, names: tuple[str, ...]) -> dict[str, Any]:
    """Return a list of models as a provider gives it."""
    if provider is Provider.ANTHROPIC:
        rows = [
            {"type": "model", "id": name, "display_name": name.title(), "created_at": "2026-01-01T00:00:00Z"}
            for name in names
        ]
        return {"data": rows, "has_more": False, "first_id": names[0], "last_id": names[-1]}
    listed = [{"id": name, "object": "model", "created": 1_790_000_000, "owned_by": "openai"} for name in names]
    return {"object": "list", "data": listed}


def _messages(request: Request) -> Dialect:
    body = request.json
    return Dialect(
        provider=Provider.ANTHROPIC,
        model=str(body.get("model")),
        streams=body.get("stream") is True,
        whole=wire.anthropic_message,
        events=wire.anthropic_stream,
        media=SSE,
        failure=_anthropic_failure,
        fresh=_is_fresh(body),
    )


def _invoke(request: Request, model: str, *, streams: bool) -> Dialect:
    return Dialect(
        provider=Provider.BEDROCK,
        model=model,
        streams=streams,
        whole=wire.anthropic_message,
        events=wire.bedrock_stream,
        media=FRAMES,
        failure=wire.bedrock_exception,
        fresh=_is_fresh(request.json),
    )


def _chat(request: Request, provider: Provider, deployment: str = "") -> Dialect:
    body = request.json
    options = body.get("stream_options")
    usage = isinstance(options, dict) and options.get("include_usage") is True
    azure = provider is Provider.AZURE

    def events(reply: Reply, model: str, number: int) -> list[Event]:
        return openai.chat_stream(reply, model, number, usage=usage, azure=azure)

    tools = [tool.get("function", {}).get("name") for tool in body.get("tools", [])]
    called = any(message.get("role") == "tool" for message in body.get("messages", []))
    return Dialect(
        provider=provider,
        model=deployment or str(body.get("model")),
        streams=body.get("stream") is True,
        whole=openai.chat_completion,
        events=events,
        media=SSE,
        failure=openai.chat_error_event,
        fresh=_TOOL in tools and not called,
    )


def _responses(request: Request, provider: Provider) -> Dialect:
    body = request.json
    tools = [tool.get("name") for tool in body.get("tools", [])]
    items = body.get("input") if isinstance(body.get("input"), list) else []
    called = any(item.get("type") == "function_call_output" for item in items or [])
    return Dialect(
        provider=provider,
        model=str(body.get("model")),
        streams=body.get("stream") is True,
        whole=openai.response,
        events=openai.responses_stream,
        media=SSE,
        failure=openai.responses_error_event,
        fresh=_TOOL in tools and not called,
    )


def _anthropic_failure(kind: str, message: str) -> Event:
    return wire.sse(wire.anthropic_error(529, kind, message))


def _is_fresh(body: Mapping[str, Any]) -> bool:
    tools = [tool.get("name") for tool in body.get("tools", [])]
    contents = [message.get("content") for message in body.get("messages", [])]
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    return _TOOL in tools and not any(block.get("type") == "tool_result" for block in blocks)
