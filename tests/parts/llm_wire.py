"""Anthropic's and Bedrock's wire formats, written from their documentation; nothing of the product is in it.

Anthropic: "Streaming Messages", "Errors". Bedrock: API reference, InvokeModelWithResponseStream and ResponseStream;
AWS, "Event stream encoding".
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from tests.parts.llm_script import Event, Reply

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_EXCEPTIONS = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}
_PIECE = 8


def dumps(document: object) -> bytes:
    return json.dumps(document).encode()


def anthropic_usage(reply: Reply, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": reply.input_tokens,
        "cache_creation_input_tokens": reply.cache_write,
        "cache_read_input_tokens": reply.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": reply.cache_write - reply.cache_write_1h,
            "ephemeral_1h_input_tokens": reply.cache_write_1h,
        },
        "output_tokens": output_tokens,
        "service_tier": "standard",
        **reply.more_usage,
    }


def anthropic_message(reply: Reply, model: str, number: int) -> dict[str, Any]:
    """A whole answer."""
    return {
        "id": f"msg_{number:06}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": _blocks(reply),
        "stop_reason": _stop(reply),
        "stop_sequence": None,
        "usage": anthropic_usage(reply, reply.output_tokens),
    }


def anthropic_events(reply: Reply, model: str, number: int) -> list[dict[str, Any]]:
    """The events of a streamed answer."""
    start = {**anthropic_message(reply, model, number), "content": [], "stop_reason": None}
    start["usage"] = anthropic_usage(reply, 1)
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}, {"type": "ping"}]
    for index, block in enumerate(_blocks(reply)):
        events += _block_events(index, block)
    for place in range(1, reply.deltas + 1):
        last = place == reply.deltas
        events.append(
            {
                "type": "message_delta",
                "delta": {"stop_reason": _stop(reply) if last else None, "stop_sequence": None},
                # All there was so far, not what came with this event.
                "usage": anthropic_usage(reply, reply.output_tokens * place // reply.deltas),
            }
        )
    return [*events, {"type": "message_stop"}]


def anthropic_stream(reply: Reply, model: str, number: int) -> list[Event]:
    return [sse(event) for event in anthropic_events(reply, model, number)]


def anthropic_error(status: int, kind: str = "", message: str = "") -> dict[str, Any]:
    """An error in its envelope."""
    kind = kind or _KINDS.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": message or f"the fake says {kind}"}}


def sse(event: Mapping[str, Any]) -> Event:
    """A server-sent event of Anthropic's."""
    return Event(b"event: %s\ndata: %s\n\n" % (str(event["type"]).encode(), dumps(event)), is_content(event))


def is_content(event: Mapping[str, Any]) -> bool:
    return event["type"] not in {"message_start", "ping", "message_stop", "error"}


def bedrock_stream(reply: Reply, model: str, number: int) -> list[Event]:
    """The frames of a streamed answer; the last event has the metrics in it."""
    events = anthropic_events(reply, model, number)
    events[-1]["amazon-bedrock-invocationMetrics"] = {
        "inputTokenCount": reply.input_tokens,
        "outputTokenCount": reply.output_tokens,
        "invocationLatency": 100,
        "firstByteLatency": 50,
        "cacheReadInputTokenCount": reply.cache_read,
        "cacheWriteInputTokenCount": reply.cache_write,
    }
    return [Event(chunk(event), is_content(event)) for event in events]


def bedrock_error(status: int, name: str = "", message: str = "") -> tuple[dict[str, str], bytes]:
    """Headers and body of an error."""
    name = name or _EXCEPTIONS.get(status, "InternalServerException")
    return {"x-amzn-errortype": name}, dumps({"message": message or f"the fake says {name}"})


def bedrock_exception(name: str = "", message: str = "") -> Event:
    """An error amid a stream."""
    headers = {
        ":exception-type": name or "throttlingException",
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return Event(frame(headers, dumps({"message": message or "the fake is throttled"})))


def chunk(event: Mapping[str, Any]) -> bytes:
    """A frame with an event in it, and the padding that hides its length."""
    payload = {"bytes": base64.b64encode(dumps(event)).decode(), "p": "abcdefghijk"}
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, dumps(payload))


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A frame of AWS's event streams, with headers of text."""
    head = b"".join(
        struct.pack(">B", len(name)) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 12 + len(head) + len(payload) + 4, len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack(">I", zlib.crc32(message))


def damaged(raw: bytes) -> bytes:
    """The same bytes but for one amid the payload."""
    place = len(raw) - 20
    return raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]


def _blocks(reply: Reply) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if reply.thinking:
        blocks.append({"type": "thinking", "thinking": reply.thinking, "signature": "c2lnbmVk"})
    if reply.text:
        blocks.append({"type": "text", "text": reply.text})
    if reply.tool:
        blocks.append({"type": "tool_use", "id": "toolu_000001", "name": reply.tool, "input": dict(reply.arguments)})
    return blocks


def _block_events(index: int, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    empty: dict[str, dict[str, Any]] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
    }
    start = {**block, **empty[block["type"]]}
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in _deltas(block):
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "text":
            yield from ({"type": "text_delta", "text": word} for word in words(block["text"]))
        case "thinking":
            yield from ({"type": "thinking_delta", "thinking": word} for word in words(block["thinking"]))
            yield {"type": "signature_delta", "signature": block["signature"]}
        case _:
            text = json.dumps(block["input"])
            for start in range(0, len(text), _PIECE):
                yield {"type": "input_json_delta", "partial_json": text[start : start + _PIECE]}


def words(text: str) -> list[str]:
    """Pieces of a text, that give it again when they are joined."""
    pieces = text.split(" ")
    return [piece + " " for piece in pieces[:-1]] + pieces[-1:]


def _stop(reply: Reply) -> str:
    if reply.incomplete:
        return "max_tokens"
    return "tool_use" if reply.tool else "end_turn"
