"""Shapes of inputs, as the parsers need them: small, shared, and finite in number whatever is sent.

botocore's own shape objects are made anew for every place in a recursive shape and stay; whoever sends deeply nested
values could grow them without end. Here a shape with the same traits is one `Node`, on the first object seen of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

MAX_DEPTH: Final = 100
"""Levels of one value; DynamoDB takes 32 levels of documents, two nodes each."""


class Kind(StrEnum):
    """What a node reads."""

    STRUCTURE = "structure"
    DOCUMENT = "document"
    LIST = "list"
    MAP = "map"
    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    BLOB = "blob"
    TIMESTAMP = "timestamp"


class Naming(StrEnum):
    """How a protocol names the members of a structure."""

    JSON = "json"
    QUERY = "query"
    EC2 = "ec2"
    XML = "xml"


_KINDS: Final = {
    "structure": Kind.STRUCTURE,
    "list": Kind.LIST,
    "map": Kind.MAP,
    "string": Kind.STRING,
    "character": Kind.STRING,
    "integer": Kind.INTEGER,
    "long": Kind.INTEGER,
    "float": Kind.FLOAT,
    "double": Kind.FLOAT,
    "boolean": Kind.BOOLEAN,
    "blob": Kind.BLOB,
    "timestamp": Kind.TIMESTAMP,
}
_TRAITS: Final = (
    "name", "queryName", "location", "flattened", "xmlAttribute", "timestampFormat", "jsonvalue", "eventstream",
)  # fmt: skip
"""Traits a reference may add to its shape and that change how it is read."""


@dataclass(slots=True, eq=False)
class Node:
    """One shape with its traits; what it holds is made when it is first looked at.

    Args:
        kind: What it reads.
        name: Its name on the wire, empty when that is the member's own.
        location: Where in an HTTP request it is; empty for the body.
        flattened: Items stand without an element around them.
        traits: The model's words on how it is written.
        shape: botocore's shape.
        table: Where its members are found.
    """

    kind: Kind
    name: str
    location: str
    flattened: bool
    traits: Mapping[str, Any]
    shape: Any = field(repr=False)
    table: ShapeTable = field(repr=False)
    _members: dict[str, Node] | None = field(default=None, repr=False)
    _names: dict[Naming, dict[str, tuple[str, Node]]] = field(default_factory=dict, repr=False)

    @property
    def members(self) -> Mapping[str, Node]:
        """Members of a structure; ``member`` of a list; ``key`` and ``value`` of a map."""
        if self._members is None:
            shape = self.shape
            match self.kind:
                case Kind.STRUCTURE:
                    shapes = dict(shape.members)
                case Kind.LIST:
                    shapes = {"member": shape.member}
                case Kind.MAP:
                    shapes = {"key": shape.key, "value": shape.value}
                case _:
                    shapes = {}
            self._members = {name: self.table.node(each) for name, each in shapes.items()}
        return self._members

    @property
    def item(self) -> Node:
        """Of a list."""
        return self.members["member"]

    def named(self, naming: Naming) -> Mapping[str, tuple[str, Node]]:
        """Return wire name to (member, node) for a structure."""
        names = self._names.get(naming)
        if names is None:
            names = self._names[naming] = _names_of(self, naming)
        return names


class ShapeTable:
    """The shapes of one service that were looked at."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[str, ...], Node] = {}

    def node(self, shape: Any) -> Node:  # noqa: ANN401 - botocore has no types
        """Return the node of a botocore shape: the same one for the same name and traits."""
        traits = shape.serialization
        key = (shape.name, *(str(traits.get(trait)) for trait in _TRAITS))
        node = self._nodes.get(key)
        if node is None:
            free = shape.type_name == "structure" and shape.is_document_type
            node = self._nodes[key] = Node(
                kind=Kind.DOCUMENT if free else _KINDS[shape.type_name],
                name=traits.get("name", ""),
                location=traits.get("location", ""),
                flattened=bool(traits.get("flattened")),
                traits=traits,
                shape=shape,
                table=self,
            )
        return node


def _query_name(member: str, node: Node) -> str:
    if node.kind is Kind.LIST and node.flattened and node.item.name:
        return node.item.name
    return node.name or member


def _ec2_name(member: str, node: Node) -> str:
    """As botocore: a member without any name on the wire is not capitalised."""
    if "queryName" in node.traits:
        return str(node.traits["queryName"])
    return node.name[:1].upper() + node.name[1:] if node.name else member


def _plain_name(member: str, node: Node) -> str:
    return node.name or member


_NAMES: Final[dict[Naming, Callable[[str, Node], str]]] = {
    Naming.JSON: _plain_name,
    Naming.XML: _plain_name,
    Naming.QUERY: _query_name,
    Naming.EC2: _ec2_name,
}


def _names_of(node: Node, naming: Naming) -> dict[str, tuple[str, Node]]:
    names: dict[str, tuple[str, Node]] = {}
    for member, child in node.members.items():
        if child.location:
            continue
        name = _NAMES[naming](member, child)
        # Three deprecated S3 shapes use one name for a member and for the list that replaced it: the list reads both.
        if name not in names or child.kind is Kind.LIST:
            names[name] = (member, child)
        if naming is Naming.QUERY and child.kind is Kind.LIST:
            names.setdefault(_plain_name(member, child), (member, child))  # how botocore writes an empty list
    return names
