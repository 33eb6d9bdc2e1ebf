"""From JSON to the one canonical JSON form of a botocore shape, and from that to the types botocore serialises.

`canonical` is strict: exact types, no unknown and no missing members, null nowhere. What it returns is a fixed point:
checking it again changes nothing, so that whoever executes a stored plan checks it once more. What it does NOT check:
enums, patterns and upper bounds, which AWS itself checks; a value AWS adds tomorrow is not refused here.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from connectors.aws.words import json_type, shown
from connectors.errors import InvalidParamsError

MAX_DEPTH: Final = 40
"""Nested values of one param; the deepest shape that does not contain itself has 15."""
_EPOCH_YEAR: Final = 1970
_BITS: Final = {"integer": 31, "long": 63}
_LARGEST_FLOAT: Final = 3.4028234e38
"""Of 32 bits, IEEE 754; larger ones cannot be written as CBOR of that type."""
_LARGEST_DOCUMENT: Final = 1 << 63
"""Numbers of documents without a shape; plans hold 64-bit integers at most, and NaN is not below it either."""
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|z|[+-][0-9]{2}:[0-9]{2})"
)
_WHOLE_SECONDS: Final = "rfc822"
"""The one format of times that has no place for a fraction."""
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "character": (str,),
    "blob": (str,),
    "timestamp": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
}
_WORDS: Final = {
    "structure": "an object",
    "map": "an object",
    "list": "an array",
    "blob": "a string in base64",
    "boolean": "true or false",
    "integer": "a whole number",
    "long": "a whole number",
    "float": "a number",
    "double": "a number",
}


def canonical(shape: Any, value: Any, path: str, depth: int = 0) -> Any:  # noqa: ANN401 - botocore's shape, JSON
    """Return a value in canonical form.

    Args:
        shape: botocore shape.
        value: JSON as received.
        path: Its name, for messages.
        depth: How deep it is nested.

    Raises:
        InvalidParamsError: it does not fit.
    """
    kind: str = shape.type_name
    if depth > MAX_DEPTH:
        raise InvalidParamsError(f"`{shown(path)}` is nested deeper than {MAX_DEPTH} levels")
    if type(value) not in _KINDS[kind] and not _is_free(shape):  # bool is an int to isinstance, and 1 is not true
        raise InvalidParamsError(f"`{shown(path)}` must be {_WORDS.get(kind, 'a string')}, found {json_type(value)}")
    return _CANONICAL[kind](shape, value, path, depth)


def native(shape: Any, value: Any) -> Any:  # noqa: ANN401 - JSON in, botocore's types out
    """Return a canonical value as botocore serialises it: times as datetimes, blobs as bytes."""
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            members = shape.members
            return {name: native(members[name], item) for name, item in value.items()}
        case "list":
            return [native(shape.member, item) for item in value]
        case "map":
            return {name: native(shape.value, item) for name, item in value.items()}
        case "timestamp":
            return datetime.fromisoformat(value).astimezone(UTC)
        case "blob":
            return base64.b64decode(value)
        case _:
            return value


def decoded(value: str, name: str) -> bytes:
    """Return the bytes of a blob.

    Raises:
        InvalidParamsError: it is not base64.
    """
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidParamsError(
            f"`{shown(name)}` is not base64", fix="standard alphabet, with padding, no line breaks"
        ) from None


def _is_free(shape: Any) -> bool:  # noqa: ANN401 - botocore's shape
    """Tell whether a shape takes any JSON: a document, or a header that carries JSON."""
    if shape.type_name == "structure":
        return bool(shape.is_document_type)
    return bool(shape.serialization.get("jsonvalue")) and shape.serialization.get("location") == "header"


def _structure(shape: Any, value: Any, path: str, depth: int) -> Any:  # noqa: ANN401 - as `canonical`
    if shape.is_document_type:
        return _document(value, path, depth)
    members = shape.members
    checked = {}
    for name in sorted(value):
        member = members.get(name)
        if member is None:
            raise InvalidParamsError(f"`{shown(path)}` does not take `{shown(name)}`", fix=_listed(members))
        checked[name] = canonical(member, value[name], f"{path}.{name}", depth + 1)
    missing = [name for name in shape.required_members if name not in value]
    if missing:
        raise InvalidParamsError(f"`{shown(path)}` needs `{'`, `'.join(missing)}`")
    if shape.is_tagged_union and len(checked) != 1:
        raise InvalidParamsError(f"`{shown(path)}` must hold exactly one member", fix=_listed(members))
    return checked


def _listed(members: Any) -> str:  # noqa: ANN401 - botocore's shapes
    return f"it takes {', '.join(sorted(members))}" if members else "it takes nothing"


def _list(shape: Any, value: list[Any], path: str, depth: int) -> list[Any]:  # noqa: ANN401 - as `canonical`
    _at_least(shape, len(value), path, "items")
    member = shape.member
    return [canonical(member, item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]


def _map(shape: Any, value: dict[str, Any], path: str, depth: int) -> dict[str, Any]:  # noqa: ANN401 - as `canonical`
    _at_least(shape, len(value), path, "entries")
    names, items = shape.key, shape.value
    return {
        canonical(names, name, path, depth + 1): canonical(items, value[name], f"{path}.{name}", depth + 1)
        for name in sorted(value)
    }


def _text(shape: Any, value: Any, path: str, depth: int) -> Any:  # noqa: ANN401 - as `canonical`
    if _is_free(shape):
        return _document(value, path, depth)
    _at_least(shape, len(value), path, "characters")
    _plain_text(value, path)
    return value


def _plain_text(value: str, path: str) -> None:
    """Refuse what no protocol can carry: half a character, and NUL, which stands for "unknown" in resources."""
    if value.isascii() and "\x00" not in value:
        return
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidParamsError(f"`{shown(path)}` holds a NUL or a lone surrogate")


def _blob(shape: Any, value: str, path: str, _depth: int) -> str:  # noqa: ANN401 - as `canonical`
    data = decoded(value, path)
    _at_least(shape, len(data), path, "bytes")
    return base64.b64encode(data).decode()


def _integer(shape: Any, value: int, path: str, _depth: int) -> int:  # noqa: ANN401 - as `canonical`
    limit = 1 << _BITS[shape.type_name]
    low = shape.metadata.get("min", -limit)
    if not max(low, -limit) <= value < limit:
        found = value if abs(value) < 1 << 63 else "…"
        raise InvalidParamsError(f"`{shown(path)}` must be from {low} to {limit - 1}, found {found}")
    return value


def _number(shape: Any, value: float, path: str, _depth: int) -> float:  # noqa: ANN401 - as `canonical`
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    small = shape.type_name == "double" or abs(number) <= _LARGEST_FLOAT
    if not math.isfinite(number) or not small or number < shape.metadata.get("min", -math.inf):
        raise InvalidParamsError(f"`{shown(path)}` is out of range")
    return number


def _flag(_shape: Any, value: bool, _path: str, _depth: int) -> bool:  # noqa: ANN401 - as `canonical`
    return value


def _time(shape: Any, value: str, path: str, _depth: int) -> str:  # noqa: ANN401 - as `canonical`
    """Return the time in UTC; a fraction that the wire has no place for would be lost between plan and request."""
    whole = shape.serialization.get("location") == "header" or (
        str(shape.serialization.get("timestampFormat", "")).lower() == _WHOLE_SECONDS
    )
    problem = InvalidParamsError(
        f"`{shown(path)}` must be a time with {'whole seconds and ' if whole else ''}a zone, found `{shown(value)}`",
        fix="as `2026-03-04T12:00:00Z`",
    )
    if _TIME.fullmatch(value) is None:
        raise problem
    try:
        moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise problem from None
    if moment.year < _EPOCH_YEAR or (whole and "." in value):
        raise problem
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if moment.microsecond else "%Y-%m-%dT%H:%M:%SZ")


def _document(value: Any, path: str, depth: int) -> Any:  # noqa: ANN401 - any JSON
    """Return any JSON value as it is, once it is finite and not too deep."""
    if depth > MAX_DEPTH:
        raise InvalidParamsError(f"`{shown(path)}` is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for name in value:
            _plain_text(name, path)
        return {name: _document(value[name], path, depth + 1) for name in sorted(value)}
    if isinstance(value, list):
        return [_document(item, path, depth + 1) for item in value]
    if isinstance(value, str):
        _plain_text(value, path)
    elif isinstance(value, float | int) and not -_LARGEST_DOCUMENT <= value < _LARGEST_DOCUMENT:
        raise InvalidParamsError(f"`{shown(path)}` is out of range")
    return value


def _at_least(shape: Any, size: int, path: str, what: str) -> None:  # noqa: ANN401 - botocore's shape
    low = shape.metadata.get("min", 0)
    if size < low:
        raise InvalidParamsError(f"`{shown(path)}` must have at least {low} {what}, found {size}")


_CANONICAL: Final[dict[str, Callable[[Any, Any, str, int], Any]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _text,
    "character": _text,
    "blob": _blob,
    "integer": _integer,
    "long": _integer,
    "float": _number,
    "double": _number,
    "boolean": _flag,
    "timestamp": _time,
}
