"""What an answer of GitHub that is no yes means: a definite no with GitHub's words, or nothing definite."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NoReturn

import orjson

from connectors.base import Access, JsonObject, Plan, UpstreamResponse
from connectors.errors import OutcomeUnknownError, UpstreamRefusedError
from connectors.streams import read_all

Headers = Mapping[str, str]
"""Names in lower case."""
_MAX_ERROR_BYTES: Final = 64 << 10
_MAX_WORDS: Final = 300
_MAX_ERRORS: Final = 20
_CODES: Final = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "not-allowed",
    409: "conflict",
    410: "gone",
    412: "precondition-failed",
    413: "too-large",
    415: "media-type",
    422: "validation",
    429: "rate-limited",
    451: "unavailable-for-legal-reasons",
}
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_HELD: Final = frozenset(
    {
        "github:pulls.merge",
        "github:pulls.merge-async",
        "github:pulls.update-branch",
        "github:repos.create-or-update-file-contents",
        "github:repos.delete-file",
    }
)
"""Operations that name the state they build on; a conflict means it is another one now."""
_SHA_FIELDS: Final = frozenset({"sha", "expected_head_sha"})
_LIMITS: Final = ("retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


async def refuse(plan: Plan, response: UpstreamResponse) -> NoReturn:
    """Raise what an answer that is no yes means.

    Raises:
        UpstreamRefusedError: a definite no.
        OutcomeUnknownError: it may have happened.
    """
    status, headers = response.status, response.headers
    said = await _said(response)
    if plan.access is not Access.READ and (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT
    ):
        raise OutcomeUnknownError(f"github answered {status} to a write")
    errors = _errors(said)
    message = clean(said.get("message")) or _phrase(status)
    details: JsonObject = {"message": message}
    if errors:
        details["errors"] = errors
    if said.get("documentation_url"):
        details["documentation_url"] = clean(said["documentation_url"])
    limits = {name: clean(headers[name]) for name in _LIMITS if name in headers}
    if limits:
        details["headers"] = limits
    raise UpstreamRefusedError(
        message,
        code=_code(plan, status, headers, errors),
        status=status,
        upstream_request_id=request_id(headers),
        details=details,
    )


def request_id(headers: Headers) -> str:
    """Return GitHub's id of the call; empty when it gave none."""
    return clean(headers.get("x-github-request-id", ""))


def clean(text: Any) -> str:  # noqa: ANN401 - JSON of any type
    """Return the words of an answer without what nobody sees, cut short; empty when they are no words."""
    if not isinstance(text, str):
        return ""
    return "".join(char if char.isprintable() else " " for char in text[:_MAX_WORDS]).strip()


async def _said(response: UpstreamResponse) -> JsonObject:
    try:
        said = orjson.loads(await read_all(response.body, _MAX_ERROR_BYTES))
    except (OutcomeUnknownError, orjson.JSONDecodeError):
        return {}  # the status line has said enough
    return said if isinstance(said, dict) else {}


def _errors(said: JsonObject) -> list[JsonObject | str]:
    found = said.get("errors")
    errors: list[JsonObject | str] = []
    for each in found[:_MAX_ERRORS] if isinstance(found, list) else ():
        if isinstance(each, dict):
            errors.append({clean(name): clean(value) for name, value in list(each.items())[:8] if clean(value)})
        elif isinstance(each, str):
            errors.append(clean(each))
    return errors


def _code(plan: Plan, status: int, headers: Headers, errors: list[JsonObject | str]) -> str:
    if status in _MOVED:
        return "moved"
    if status == HTTPStatus.FORBIDDEN and (headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers):
        return "rate-limited"
    named = {each.get("field") for each in errors if isinstance(each, dict)}
    lost = status == HTTPStatus.CONFLICT or (status == HTTPStatus.UNPROCESSABLE_ENTITY and named & _SHA_FIELDS)
    if lost and plan.action in _HELD:
        return "stale"
    return _CODES.get(status, f"status-{status}")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return f"status {status}"
