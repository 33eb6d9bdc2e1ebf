"""JSON that means one thing only: the parser of every request body.

RFC 8259 leaves open what duplicate names, huge numbers and lone surrogates mean, and two parsers that disagree are a
hole. Here they are refused: duplicate names, NaN and infinities, integers outside the signed 64-bit range, floats that
overflow, unpaired surrogates, text that is not UTF-8, deep nesting, and bodies of so many values that they would grow
far beyond their bytes in memory.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

JsonObject = dict[str, Any]

MAX_DEPTH: Final = 48
"""Levels of nesting; below `broker.canonical.MAX_DEPTH`, as the broker wraps what it takes in levels of its own."""

MAX_VALUES: Final = 100_000
"""Values in one body; an empty list costs 56 bytes in memory and 3 in the body."""

_MAX_INTEGER_CHARS: Final = 20
"""Sign and 19 digits of the signed 64-bit range; longer ones are not even converted."""


class MalformedJsonError(ValueError):
    """The bytes are no JSON of the strict kind; the message holds nothing of the input but a position."""


def parse_object(data: bytes) -> JsonObject:
    """Return the JSON object in ``data``.

    Raises:
        MalformedJsonError: it is anything else.
    """
    value = parse_value(data)
    if not isinstance(value, dict):
        raise MalformedJsonError("expected a JSON object")
    return value


def parse_value(data: bytes) -> Any:  # noqa: ANN401 - JSON of any type
    """Return the JSON value in ``data``.

    Raises:
        MalformedJsonError: it is none, or none of the strict kind.
    """
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_VALUES:
        raise MalformedJsonError(f"more than {MAX_VALUES} values, or as many commas and brackets inside strings")
    try:
        text = data.decode()
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise MalformedJsonError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise MalformedJsonError(f"not JSON at character {error.pos}") from None
    except RecursionError:
        raise MalformedJsonError(f"nested deeper than {MAX_DEPTH} levels") from None
    if isinstance(value, dict | list):
        _check_depth(value)
    # Bytes that decode as UTF-8 hold no surrogate; only an escape can bring one in.
    if "\\ud" in text or "\\uD" in text:
        _check_surrogates(value)
    return value


def _check_surrogates(value: Any) -> None:  # noqa: ANN401 - JSON of any type
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedJsonError("a string has an unpaired surrogate") from None


def _check_depth(value: JsonObject | list[Any]) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for item in level:
            children = item.values() if isinstance(item, dict) else item
            inner.extend(child for child in children if isinstance(child, dict | list))
        if not inner:
            return
        level = inner
    raise MalformedJsonError(f"nested deeper than {MAX_DEPTH} levels")


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedJsonError("a name stands twice in one object")
    return found


def _integer(text: str) -> int:
    number = int(text) if len(text) <= _MAX_INTEGER_CHARS else 1 << 64
    if not -(1 << 63) <= number < 1 << 63:
        raise MalformedJsonError("an integer is outside the signed 64-bit range")
    return number


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise MalformedJsonError("a number is too large")
    return number


def _constant(_name: str) -> NoReturn:
    raise MalformedJsonError("NaN and infinity are not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
