"""What the ``tools`` of a request say of its price, and of other models than its own."""

from __future__ import annotations

from typing import Final

import msgspec

from connectors.errors import InvalidParamsError

SEARCHES: Final = 10
"""How many searches a server tool without ``max_uses`` is taken for in an estimate."""
MAX_SEARCHES: Final = 1_000

_SEARCH: Final = b"web_search"
_MODEL_MARKS: Final = (b'"model"', b"\\u006")
"""One of them stands where a member has the name ``model``: all of its letters have escapes that begin so."""
_NULL: Final = b"null"


class _Tool(msgspec.Struct):
    """What tells of an entry how often it searches."""

    type: str | None = None
    max_uses: int | None = None


class _Asking(msgspec.Struct):
    """What tells of an entry whether it asks a model."""

    model: msgspec.Raw = msgspec.Raw(_NULL)


_TOOLS: Final = msgspec.json.Decoder(list[_Tool])
_ASKING: Final = msgspec.json.Decoder(list[_Asking])
_ENTRIES: Final = msgspec.json.Decoder(list[msgspec.Raw])


def searches_of(raw: bytes) -> int:
    """Return how many web searches tools may make at most, as far as that can be told.

    Args:
        raw: The value of ``tools``; ``null`` when there are none.
    """
    if raw == _NULL:
        return 0
    try:
        tools = _TOOLS.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return min(SEARCHES * raw.count(_SEARCH), MAX_SEARCHES)
    asked = (each.max_uses for each in tools if (each.type or "").startswith(_SEARCH.decode()))
    return min(sum(SEARCHES if uses is None else max(uses, 0) for uses in asked), MAX_SEARCHES)


def asking(raw: bytes) -> list[bytes]:
    """Return the entries of ``tools`` that name a model: the provider runs them, and asks that one besides.

    What stands in a schema is none of it. In an entry that is returned ``model`` may stand more than once.

    Args:
        raw: The value of ``tools``; ``null`` when there are none.

    Raises:
        InvalidParamsError: it is no list of objects, so that nobody can tell.
    """
    if not any(mark in raw for mark in _MODEL_MARKS):
        return []
    try:
        named = [each.model for each in _ASKING.decode(raw)]
        if all(bytes(each) == _NULL for each in named):
            return []
        return [bytes(entry) for entry, model in zip(_ENTRIES.decode(raw), named, strict=True) if bytes(model) != _NULL]
    except (msgspec.DecodeError, RecursionError):
        raise InvalidParamsError("`tools` must be a list of objects") from None
