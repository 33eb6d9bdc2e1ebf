"""Streamed answers as providers write them, for the tests of metering."""

from __future__ import annotations

import json
from typing import Any

from connectors.llm.metering.follow import follower
from connectors.llm.metering.tally import Follower, Piece
from connectors.llm.words import Dialect, Phase

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
DONE = b"data: [DONE]\n\n"
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def event(kind: str, **fields: Any) -> bytes:
    """Return an event that names its kind twice, as Anthropic and Responses do."""
    return f"event: {kind}\n".encode() + data({"type": kind, **fields})


def data(value: object) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def start(model: str = "claude-opus-4-8", **usage: Any) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [], "usage": usage}
    return event("message_start", message=message)


def text(words: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": words})


def delta(**usage: Any) -> bytes:
    return event("message_delta", delta={"stop_reason": "end_turn"}, usage=usage)


def chunk(*deltas: dict[str, Any], finish: str | None = None, **rest: Any) -> bytes:
    """Return a chunk of Chat Completions with a choice for each delta."""
    choices = [
        {"index": index, "delta": each, "logprobs": None, "finish_reason": finish} for index, each in enumerate(deltas)
    ]
    return data({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-5", "choices": choices} | rest)


def response(kind: str, **fields: Any) -> bytes:
    return event(kind, response={"id": "resp_1", "model": "gpt-5", "status": "x"} | fields)


def followed(dialect: Dialect, *parts: bytes, hide_usage: bool = False) -> tuple[Follower, list[Piece]]:
    """Return what followed a stream, and all its pieces, those of the rest among them."""
    found = follower(dialect, hide_usage=hide_usage)
    pieces = [piece for part in parts for piece in found.feed(part)]
    return found, pieces + found.finish()


def phases(dialect: Dialect, *parts: bytes) -> list[Phase]:
    return [piece.phase for piece in followed(dialect, *parts)[1]]
