"""From an answer of AWS to a result, a definite no, or "unknown".

A 2xx is not always a yes: CopyObject and others answer 200 first and put the error into the body later, and a proxy may
answer 200 with a page of its own. What does not fit the model of the operation is "unknown".
"""

from __future__ import annotations

import base64
import json
import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from connectors.aws import s3
from connectors.aws.codec import parser
from connectors.aws.heads import head_of
from connectors.aws.model import ApiOperation
from connectors.aws.refusal import PARSER_FAULTS, Headers, has_doctype, refuse, refuse_late, request_id
from connectors.base import CallResult, JsonObject, Plan, UpstreamResponse
from connectors.errors import OutcomeUnknownError
from connectors.streams import HeldBody, read_all
from connectors.usage import Usage

MAX_DOCUMENT_BYTES: Final = 16 << 20
"""A document; a list of 1000 keys of 1024 bytes, percent-encoded, is below 4 MB."""
_ROOT: Final = re.compile(rb"(?:<\?xml[^>]*\?>)?\s*<([A-Za-z0-9]+)")
_JSON: Final = frozenset({"json", "rest-json"})
_XML: Final = frozenset({"rest-xml", "query", "ec2"})


async def read_answer(plan: Plan, api: ApiOperation, response: UpstreamResponse, stack: AsyncExitStack) -> CallResult:
    """Return the result of a call.

    Args:
        plan: What was sent.
        api: The operation it calls.
        response: Its answer.
        stack: Holds the response open; taken over by a streamed body.

    Raises:
        UpstreamRefusedError: a definite no.
        OutcomeUnknownError: no definite answer.
    """
    headers = response.headers
    if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        await refuse(plan, api.protocol, response)
    if api.streams:
        data = _parse_head(api, response.status, headers)
        return CallResult(
            data=data,
            body=HeldBody(response.body, stack.pop_all()),
            media_type=headers.get("content-type", "application/octet-stream"),
            upstream_request_id=request_id(headers),
            usage=Usage(request_bytes=len(plan.payload), response_bytes=_length(headers)),
        )
    document = await read_all(response.body, MAX_DOCUMENT_BYTES)
    if api.protocol in _XML:
        document = document.strip()
        _check_root(plan, api, headers, document)
    data = _parse(api, response.status, headers, document)
    usage = Usage(request_bytes=len(plan.payload), response_bytes=len(document))
    return CallResult(data=data, upstream_request_id=request_id(headers), usage=usage)


def plain(value: Any) -> Any:  # noqa: ANN401 - botocore's types in, JSON out
    """Return a parsed value as JSON: times in RFC 3339, blobs in base64."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        moment = value.astimezone(UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if moment.microsecond else "%Y-%m-%dT%H:%M:%SZ")
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _check_root(plan: Plan, api: ApiOperation, headers: Headers, document: bytes) -> None:
    """Raise for an error inside a 200, and for a 200 that is not the document it should be."""
    match = _ROOT.match(document)
    root = match.group(1).decode() if match else ""
    if root == "Error":
        refuse_late(plan, api.protocol, headers, document)
    expected = s3.ROOTS.get(api.name) if api.service == s3.NAME else None
    if expected and root != expected:
        raise OutcomeUnknownError(f"{api.service} answered 200 without a `{expected}`")
    if root.lower() == "html":
        raise OutcomeUnknownError(f"{api.service} answered 200 with a page for people")


def _parse_head(api: ApiOperation, status: int, headers: Headers) -> JsonObject:
    """Return the members of an output whose body streams.

    Raises:
        OutcomeUnknownError: a header does not fit the model.
    """
    head = head_of(api)
    if head is None:
        return _parse(api, status, headers, b"")
    expires = headers.get("expires") if api.service == s3.NAME else None
    kept = headers if expires is None else {name: text for name, text in headers.items() if name != "expires"}
    try:
        data: JsonObject = plain(head.read(status, kept))
    except PARSER_FAULTS:
        raise OutcomeUnknownError("the answer does not fit the model of the operation") from None
    return data if expires is None else {**data, "ExpiresString": expires}


def _parse(api: ApiOperation, status: int, headers: Headers, document: bytes) -> JsonObject:
    """Return the members of the output as JSON.

    Raises:
        OutcomeUnknownError: the answer does not fit the model.
    """
    if api.protocol in _XML and has_doctype(document):
        raise OutcomeUnknownError(f"the answer holds a document type, which {api.service} never sends")
    _check_json(api, document)
    fields = {api.spelling.get(name, name): value for name, value in headers.items()}
    # Whoever wrote the object chose the text of this header; the parser would choke on what is no date.
    expires = fields.pop(api.spelling.get("expires", "expires"), None) if api.service == s3.NAME else None
    outputs = api.model.output_shape
    try:
        parsed: Any = parser(api.protocol).parse({"status_code": status, "headers": fields, "body": document}, outputs)
        parsed.pop("ResponseMetadata", None)
        if api.streams:
            parsed.pop(outputs.serialization["payload"], None)
        if api.service == s3.NAME:
            s3.mend(api, parsed, document)
        data: JsonObject = plain(parsed)
    except PARSER_FAULTS:
        raise OutcomeUnknownError("the answer does not fit the model of the operation") from None
    return data if expires is None else {**data, "ExpiresString": expires}


def _check_json(api: ApiOperation, document: bytes) -> None:
    """Refuse what botocore's parser would take for an empty object."""
    outputs = api.model.output_shape
    if api.protocol not in _JSON or not document.strip() or outputs is None:
        return
    payload = outputs.serialization.get("payload")
    if payload and outputs.members[payload].type_name in {"string", "blob"}:
        return
    try:
        good = isinstance(json.loads(document), dict) or payload is not None
    except (ValueError, RecursionError):
        good = False
    if not good:
        raise OutcomeUnknownError("the answer does not fit the model of the operation")


def _length(headers: Headers) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0
