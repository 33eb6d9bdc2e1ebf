"""Fields of an answer as an upstream wrote them: taken when they are what they should be, passed over when not."""

from __future__ import annotations

from math import ceil, isfinite
from typing import Final

import orjson

from connectors.base import JsonObject

MOST_TOKENS: Final = 10**9
"""What one field counts at most; more is a fault of the upstream, and sums and prices have to stay 64-bit integers."""
LONGEST_WORD: Final = 256
LONGEST_MESSAGE: Final = 2000
"""Characters of an upstream's message that are kept."""


def count(value: object) -> int | None:
    """Return a number of tokens, 0 to `MOST_TOKENS`, rounded up; None when it is no such number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
        return None
    return min(ceil(value), MOST_TOKENS)


def word(value: object) -> str:
    """Return a name of printable ASCII; empty when it is none, or too long."""
    if not isinstance(value, str) or len(value) > LONGEST_WORD or not value.isascii() or not value.isprintable():
        return ""
    return value


def table(value: object) -> JsonObject:
    """Return a JSON object; an empty one when it is something else."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[JsonObject]:
    """Return the objects of a JSON array; none when it is something else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def parse(data: bytes) -> JsonObject | None:
    """Return the JSON object some bytes are; None when they are something else."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def failure_of(error: object) -> tuple[str, str]:
    """Return type and message of an error; of an upstream that words it in its own way, what can be had.

    Args:
        error: What stands under ``error``: an object with ``type`` or ``code`` and ``message``, or a text.
    """
    said = table(error)
    kind = word(said.get("type")) or word(said.get("code")) or "error"
    message = said.get("message", error)
    return kind, message[:LONGEST_MESSAGE] if isinstance(message, str) else ""
