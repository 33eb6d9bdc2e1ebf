"""The closed sets of words of this connector, and what all of it must know."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

MAX_BODY_BYTES: Final = 32 << 20
"""Of a request: Anthropic's own limit (API reference, "Request size limits"); nobody else takes more."""


class Dialect(StrEnum):
    """In which format a request is written, and its answer."""

    MESSAGES = "messages"
    """Anthropic's Messages API, ``POST /v1/messages``."""
    CHAT = "chat"
    """OpenAI's Chat Completions, ``POST /v1/chat/completions``."""
    RESPONSES = "responses"
    """OpenAI's Responses, ``POST /v1/responses``."""
    INVOKE = "invoke"
    """Amazon Bedrock's InvokeModel with a body of Anthropic's, ``POST /model/{id}/invoke``; as a stream, the frames of
    `application/vnd.amazon.eventstream`."""


class Speaks(StrEnum):
    """What an upstream is."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    """OpenAI, or anybody who speaks its protocols."""
    AZURE = "azure"
    BEDROCK = "bedrock"


class Phase(StrEnum):
    """Where in a streamed answer some bytes stand."""

    PRELUDE = "prelude"
    """Before any content: ``message_start``, ``ping``, ``response.created``; another upstream may still be asked."""
    CONTENT = "content"
    ERROR = "error"
    """The upstream says in the stream that it failed."""
    END = "end"
    """From the event that ends the answer on, that event included; released after the outcome is durable."""
