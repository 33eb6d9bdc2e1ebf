"""What an upstream said in place of an answer, for whoever is asked next and for the client when nobody is.

Another upstream may be asked when the fault is with this one (408, 429, 5xx, 529, an error in the stream) or with what
we are there (401, 403, 404). Every other 4xx is about the request, and would be the same anywhere.

The provider's answer goes back to the client as it is, since clients look at its words. One does not: that our own
credential was refused, which a client would take for its own; it may also quote a part of it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Final

import orjson

from connectors.base import CallResult, JsonObject, UpstreamResponse
from connectors.errors import OutcomeUnknownError, UpstreamRefusedError
from connectors.llm.bedrock.errors import to_anthropic
from connectors.llm.headers import passed, request_id_of
from connectors.llm.words import Dialect
from connectors.streams import read_all

MAX_ERROR_BYTES: Final = 64 << 10
"""Of the body of an error; a longer one is not handed on."""
_OURS: Final = 401
_ELSEWHERE: Final = frozenset({_OURS, 403, 404, 408, 429})
_CLIENT_ERRORS: Final = range(400, 500)
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_JSON: Final = "application/json"
_STATUS_OF: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": _OURS,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "throttlingException": 429,
    "validationException": 400,
    "modelTimeoutException": 408,
    "serviceUnavailableException": 503,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""Status of an error that came inside a stream (Claude API, "Errors"; OpenAI API, "Error codes"); 500 for others."""


async def refusal_of(
    response: UpstreamResponse, *, upstream: str, dialect: Dialect, translated: bool
) -> UpstreamRefusedError:
    """Return the error that an answer other than 200 is.

    Args:
        response: The answer; its body is read here, as far as it comes.
        upstream: Name of the upstream.
        dialect: What the client speaks.
        translated: Whether the upstream speaks Bedrock's words to a client that speaks Anthropic's.
    """
    status, headers = response.status, response.headers
    try:
        body = await read_all(response.body, MAX_ERROR_BYTES)
    except OutcomeUnknownError:
        body = b""  # the status is a definite answer all the same
    back = passed(headers)
    if translated:
        status, body = to_anthropic(status, headers, body)
        back = {name: value for name, value in back.items() if name != "x-amzn-errortype"} | {"content-type": _JSON}
    code = _code_in(body) or headers.get("x-amzn-errortype", "").partition(":")[0]
    return _refused(
        status,
        code if _CODE.fullmatch(code) else f"http-{status}",
        upstream=upstream,
        answer=_ours(dialect, upstream) if status == _OURS else _handed_on(dialect, status, back, body),
        request_id=request_id_of(headers),
    )


def refusal_in_stream(
    failure: tuple[str, str] | None, headers: Mapping[str, str], *, upstream: str, dialect: Dialect
) -> UpstreamRefusedError:
    """Return the error that a stream is which failed before any content.

    Args:
        failure: Type and message, as the upstream said.
        headers: Of its answer.
        upstream: Its name.
        dialect: What the client speaks.
    """
    kind, message = failure or ("api_error", "")
    code = kind if _CODE.fullmatch(kind) else "api_error"
    status = _STATUS_OF.get(code, 500)
    back = {**passed(headers), "content-type": _JSON}
    body = _envelope(dialect, code, message or "the upstream failed before it answered")
    answer = _ours(dialect, upstream) if status == _OURS else _handed_on(dialect, status, back, body)
    error = _refused(status, code, upstream=upstream, answer=answer, request_id=request_id_of(headers))
    error.elsewhere = True
    return error


def untranslatable(why: str, *, upstream: str, dialect: Dialect) -> UpstreamRefusedError:
    """Return the error that a request is which an upstream has no words for; nothing was sent.

    Args:
        why: In words for people.
        upstream: Name of the upstream.
        dialect: What the client speaks.
    """
    answer = _handed_on(dialect, 400, {"content-type": _JSON}, _envelope(dialect, "invalid_request_error", why))
    error = _refused(400, "untranslatable", upstream=upstream, answer=answer, request_id="")
    error.elsewhere = True
    return error


def _refused(status: int, code: str, *, upstream: str, answer: CallResult, request_id: str) -> UpstreamRefusedError:
    # What a provider says may quote the request; it goes to the client, and not on the ledger.
    error = UpstreamRefusedError(
        f"the upstream `{upstream}` answered {status} {code}",
        code=code,
        status=status,
        upstream_request_id=request_id,
        answer=answer,
    )
    error.elsewhere = status in _ELSEWHERE or status not in _CLIENT_ERRORS
    return error


def _handed_on(dialect: Dialect, status: int, headers: Mapping[str, str], body: bytes) -> CallResult:
    if not body:
        body = _envelope(dialect, "api_error", f"the upstream answered {status} without more")
        headers = {**headers, "content-type": _JSON}
    return CallResult({"status": status, "headers": dict(headers), "body": _as_json(body)})


def _ours(dialect: Dialect, upstream: str) -> CallResult:
    message = f"the upstream `{upstream}` refused the broker's credential; an operator must look at it"
    headers = {"content-type": _JSON, "x-should-retry": "false"}
    if dialect is Dialect.INVOKE:
        headers["x-amzn-errortype"] = "AccessDeniedException"
    # Codex tries again after a 403, and not after a 400.
    status = 400 if dialect in {Dialect.CHAT, Dialect.RESPONSES} else 403
    return CallResult(
        {"status": status, "headers": headers, "body": _as_json(_envelope(dialect, "permission_error", message))}
    )


def _as_json(body: bytes) -> JsonObject:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"encoding": "base64", "data": base64.b64encode(body).decode()}


def _envelope(dialect: Dialect, kind: str, message: str) -> bytes:
    match dialect:
        case Dialect.MESSAGES:
            return orjson.dumps({"type": "error", "error": {"type": kind, "message": message}})
        case Dialect.CHAT | Dialect.RESPONSES:
            return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": kind}})
        case Dialect.INVOKE:
            return orjson.dumps({"message": message})


def _code_in(body: bytes) -> str:
    """Return the provider's name for an error, empty when there is none to be found."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return ""
    found = (error.get(name) for name in ("code", "type"))
    return next((each for each in found if isinstance(each, str) and each), "")
