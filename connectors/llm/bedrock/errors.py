"""What Bedrock says when it fails, in Anthropic's words (Bedrock API reference, InvokeModel and "Common errors").

The message stays as it is: clients of Anthropic look at the wording, and it is what people search for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

_MAX_MESSAGE_CHARS: Final = 4096
_MAX_BODY_BYTES: Final = 64 << 10
_BAD_REQUEST: Final = 400
_BAD_GATEWAY: Final = 502

_OVERLOADED: Final = (529, "overloaded_error")
_THROTTLED: Final = (429, "rate_limit_error")
_OURS: Final = (401, "authentication_error")
"""Something is wrong with our credential or our signature, not with the agent's."""
_BROKEN: Final = (500, "api_error")
_INVALID: Final = (400, "invalid_request_error")

_BY_NAME: Final[Mapping[str, tuple[int, str]]] = {
    "throttlingexception": _THROTTLED,
    "toomanyrequestsexception": _THROTTLED,
    "servicequotaexceededexception": _THROTTLED,
    "modeltimeoutexception": (408, "timeout_error"),
    "serviceunavailableexception": _OVERLOADED,
    "serviceunavailable": _OVERLOADED,
    "modelnotreadyexception": _OVERLOADED,
    "validationexception": _INVALID,
    "accessdeniedexception": (403, "permission_error"),
    "resourcenotfoundexception": (404, "not_found_error"),
    "expiredtokenexception": _OURS,
    "incompletesignatureexception": _OURS,
    "invalidsignatureexception": _OURS,
    "missingauthenticationtokenexception": _OURS,
    "unrecognizedclientexception": _OURS,
    "internalserverexception": _BROKEN,
    "modelerrorexception": _BROKEN,
    "modelstreamerrorexception": _BROKEN,
}
_BY_STATUS: Final[Mapping[int, tuple[int, str]]] = {
    400: _INVALID,
    401: _OURS,
    403: (403, "permission_error"),
    404: (404, "not_found_error"),
    408: (408, "timeout_error"),
    413: (413, "request_too_large"),
    429: _THROTTLED,
    503: _OVERLOADED,
    529: _OVERLOADED,
}


def to_anthropic(status: int, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    """Return status and body of the same error as Anthropic would give it.

    Args:
        status: Of Bedrock's answer.
        headers: Of Bedrock's answer, names in lower case; ``x-amzn-errortype`` says which error it is.
        body: Of Bedrock's answer, ``{"message": …}``; anything is taken.
    """
    document = _document(body)
    found = anthropic_error(headers.get("x-amzn-errortype") or _text(document, "__type"), status)
    return found[0], envelope(found[1], _text(document, "message", "Message") or f"Amazon Bedrock answered {status}")


def anthropic_error(name: str, status: int = 0) -> tuple[int, str]:
    """Return status and type of Anthropic for an exception of Bedrock's.

    Args:
        name: Of the exception, in any of the spellings AWS has: ``ThrottlingException``, ``throttlingException``, with
            a namespace before it or a URL behind it.
        status: That came with it, for one that is not known; 0 for none.
    """
    plain = name.partition(":")[0].rpartition("#")[2].strip().lower()
    found = _BY_NAME.get(plain) or _BY_STATUS.get(status)
    if found is not None:
        return found
    if not status:
        return _BROKEN
    return (status if status >= _BAD_REQUEST else _BAD_GATEWAY), _BROKEN[1]


def envelope(kind: str, message: str) -> bytes:
    """Return the body of an error of Anthropic's (Claude API, "Errors")."""
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": message[:_MAX_MESSAGE_CHARS]}})


def message_of(payload: bytes) -> str:
    """Return the message of an exception's payload; empty when it has none."""
    return _text(_document(payload), "message", "Message", "originalMessage")[:_MAX_MESSAGE_CHARS]


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body[:_MAX_BODY_BYTES])
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(document: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := document.get(name), str)), "")
