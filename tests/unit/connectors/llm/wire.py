"""An answer in frames of Bedrock."""

from __future__ import annotations

import base64
import json
from typing import Any

from connectors.llm.bedrock.frames import encode
from tests.unit.connectors.llm.desk import USAGE

EVENTS_OF_AN_ANSWER: tuple[dict[str, Any], ...] = (
    {
        "type": "message_start",
        "message": {"id": "m", "model": "claude-opus-4-8", "usage": {**USAGE, "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello there"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE},
    {
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {"inputTokenCount": 42, "outputTokenCount": 17},
    },
)


def frame(event: dict[str, Any]) -> bytes:
    """One event as Bedrock sends it."""
    payload = json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode()
    headers = {":message-type": "event", ":event-type": "chunk", ":content-type": "application/json"}
    return encode(headers, payload)
