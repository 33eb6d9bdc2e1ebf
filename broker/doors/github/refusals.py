"""Every no of the door, as a value: the status that clients branch on, and what a person or an agent reads.

Three rules stand behind the statuses. They were read out of PyGithub 2.10, octokit's plugins for retries, throttling
and pagination, and gh 2.23:

- What was certainly not done and may be tried again: 429, 500 and 503, which clients repeat.
- Every other no, and above all what may have been done, has a status none of them repeats: 400, 401, 403, 404, 422.
  octokit repeats any status from 400 on but 400, 401, 403, 404, 410, 422 and 451, whatever the method; its pagination
  takes 409 for the end of a list. PyGithub repeats 5xx, and 403 with ``Retry-After`` or words of a rate limit.
- What GitHub itself said no to keeps GitHub's status, message and errors.

What waits for people is a 403: 202 would be success to a client that sent a write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from broker.doors.github.answer import REQUEST_ID, Answer, json_answer, passed_on
from broker.doors.problems import sentence_of
from broker.model import IntentState, JsonObject
from broker.outcome import Outcome, Problem, ProblemKind
from connectors.errors import InvalidParamsError

DOCUMENTATION: Final = "/v1/openapi.json"
"""Ours, after the public URL; GitHub's documentation has nothing to say about our refusals."""
REPEATED: Final = frozenset((429, 500, 503))
"""Statuses of ours that clients repeat by themselves."""
RETRY_SECONDS: Final = 5
"""After which something that is away may be back; PyGithub repeats at once when nothing is said."""

_BAD_CREDENTIALS: Final = "Bad credentials"
"""GitHub's own words: PyGithub has an exception for exactly these."""

_STATUSES: Final[Mapping[ProblemKind, int]] = MappingProxyType(
    {
        ProblemKind.UNAUTHENTICATED: 401,
        ProblemKind.SESSION_EXPIRED: 401,
        ProblemKind.FORBIDDEN: 403,
        ProblemKind.NOT_FOUND: 404,
        ProblemKind.MALFORMED_REQUEST: 400,
        ProblemKind.INVALID_PARAMS: 422,
        ProblemKind.UNKNOWN_ACTION: 404,
        ProblemKind.AMBIGUOUS_CONNECTION: 422,
        ProblemKind.IDEMPOTENCY_MISMATCH: 422,
        ProblemKind.RESOURCE_MISMATCH: 422,
        ProblemKind.DENIED: 403,
        ProblemKind.SCOPE_TOO_WIDE: 403,
        ProblemKind.TOO_BUSY: 429,
        ProblemKind.RATE_LIMITED: 429,
        ProblemKind.BUDGET_EXCEEDED: 403,
        ProblemKind.BREAKER_OPEN: 403,
        ProblemKind.HALTED: 403,
        ProblemKind.LEDGER_UNAVAILABLE: 503,
        ProblemKind.VAULT_UNAVAILABLE: 503,
        ProblemKind.CREDENTIAL_REFUSED: 403,
        ProblemKind.STORE_UNAVAILABLE: 503,
        ProblemKind.UPSTREAM_REFUSED: 422,
        ProblemKind.STALE_TARGET: 409,
        ProblemKind.UPSTREAM_UNREACHABLE: 503,
        ProblemKind.OUTCOME_UNKNOWN: 422,
        ProblemKind.APPROVAL_CONFLICT: 422,
        ProblemKind.HALT_CONFLICT: 422,
        ProblemKind.APPROVAL_EXPIRED: 403,
        ProblemKind.APPROVAL_REJECTED: 403,
        ProblemKind.CANCELLED: 403,
        ProblemKind.STALE_PLAN: 422,
        ProblemKind.OUTPUT_GONE: 422,
        ProblemKind.OUTPUT_TOO_LARGE: 422,
        ProblemKind.UPLOAD_BROKEN: 400,
        ProblemKind.REQUEST_TOO_LARGE: 422,
        ProblemKind.UNSUPPORTED_MEDIA_TYPE: 400,
        ProblemKind.METHOD_NOT_ALLOWED: 404,
        ProblemKind.INTERNAL: 500,
    }
)
_MOVED: Final = frozenset((301, 302, 307, 308))
"""Upstream's redirects, which are not followed."""


@dataclass(frozen=True, slots=True)
class No:
    """A no, before it is known whether it is said in the form of REST or of GraphQL.

    Args:
        message: For people; holds no secret.
        status: HTTP status.
        code: Kind of problem, for programs.
        errors: GitHub's list of what is wrong, as it stands in the answer.
        documentation_url: GitHub's; empty for a no of ours.
        headers: More headers, lower-case names.
        intent_id: The intent it is about, empty when there is none.
        retry_after_seconds: When to ask again, 0 for not said.
    """

    message: str
    status: int
    code: str = ""
    errors: tuple[Any, ...] = ()
    documentation_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    intent_id: str = ""
    retry_after_seconds: int = 0

    @property
    def repeatable(self) -> bool:
        """Whether clients may ask again by themselves: nothing was done."""
        return self.status in REPEATED


