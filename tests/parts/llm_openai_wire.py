"""OpenAI's and Azure's wire formats, written from their documentation; nothing of the product is in it.

OpenAI: API reference, "Chat Completions" and "Responses" with their streaming events, "Error codes". Azure: "Azure
OpenAI REST API reference", "Content filtering" (the first chunk of a stream).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.parts.llm_script import Event, Reply
from tests.parts.llm_wire import dumps, words

_DONE = Event(b"data: [DONE]\n\n")
_CREATED = 1_790_000_000
_CODES: Mapping[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


def chat_usage(reply: Reply) -> dict[str, Any]:
    read = reply.input_tokens + reply.cache_read
    return {
        "prompt_tokens": read,
        "completion_tokens": reply.output_tokens,
        "total_tokens": read + reply.output_tokens,
        "prompt_tokens_details": {"cached_tokens": reply.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning},
    }


def chat_completion(reply: Reply, model: str, number: int) -> dict[str, Any]:
    """A whole answer of Chat Completions."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.tool:
        call = {"name": reply.tool, "arguments": json.dumps(dict(reply.arguments))}
        message["tool_calls"] = [{"id": "call_000001", "type": "function", "function": call}]
    return {
        "id": f"chatcmpl-{number:06}",
        "object": "chat.completion",
        "created": _CREATED,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(reply), "logprobs": None}],
        "usage": chat_usage(reply),
        "service_tier": "default",
    }


def chat_stream(reply: Reply, model: str, number: int, *, usage: bool, azure: bool = False) -> list[Event]:
    """The events of Chat Completions; those with usage only when they were asked for."""

    def chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
        document: dict[str, Any] = {
            "id": f"chatcmpl-{number:06}",
            "object": "chat.completion.chunk",
            "created": _CREATED,
            "model": model,
            "choices": choices,
        }
        if usage:
            document["usage"] = None
        return b"data: " + dumps({**document, **more}) + b"\n\n"

    def choice(delta: Mapping[str, Any], finish: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": dict(delta), "finish_reason": finish, "logprobs": None}]

    events = [Event(chunk([], model="", prompt_filter_results=[{"prompt_index": 0}]))] if azure else []
    events.append(Event(chunk(choice({"role": "assistant", "content": "", "refusal": None}))))
    events += [Event(chunk(choice(delta)), content=True) for delta in _chat_deltas(reply)]
    events.append(Event(chunk(choice({}, _finish(reply))), content=True))
    if usage:
        events.append(Event(chunk([], usage=chat_usage(reply)), content=True))
    return [*events, _DONE]


def responses_usage(reply: Reply) -> dict[str, Any]:
    read = reply.input_tokens + reply.cache_read
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": reply.cache_read},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": reply.reasoning},
        "total_tokens": read + reply.output_tokens,
    }


def response(reply: Reply, model: str, number: int) -> dict[str, Any]:
    """A whole answer of Responses."""
    status = "failed" if reply.failed else "incomplete" if reply.incomplete else "completed"
    return {
        "id": f"resp_{number:06}",
        "object": "response",
        "created_at": _CREATED,
        "status": status,
        "error": {"code": "server_error", "message": "the fake failed"} if reply.failed else None,
        "incomplete_details": {"reason": "max_output_tokens"} if reply.incomplete else None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [] if reply.failed else _items(reply),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": responses_usage(reply),
    }


def responses_stream(reply: Reply, model: str, number: int) -> list[Event]:
    """The events of Responses, to the one that ends them."""
    whole = response(reply, model, number)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None, "error": None, "incomplete_details": None}
    counter = itertools.count()

    def event(kind: str, *, content: bool = False, **fields: Any) -> Event:
        document = {"type": kind, "sequence_number": next(counter), **fields}
        return Event(b"event: %s\ndata: %s\n\n" % (kind.encode(), dumps(document)), content)

    events = [event("response.created", response=begun), event("response.in_progress", response=begun)]
    for index, item in enumerate(whole["output"]):
        events += [event(kind, content=True, **fields) for kind, fields in _item_events(index, item)]
    return [*events, event(f"response.{whole['status']}", response=whole)]


def openai_error(status: int, code: str = "", message: str = "") -> dict[str, Any]:
    """An error in its envelope."""
    kind, usual = _CODES.get(status, ("server_error", None))
    return {
        "error": {"message": message or f"the fake says {status}", "type": kind, "param": None, "code": code or usual}
    }


def azure_error(status: int, code: str = "", message: str = "") -> dict[str, Any]:
    """An error as Azure's own front gives it."""
    return {"error": {"code": code or str(status), "message": message or f"the fake says {status}"}}


def chat_error_event(code: str = "", message: str = "") -> Event:
    """An error amid a stream of Chat Completions."""
    return Event(b"data: " + dumps(openai_error(500, code or "server_error", message)) + b"\n\n")


def responses_error_event(code: str = "", message: str = "") -> Event:
    """An error amid a stream of Responses."""
    error = {
        "type": "error",
        "sequence_number": 99,
        "code": code or "server_error",
        "message": message or "the fake failed",
    }
    return Event(b"event: error\ndata: " + dumps({**error, "param": None}) + b"\n\n")


def _chat_deltas(reply: Reply) -> Iterator[dict[str, Any]]:
    if reply.text:
        yield from ({"content": word} for word in words(reply.text))
    if reply.tool:
        start = {"name": reply.tool, "arguments": ""}
        yield {"tool_calls": [{"index": 0, "id": "call_000001", "type": "function", "function": start}]}
        for piece in words(json.dumps(dict(reply.arguments))):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _items(reply: Reply) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if reply.text:
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        items.append({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]})
    if reply.tool:
        call = {
            "id": "fc_1",
            "type": "function_call",
            "status": "completed",
            "call_id": "call_000001",
            "name": reply.tool,
        }
        items.append({**call, "arguments": json.dumps(dict(reply.arguments))})
    return items


def _item_events(index: int, item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    at = {"output_index": index}
    spot = {**at, "item_id": item["id"]}
    if item["type"] == "message":
        part = item["content"][0]
        spot = {**spot, "content_index": 0}
        yield "response.output_item.added", {**at, "item": {**item, "status": "in_progress", "content": []}}
        yield "response.content_part.added", {**spot, "part": {**part, "text": ""}}
        for word in words(part["text"]):
            yield "response.output_text.delta", {**spot, "delta": word, "logprobs": []}
        yield "response.output_text.done", {**spot, "text": part["text"], "logprobs": []}
        yield "response.content_part.done", {**spot, "part": part}
    else:
        yield "response.output_item.added", {**at, "item": {**item, "status": "in_progress", "arguments": ""}}
        for piece in words(item["arguments"]):
            yield "response.function_call_arguments.delta", {**spot, "delta": piece}
        yield "response.function_call_arguments.done", {**spot, "arguments": item["arguments"]}
    yield "response.output_item.done", {**at, "item": item}


def _finish(reply: Reply) -> str:
    if reply.incomplete:
        return "length"
    return "tool_calls" if reply.tool else "stop"
