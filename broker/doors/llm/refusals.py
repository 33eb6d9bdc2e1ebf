"""Every no of the door, as a value, and how it is written in the format of whoever asked.

What is final says so (``x-should-retry: false``); what may come again says when (``Retry-After``, at most a minute, as
Claude Code waits for no longer). What a provider said no to is not here: it is handed on as it is
(`broker.doors.llm.answering`), unless nothing is left of it but the fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final

from broker.doors.llm.answer import INTENT, Answer, json_answer
from broker.doors.llm.words import CAUSES, CODES, REPEATABLE, SAID, Cause, Envelope, cause_of_upstream
from broker.doors.problems import sentence_of
from broker.limits.rate_headers import headers_of
from broker.model import IntentState, JsonObject
from broker.outcome import Outcome, Problem, ProblemKind

LONGEST_WAIT_SECONDS: Final = 60
"""Longest `Retry-After` that Claude Code waits for; above that it gives up at once."""
AWAY_SECONDS: Final = 5
"""After which something that is away may be back."""
PROBLEM: Final = "x-ostiary-problem"
"""Kind of problem, for programs: not every format has a place for it."""
NOT_AGAIN: Final = {"x-should-retry": "false"}

_TOLD: Final = ("budget", "resets_at")
"""Members of a problem that people want to read, when its sentence does not have them."""


@dataclass(frozen=True, slots=True)
class No:
    """A no, before it is known in whose format it is said.

    Args:
        cause: Why, as far as clients can tell.
        message: For people; holds no secret.
        code: Kind of problem, for programs.
        intent_id: The intent it is about, empty when there is none.
        retry_after_seconds: When to ask again, 0 for not said.
        resets_at: When the budget it is about begins anew, RFC 3339; empty when there is none.
        allow: Methods of the place, for one that was asked with another.
        headers: What else goes with it: about the rate it met.
    """

    cause: Cause
    message: str
    code: str
    intent_id: str = ""
    retry_after_seconds: int = 0
    resets_at: str = ""
    allow: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def repeatable(self) -> bool:
        """Whether a client may ask again by itself, soon."""
        return self.cause in REPEATABLE and self.retry_after_seconds <= LONGEST_WAIT_SECONDS


def no(kind: ProblemKind, message: str, *, allow: tuple[str, ...] = ()) -> No:
    """Return a no that the door itself found."""
    return No(CAUSES[kind], message, kind.value, allow=allow)


def of_problem(problem: Problem, intent_id: str = "") -> No:
    """Return the no of the broker, with the rule, the reason, the fix and the budget in its message."""
    cause = CAUSES[problem.kind]
    status = problem.extra.get("upstream_status")
    if problem.kind is ProblemKind.UPSTREAM_REFUSED and isinstance(status, int):
        cause = cause_of_upstream(status)
    wait = problem.retry_after_seconds
    if cause is Cause.FAST:
        wait = wait or 1
    elif cause is Cause.AWAY:
        wait = min(wait or AWAY_SECONDS, LONGEST_WAIT_SECONDS)
    resets_at = problem.extra.get("resets_at")
    return No(
        cause,
        _words(problem),
        problem.kind.value,
        intent_id,
        retry_after_seconds=wait,
        resets_at=resets_at if isinstance(resets_at, str) else "",
        headers=headers_of(problem),
    )


def of_outcome(outcome: Outcome, problem: Problem) -> No:
    """Return the no of an outcome with a problem; what may have been done is not asked again by a client alone."""
    if outcome.state is IntentState.UNKNOWN:
        return maybe_done(sentence_of(problem), outcome.intent_id)
    return of_problem(problem, outcome.intent_id)


def maybe_done(message: str, intent_id: str = "") -> No:
    """Return the no for what may have been done, and paid for."""
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
    return No(Cause.FORBIDDEN, words, outcome.state.value, outcome.intent_id)


def rendered(said: No, envelope: Envelope, request_id: str) -> Answer:
    """Return a no as the provider would say it.

    Args:
        said: The no.
        envelope: In whose form.
        request_id: Of the request, where no intent names it.
    """
    status, kind = SAID[envelope][said.cause]
    headers, request_id = _headers(said, status), said.intent_id or request_id
    body: JsonObject
    match envelope:
        case Envelope.ANTHROPIC:
            body = {"type": "error", "error": {"type": kind, "message": said.message}, "request_id": request_id}
            headers["request-id"] = request_id
        case Envelope.OPENAI:
            code = CODES.get(said.code, said.code.replace("-", "_"))
            body = {"error": {"message": said.message, "type": kind, "param": None, "code": code}}
            headers["x-request-id"] = request_id
        case Envelope.BEDROCK:
            body = {"message": said.message}
            headers |= {"x-amzn-errortype": kind, "x-amzn-requestid": request_id}
    return json_answer(status, body, headers)


def _headers(said: No, status: int) -> dict[str, str]:
    headers = {PROBLEM: said.code, **{name.lower(): value for name, value in said.headers.items()}}
    if said.intent_id:
        headers[INTENT] = said.intent_id
    if said.retry_after_seconds > 0:
        headers["retry-after"] = str(said.retry_after_seconds)
    if not said.repeatable:
        headers |= NOT_AGAIN
    if said.allow:
        headers["allow"] = ", ".join(said.allow)
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = 'Bearer realm="ostiary"'
    return headers


def _words(problem: Problem) -> str:
    said = sentence_of(problem)
    told = ((name, problem.extra.get(name)) for name in _TOLD)
    more = [f"{name.replace('_', ' ')} {value}" for name, value in told if isinstance(value, str) and value not in said]
    return "; ".join([said, *more])
