"""The table of operations: to ask a model, and to have tokens counted."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connectors.base import Access, JsonObject, Operation
from connectors.llm.resource_types import RESOURCE_TYPES
from connectors.llm.words import MAX_BODY_BYTES, Dialect

INVOKE: Final = "llm:InvokeModel"
COUNT: Final = "llm:CountTokens"

_UPLOAD: Final = {
    "type": "object",
    "properties": {
        "bytes": {"type": "integer", "minimum": 2, "maximum": MAX_BODY_BYTES},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
    "required": ["bytes", "sha256"],
    "additionalProperties": False,
}
_BODY: Final = {
    "description": 'the request as its provider documents it, or `{"upload": …}` for one that comes in apart',
    "type": "object",
    "properties": {"upload": _UPLOAD},
    # Its fields are the provider's, an open list.
    "additionalProperties": {},
}
_PEEKED: Final = {
    "description": "facts of a body that comes in apart, compared with its bytes",
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "stream": {"type": "boolean"},
        "max_output_tokens": {"type": "integer", "minimum": 0},
        "include_usage": {"type": "boolean"},
        "searches": {"type": "integer", "minimum": 0},
        "fast": {"type": "boolean"},
        "geo": {"type": "string"},
        "service_tier": {"type": "string"},
        "helpers": {"type": "string"},
    },
    "additionalProperties": False,
}
_HEADERS: Final = {
    "description": "headers of the request, names in lower case",
    "type": "object",
    "additionalProperties": {"type": "string"},
}


def _schema(dialects: tuple[Dialect, ...], extra: JsonObject) -> JsonObject:
    return {
        "type": "object",
        "properties": {
            "dialect": {"type": "string", "enum": [each.value for each in dialects]},
            **extra,
            "headers": _HEADERS,
            "body": _BODY,
            "peeked": _PEEKED,
        },
        "required": ["dialect", "body"],
        "additionalProperties": False,
    }


_EXAMPLE_BODY: Final = {"model": "claude-opus-4-8", "messages": [{"role": "user", "content": "hello"}]}

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        INVOKE: Operation(
            action=INVOKE,
            access=Access.READ,
            idempotent=False,
            summary="ask a model, in the format of Anthropic, OpenAI or Amazon Bedrock",
            resources=tuple(each.template for each in RESOURCE_TYPES),
            params_schema=_schema(
                tuple(Dialect),
                {
                    "model": {"type": "string", "description": "invoke only: the model in the path"},
                    "stream": {"type": "boolean", "description": "invoke only: whether the path asks for a stream"},
                },
            ),
            example={"dialect": "messages", "body": {**_EXAMPLE_BODY, "max_tokens": 1024}},
        ),
        COUNT: Operation(
            action=COUNT,
            access=Access.READ,
            idempotent=True,
            summary="count the tokens of a request without sending it to the model",
            resources=tuple(each.template for each in RESOURCE_TYPES),
            params_schema=_schema((Dialect.MESSAGES,), {}),
            example={"dialect": "messages", "body": _EXAMPLE_BODY},
            permissions=(INVOKE,),
        ),
    }
)
"""By action."""
