"""Values of params against the schemas of the catalogue: exact types, closed objects, nothing that JSON cannot carry.

The part of JSON Schema that occurs there is ``type``, ``enum``, ``items``, ``properties``, ``required``,
``additionalProperties`` and ``anyOf``; ``{}`` takes any value. Patterns and bounds are GitHub's to check.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.errors import InvalidParamsError
from connectors.github.catalogue import Schema
from connectors.github.names import shown

MAX_TEXT_CHARS: Final = 8 << 20
"""Of one string; a file's content in base64 is the longest."""
MAX_ITEMS: Final = 10_000
MAX_DEPTH: Final = 32
_MAX_INTEGER: Final = 2**63 - 1
"""Integers in plans are 64 bits."""
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_NAMES: Final = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def check_value(schema: Schema, value: Any, place: str, depth: int = 0) -> None:  # noqa: ANN401 - JSON as received
    """Refuse a value that its schema does not take.

    Args:
        schema: Of the catalogue.
        value: As received.
        place: Its name, for messages.
        depth: Levels above it.

    Raises:
        InvalidParamsError: it does not fit.
    """
    if depth > MAX_DEPTH:
        raise InvalidParamsError(f"`{place}` is nested too deep")
    if "anyOf" in schema:
        _check_choices(schema["anyOf"], value, place, depth)
        return
    if "type" in schema and type(value) not in _TYPES[schema["type"]]:
        raise InvalidParamsError(f"`{place}` must be {_expected(schema)}, found {_name(value)}")
    if "enum" in schema and value not in schema["enum"]:
        raise InvalidParamsError(f"`{place}` is not one of the values it can have, found `{shown(str(value))}`",
                                 f"one of {', '.join(str(each) for each in schema['enum'])}")  # fmt: skip
    if type(value) is dict:
        _check_object(schema, value, place, depth)
    elif type(value) is list:
        _check_size(len(value), MAX_ITEMS, place)
        for number, item in enumerate(value):
            check_value(schema.get("items", {}), item, f"{place}[{number}]", depth + 1)
    else:
        _check_scalar(value, place)


def refuse_unknown(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """Refuse names that are not there, with the nearest one that is.

    Raises:
        InvalidParamsError: there is one.
    """
    known = sorted(known)
    for name in sorted(set(given).difference(known)):
        near = difflib.get_close_matches(name[:80], known, n=1)
        raise InvalidParamsError(
            f"`{what}` does not take `{shown(name)}`",
            f"did you mean `{near[0]}`" if near else f"it takes {', '.join(known) or 'nothing'}",
        )


def _check_choices(choices: Iterable[Schema], value: Any, place: str, depth: int) -> None:  # noqa: ANN401 - JSON
    fitting = [each for each in choices if type(value) in _TYPES.get(each.get("type", ""), (type(value),))]
    for number, choice in enumerate(fitting, 1):
        try:
            check_value(choice, value, place, depth + 1)
        except InvalidParamsError:
            if number == len(fitting):
                raise
        else:
            return
    raise InvalidParamsError(f"`{place}` must be {' or '.join(map(_expected, choices))}, found {_name(value)}")


def _check_object(schema: Schema, value: dict[str, Any], place: str, depth: int) -> None:
    _check_size(len(value), MAX_ITEMS, place)
    members, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    if others is False:
        refuse_unknown(value, members, place)
    for name in schema.get("required", ()):
        if name not in value:
            raise InvalidParamsError(f"`{place}` needs `{name}`")
    for name, item in value.items():
        _check_scalar(name, place)
        check_value(members.get(name, others or {}), item, f"{place}.{shown(name)}", depth + 1)


def _check_scalar(value: Any, place: str) -> None:  # noqa: ANN401 - JSON as received
    if type(value) is str:
        _check_size(len(value), MAX_TEXT_CHARS, place)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidParamsError(f"`{place}` holds half a character (a lone surrogate)") from None
    elif (type(value) is int and abs(value) > _MAX_INTEGER) or (type(value) is float and not math.isfinite(value)):
        raise InvalidParamsError(f"`{place}` is a number out of range")


def _check_size(size: int, limit: int, place: str) -> None:
    if size > limit:
        raise InvalidParamsError(f"`{place}` is larger than {limit}")


def _expected(schema: Schema) -> str:
    kind = schema.get("type", "any value")
    return "null" if kind == "null" else f"{'an' if kind[0] in 'aio' else 'a'} {kind}"


def _name(value: Any) -> str:  # noqa: ANN401 - JSON as received
    return "null" if value is None else _NAMES.get(type(value), "something else")
