"""What an answer that is not a yes means: a definite no, or nothing definite.

A 5xx or 408 to a write may have happened, unless its code says that nobody looked at the request. What the answer says
is clipped and stripped before it goes into a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NoReturn

from botocore.exceptions import BotoCoreError
from botocore.parsers import ResponseParserError

from connectors.aws.codec import parser
from connectors.aws.words import shown
from connectors.base import Access, Plan, UpstreamResponse
from connectors.errors import OutcomeUnknownError, UpstreamRefusedError
from connectors.streams import read_all

Headers = Mapping[str, str]
"""Names in lower case."""
PARSER_FAULTS: Final = (
    ResponseParserError,
    BotoCoreError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    RecursionError,
    OverflowError,
)
"""What botocore's parsers raise on an answer of any bytes."""
_MAX_ERROR_BYTES: Final = 64 << 10
_MAX_WORDS: Final = 300
THROTTLED: Final = frozenset(
    {
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
    }
)
"""Given before the request is looked at, whatever the status."""
_LATE_UNKNOWN: Final = frozenset({"UnknownError", "InternalError", "ServiceUnavailable", "RequestTimeout"})
"""Error codes inside a 200 that do not say what became of the work."""
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


async def refuse(plan: Plan, protocol: str, response: UpstreamResponse) -> NoReturn:
    """Raise what a non-2xx answer means.

    Raises:
        UpstreamRefusedError: a definite no.
        OutcomeUnknownError: it may have happened.
    """
    status, headers = response.status, response.headers
    try:
        document = (await read_all(response.body, _MAX_ERROR_BYTES)).strip()
    except OutcomeUnknownError:
        document = b""  # the status line has said enough
    code, message = _error_of(protocol, status, headers, document)
    unclear = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT
    if unclear and plan.access is not Access.READ and code not in THROTTLED:
        raise OutcomeUnknownError(f"{plan.call['service']} answered {status} `{shown(code)}` to a write")
    raise UpstreamRefusedError(
        message + _region_hint(plan, headers),
        code=code,
        status=status,
        upstream_request_id=request_id(headers),
    )


def refuse_late(plan: Plan, protocol: str, headers: Headers, document: bytes) -> NoReturn:
    """Raise what an error inside a 200 means.

    Raises:
        UpstreamRefusedError, OutcomeUnknownError: as `refuse`.
    """
    code, message = _error_of(protocol, HTTPStatus.OK, headers, document)
    if code in _LATE_UNKNOWN and plan.access is not Access.READ:
        raise OutcomeUnknownError(f"{plan.call['service']} answered 200 and then `{shown(code)}`")
    raise UpstreamRefusedError(message, code=code, status=200, upstream_request_id=request_id(headers))


def has_doctype(document: bytes) -> bool:
    """Tell whether a document declares a type or an entity, which no answer of AWS does."""
    return b"<!DOCTYPE" in document or b"<!ENTITY" in document


def request_id(headers: Headers) -> str:
    """Return the upstream's id of the call; empty when it gave none."""
    return _clip(headers.get("x-amzn-requestid") or headers.get("x-amz-request-id") or "")


def _error_of(protocol: str, status: int, headers: Headers, document: bytes) -> tuple[str, str]:
    """Return code and message of an error, clipped; the words of the status when the body has none."""
    error = _parsed_error(protocol, headers, document)
    code, message = error.get("Code"), error.get("Message") or error.get("message")
    phrase = _PHRASES.get(status, f"Status{status}")
    fallback = "UnknownError" if status == HTTPStatus.OK else phrase.title().replace(" ", "").replace("-", "")
    known = isinstance(code, str) and code.strip() and not code.isdecimal()
    said = isinstance(message, str) and message.strip() and known
    return (_clip(str(code).strip()) if known else fallback), (_clip(str(message)) if said else phrase)


def _parsed_error(protocol: str, headers: Headers, document: bytes) -> dict[str, Any]:
    if has_doctype(document) or not (document or "x-amzn-errortype" in headers):
        return {}
    try:
        # The parser looks for an error only above 301; a redirect and a late error hold the same document.
        answer = {"status_code": 400, "headers": dict(headers), "body": document}
        parsed: Any = parser(protocol).parse(answer, None)
    except PARSER_FAULTS:
        return {}
    error = parsed.get("Error") if isinstance(parsed, dict) else None
    return error if isinstance(error, dict) else {}


def _region_hint(plan: Plan, headers: Headers) -> str:
    region = headers.get("x-amz-bucket-region", "")
    if not region or region == plan.call["region"]:
        return ""
    return f"; the bucket is in `{shown(region)}`: name it as `Region`, and in the connection's regions"


def _clip(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[:_MAX_WORDS])
