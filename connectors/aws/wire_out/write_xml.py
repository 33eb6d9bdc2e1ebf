"""Results as XML: flat and wrapped lists and maps, attributes, and text that XML parsers hand back unchanged."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Final

from connectors.aws.wire_in.scalars import ISO8601
from connectors.aws.wire_in.shapes import Kind, Node
from connectors.aws.wire_out.errors import RenderError, unfit
from connectors.aws.wire_out.scalars import text_writer
from connectors.aws.wire_out.write_tree import unknown_member

Emit = Callable[[list[str], Any], None]
"""Appends the pieces of a document."""
DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPECIAL: Final = re.compile('[&<>"\\t\\r\\n\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
"""Markup, white space that parsers change, and what XML 1.0 (2.2) has no way to hold."""
_ENTITIES: Final = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)


def escape(text: str) -> str:
    """Return text as it stands in an element or an attribute.

    Raises:
        RenderError: it holds a character that no XML document can hold.
    """
    return text if _SPECIAL.search(text) is None else _SPECIAL.sub(_entity, text)


class XmlWriters:
    """Writers of one service's shapes, each made when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[Node, Emit] = {}

    def element(self, tag: str, node: Node) -> Emit:
        """Return what writes a member: one element, or one for each item when the shape is flattened.

        Args:
            tag: Name of the member's element.
            node: Its shape.
        """
        if node.flattened and node.kind is Kind.LIST:
            return self._items(node, node.item.name or tag)
        if node.flattened and node.kind is Kind.MAP:
            return self._pairs(node, tag)
        if any(each.traits.get("xmlAttribute") for each in _children(node)):
            return _with_attributes(tag, node, self.content(node))
        return _enclosed(tag, self.content(node))

    def content(self, node: Node) -> Emit:
        """Return what writes the inside of an element."""
        made = self._made.get(node)
        if made is None:
            made = self._made[node] = self._make(node)
        return made

    def structure(self, node: Node, names: Collection[str]) -> Emit:
        """Return what writes some members of a structure."""
        return _Structure(self, node, names)

    def _make(self, node: Node) -> Emit:
        match node.kind:
            case Kind.STRUCTURE:
                return _Structure(self, node)
            case Kind.LIST:
                return self._items(node, node.item.name or "member")
            case Kind.MAP:
                return self._pairs(node, "entry")
            case _:
                text = text_writer(node, ISO8601)
                return lambda out, value: out.append(escape(text(value)))

    def _items(self, node: Node, tag: str) -> Emit:
        item = self.element(tag, node.item)

        def emit(out: list[str], value: Any) -> None:  # noqa: ANN401 - JSON
            if not isinstance(value, list):
                raise unfit("a list")
            for each in value:
                if each is not None:  # XML has no null
                    item(out, each)

        return emit

    def _pairs(self, node: Node, tag: str) -> Emit:
        key, value = node.members["key"], node.members["value"]
        emit_key = self.element(key.name or "key", key)
        emit_value = self.element(value.name or "value", value)

        def emit(out: list[str], pairs: Any) -> None:  # noqa: ANN401 - JSON
            if not isinstance(pairs, dict):
                raise unfit("a map")
            for name, each in pairs.items():
                if each is not None:
                    out.append(f"<{tag}>")
                    emit_key(out, name)
                    emit_value(out, each)
                    out.append(f"</{tag}>")

        return emit


class _Structure:
    """Writes members; they are looked up when it is first used, because a structure may contain itself."""

    def __init__(self, writers: XmlWriters, node: Node, names: Collection[str] | None = None) -> None:
        self._writers = writers
        self._node = node
        self._names = names
        self._members: dict[str, Emit] | None = None
        self._is_union = bool(node.shape.is_tagged_union)

    def __call__(self, out: list[str], value: Any) -> None:  # noqa: ANN401 - JSON
        members = self._members
        if members is None:
            members = self._members = self._look()
        if not isinstance(value, dict):
            raise unfit("a structure")
        empty = len(out)
        for name, each in value.items():
            emit = members.get(name)
            if emit is not None and each is not None:
                emit(out, each)
        if self._is_union and len(out) == empty:
            # SDKs refuse a union without a member, and take one that they do not know.
            name = unknown_member(value)
            out.append(f"<{name}/>" if _NAME.fullmatch(name) else "<Unknown/>")

    def _look(self) -> dict[str, Emit]:
        return {
            name: self._writers.element(node.name or name, node)
            for name, node in self._node.members.items()
            if (self._names is None or name in self._names) and not node.traits.get("xmlAttribute")
        }


def _children(node: Node) -> Collection[Node]:
    return node.members.values() if node.kind is Kind.STRUCTURE else ()


def _enclosed(tag: str, content: Emit) -> Emit:
    begin, end = f"<{tag}>", f"</{tag}>"

    def emit(out: list[str], value: Any) -> None:  # noqa: ANN401 - JSON
        out.append(begin)
        content(out, value)
        out.append(end)

    return emit


def _with_attributes(tag: str, node: Node, content: Emit) -> Emit:
    """As `_enclosed`, for the structures with members that are attributes."""
    space = node.traits.get("xmlNamespace", {})
    declared = f' xmlns:{space["prefix"]}="{escape(space["uri"])}"' if "prefix" in space else ""
    attributes = {
        name: (child.name or name, text_writer(child, ISO8601))
        for name, child in node.members.items()
        if child.traits.get("xmlAttribute")
    }

    def emit(out: list[str], value: Any) -> None:  # noqa: ANN401 - JSON
        if not isinstance(value, dict):
            raise unfit("a structure")
        given = [(attributes[name], each) for name, each in value.items() if name in attributes and each is not None]
        said = "".join(f' {name}="{escape(text(each))}"' for (name, text), each in given)
        out.append(f"<{tag}{declared}{said}>")
        content(out, value)
        out.append(f"</{tag}>")

    return emit


def _entity(match: re.Match[str]) -> str:
    entity = _ENTITIES.get(match.group())
    if entity is None:
        raise RenderError("a string holds a character that XML cannot hold")
    return entity
