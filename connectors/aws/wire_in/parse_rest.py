"""Path, query, headers and body of a REST request to params, each from where the model says and nowhere else."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.aws.wire_in.parse_json import EMPTY_OBJECT, load_json, read, read_document, read_structure
from connectors.aws.wire_in.parse_xml import load_xml, read_root
from connectors.aws.wire_in.refusal import Reason, RefusedError, malformed, unknown_input
from connectors.aws.wire_in.request import WireRequest, decode
from connectors.aws.wire_in.route import Match
from connectors.aws.wire_in.scalars import ISO8601, RFC822, checked_text, from_text
from connectors.aws.wire_in.services import S3, Protocol
from connectors.aws.wire_in.shapes import Kind, Node

OPERATION_NAME: Final = "x-id"
"""Query parameter in which the SDKs for Go and JavaScript repeat the operation's name."""
_CHECKSUMS: Final = frozenset({"content-md5", "x-amz-sdk-checksum-algorithm"})
_CHECKSUM_PREFIX: Final = "x-amz-checksum-"
_FRAMING: Final = frozenset({"content-length"})
"""A member of PutObject and UploadPart, but the length is that of the body and the transport's to say."""
Named = tuple[str, Node]
"""A member and its node."""


@dataclass(frozen=True, slots=True)
class RestInput:
    """Where the members of one input are.

    Args:
        node: The input itself.
        labels: Label of the path to member.
        query: Query parameter to member.
        rest_of_query: The map that takes every other query parameter.
        headers: Lower-case header name to member.
        prefixes: Lower-case prefix of header names to the map that takes them.
        payload: The member that is the body.
        has_body: Some members are in the body.
    """

    node: Node
    labels: Mapping[str, Named]
    query: Mapping[str, Named]
    rest_of_query: Named | None
    headers: Mapping[str, Named]
    prefixes: Mapping[str, Named]
    payload: Named | None
    has_body: bool

    @property
    def streams(self) -> bool:
        """Whether the body is a stream that need not be read."""
        return self.payload is not None and self.payload[1].kind is Kind.BLOB and _has(self.payload[1], "streaming")


@dataclass(frozen=True, slots=True)
class RestParams:
    """What a REST request says.

    Args:
        params: Members by name, without a payload of bytes.
        payload_member: Name of the member that is the body as bytes; empty when there is none.
        payload: Those bytes, None when there are none or they were not read.
        checksums: Headers about the body that are no members; they hold for the bytes that were sent, no others.
    """

    params: dict[str, Any]
    payload_member: str
    payload: bytes | None
    checksums: dict[str, str]


def rest_input(node: Node) -> RestInput:
    """Return where the members of an input are."""
    labels, query, headers, prefixes = {}, {}, {}, {}
    rest_of_query = None
    for member, child in node.members.items():
        name, named = child.name or member, (member, child)
        match child.location:
            case "uri":
                labels[name] = named
            case "querystring" if child.kind is Kind.MAP:
                rest_of_query = named
            case "querystring":
                query[name] = named
            case "header" if name.lower() not in _FRAMING:
                headers[name.lower()] = named
            case "headers":
                prefixes[name.lower()] = named
            case _:
                pass  # in the body
    payload = node.traits.get("payload")
    return RestInput(
        node=node,
        labels=labels,
        query=query,
        rest_of_query=rest_of_query,
        headers=headers,
        prefixes=prefixes,
        payload=(payload, node.members[payload]) if payload else None,
        has_body=payload is None and any(not child.location for child in node.members.values()),
    )


def read_rest(
    place: RestInput | None, match: Match, query: Mapping[str, list[str]], *, request: WireRequest, protocol: Protocol
) -> RestParams:
    """Return the params of the operation a request was routed to.

    Args:
        place: Where its members are, None when it takes nothing.
        match: The route.
        query: Decoded query, every value of a name.
        request: Its headers and body are read.
        protocol: REST_JSON or REST_XML.

    Raises:
        RefusedError: something does not fit the model or is not known to it.
    """
    if place is None:
        _read_query(None, match, query)
        _no_body(request)
        return RestParams({}, "", None, {})
    params = {**_read_labels(place, match), **_read_query(place, match, query), **_read_headers(place, request)}
    member, payload = "", None
    if place.payload is None:
        params |= _read_body(place, request, protocol)
    else:
        name, node = place.payload
        if _has(node, "eventstream"):
            raise RefusedError(Reason.UNSUPPORTED, "streams of events are not taken")
        if node.kind is Kind.BLOB:
            member, payload = name, (request.body if place.streams else _body(request)) or None
        elif _body(request):
            params[name] = _read_payload(node, _body(request), protocol)
    return RestParams(params, member, payload, _checksums(place, request))


def _read_labels(place: RestInput, match: Match) -> dict[str, Any]:
    params = {}
    for label, raw in match.values.items():
        member, node = place.labels[label]
        params[member] = from_text(node, decode(raw), ISO8601)
    return params


