"""Form bodies of the query and EC2 protocols to params: the names are paths into the input's shape."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from connectors.aws.wire_in.parse_json import too_deep
from connectors.aws.wire_in.refusal import Reason, RefusedError, malformed, shown, unknown_input
from connectors.aws.wire_in.scalars import ISO8601, checked_text, from_text
from connectors.aws.wire_in.shapes import MAX_DEPTH, Kind, Naming, Node

Branch = str | dict[str, Any]
"""A value, or the branches below a name."""
_INDEX: Final = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)


def grow(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return dotted names as a tree, each value at its leaf.

    Raises:
        RefusedError: a name is there twice, is a value and a branch, or is too long a path.
    """
    root: dict[str, Any] = {}
    for name, value in pairs:
        *path, last = name.split(".")
        if len(path) > MAX_DEPTH:
            raise too_deep()
        place = root
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise _twice(name)
        if last in place:
            raise _twice(name)
        place[last] = value
    return root


def read_form(node: Node | None, tree: dict[str, Any], naming: Naming) -> dict[str, Any]:
    """Return the params of an operation.

    Args:
        node: Input shape, None when the operation takes nothing.
        tree: The form as a tree, without ``Action`` and ``Version``.
        naming: QUERY or EC2.

    Raises:
        RefusedError: a name is unknown, a value does not fit, an index is missing.
    """
    if node is None:
        if tree:
            raise unknown_input("parameter", next(iter(tree)))
        return {}
    return _structure(node, tree, naming)


def _read(node: Node, branch: Branch, naming: Naming) -> Any:  # noqa: ANN401 - any JSON
    match node.kind:
        case Kind.STRUCTURE:
            return _structure(node, branch, naming)
        case Kind.LIST:
            return _list(node, branch, naming)
        case Kind.MAP:
            return _map(node, branch, naming)
        case _:
            if not isinstance(branch, str):
                raise unknown_input("parameter", next(iter(branch)))
            return from_text(node, branch, ISO8601)


def _structure(node: Node, branch: Branch, naming: Naming) -> dict[str, Any]:
    names = node.named(naming)
    params: dict[str, Any] = {}
    for name, below in _below(branch).items():
        known = names.get(name)
        if known is None:
            raise unknown_input("parameter", name)
        member, child = known
        if member in params:
            raise _twice(name)
        params[member] = _read(child, below, naming)
    return params


def _list(node: Node, branch: Branch, naming: Naming) -> list[Any]:
    if branch == "" and naming is Naming.QUERY:
        return []
    if naming is Naming.QUERY and not node.flattened:
        branch = _only(branch, node.item.name or "member")
    item = node.item
    return [_read(item, below, naming) for below in _numbered(branch)]


def _map(node: Node, branch: Branch, naming: Naming) -> dict[str, Any]:
    if not node.flattened:
        branch = _only(branch, "entry")
    key, value = node.members["key"], node.members["value"]
    key_name, value_name = key.name or "key", value.name or "value"
    made: dict[str, Any] = {}
    for entry in _numbered(branch):
        parts = _below(entry)
        name = parts.get(key_name)
        if not isinstance(name, str) or not parts.keys() <= {key_name, value_name}:
            raise malformed("an entry of a map is not a key and a value")
        if name in made:
            raise _twice(name)
        made[checked_text(name)] = _read(value, parts.get(value_name, {}), naming)
    return made


def _numbered(branch: Branch) -> list[Branch]:
    """Return branches 1 to n in order; a gap would be closed by us and not by AWS."""
    below = _below(branch)
    if not all(map(_INDEX.fullmatch, below)):
        raise malformed("an item of a list has no number")
    ordered = sorted(below, key=int)
    if ordered and int(ordered[-1]) != len(ordered):
        raise malformed("the items of a list are not numbered from 1 without a gap")
    return [below[index] for index in ordered]


def _only(branch: Branch, name: str) -> Branch:
    below = _below(branch)
    if list(below) != [name]:
        raise malformed(f"expected `{name}` and a number below a list or map")
    only: Branch = below[name]
    return only


def _below(branch: Branch) -> dict[str, Any]:
    if isinstance(branch, str):
        raise malformed("a value stands where a structure should")
    return branch


def _twice(name: str) -> RefusedError:
    return RefusedError(Reason.DECOY, f"parameter `{shown(name)}` is there twice")
