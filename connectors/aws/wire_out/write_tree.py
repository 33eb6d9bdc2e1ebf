"""Results for the protocols whose documents are trees: JSON and CBOR.

A shape's writer turns the JSON of a result into what the protocol's encoder takes: wire names for names, its own forms
for times, blobs and numbers that are none.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Collection
from typing import Any, Final

from connectors.aws.wire_in.parse_cbor import Epoch
from connectors.aws.wire_in.scalars import UNIX
from connectors.aws.wire_in.shapes import Kind, Node
from connectors.aws.wire_out.errors import RenderError, unfit
from connectors.aws.wire_out.scalars import (
    blob_text,
    epoch_seconds,
    special_word,
    text_writer,
    time_form,
)

Write = Callable[[Any], Any]
UNKNOWN_MEMBER: Final = "SDK_UNKNOWN_MEMBER"
"""What botocore's parser puts in place of a union's member that it does not know; ``name`` in it is that member's."""
_WORDS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class TreeWriters:
    """Writers of one service's shapes for one encoder, each made when it is first asked for.

    Args:
        leaf: Makes the writer of a scalar shape.
        renamed: The models' wire names count; otherwise members have their own.
    """

    def __init__(self, leaf: Callable[[Node], Write], *, renamed: bool) -> None:
        self._leaf = leaf
        self._renamed = renamed
        self._made: dict[Node, Write] = {}

    def of(self, node: Node) -> Write:
        """Return the writer of a shape."""
        made = self._made.get(node)
        if made is None:
            made = self._made[node] = self._make(node)
        return made

    def structure(self, node: Node, names: Collection[str]) -> Write:
        """Return the writer of some members of a structure."""
        return _Structure(self, node, names)

    def wire_name(self, member: str, node: Node) -> str:
        """Return the name of a member in the document."""
        return (self._renamed and node.name) or member

    def _make(self, node: Node) -> Write:
        match node.kind:
            case Kind.STRUCTURE:
                return _Structure(self, node)
            case Kind.LIST:
                return _list_of(self.of(node.item))
            case Kind.MAP:
                return _map_of(self.of(node.members["value"]))
            case _:
                return self._leaf(node)


class _Structure:
    """Writes a structure; its members are looked up when it is first used, because it may contain itself."""

    def __init__(self, writers: TreeWriters, node: Node, names: Collection[str] | None = None) -> None:
        self._writers = writers
        self._node = node
        self._names = names
        self._members: dict[str, tuple[str, Write]] | None = None
        self._is_union = bool(node.shape.is_tagged_union)

    def __call__(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        members = self._members
        if members is None:
            members = self._members = self._look()
        if not isinstance(value, dict):
            raise unfit("a structure")
        made = {}
        for name, each in value.items():
            member = members.get(name)
            if member is not None and each is not None:
                made[member[0]] = member[1](each)
        if self._is_union and not made:
            # SDKs refuse a union without a member, and take one that they do not know.
            return {unknown_member(value): {}}
        return made

    def _look(self) -> dict[str, tuple[str, Write]]:
        return {
            name: (self._writers.wire_name(name, node), self._writers.of(node))
            for name, node in self._node.members.items()
            if self._names is None or name in self._names
        }


def json_leaf(node: Node) -> Write:
    """Return the writer of a scalar in JSON."""
    match node.kind:
        case Kind.FLOAT:
            return _json_number
        case Kind.BLOB:
            return blob_text
        case Kind.TIMESTAMP:
            form = time_form(node, UNIX)
            return epoch_seconds if form == UNIX else text_writer(node, form)
        case Kind.DOCUMENT:
            return _as_it_is
        case _:
            return _scalar


def cbor_leaf(node: Node) -> Write:
    """Return the writer of a scalar in CBOR."""
    match node.kind:
        case Kind.FLOAT:
            return _cbor_number
        case Kind.BLOB:
            return _cbor_blob
        case Kind.TIMESTAMP:
            return _cbor_time
        case Kind.DOCUMENT:
            return _as_it_is
        case _:
            return _scalar


def unknown_member(value: dict[str, Any]) -> str:
    """Return the name of a union's member that nobody here knows."""
    unknown = value.get(UNKNOWN_MEMBER)
    name = unknown.get("name") if isinstance(unknown, dict) else None
    return name if isinstance(name, str) and name else UNKNOWN_MEMBER


def _list_of(item: Write) -> Write:
    def write(value: Any) -> Any:  # noqa: ANN401 - JSON
        if not isinstance(value, list):
            raise unfit("a list")
        return [None if each is None else item(each) for each in value]

    return write


def _map_of(item: Write) -> Write:
    def write(value: Any) -> Any:  # noqa: ANN401 - JSON
        if not isinstance(value, dict):
            raise unfit("a map")
        return {name: None if each is None else item(each) for name, each in value.items()}

    return write


def _scalar(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict | list):
        raise unfit("a scalar")
    return value


def _as_it_is(value: Any) -> Any:  # noqa: ANN401 - JSON
    return value


def _json_number(value: Any) -> Any:  # noqa: ANN401 - JSON
    return special_word(value) if isinstance(value, float) and not math.isfinite(value) else _scalar(value)


def _cbor_number(value: Any) -> float:  # noqa: ANN401 - JSON
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise unfit("a number")
    try:
        return float(value)
    except OverflowError:
        raise RenderError("a number is out of range") from None


def _cbor_blob(value: Any) -> bytes:  # noqa: ANN401 - JSON
    return base64.b64decode(blob_text(value))


def _cbor_time(value: Any) -> Epoch:  # noqa: ANN401 - JSON
    return Epoch(epoch_seconds(value))
