"""Reading params: values at a path, and text that is fit to be part of a resource.

Types were checked against botocore's shapes before; what does not fit here is refused, never passed over, because a
value that is not seen is a requirement that is not asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from connectors.aws.catalogue.place import Params
from connectors.errors import InvalidParamsError

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SHOWN: Final = 60
_STEP: Final = re.compile(r"(?P<name>\w+)(?P<many>\[\]|\{\})?")

Test = Callable[[Params], bool]
"""Whether a requirement applies to these params."""


def found(params: Params, path: str) -> list[Any]:
    """Return the values at a path, None for each place where only the last member is missing.

    Args:
        params: Of the operation.
        path: Members with dots between; ``[]`` behind a list means each element, ``{}`` behind a map each key.

    Returns:
        Empty when a member on the way is missing; ``[None]`` when the last one is, or is an empty list.

    Raises:
        InvalidParamsError: a member is not what the path says.
    """
    *way, (last, many) = _steps(path)
    if not way and not many:
        return [_member(params, last, path)]
    values: list[Any] = [params]
    for name, kind in way:
        values = [item for value in values for item in _items(_member(value, name, path), kind, path)]
    leaves = [_member(value, last, path) for value in values]
    return [item for leaf in leaves for item in _items(leaf, many, path) or [None]]


def texts(params: Params, path: str) -> list[str]:
    """Return the texts at a path, without those that are missing or empty.

    Raises:
        InvalidParamsError: a value is not text, or holds a control character.
    """
    return [text(value, path) for value in found(params, path) if value is not None and value != ""]


def text(value: object, path: str) -> str:
    """Return a value that may become part of a resource.

    Raises:
        InvalidParamsError: it is not text, or holds a character that neither XML nor a person can tell from others;
            the mark of unknown parts is one of them.
    """
    if not isinstance(value, str):
        raise InvalidParamsError(f"`{path}` must be a string")
    bad = _CONTROL.search(value)
    if bad is not None:
        raise InvalidParamsError(f"`{path}` holds the control character \\u{ord(bad.group()):04x}")
    return value


def given(*paths: str) -> Test:
    """Return the test that something stands at one of these paths; an empty list or map is nothing."""

    def test(params: Params) -> bool:
        return any(value is not None and value not in ({}, []) for path in paths for value in found(params, path))

    return test


def says(path: str, value: str | bool) -> Test:
    """Return the test that a member has this value."""

    def test(params: Params) -> bool:
        return value in found(params, path)

    return test


def shown(value: str) -> str:
    """Return text for people: clipped, with what prints nothing escaped."""
    clipped = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
    return "".join(char if char.isprintable() and char != "`" else f"\\u{ord(char):04x}" for char in clipped)


def _items(value: object, kind: str, path: str) -> list[Any]:
    """Return what a step leads to: the value itself, its elements or its keys."""
    if value is None:
        return []
    if not kind:
        return [value]
    if not isinstance(value, list | tuple if kind == "[]" else Mapping):
        raise InvalidParamsError(f"`{path}` must be {'a list' if kind == '[]' else 'a map'}")
    return list(value)


def _member(value: object, name: str, path: str) -> Any:  # noqa: ANN401 - whatever the param holds
    if not isinstance(value, Mapping):
        raise InvalidParamsError(f"`{path}` must be a structure")
    return value.get(name)


@lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[tuple[str, str], ...]:
    """Return name and mark of each step; paths are ours, so a bad one is a fault of the table."""
    matches = [_STEP.fullmatch(step) for step in path.split(".")]
    return tuple((match["name"], match["many"] or "") for match in matches if match is not None)
