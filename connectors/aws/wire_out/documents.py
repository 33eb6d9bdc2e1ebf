"""Bodies of answers: the document around the members of an output, in each protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from connectors.aws.model import ApiOperation
from connectors.aws.s3 import ROOTS
from connectors.aws.wire_in.services import S3, Protocol
from connectors.aws.wire_in.shapes import Kind, Node, ShapeTable
from connectors.aws.wire_out.cbor import dump_cbor
from connectors.aws.wire_out.scalars import scalar_text
from connectors.aws.wire_out.write_tree import TreeWriters, Write, cbor_leaf, json_leaf
from connectors.aws.wire_out.write_xml import DECLARATION, Emit, XmlWriters, escape
from connectors.base import JsonObject

Document = Callable[[JsonObject, str], bytes]
"""Writes the body of an answer from the result and the request id."""

_S3_SPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
_EC2_SPACE: Final = "http://ec2.amazonaws.com/doc/{}/"
_S3_ROOTS: Final[dict[str, str]] = {
    **ROOTS,
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycle": "LifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
}
"""Root elements of S3's documents; its models do not say."""
_LOCATION: Final = "LocationConstraint"
_JSON_TYPES: Final = {"1.0": "application/x-amz-json-1.0", "1.1": "application/x-amz-json-1.1"}


@dataclass(frozen=True, slots=True)
class Body:
    """How an operation's body is written.

    Args:
        media_type: Its content type; empty when there is never a body.
        write: Writes it.
    """

    media_type: str
    write: Document


NO_BODY: Final = Body("", lambda _data, _id: b"")


class Documents:
    """Bodies of one service; writers of shapes are shared by all of its operations."""

    def __init__(self) -> None:
        self._shapes = ShapeTable()
        self._json = TreeWriters(json_leaf, renamed=True)
        self._cbor = TreeWriters(cbor_leaf, renamed=False)
        self._xml = XmlWriters()

    def output(self, api: ApiOperation) -> Node | None:
        """Return the output of an operation, None when it has none."""
        shape = api.model.output_shape
        return None if shape is None else self._shapes.node(shape)

    def body(self, api: ApiOperation, protocol: Protocol, names: Collection[str]) -> Body:
        """Return how the body of an operation is written.

        Args:
            api: The operation.
            protocol: The protocol to write it in.
            names: Members of its output that are in the body.
        """
        node = self.output(api)
        match protocol:
            case Protocol.JSON:
                version = api.model.service_model.metadata.get("jsonVersion", "1.0")
                return _json_body(None if node is None else self._json.of(node), _JSON_TYPES[version])
            case Protocol.CBOR:
                return _cbor_body(None if node is None else self._cbor.of(node))
            case Protocol.QUERY:
                return self._query(api, node)
            case Protocol.EC2:
                return self._ec2(api, node)
            case Protocol.REST_JSON:
                return NO_BODY if node is None else self._rest_json(node, names)
            case Protocol.REST_XML:
                return NO_BODY if node is None else self._rest_xml(api, node, names)

    def _rest_json(self, node: Node, names: Collection[str]) -> Body:
        payload = node.shape.serialization.get("payload")
        if payload is None:
            return _json_body(self._json.structure(node, names), "application/json") if names else NO_BODY
        inner = node.members[payload]
        if inner.kind in {Kind.STRING, Kind.BLOB} or inner.traits.get("eventstream"):
            return _raw_body(payload)
        write = self._json.of(inner)
        return _json_body(
            lambda data: write(data[payload]) if data.get(payload) is not None else {}, "application/json"
        )

    def _rest_xml(self, api: ApiOperation, node: Node, names: Collection[str]) -> Body:
        payload = node.shape.serialization.get("payload")
        inner = node if payload is None else node.members[payload]
        if inner.kind in {Kind.STRING, Kind.BLOB} or inner.traits.get("eventstream"):
            return _raw_body(str(payload))
        is_s3 = api.service == S3
        media_type = "application/xml" if is_s3 else "text/xml"
        root = (_S3_ROOTS.get(api.name) if is_s3 else None) or inner.name or inner.shape.name
        begin = _opening(root, inner.traits.get("xmlNamespace", {}).get("uri", _S3_SPACE if is_s3 else ""))
        if is_s3 and api.name == "GetBucketLocation":
            return Body(media_type, lambda data, _: _location(data))
        if payload is None and not names:
            return NO_BODY
        emit = self._xml.structure(node, names) if payload is None else self._xml.content(inner)

        def write(data: JsonObject, _: str) -> bytes:
            value = data if payload is None else data.get(payload)
            return b"" if value is None else _document(begin, emit, value, f"</{root}>")

        return Body(media_type, write)

    def _query(self, api: ApiOperation, node: Node | None) -> Body:
        begin = _opening(f"{api.name}Response", api.model.service_model.metadata.get("xmlNamespace", ""))
        # Of this operation; operations that share an output shape have wrappers of their own.
        wrapper = "" if node is None else api.model.output_shape.serialization.get("resultWrapper", "")
        emit = _nothing if node is None else self._xml.content(node)
        if wrapper:
            begin = f"{begin}<{wrapper}>"
        close = f"</{wrapper}>" if wrapper else ""

        def write(data: JsonObject, request_id: str) -> bytes:
            known = f"{close}<ResponseMetadata><RequestId>{escape(request_id)}</RequestId></ResponseMetadata>"
            return _document(begin, emit, data, f"{known}</{api.name}Response>")

        return Body("text/xml", write)

    def _ec2(self, api: ApiOperation, node: Node | None) -> Body:
        version = api.model.service_model.metadata["apiVersion"]
        begin = _opening(f"{api.name}Response", _EC2_SPACE.format(version))
        emit = _nothing if node is None else self._xml.content(node)
        done = "<return>true</return>" if node is None else ""

        def write(data: JsonObject, request_id: str) -> bytes:
            head = f"{begin}<requestId>{escape(request_id)}</requestId>{done}"
            return _document(head, emit, data, f"</{api.name}Response>")

        return Body("text/xml;charset=UTF-8", write)


def _json_body(write: Write | None, media_type: str) -> Body:
    if write is None:
        return Body(media_type, lambda _data, _id: b"")
    return Body(media_type, lambda data, _: json.dumps(write(data), allow_nan=False, separators=(",", ":")).encode())


def _cbor_body(write: Write | None) -> Body:
    return Body("application/cbor", lambda data, _: b"" if write is None else dump_cbor(write(data)))


def _raw_body(payload: str) -> Body:
    """A body that is one text; bytes are handed to `answer.render` apart."""
    return Body("application/octet-stream", lambda data, _: scalar_text(data.get(payload, "")).encode())


def _document(begin: str, emit: Emit, value: Any, end: str) -> bytes:  # noqa: ANN401 - JSON
    out = [DECLARATION, begin]
    emit(out, value)
    out.append(end)
    return "".join(out).encode()


def _opening(root: str, space: str) -> str:
    return f'<{root} xmlns="{escape(space)}">' if space else f"<{root}>"


def _location(data: JsonObject) -> bytes:
    """The region is the text of the root itself, empty for us-east-1."""
    text = escape(scalar_text(data.get(_LOCATION, "")))
    return f"{DECLARATION}{_opening(_LOCATION, _S3_SPACE)}{text}</{_LOCATION}>".encode()


def _nothing(_out: list[str], _value: Any) -> None:  # noqa: ANN401 - JSON
    """An operation without an output says nothing but that it was done."""
