"""The query of a request to params, with the types that the operation gives them.

A query has strings only; an intent has numbers and booleans. A name stands once, with one value, and what does not fit
its type is left as it is, for planning to refuse in its own words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from broker.model import JsonObject

MAX_QUERY_BYTES: Final = 8192
MAX_QUERY_NAMES: Final = 64
"""GitHub has no operation with half as many."""

_SENT: Final = re.compile(rb"(?:[A-Za-z0-9._~!$'()*+,;=:@/?\[\]-]|%[0-9A-Fa-f]{2})*")
"""A name or a value: RFC 3986 section 3.4, and the brackets that clients send as they are."""
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}


class MalformedQueryError(ValueError):
    """The query can be read in two ways, or in none; the message holds nothing of the input."""


def query_params(query: bytes, schemas: Mapping[str, Any]) -> JsonObject:
    """Return the params that a query names.

    Args:
        query: As it was sent, without the question mark.
        schemas: JSON Schema of each param of the operation, by name.

    Raises:
        MalformedQueryError: it is too long, not encoded as it should be, or names something twice.
    """
    if not query:
        return {}
    if len(query) > MAX_QUERY_BYTES:
        raise MalformedQueryError(f"the query has more than {MAX_QUERY_BYTES} bytes")
    pairs = [part for part in query.split(b"&") if part]
    if len(pairs) > MAX_QUERY_NAMES:
        raise MalformedQueryError(f"the query has more than {MAX_QUERY_NAMES} names")
    params: JsonObject = {}
    for pair in pairs:
        sent_name, _, sent_value = pair.partition(b"=")
        name, value = _decoded(sent_name), _decoded(sent_value)
        if not name or name in params:
            raise MalformedQueryError("a name stands twice in the query, or is empty")
        params[name] = _typed(value, schemas.get(name))
    return params


def _decoded(sent: bytes) -> str:
    if not _SENT.fullmatch(sent):
        raise MalformedQueryError("the query is not percent-encoded as it should be")
    try:
        return unquote_to_bytes(sent.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise MalformedQueryError("the query is no UTF-8") from None


def _typed(value: str, schema: Any) -> Any:  # noqa: ANN401 - JSON
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    kinds = kind if isinstance(kind, list) else [kind]
    if "integer" in kinds and _INTEGER.fullmatch(value):
        return int(value)
    if "boolean" in kinds and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    return value
