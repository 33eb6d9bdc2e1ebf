"""From S3's answer to a result, a definite no, or "unknown".

A 2xx is not always a yes: CopyObject and others answer 200 first and put the error into the body later. A 5xx or 408 to
a write may have happened. What the answer says is clipped and stripped before it goes into a message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, NoReturn
from urllib.parse import unquote_plus

from botocore.parsers import ResponseParserError

from connectors.aws.model import header_spelling, operation_model, parser
from connectors.aws.operations import BY_NAME
from connectors.aws.params import shown
from connectors.base import Access, CallResult, JsonObject, Plan, UpstreamResponse, Usage
from connectors.errors import OutcomeUnknownError, UpstreamRefusedError
from connectors.streams import HeldBody, read_all

MAX_DOCUMENT_BYTES: Final = 16 << 20
"""An XML answer; a list of 1000 keys of 1024 bytes, percent-encoded, is below 4 MB."""
_MAX_ERROR_BYTES: Final = 64 << 10
_MAX_WORDS: Final = 300
_DEFINITE_5XX: Final = frozenset({"SlowDown"})
"""503 SlowDown is given before the request is looked at."""
_LATE_UNKNOWN: Final = frozenset({"UnknownError", "InternalError", "ServiceUnavailable", "RequestTimeout"})
"""Error codes inside a 200 that do not say what became of the work."""
Headers = Mapping[str, str]
"""Names in lower case."""
_ROOT: Final = re.compile(rb"(?:<\?xml[^>]*\?>)?\s*<([A-Za-z0-9]+)")
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_ENCODED_MEMBERS: Final = ("Prefix", "Delimiter", "StartAfter")


async def read_answer(plan: Plan, response: UpstreamResponse, stack: AsyncExitStack) -> CallResult:
    """Return the result of a call.

    Args:
        plan: What was sent.
        response: Its answer.
        stack: Holds the response open; taken over by a streamed body.

    Raises:
        UpstreamRefusedError: a definite no.
        OutcomeUnknownError: no definite answer.
    """
    headers = response.headers
    request_id = _request_id(headers)
    if not 200 <= response.status < 300:  # noqa: PLR2004 - the class of a status
        await _refuse(plan, response, headers)
    if operation_model(plan.call["operation"]).has_streaming_output:
        data = _parse(plan, response.status, headers, b"")
        return CallResult(
            data=data,
            body=HeldBody(response.body, stack.pop_all()),
            media_type=headers.get("content-type", "application/octet-stream"),
            upstream_request_id=request_id,
            usage=Usage(request_bytes=len(plan.payload), response_bytes=_length(headers)),
        )
    document = (await read_all(response.body, MAX_DOCUMENT_BYTES)).strip()
    _check_document(plan, headers, document)
    data = _parse(plan, response.status, headers, document)
    usage = Usage(request_bytes=len(plan.payload), response_bytes=len(document))
    return CallResult(data=data, upstream_request_id=request_id, usage=usage)


async def _refuse(plan: Plan, response: UpstreamResponse, headers: Headers) -> NoReturn:
    """Raise what a non-2xx answer means."""
    status = response.status
    try:
        document = (await read_all(response.body, _MAX_ERROR_BYTES)).strip()
    except OutcomeUnknownError:
        document = b""  # the status line has said enough
    code, message = _error_of(status, headers, document)
    unclear = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT
    if unclear and plan.access is not Access.READ and code not in _DEFINITE_5XX:
        raise OutcomeUnknownError(f"S3 answered {status} `{shown(code)}` to a write")
    raise UpstreamRefusedError(
        message + _region_hint(plan, headers),
        code=code,
        status=status,
        upstream_request_id=_request_id(headers),
    )


def _check_document(plan: Plan, headers: Headers, document: bytes) -> None:
    """Raise for an error inside a 200, and for a 200 that is not the document it should be."""
    match = _ROOT.match(document)
    root = match.group(1).decode() if match else ""
    if root == "Error":
        code, message = _error_of(HTTPStatus.OK, headers, document)
        if code in _LATE_UNKNOWN and plan.access is not Access.READ:
            raise OutcomeUnknownError(f"S3 answered 200 and then `{shown(code)}`")
        raise UpstreamRefusedError(message, code=code, status=200, upstream_request_id=_request_id(headers))
    expected = BY_NAME[plan.call["operation"]].root
    if expected and root != expected:
        raise OutcomeUnknownError(f"S3 answered 200 without a `{expected}`")


def _error_of(status: int, headers: Headers, document: bytes) -> tuple[str, str]:
    """Return code and message of an error, clipped; the words of the status when the body has none."""
    error: Any = {}
    if document and not _has_doctype(document):
        # The parser looks for an error only above 301; a redirect and a late error hold the same document.
        parsed: Any = parser().parse({"status_code": 400, "headers": headers, "body": document}, None)
        error = parsed.get("Error", {})
    code, message = error.get("Code"), error.get("Message")
    phrase = _PHRASES.get(status, f"Status{status}")
    fallback = "UnknownError" if status == HTTPStatus.OK else phrase.title().replace(" ", "").replace("-", "")
    known = isinstance(code, str) and code and not code.isdecimal()
    return (_clip(code) if known else fallback), (_clip(message) if isinstance(message, str) and message else phrase)


def _parse(plan: Plan, status: int, headers: Headers, document: bytes) -> JsonObject:
    """Return the members of the output as JSON.

    Raises:
        OutcomeUnknownError: the answer does not fit the model.
    """
    if _has_doctype(document):
        raise OutcomeUnknownError("the answer holds a document type, which S3 never sends")
    operation = plan.call["operation"]
    spelling = header_spelling(operation)
    fields = {spelling.get(name, name): value for name, value in headers.items()}
    # Whoever wrote the object chose the text of this header; the parser would choke on what is no date.
    expires = fields.pop(spelling.get("expires", "expires"), None)
    try:
        parsed: dict[str, Any] = parser().parse(
            {"status_code": status, "headers": fields, "body": document}, operation_model(operation).output_shape
        )
    except (ResponseParserError, ValueError, KeyError, TypeError, AttributeError):
        raise OutcomeUnknownError("the answer does not fit the model of the operation") from None
    parsed.pop("ResponseMetadata", None)
    parsed.pop("Body", None)
    if parsed.pop("EncodingType", None) == "url":
        _decode_names(parsed)
    data: JsonObject = _plain(parsed)
    return data if expires is None else {**data, "ExpiresString": expires}


def _decode_names(parsed: dict[str, Any]) -> None:
    for name in _ENCODED_MEMBERS:
        if name in parsed:
            parsed[name] = unquote_plus(parsed[name])
    for entry, name in (("Contents", "Key"), ("CommonPrefixes", "Prefix")):
        for item in parsed.get(entry, ()):
            item[name] = unquote_plus(item[name])


def _plain(value: Any) -> Any:  # noqa: ANN401 - botocore's types in, JSON out
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def _region_hint(plan: Plan, headers: Headers) -> str:
    region = headers.get("x-amz-bucket-region", "")
    if not region or region == plan.call["region"]:
        return ""
    return f"; the bucket is in `{shown(region)}`: name it as `Region`, and in the connection's regions"


def _has_doctype(document: bytes) -> bool:
    return b"<!DOCTYPE" in document or b"<!ENTITY" in document


def _request_id(headers: Headers) -> str:
    return _clip(headers.get("x-amz-request-id", ""))


def _length(headers: Headers) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0


def _clip(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[:_MAX_WORDS])
