"""Paths that would reach another operation than the one that was asked for.

A server looks at method and path and prefers literal text to a variable: ``GET /things/{id}`` with the id ``summary``
is ``GET /things/summary``, and ``DELETE /portals/{portalArn+}`` with an ARN that ends in ``/browserSettings`` is not
what policy was asked about. Such values are refused. S3 is left alone: it tells operations apart by query.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from connectors.aws.model import ApiOperation, service
from connectors.base import JsonObject
from connectors.errors import InvalidParamsError

_LABEL: Final = re.compile(r"\{([^}+]+)(\+?)\}")
_CACHED: Final = 4096
_UNRESERVED: Final = "-_.~"


def refuse_other_route(api: ApiOperation, params: JsonObject) -> None:
    """Refuse params whose path is that of another operation of the service.

    Args:
        api: The operation; not of S3.
        params: Canonical params.

    Raises:
        InvalidParamsError: a value makes it another operation.
    """
    rivals = _rivals(api.service, api.name)
    if not rivals:
        return
    names = {shape.serialization.get("name", member): member for member, shape in api.members.items()}

    def value(label: re.Match[str]) -> str:
        safe = "/" + _UNRESERVED if label[2] else _UNRESERVED
        return quote(str(params[names[label[1]]]), safe=safe)

    path = _LABEL.sub(value, _path(api.model.http))
    for name, pattern in rivals:
        if pattern.fullmatch(path) is not None:
            raise InvalidParamsError(f"these params make the path of `{api.service}:{name}`, not of `{api.name}`")


@lru_cache(maxsize=_CACHED)
def _rivals(service_name: str, name: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the operations with more literal text whose paths values of this one could make."""
    operations = service(service_name).model._service_description["operations"]  # noqa: SLF001 - has no public form
    own = operations[name]["http"]
    if "{" not in _path(own):
        return ()
    size = _literals(_path(own))
    found = []
    for other, each in operations.items():
        path = _path(each["http"])
        same = each["http"].get("method") == own.get("method") and other != name
        if same and _literals(path) > size and _could_be(_path(own), path):
            found.append((other, _pattern(path)))
    return tuple(found)


def _could_be(own: str, rival: str) -> bool:
    """Tell whether values for the labels of a path may make a path of the rival."""
    mine, theirs = own.rstrip("/").split("/"), rival.rstrip("/").split("/")
    for left, right in zip(mine, theirs, strict=False):
        if "+}" in left or "+}" in right:
            return True
        if "{" not in left and "{" not in right and left != right:
            return False
    return len(mine) == len(theirs)


def _path(http: dict[str, str]) -> str:
    return http.get("requestUri", "/").partition("?")[0]


def _literals(path: str) -> int:
    return len(_LABEL.sub("", path))


def _pattern(path: str) -> re.Pattern[str]:
    parts = _LABEL.split(path.rstrip("/"))
    # A split by two groups: literal, name, plus, literal, name, plus, …
    text = "".join(
        re.escape(part) if place % 3 == 0 else "" if place % 3 == 1 else (".+" if part else "[^/]+")
        for place, part in enumerate(parts)
    )
    return re.compile(text + "/?")
