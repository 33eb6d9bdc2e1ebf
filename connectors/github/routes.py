"""From method and path of a request to the operation it asks for; for doors that take GitHub's own requests."""

from __future__ import annotations

import re
from functools import cache
from typing import Final
from urllib.parse import unquote_to_bytes

from connectors.errors import InvalidParamsError
from connectors.github.catalogue import actions
from connectors.github.params import MULTIPLE

MAX_PATH_CHARS: Final = 4096
_PARAM: Final = re.compile(r"\{([a-z_]+)\}")
_END: Final = 3
"""Ranks the end of a path behind all that may follow, so that longer paths come first."""
_SHADOWED: Final = frozenset({"github:repos.compare-commits"})
"""Operations whose requests are those of another one as well."""
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def match(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """Return the action a request asks for and the params in its path, decoded once; None when there is none.

    Args:
        method: Of the request; ``HEAD`` is for the door to turn into ``GET``.
        path: As it came in, percent-encoded, from the ``/`` behind the API's root on.

    Raises:
        InvalidParamsError: it is too long, is not decodable, or has a part that leads elsewhere (``..``).
    """
    if len(path) > MAX_PATH_CHARS or not path.isascii() or _BAD_ESCAPE.search(path):
        raise InvalidParamsError("the path cannot be read")
    parts = path.split("/")[1:]
    if not path.startswith("/") or any(_decoded(part) in {".", ".."} for part in parts):
        raise InvalidParamsError("the path has a part that leads elsewhere")
    for pattern, action, names in _routes(method, parts[0]):
        found = pattern.fullmatch(path)
        if found is not None:
            return action, {name: _decoded(found[number]) for number, name in enumerate(names, 1)}
    return None


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise InvalidParamsError("the path is not UTF-8") from None


@cache
def _table() -> dict[tuple[str, str], list[tuple[re.Pattern[str], str, tuple[str, ...]]]]:
    """Return the routes by method and first part, those with more literals first."""
    table: dict[tuple[str, str], list[tuple[re.Pattern[str], str, tuple[str, ...]]]] = {}
    rows = sorted(actions().items(), key=lambda row: _rank(row[1].path))
    for action, entry in rows:
        if action in _SHADOWED:
            continue
        first = entry.path.split("/")[1]
        row = (_pattern(entry.path), action, tuple(_PARAM.findall(entry.path)))
        table.setdefault((entry.method, "" if first.startswith("{") else first), []).append(row)
    return table


def _routes(method: str, first: str) -> list[tuple[re.Pattern[str], str, tuple[str, ...]]]:
    return _table().get((method, first), [])


def _rank(path: str) -> tuple[tuple[int, ...], str]:
    """Return what sorts literals before params, and params of one part before those of several."""
    names = [_PARAM.fullmatch(part) for part in path.split("/")]
    return (*(0 if name is None else 2 if name[1] in MULTIPLE else 1 for name in names), _END), path


def _pattern(path: str) -> re.Pattern[str]:
    """Return the expression of a template, in which at most one param has several parts."""
    pieces = []
    last = 0
    for name in _PARAM.finditer(path):
        pieces.append(re.escape(path[last : name.start()]))
        pieces.append(r"(.*)" if name[1] == "path" else r"(.+)" if name[1] in MULTIPLE else r"([^/]+)")
        last = name.end()
    return re.compile("".join(pieces) + re.escape(path[last:]))
