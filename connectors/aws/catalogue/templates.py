"""Fills an ARN template with params.

A value is data: a ``*`` in it is a character of a name. What is not given, is no text, or would change where the parts
of the ARN begin, is `UNKNOWN`, which only a wildcard of the policy covers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, Final

from connectors.aws.catalogue.model import EVERYTHING, RIVAL, UNBOUND, Pair
from connectors.aws.catalogue.paths import values_at
from connectors.aws.catalogue.place import ANY, UNKNOWN, Params, Place
from connectors.errors import InvalidParamsError

MOST_RESOURCES: Final = 1000
"""Of one pair; a request whose lists make more is about what nobody can tell, and AWS takes no such list."""
_BINDING: Final = re.compile(r"\{param:([^}]+)\}")
_ARN_PARTS: Final = 6
_CACHED: Final = 4096


@dataclass(frozen=True, slots=True)
class _Member:
    path: str
    rivals: tuple[str, ...]
    last: bool


def resources_of(pair: Pair, params: Params, place: Place) -> Iterator[str]:
    """Yield the resources a pair is about, at least one.

    Args:
        pair: Of an operation.
        params: Its params.
        place: Where the call goes.

    Raises:
        InvalidParamsError: a param holds what no name can hold.
    """
    if pair.template == EVERYTHING:
        yield ANY
        return
    arns = [value for member in pair.arns for value in _given(params, member)]
    yield from (_whole(value, pair.heads) for value in arns)
    if not arns or any(_said(params, binding) for binding in _BINDING.findall(pair.template)):
        yield from _filled(pair, params, place)


def is_named(pair: Pair, params: Params) -> bool:
    """Tell whether the params name the resource of a pair: its whole ARN, or every part that comes from them."""
    if any(_given(params, member) for member in pair.arns):
        return True
    bindings = _BINDING.findall(pair.template)
    return bool(bindings) and all(_said(params, binding) for binding in bindings)


def printable(value: str) -> str:
    """Return a value that becomes a part of a resource.

    Raises:
        InvalidParamsError: it holds a control character or an invisible one.
    """
    if not value.isprintable():
        raise InvalidParamsError("a param that names a resource holds an invisible character")
    return value


def _said(params: Params, binding: str) -> bool:
    """Tell whether a member or a rival of it is given."""
    return any(_given(params, path) for path in binding.split(RIVAL))


def _given(params: Params, path: str) -> list[Any]:
    """Return the values of a member, one for each item of a list."""
    found: list[Any] = []
    for value in values_at(params, path):
        found += value if isinstance(value, list | tuple) else [value]
    return [value for value in found if value not in ("", None)]


def _whole(value: Any, heads: tuple[str, ...]) -> str:  # noqa: ANN401 - JSON
    """Return a whole ARN as it is when it is of a kind that fits."""
    if not isinstance(value, str):
        return UNKNOWN
    parts = printable(value).split(":", _ARN_PARTS - 1)
    fits = len(parts) == _ARN_PARTS and parts[0] == "arn" and f"{parts[2]}:{parts[5]}".startswith(heads)
    return value if fits and parts[5] else UNKNOWN


def _filled(pair: Pair, params: Params, place: Place) -> Iterator[str]:
    parts = _parts(pair.template, place)
    choices = [_values(part, params) if isinstance(part, _Member) else (part,) for part in parts]
    if prod(map(len, choices)) > MOST_RESOURCES:
        yield UNKNOWN
        return
    for chosen in product(*choices):
        yield _joined(parts, chosen, pair, place)


def _joined(parts: tuple[str | _Member, ...], chosen: tuple[str, ...], pair: Pair, place: Place) -> str:
    texts = []
    for part, text in zip(parts, chosen, strict=True):
        if not isinstance(part, _Member) or not text.startswith("arn:"):
            texts.append(text)
        elif part.last:
            return _whole(text, pair.heads)
        elif _is_here(text, place):
            texts.append(UNKNOWN)
        else:
            return UNKNOWN
    return "".join(texts)


def _is_here(arn: str, place: Place) -> bool:
    """Tell whether an ARN is of the place the call goes to, as far as it says."""
    _, partition, _, region, account, *_ = [*arn.split(":", _ARN_PARTS - 1), *[UNKNOWN] * _ARN_PARTS]
    return partition == place.partition and region in {"", place.region} and account in {"", place.account}


def _values(member: _Member, params: Params) -> tuple[str, ...]:
    if any(_given(params, rival) for rival in member.rivals):
        return (UNKNOWN,)
    return tuple(_text(value, member) for value in _given(params, member.path)) or (UNKNOWN,)


def _text(value: Any, member: _Member) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return UNKNOWN
    if not member.last and not value.startswith("arn:") and ("/" in value or ":" in value):
        return UNKNOWN  # it would read as more than one part
    return printable(value)


@lru_cache(maxsize=_CACHED)
def _parts(template: str, place: Place) -> tuple[str | _Member, ...]:
    """Return literal text and members in turn."""
    text = template.replace("{partition}", place.partition).replace("{region}", place.region)
    pieces = _BINDING.split(text.replace("{account}", place.account).replace(UNBOUND, UNKNOWN))
    last = len(pieces) - 2
    return tuple(_member(piece, last=place == last) if place % 2 else piece for place, piece in enumerate(pieces))


def _member(binding: str, *, last: bool) -> _Member:
    path, *rivals = binding.split(RIVAL)
    return _Member(path, tuple(rivals), last)
