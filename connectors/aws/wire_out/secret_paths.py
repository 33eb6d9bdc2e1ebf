"""Where in a result secrets stand, for the operations that return some.

Of such a result every text and every blob is taken for a secret, but for what plainly is none:

1. numbers, booleans and times, and texts with a closed set of values;
2. ARNs, and the ids, names, types and dates that `_PLAIN` lists by the end of their name, unless another word of
   the name says "secret", and unless the model calls them sensitive;
3. tags, and the tokens that fetch the next page.

What no model knows is a secret. Too much is sealed rather than too little: an agent can do without a description.

What is NOT covered: a body that streams, which is not in the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from connectors.aws.catalogue.model import AccessClass, Entry
from connectors.aws.model import ApiOperation
from connectors.aws.wire_in.shapes import Kind, Node
from connectors.aws.wire_out.outputs import shape_of
from connectors.base import JsonObject

Path = tuple[str | int, ...]
"""Names and indices, from the result down to one leaf."""

_PLAIN: Final = re.compile(
    r"(?:.*[a-z0-9])?(?:Ids?|ID|Name|Type|Status|Region|Version|VersionId|VersionStages|Algorithm|Fingerprint"
    r"|At|Date|Time|Expiration|Expiry)"
    r"|ids?|name|type|status|region|version|expiration|expires",
    re.ASCII,
)
"""Ends of names of what is no secret, reviewed against the outputs of every operation that returns secrets."""
_GRAVE: Final = re.compile(
    r"secret|passw|passphrase|token|plain_?text|private_?key|key_?material|credential|authorization|authcode|cookie"
    r"|signature|session_?key|api_?key",
    re.IGNORECASE,
)
"""Words that make a secret of a name whatever its end is: a token's id is often the token."""
_ARN: Final = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:[^\s]*", re.ASCII)
_ARN_NAME: Final = re.compile(r".*(?:Arn|ARN|arn)", re.ASCII)
_KINDS_OF_TOKEN: Final = frozenset({"tokenType", "TokenType", "issuedTokenType", "IssuedTokenType"})
_PAGES: Final = frozenset({"NextToken", "nextToken", "NextMarker", "Marker", "PaginationToken", "position"})
"""Say where the next page begins."""
_TAGS: Final = frozenset({"Tags", "tags"})
"""AWS tells people not to put secrets into tags, and shows them to everyone who may list."""
_SECRET_IDS: Final = frozenset({("appsync", "ApiKey", "id")})
"""(service, structure, member): ids that are the secret itself."""
_NUMBERS: Final = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.BOOLEAN})


def secret_paths(api: ApiOperation, entry: Entry, data: JsonObject) -> tuple[Path, ...]:
    """Return where secrets stand in a result; empty for an operation that returns none.

    Args:
        api: The operation.
        entry: Its row of the catalogue.
        data: The parsed part of its result.
    """
    if not entry.returns_secrets and entry.access is not AccessClass.SECRET:
        return ()
    return tuple(_Search(api.service).secrets(shape_of(api), data, _Place()))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the search is.

    Args:
        path: From the result.
        name: Member that was entered last; items of a list and values of a map go by the name of theirs.
        owner: Structure whose member it is.
        sensitive: The model calls a shape around it sensitive.
        tagged: It is inside of tags.
    """

    path: Path = ()
    name: str = ""
    owner: str = ""
    sensitive: bool = False
    tagged: bool = False

    def within(self, key: str | int, node: Node) -> _Place:
        """Return the place of a member, an item or a value of a shape."""
        around = replace(self, path=(*self.path, key), sensitive=self.sensitive or _is_sensitive(node))
        if node.kind is not Kind.STRUCTURE:
            return around
        return replace(around, name=str(key), owner=node.shape.name, tagged=self.tagged or key in _TAGS)


class _Search:
    def __init__(self, service: str) -> None:
        self._service = service

    def secrets(self, node: Node | None, value: Any, place: _Place) -> Iterator[Path]:  # noqa: ANN401 - JSON
        """Yield the paths of the secrets in a value; None for the shape of what no model knows."""
        if value is None:
            return
        parts = None if node is None else _parts(node, value)
        if node is not None and parts is not None:
            for key, child, each in parts:
                yield from self.secrets(child, each, place.within(key, node))
        elif node is None or not self._is_harmless(node, value, place):
            yield from _everything(value, place.path)

    def _is_harmless(self, node: Node, value: Any, place: _Place) -> bool:  # noqa: ANN401 - JSON
        if node.kind is Kind.TIMESTAMP:
            return isinstance(value, str)
        if node.kind in _NUMBERS:
            return isinstance(value, int | float)
        return node.kind is Kind.STRING and isinstance(value, str) and self._is_plain(node, value, place)

    def _is_plain(self, node: Node, value: str, place: _Place) -> bool:
        """Tell whether a text is no secret; the model's word about it comes first."""
        if _is_sensitive(node):
            return False
        if value in getattr(node.shape, "enum", ()):
            return True
        if place.sensitive or (self._service, place.owner, place.name) in _SECRET_IDS:
            return False
        return place.tagged or place.name in _PAGES or _is_plain_name(place.name, value)


def _parts(node: Node, value: Any) -> Iterable[tuple[str | int, Node | None, Any]] | None:  # noqa: ANN401 - JSON
    """Return what a value consists of; None when it is a leaf, or not what the model says."""
    if node.kind is Kind.STRUCTURE and isinstance(value, dict):
        return [(name, node.members.get(name), each) for name, each in value.items()]
    if node.kind is Kind.MAP and isinstance(value, dict):
        return [(key, node.members["value"], each) for key, each in value.items()]
    if node.kind is Kind.LIST and isinstance(value, list):
        return [(index, node.item, each) for index, each in enumerate(value)]
    return None


def _is_sensitive(node: Node) -> bool:
    return bool(node.shape.metadata.get("sensitive"))


def _is_plain_name(name: str, value: str) -> bool:
    if _ARN_NAME.fullmatch(name) is not None and _ARN.fullmatch(value) is not None:
        return True
    return name in _KINDS_OF_TOKEN or (_PLAIN.fullmatch(name) is not None and _GRAVE.search(name) is None)


def _everything(value: Any, path: Path) -> Iterator[Path]:  # noqa: ANN401 - JSON
    """Yield the path of every leaf."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _everything(each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _everything(each, (*path, index))
    elif value is not None:
        yield path
