"""A no in the words of the client's SDK: XML, JSON or CBOR, as the protocol it spoke wants it.

The code is what SDKs branch on and print, the message is for the person or agent who reads it: it may name the rule
that refused and what to do about it.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from connectors.aws.wire_in.request import WireRequest
from connectors.aws.wire_in.services import S3, Protocol, signed_as

MAX_MESSAGE_CHARS: Final = 2000
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong.

    Args:
        code: Error code: ``AccessDenied``.
        message: For people; holds no secret.
        status: HTTP status.
        request_id: Ours, so that the answer can be found on the ledger.
    """

    code: str
    message: str
    status: int
    request_id: str


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An answer, ready to send.

    Args:
        status: HTTP status.
        headers: Lower-case names.
        body: Empty for HEAD.
    """

    status: int
    headers: dict[str, str]
    body: bytes


def spoken(request: WireRequest, signing_name: str) -> Protocol:
    """Return the protocol to answer a request in, also one that does not parse.

    Args:
        request: As it came.
        signing_name: Of its scope; empty when it has none.
    """
    if "smithy-protocol" in request.headers:
        return Protocol.CBOR
    if "x-amz-target" in request.headers:
        return Protocol.JSON
    services = signed_as(signing_name)
    forms = [service.form for service in services if service.form is not None]
    rests = [service.rest for service in services if service.rest is not None]
    is_form = request.headers.get("content-type", "").startswith(_FORM_TYPE)
    if forms and (is_form or not rests):
        return forms[0]
    if rests:
        return rests[0]
    return Protocol.JSON if services else Protocol.REST_XML


def render(problem: Problem, protocol: Protocol, *, signing_name: str, method: str) -> ErrorAnswer:
    """Return the answer.

    Args:
        problem: What went wrong.
        protocol: As `spoken`, or of the parsed request.
        signing_name: Of the request's scope; empty when it has none.
        method: HTTP method; the answer to HEAD has no body.
    """
    headers = {"x-amzn-requestid": problem.request_id, "x-amz-request-id": problem.request_id}
    message = _clean(problem.message)
    match protocol:
        case Protocol.REST_XML if signing_name in {S3, ""}:
            kind, body = "application/xml", _s3(problem, message)
        case Protocol.REST_XML | Protocol.QUERY:
            kind, body = "text/xml", _error_response(problem, message)
        case Protocol.EC2:
            kind, body = "text/xml;charset=UTF-8", _ec2(problem, message)
        case Protocol.JSON:
            kind, body = "application/x-amz-json-1.0", _json({"__type": problem.code, "message": message})
        case Protocol.REST_JSON:
            kind, body = "application/json", _json({"message": message, "code": problem.code})
        case Protocol.CBOR:
            kind, body = "application/cbor", _cbor({"__type": problem.code, "message": message})
            headers["smithy-protocol"] = "rpc-v2-cbor"
    if protocol in {Protocol.JSON, Protocol.REST_JSON, Protocol.CBOR}:
        headers["x-amzn-errortype"] = problem.code
        if any(service.query_compatible for service in signed_as(signing_name)):
            headers["x-amzn-query-error"] = f"{problem.code};{_fault(problem)}"
    headers["content-type"] = kind
    return ErrorAnswer(problem.status, headers, b"" if method == "HEAD" else body)


def _s3(problem: Problem, message: str) -> bytes:
    return _xml(f"<Error>{_code(problem, message)}<RequestId>{escape(problem.request_id)}</RequestId></Error>")


def _error_response(problem: Problem, message: str) -> bytes:
    return _xml(
        f"<ErrorResponse><Error><Type>{_fault(problem)}</Type>{_code(problem, message)}</Error>"
        f"<RequestId>{escape(problem.request_id)}</RequestId></ErrorResponse>"
    )


def _ec2(problem: Problem, message: str) -> bytes:
    return _xml(
        f"<Response><Errors><Error>{_code(problem, message)}</Error></Errors>"
        f"<RequestID>{escape(problem.request_id)}</RequestID></Response>"
    )


def _code(problem: Problem, message: str) -> str:
    return f"<Code>{escape(problem.code)}</Code><Message>{escape(message)}</Message>"


def _fault(problem: Problem) -> str:
    return "Receiver" if problem.status >= _SERVER_ERROR else "Sender"


def _xml(text: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def _json(members: dict[str, str]) -> bytes:
    return json.dumps(members).encode()


def _cbor(members: dict[str, str]) -> bytes:
    """RFC 8949: a map of texts, lengths in two bytes."""
    texts = [text.encode() for pair in members.items() for text in pair]
    return bytes([0xA0 | len(members)]) + b"".join(b"\x79" + struct.pack(">H", len(text)) + text for text in texts)


def _clean(message: str) -> str:
    """Leave out what XML cannot hold; keep line breaks."""
    kept = "".join(char for char in message if char.isprintable() or char == "\n")
    return kept[:MAX_MESSAGE_CHARS]
