"""What GitHub answers to a request in GraphQL, told apart: a yes, a definite no, or nobody knows.

A mutation that failed comes with status 200, without data of its own and with ``errors``. It is a definite no only when
GitHub classes the error; "something went wrong" may have been after the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import orjson

from connectors.base import CallResult, JsonObject, Plan, UpstreamResponse
from connectors.errors import OutcomeUnknownError, UpstreamRefusedError
from connectors.github.answer import kept_headers
from connectors.github.graphql.nodes import resolved
from connectors.github.graphql.operations import MUTATE, RESOLVE
from connectors.github.graphql.queries import HITS
from connectors.github.refusal import clean, refuse, request_id
from connectors.streams import read_all
from connectors.usage import Usage

MAX_ANSWER_BYTES: Final = 16 << 20
_CODES: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "FORBIDDEN": ("forbidden", 403),
        "INSUFFICIENT_SCOPES": ("forbidden", 403),
        "MAX_NODE_LIMIT_EXCEEDED": ("validation", 422),
        "NOT_FOUND": ("not-found", 404),
        "RATE_LIMIT": ("rate-limited", 429),
        "RATE_LIMITED": ("rate-limited", 429),
        "STALE_DATA": ("stale", 409),
        "UNPROCESSABLE": ("validation", 422),
    }
)
"""``type`` of an error -> code and status; an error of another class proves nothing about a mutation."""
_MAX_ERRORS: Final = 20


async def read_answer(plan: Plan, response: UpstreamResponse) -> CallResult:
    """Return the result of a plan.

    Raises:
        UpstreamRefusedError: a definite no, or hits of repositories a search is not pinned to.
        OutcomeUnknownError: the answer tells nothing.
    """
    if response.status != HTTPStatus.OK:
        await refuse(plan, response)
    raw = await read_all(response.body, MAX_ANSWER_BYTES)
    found_id = request_id(response.headers)
    body = _parsed(raw)
    if plan.action == MUTATE:
        _check_change(body, found_id)
    data: JsonObject = {
        "status": response.status,
        "headers": kept_headers(response.headers),
        "body": body,
    }
    if plan.action == RESOLVE:
        data["found"] = resolved(plan.call["variables"]["ids"], body)
        data["body"] = {}
    _take_hits(body, plan.call.get("hits") or {})
    usage = Usage(request_bytes=plan.estimate.request_bytes, response_bytes=len(raw))
    return CallResult(data, upstream_request_id=found_id, usage=usage)


def _parsed(raw: bytes) -> JsonObject:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise OutcomeUnknownError("github answered with something that is no JSON object")
    return body


def _check_change(body: JsonObject, upstream_id: str) -> None:
    """Raise what became of a mutation that brought no data of its own."""
    data, errors = body.get("data"), body.get("errors")
    if isinstance(data, dict) and any(value is not None for name, value in data.items() if name != "__typename"):
        return
    listed = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    if not listed:
        raise OutcomeUnknownError("github answered to the mutation with neither data nor errors")
    first = listed[0]
    code, status = _CODES.get(str(first.get("type")), ("", 0))
    said = clean(first.get("message"))
    if not code and "data" not in body and isinstance(first.get("extensions"), dict):
        code, status = "validation", 422  # an error of the request: nothing was begun (GraphQL, 7.1.2)
    if not code:
        raise OutcomeUnknownError(f"github could not say what became of the mutation: {said}")
    raise UpstreamRefusedError(
        said, code=code, status=status, upstream_request_id=upstream_id, details={"errors": _listed(listed)}
    )


def _listed(errors: list[JsonObject]) -> list[JsonObject]:
    """Return what a client is told of errors, bounded and clean."""
    kept = []
    for each in errors[:_MAX_ERRORS]:
        path = each.get("path")
        steps = [step for step in path[:_MAX_ERRORS] if isinstance(step, str | int)] if isinstance(path, list) else []
        kept.append({"type": clean(each.get("type")), "message": clean(each.get("message")), "path": steps})
    return kept


def _take_hits(body: JsonObject, hits: Mapping[str, Any]) -> None:
    """Take out what pinned searches were asked besides, and hold it against what was allowed."""
    data = body.get("data")
    for key, repositories in hits.items():
        found = data.get(key) if isinstance(data, dict) else None
        if not isinstance(found, dict):  # left out by a directive, or failed
            continue
        listed = found.pop(HITS, None) or []
        names = [_repository(each) for each in listed if each is not None]
        if any(each not in repositories for each in names) or len(listed) < _most(found):
            raise UpstreamRefusedError("the search found things of another repository", code="out-of-scope", status=403)


def _repository(hit: object) -> str:
    repository = hit.get("repository") if isinstance(hit, dict) else None
    name = repository.get("nameWithOwner") if isinstance(repository, dict) else None
    return str(name).lower()


def _most(found: JsonObject) -> int:
    """Return how many hits the client is given, under whatever names."""
    return max((len(each) for each in found.values() if isinstance(each, list)), default=0)