def no(kind: ProblemKind, message: str, *, errors: tuple[JsonObject, ...] = ()) -> No:
    """Return a no that the door itself found."""
    return No(message, _STATUSES[kind], kind.value, errors)


def of_problem(problem: Problem, intent_id: str = "") -> No:
    """Return the no of the broker, with the rule, the reason and the fix in its message."""
    if problem.kind in (ProblemKind.UPSTREAM_REFUSED, ProblemKind.STALE_TARGET):
        return _of_github(problem, intent_id)
    status, message = _STATUSES[problem.kind], sentence_of(problem)
    wait = problem.retry_after_seconds or (RETRY_SECONDS if status in REPEATED else 0)
    said = No(message, status, problem.kind.value, intent_id=intent_id, retry_after_seconds=wait)
    if status == HTTPStatus.UNAUTHORIZED:
        return replace(said, message=_BAD_CREDENTIALS, errors=({"message": message},))
    return said


def of_misfit(error: InvalidParamsError) -> No:
    """Return the no for what a connector could not read."""
    return of_problem(Problem(ProblemKind.INVALID_PARAMS, str(error), fix=error.fix))


def of_outcome(outcome: Outcome, problem: Problem) -> No:
    """Return the no of an outcome with a problem; what may have been done is said in a way no client asks again."""
    if outcome.state is IntentState.UNKNOWN:
        return maybe_done(sentence_of(problem), outcome.intent_id)
    return of_problem(problem, outcome.intent_id)


def maybe_done(message: str, intent_id: str = "") -> No:
    """Return the no for what may have been done."""
    return replace(no(ProblemKind.OUTCOME_UNKNOWN, message), intent_id=intent_id)


def unreleased(outcome: Outcome, words: str) -> No:
    """Return the no for what was done and is not told."""
    return replace(no(ProblemKind.OUTPUT_GONE, f"it was done, but {words}"), intent_id=outcome.intent_id)


def pending(outcome: Outcome, url: str) -> No:
    """Return the no for what waits for people, or is not executed yet.

    Args:
        outcome: Where it stands.
        url: Where the approval is shown.
    """
    if outcome.state is IntentState.PENDING_APPROVAL:
        words = f"pending approval {outcome.approval_id}: {url} ; send the same request again once it is approved"
    else:
        words = "approved and not executed yet; send the same request again in a moment"
    return No(words, HTTPStatus.FORBIDDEN, outcome.state.value, intent_id=outcome.intent_id)


def rendered(said: No, *, documentation: str) -> Answer:
    """Return a no as GitHub's REST API would say it.

    Args:
        said: The no.
        documentation: Where ours is documented.
    """
    body: JsonObject = {"message": said.message}
    if said.errors:
        body["errors"] = list(said.errors)
    body["documentation_url"] = said.documentation_url or documentation
    body["status"] = str(int(said.status))
    if said.code:
        body["code"] = said.code
    return json_answer(said.status, body, headers_of(said))


def headers_of(said: No) -> dict[str, str]:
    """Return the headers that go with a no, whatever its form."""
    headers = dict(said.headers)
    if said.intent_id:
        headers[REQUEST_ID] = said.intent_id
    # On a 403 it would make PyGithub repeat the request.
    if said.retry_after_seconds > 0 and said.repeatable:
        headers["retry-after"] = str(said.retry_after_seconds)
    if said.status == HTTPStatus.UNAUTHORIZED:
        # Not Basic: a browser would ask for a password, keep it, and send it along with what other sites make it do.
        headers["www-authenticate"] = 'Bearer realm="ostiary"'
    return headers


def _of_github(problem: Problem, intent_id: str) -> No:
    """Return GitHub's own no: its status, message and errors."""
    status = problem.extra.get("upstream_status", 0)
    details = problem.extra.get("details")
    said: JsonObject = details if isinstance(details, dict) else {}
    errors = said.get("errors")
    documentation_url = said.get("documentation_url")
    if isinstance(status, int) and status in _MOVED:
        return replace(no(ProblemKind.NOT_FOUND, f"Not Found: {problem.detail}"), intent_id=intent_id)
    return No(
        problem.detail,
        status if isinstance(status, int) and 400 <= status < 600 else HTTPStatus.UNPROCESSABLE_ENTITY,  # noqa: PLR2004
        errors=tuple(errors) if isinstance(errors, list) else (),
        documentation_url=documentation_url if isinstance(documentation_url, str) else "",
        headers=passed_on(said.get("headers")),
        intent_id=intent_id,
    )
