"""XML bodies to params: no document type, no entities, no prefixes, no comments, no element the model does not know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NoReturn
from xml.parsers import expat

from connectors.aws.wire_in.parse_json import too_deep
from connectors.aws.wire_in.refusal import Reason, RefusedError, malformed, shown, unknown_input
from connectors.aws.wire_in.scalars import ISO8601, checked_text, from_text
from connectors.aws.wire_in.shapes import MAX_DEPTH, Kind, Naming, Node

MAX_ELEMENTS: Final = 100_000
"""Of one body; CompleteMultipartUpload with 10 000 parts and two checksums each has 40 000."""
_NAMESPACE: Final = "xmlns"


@dataclass(slots=True)
class Element:
    """One element; its text is only kept while it has no children."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""


def load_xml(body: bytes) -> Element:
    """Return the root element.

    Raises:
        RefusedError: it is not well-formed UTF-8 XML, has a document type, a processing instruction or a comment, or
            is nested too deep or too large.
    """
    return _Builder().build(body)


def read_root(node: Node, root: Element) -> dict[str, Any]:
    """Return the members of the structure a body is.

    Args:
        node: Of a structure, with its name on the wire.
        root: Root element.

    Raises:
        RefusedError: the root has another name, or something in it does not fit the model.
    """
    if root.name != node.name:
        raise malformed(f"expected the root element `{node.name}`, found `{shown(root.name)}`")
    return _structure(node, root)


class _Builder:
    def __init__(self) -> None:
        self._open: list[Element] = []
        self._roots: list[Element] = []
        self._count = 0

    def build(self, body: bytes) -> Element:
        parser = expat.ParserCreate("utf-8")  # whatever the declaration says
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = _forbidden
        parser.EntityDeclHandler = _forbidden
        parser.ProcessingInstructionHandler = _forbidden
        parser.CommentHandler = _forbidden
        try:
            body.decode("utf-8")
            if b"\x00" in body:  # expat guesses UTF-16 before it looks at the encoding it was given
                raise malformed("the body holds a NUL")
            parser.Parse(body, True)  # noqa: FBT003 - expat's signature: this is all of it
            (root,) = self._roots
        except (expat.ExpatError, ValueError):  # not XML, not UTF-8, not one root
            raise malformed("the body is not well-formed XML in UTF-8") from None
        return root

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise RefusedError(Reason.TOO_LARGE, f"more than {MAX_ELEMENTS} elements")
        if len(self._open) > MAX_DEPTH:
            raise too_deep()
        element = Element(name, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._roots.append(element)
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].text += text


def _forbidden(*_: object) -> NoReturn:
    raise malformed("document types, entities, processing instructions and comments are not taken")


def _read(node: Node, element: Element) -> Any:  # noqa: ANN401 - any JSON
    if node.kind is Kind.STRUCTURE:
        return _structure(node, element)
    _no_attributes(element)
    match node.kind:
        case Kind.LIST:
            _no_text(element)
            name = node.item.name or "member"
            return [_read(node.item, _named(child, name)) for child in element.children]
        case Kind.MAP:
            _no_text(element)
            return _entries(node, [_named(child, "entry") for child in element.children])
        case _:
            if element.children:
                raise unknown_input("element", element.children[0].name)
            return from_text(node, element.text, ISO8601)


def _structure(node: Node, element: Element) -> dict[str, Any]:
    _no_text(element)
    names = node.named(Naming.XML)
    params = _attributes(names, element)
    flat: dict[str, tuple[Node, list[Element]]] = {}
    for child in element.children:
        known = names.get(child.name)
        if known is None or known[1].traits.get("xmlAttribute"):
            raise unknown_input("element", child.name)
        member, below = known
        if below.flattened and below.kind in {Kind.LIST, Kind.MAP}:
            flat.setdefault(member, (below, []))[1].append(child)
        elif member in params:
            raise _twice(child.name)
        else:
            params[member] = _read(below, child)
    for member, (below, elements) in flat.items():
        if below.kind is Kind.LIST:
            params[member] = [_read(below.item, each) for each in elements]
        else:
            params[member] = _entries(below, elements)
    return params


def _attributes(names: Any, element: Element) -> dict[str, Any]:  # noqa: ANN401 - as `Node.named`
    params = {}
    for name, value in element.attributes.items():
        if name == _NAMESPACE or name.startswith(f"{_NAMESPACE}:"):
            continue
        known = names.get(name)
        if known is None or not known[1].traits.get("xmlAttribute"):
            raise unknown_input("attribute", name)
        params[known[0]] = checked_text(value)
    return params


def _entries(node: Node, elements: list[Element]) -> dict[str, Any]:
    key, value = node.members["key"], node.members["value"]
    key_name, value_name = key.name or "key", value.name or "value"
    made: dict[str, Any] = {}
    for element in elements:
        _no_text(element)
        parts = {child.name: child for child in element.children}
        if sorted(child.name for child in element.children) != sorted((key_name, value_name)):
            raise malformed("an entry of a map is not a key and a value")
        name = str(_read(key, parts[key_name]))
        if name in made:
            raise _twice(name)
        made[name] = _read(value, parts[value_name])
    return made


def _named(element: Element, name: str) -> Element:
    if element.name != name:
        raise unknown_input("element", element.name)
    return element


def _no_attributes(element: Element) -> None:
    for name in element.attributes:
        if name != _NAMESPACE:
            raise unknown_input("attribute", name)


def _no_text(element: Element) -> None:
    if element.text.strip():
        raise malformed(f"text stands between the elements of `{shown(element.name)}`")


def _twice(name: str) -> RefusedError:
    return RefusedError(Reason.DECOY, f"element `{shown(name)}` is there twice")
