"""Members of JSON that may be missing or of another kind, read so that a page can be made of whatever there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from broker.cli.output import clean

_NOTHING: Final[Mapping[str, Any]] = {}


def mapping(value: object, name: str) -> Mapping[str, Any]:
    """Return the object under a name; an empty one for anything else."""
    found = _member(value, name)
    return found if isinstance(found, Mapping) else _NOTHING


def mappings(value: object, name: str) -> list[Mapping[str, Any]]:
    """Return the objects of the list under a name; what is none of them, as one without members."""
    found = _member(value, name)
    return [each if isinstance(each, Mapping) else _NOTHING for each in found] if isinstance(found, list) else []


def texts(value: object, name: str) -> list[str]:
    """Return the items of the list under a name as text, whatever they are."""
    found = _member(value, name)
    return [_written(each) for each in found] if isinstance(found, list) else []


def text(value: object, name: str) -> str:
    """Return what stands under a name as text; empty for nothing."""
    return _written(_member(value, name))


def number(value: object, name: str, default: int = 0) -> int:
    """Return the whole number under a name."""
    found = _member(value, name)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def flag(value: object, name: str) -> bool | None:
    """Return the boolean under a name; None when it is none."""
    found = _member(value, name)
    return found if isinstance(found, bool) else None


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, Mapping) else None


def _written(value: object) -> str:
    return value if isinstance(value, str) else clean(value)
