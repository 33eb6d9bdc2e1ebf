"""The one table of problem kinds, their HTTP status and their title, and how a problem is written (RFC 9457).

A problem's type is ``urn:ostiary:problem:<kind>``. Its members beyond the RFC's are ``rule``, ``reason`` and ``fix``,
and for an intent ``intent``, ``state`` and ``decision``; ``extra`` of the problem never replaces one of those.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson
from starlette.responses import Response

from broker.limits.rate_headers import headers_of
from broker.outcome import Problem, ProblemKind

JsonObject = dict[str, Any]

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:ostiary:problem:"

TABLE: Final[Mapping[ProblemKind, tuple[int, str]]] = MappingProxyType(
    {
        ProblemKind.UNAUTHENTICATED: (401, "No valid token"),
        ProblemKind.SESSION_EXPIRED: (401, "The session is over"),
        ProblemKind.FORBIDDEN: (403, "Not for this principal"),
        ProblemKind.NOT_FOUND: (404, "Not found"),
        ProblemKind.MALFORMED_REQUEST: (400, "Malformed request"),
        ProblemKind.INVALID_PARAMS: (422, "The params do not fit the action"),
        ProblemKind.UNKNOWN_ACTION: (422, "Unknown action"),
        ProblemKind.AMBIGUOUS_CONNECTION: (422, "Name a connection"),
        ProblemKind.IDEMPOTENCY_MISMATCH: (422, "The idempotency key was used for another request"),
        ProblemKind.RESOURCE_MISMATCH: (422, "The named resource is not the one the params name"),
        ProblemKind.DENIED: (403, "Denied by policy"),
        ProblemKind.SCOPE_TOO_WIDE: (403, "The scope is wider than what is held"),
        ProblemKind.TOO_BUSY: (429, "Too many requests"),
        ProblemKind.RATE_LIMITED: (429, "Too many requests a minute"),
        ProblemKind.BUDGET_EXCEEDED: (429, "The budget is spent"),
        ProblemKind.BREAKER_OPEN: (429, "Stopped after too many failures"),
        ProblemKind.HALTED: (403, "Stopped by an operator"),
        ProblemKind.HALT_CONFLICT: (409, "It is stopped already, or not any more"),
        ProblemKind.LEDGER_UNAVAILABLE: (503, "The ledger cannot record"),
        ProblemKind.VAULT_UNAVAILABLE: (503, "The vault cannot serve"),
        ProblemKind.CREDENTIAL_REFUSED: (424, "The credential cannot be used for this"),
        ProblemKind.STORE_UNAVAILABLE: (503, "The store cannot be read"),
        ProblemKind.UPSTREAM_REFUSED: (424, "The upstream refused"),
        ProblemKind.STALE_TARGET: (409, "The target has moved"),
        ProblemKind.UPSTREAM_UNREACHABLE: (502, "The upstream cannot be reached"),
        ProblemKind.OUTCOME_UNKNOWN: (504, "The outcome is unknown"),
        ProblemKind.APPROVAL_CONFLICT: (409, "The approval cannot be decided"),
        ProblemKind.APPROVAL_EXPIRED: (410, "The approval's time is over"),
        ProblemKind.APPROVAL_REJECTED: (403, "Rejected by a person"),
        ProblemKind.CANCELLED: (409, "Cancelled"),
        ProblemKind.STALE_PLAN: (409, "What was approved has changed"),
        ProblemKind.OUTPUT_GONE: (410, "The output is no longer kept"),
        ProblemKind.OUTPUT_TOO_LARGE: (424, "The output is too large to keep"),
        ProblemKind.REQUEST_TOO_LARGE: (413, "The request is too large"),
        ProblemKind.UPLOAD_BROKEN: (400, "The body did not come whole, or is not the declared one"),
        ProblemKind.UNSUPPORTED_MEDIA_TYPE: (415, "Unsupported media type"),
        ProblemKind.METHOD_NOT_ALLOWED: (405, "Method not allowed"),
        ProblemKind.INTERNAL: (500, "Internal error"),
    }
)


class RefusedError(Exception):
    """Carries a problem out of a handler to where it is written; a door's "no", never a fault.

    Args:
        problem: What is answered.
        headers: Added to the answer.
    """

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.kind)
        self.problem = problem
        self.headers = dict(headers or {})


def refused(kind: ProblemKind, detail: str, *, fix: str = "") -> RefusedError:
    """Return the exception for a problem the door itself found."""
    return RefusedError(Problem(kind, detail, fix=fix))


def sentence_of(problem: Problem) -> str:
    """Return all a problem says in one line, for clients that show one."""
    rule = f" by {problem.rule}" if problem.rule else ""
    reason = f": {problem.reason}" if problem.reason else ""
    fix = f"; to do: {problem.fix}" if problem.fix else ""
    return f"{problem.detail}{rule}{reason}{fix}"


def status_of(problem: Problem) -> int:
    """Return the HTTP status of a problem."""
    return TABLE[problem.kind][0]


def problem_members(problem: Problem, *, instance: str = "", members: JsonObject | None = None) -> JsonObject:
    """Return the JSON members of a problem, without the empty ones.

    Args:
        problem: What happened.
        instance: URI of this occurrence, where there is one.
        members: Extension members of the resource it is about (``intent``, ``state``, …).
    """
    status, title = TABLE[problem.kind]
    standard: JsonObject = {
        "type": TYPE_PREFIX + problem.kind.value,
        "title": title,
        "status": status,
        "detail": problem.detail,
        "instance": instance,
        "reason": problem.reason,
        "rule": problem.rule,
        "fix": problem.fix,
    }
    if problem.retry_after_seconds > 0:
        standard["retry_after_seconds"] = problem.retry_after_seconds
    # The later one wins, so nothing an upstream put into `extra` can pose as a member of ours.
    return {**problem.extra, **(members or {}), **{name: value for name, value in standard.items() if value}}


def problem_response(
    problem: Problem,
    *,
    instance: str = "",
    members: JsonObject | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem as an HTTP answer, with ``Retry-After`` and ``WWW-Authenticate`` where they belong."""
    status = status_of(problem)
    extra = dict(headers or {})
    extra |= headers_of(problem)
    if problem.retry_after_seconds > 0:
        extra["Retry-After"] = str(problem.retry_after_seconds)
    if status == TABLE[ProblemKind.UNAUTHENTICATED][0]:
        extra["WWW-Authenticate"] = 'Bearer realm="ostiary"'
    body = orjson.dumps(problem_members(problem, instance=instance, members=members))
    return Response(body, status, extra, MEDIA_TYPE)