def refuse_dots(match: Match, service: str) -> None:
    """Refuse ``.`` and ``..`` in a path, which S3 takes for names and everyone else may resolve.

    Raises:
        RefusedError: there is one, and the service is not S3.
    """
    if service == S3:
        return
    for raw in match.values.values():
        if any(decode(segment) in {".", ".."} for segment in raw.split("/")):
            raise RefusedError(Reason.DECOY, "a segment of the path is `.` or `..`")


def _read_query(place: RestInput | None, match: Match, query: Mapping[str, list[str]]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, values in query.items():
        named = place.query.get(name) if place is not None else None
        if named is not None and named[1].kind is Kind.LIST:
            params[named[0]] = [from_text(named[1].item, value, ISO8601) for value in values]
        elif named is not None:
            params[named[0]] = from_text(named[1], _once(name, values), ISO8601)
        elif name in match.route.constants or (name == OPERATION_NAME and _once(name, values)):
            continue
        elif place is not None and place.rest_of_query is not None:
            many = place.rest_of_query[1].members["value"].kind is Kind.LIST
            texts = [checked_text(value) for value in values]
            others[checked_text(name)] = texts if many else _once(name, texts)
        else:
            raise unknown_input("query parameter", name)
    if others and place is not None and place.rest_of_query is not None:
        params[place.rest_of_query[0]] = others
    return params


def _once(name: str, values: list[str]) -> str:
    if len(values) != 1:
        raise RefusedError(Reason.DECOY, f"query parameter `{name}` is there twice")
    return values[0]


def _read_headers(place: RestInput, request: WireRequest) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for name in request.headers.keys() & place.headers.keys():
        member, node = place.headers[name]
        params[member] = _header_value(node, _ascii(request, name))
    for prefix, (member, _) in place.prefixes.items():
        names = [name for name in request.headers if name.startswith(prefix)]
        if prefix in names:
            raise malformed(f"a header is named `{prefix}` and no more")
        if names:
            params[member] = {name[len(prefix) :]: _ascii(request, name) for name in sorted(names)}
    return params


def _ascii(request: WireRequest, name: str) -> str:
    value = request.header(name) or ""
    if not value.isascii():
        raise malformed(f"header `{name}` is not ASCII")
    return value


def _header_value(node: Node, value: str) -> Any:  # noqa: ANN401 - any JSON
    if _has(node, "jsonvalue"):
        try:
            return read_document(load_json(base64.b64decode(value, validate=True)))
        except (binascii.Error, ValueError):
            raise malformed("a header that carries JSON is not base64") from None
    if node.kind is Kind.LIST:
        return [from_text(node.item, item, RFC822) for item in _split_list(value)]
    return from_text(node, value, RFC822)


def _split_list(value: str) -> list[str]:
    """Return the items of a header; one with a comma or a quote stands in quotes, its quotes after a backslash."""
    items: list[str] = []
    rest = value
    while True:
        if rest.startswith('"'):
            item, rest = _quoted(rest[1:])
        else:
            item, comma, tail = rest.partition(",")
            item, rest = item.strip(), comma + tail
        items.append(item)
        rest = rest.lstrip()
        if not rest:
            return items
        if not rest.startswith(","):
            raise malformed("items of a header are not separated by commas")
        rest = rest[1:].lstrip()


def _quoted(text: str) -> tuple[str, str]:
    at = 0
    while at < len(text):
        if text.startswith('\\"', at):
            at += 2
        elif text[at] == '"':
            return text[:at].replace('\\"', '"'), text[at + 1 :]
        else:
            at += 1
    raise malformed("a quote in a header is not closed")


def _read_body(place: RestInput, request: WireRequest, protocol: Protocol) -> dict[str, Any]:
    if not place.has_body:
        _no_body(request)
        return {}
    if not _body(request):
        return {}
    return _read_structure(place.node, _body(request), protocol)


def _read_payload(node: Node, body: bytes, protocol: Protocol) -> Any:  # noqa: ANN401 - any JSON
    if node.kind is Kind.STRING:
        try:
            return checked_text(body.decode("utf-8"))
        except UnicodeDecodeError:
            raise malformed("the body is not UTF-8") from None
    if node.kind is Kind.STRUCTURE:
        return _read_structure(node, body, protocol)
    return read(node, load_json(body))


def _read_structure(node: Node, body: bytes, protocol: Protocol) -> dict[str, Any]:
    if protocol is Protocol.REST_XML:
        return read_root(node, load_xml(body))
    return read_structure(node, load_json(body))


def _body(request: WireRequest) -> bytes:
    if request.body is None:
        raise RefusedError(Reason.UNSUPPORTED, "the body of this operation must be read before it is parsed")
    return request.body


def _no_body(request: WireRequest) -> None:
    if _body(request) not in {b"", EMPTY_OBJECT}:
        raise unknown_input("member", "body")


def _checksums(place: RestInput, request: WireRequest) -> dict[str, str]:
    return {
        name: _ascii(request, name)
        for name in request.headers
        if (name in _CHECKSUMS or name.startswith(_CHECKSUM_PREFIX)) and name not in place.headers
    }


def _has(node: Node, trait: str) -> bool:
    return bool(node.traits.get(trait))
