"""Every no of the door, as a value: the code and status that SDKs branch on, and what a person or an agent reads.

One table says which code each dialect of AWS uses. Two rules stand behind the statuses:

- What was certainly not done may be asked again: 503 and the throttling codes, which SDKs repeat by themselves.
- What may have been done must not be: 409 with codes of our own, which no SDK repeats. botocore repeats 500, 502, 503,
  504, 429, 509 and a list of codes; the SDKs for Go, Java and JavaScript repeat fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from types import MappingProxyType
from typing import Final

from broker.doors.problems import sentence_of
from broker.model import IntentState
from broker.outcome import Outcome, Problem, ProblemKind
from connectors.aws.wire_in.errors_out import ErrorAnswer, render
from connectors.aws.wire_in.errors_out import Problem as AwsError
from connectors.aws.wire_in.refusal import Refusal
from connectors.aws.wire_in.services import S3, Protocol

_BODILESS: Final = frozenset((204, 304))
"""Statuses whose answers end with the head (RFC 9110, 15.3.5 and 15.4.5)."""
_REDIRECTS: Final = frozenset((301, 304, 307))
"""Below 400, yet a no of S3: another region, not modified."""


class Cause(Enum):
    """Why the answer is a no; the lines of the table."""

    UNKNOWN_KEY = auto()
    EXPIRED = auto()
    DENIED = auto()
    BUSY = auto()
    AWAY = auto()
    MAYBE_DONE = auto()
    WITHHELD = auto()
    CONFLICT = auto()
    INVALID = auto()
    NO_OPERATION = auto()
    BROKEN_BODY = auto()
    SLOW_BODY = auto()
    NO_LENGTH = auto()
    TOO_LARGE = auto()
    FAULT = auto()


class Dialect(StrEnum):
    """How a service names its errors; the columns of the table."""

    S3 = "s3"
    XML = "xml"
    EC2 = "ec2"
    JSON = "json"


_TABLE: Final[Mapping[Cause, tuple[int, tuple[str, ...]]]] = MappingProxyType(
    {
        Cause.UNKNOWN_KEY: (
            403, ("InvalidAccessKeyId", "InvalidClientTokenId", "AuthFailure", "UnrecognizedClientException"),
        ),
        Cause.EXPIRED: (403, ("ExpiredToken", "ExpiredToken", "ExpiredToken", "ExpiredTokenException")),
        Cause.DENIED: (403, ("AccessDenied", "AccessDenied", "UnauthorizedOperation", "AccessDeniedException")),
        Cause.BUSY: (503, ("SlowDown", "Throttling", "RequestLimitExceeded", "ThrottlingException")),
        Cause.AWAY: (503, ("ServiceUnavailable", "ServiceUnavailable", "Unavailable", "ServiceUnavailableException")),
        Cause.MAYBE_DONE: (409, ("OstiaryOutcomeUnknown",)),
        Cause.WITHHELD: (409, ("OstiaryAnswerWithheld",)),
        Cause.CONFLICT: (409, ("OstiaryConflict",)),
        Cause.INVALID: (400, ("InvalidRequest", "ValidationError", "InvalidParameterValue", "ValidationException")),
        Cause.NO_OPERATION: (
            501, ("NotImplemented", "InvalidAction", "UnsupportedOperation", "UnknownOperationException"),
        ),
        Cause.BROKEN_BODY: (400, ("IncompleteBody",)),
        Cause.SLOW_BODY: (400, ("RequestTimeout",)),
        Cause.NO_LENGTH: (411, ("MissingContentLength",)),
        Cause.TOO_LARGE: (413, ("RequestEntityTooLarge",)),
        Cause.FAULT: (500, ("InternalError", "InternalFailure", "InternalError", "InternalServerError")),
    }
)  # fmt: skip
"""Cause to HTTP status and the codes of S3, other XML, EC2, and JSON with CBOR; one code where all are the same."""
_COLUMNS: Final = MappingProxyType({dialect: place for place, dialect in enumerate(Dialect)})

_CAUSES: Final[Mapping[ProblemKind, Cause]] = MappingProxyType(
    {
        ProblemKind.UNAUTHENTICATED: Cause.UNKNOWN_KEY,
        ProblemKind.SESSION_EXPIRED: Cause.EXPIRED,
        ProblemKind.FORBIDDEN: Cause.DENIED,
        ProblemKind.NOT_FOUND: Cause.INVALID,
        ProblemKind.MALFORMED_REQUEST: Cause.INVALID,
        ProblemKind.INVALID_PARAMS: Cause.INVALID,
        ProblemKind.UNKNOWN_ACTION: Cause.NO_OPERATION,
        ProblemKind.AMBIGUOUS_CONNECTION: Cause.INVALID,
        ProblemKind.IDEMPOTENCY_MISMATCH: Cause.INVALID,
        ProblemKind.RESOURCE_MISMATCH: Cause.INVALID,
        ProblemKind.DENIED: Cause.DENIED,
        ProblemKind.SCOPE_TOO_WIDE: Cause.DENIED,
        ProblemKind.TOO_BUSY: Cause.BUSY,
        ProblemKind.RATE_LIMITED: Cause.BUSY,
        ProblemKind.BUDGET_EXCEEDED: Cause.DENIED,
        ProblemKind.BREAKER_OPEN: Cause.DENIED,
        ProblemKind.HALTED: Cause.DENIED,
        ProblemKind.LEDGER_UNAVAILABLE: Cause.AWAY,
        ProblemKind.VAULT_UNAVAILABLE: Cause.AWAY,
        ProblemKind.CREDENTIAL_REFUSED: Cause.DENIED,
        ProblemKind.STORE_UNAVAILABLE: Cause.AWAY,
        ProblemKind.UPSTREAM_REFUSED: Cause.INVALID,
        ProblemKind.STALE_TARGET: Cause.CONFLICT,
        ProblemKind.UPSTREAM_UNREACHABLE: Cause.AWAY,
        ProblemKind.OUTCOME_UNKNOWN: Cause.MAYBE_DONE,
        ProblemKind.APPROVAL_CONFLICT: Cause.CONFLICT,
        ProblemKind.HALT_CONFLICT: Cause.CONFLICT,
        ProblemKind.APPROVAL_EXPIRED: Cause.DENIED,
        ProblemKind.APPROVAL_REJECTED: Cause.DENIED,
        ProblemKind.CANCELLED: Cause.DENIED,
        ProblemKind.STALE_PLAN: Cause.DENIED,
        ProblemKind.OUTPUT_GONE: Cause.WITHHELD,
        ProblemKind.OUTPUT_TOO_LARGE: Cause.WITHHELD,
        ProblemKind.UPLOAD_BROKEN: Cause.BROKEN_BODY,
        ProblemKind.REQUEST_TOO_LARGE: Cause.TOO_LARGE,
        ProblemKind.UNSUPPORTED_MEDIA_TYPE: Cause.INVALID,
        ProblemKind.METHOD_NOT_ALLOWED: Cause.NO_OPERATION,
        ProblemKind.INTERNAL: Cause.FAULT,
    }
)


@dataclass(frozen=True, slots=True)
class No:
    """A no, before it is known in which dialect it is said.

    Args:
        message: For people; holds no secret.
        cause: Line of the table; None when ``code`` and ``status`` stand for themselves.
        code: Error code, where it is not the table's.
        status: HTTP status, likewise.
        intent_id: The intent it is about, empty when there is none.
        retry_after_seconds: When to ask again, 0 for not said.
    """

    message: str
    cause: Cause | None = None
    code: str = ""
    status: int = 0
    intent_id: str = ""
    retry_after_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Speech:
    """How a client is to be answered.

    Args:
        protocol: The one it spoke.
        signing_name: Of its scope; empty when it has none.
        method: HTTP method.
    """

    protocol: Protocol
    signing_name: str
    method: str

    @property
    def dialect(self) -> Dialect:
        """How its service names errors."""
        match self.protocol:
            case Protocol.REST_XML if self.signing_name in {S3, ""}:
                return Dialect.S3
            case Protocol.EC2:
                return Dialect.EC2
            case Protocol.QUERY | Protocol.REST_XML:
                return Dialect.XML
            case Protocol.JSON | Protocol.REST_JSON | Protocol.CBOR:
                return Dialect.JSON


def of_refusal(refusal: Refusal) -> No:
    """Return the no of the wire's own checks."""
    return No(refusal.message, code=refusal.code, status=refusal.status)


def of_problem(problem: Problem, intent_id: str = "") -> No:
    """Return the no of the broker, with the rule, the reason and the fix in its message."""
    cause = _CAUSES[problem.kind]
    message = _told(problem)
    if problem.kind is ProblemKind.UPSTREAM_REFUSED and problem.reason:
        status = _status_of(problem)
        return No(message, code=problem.reason, status=status, intent_id=intent_id)
    return No(message, cause, intent_id=intent_id, retry_after_seconds=problem.retry_after_seconds)


def of_outcome(outcome: Outcome, problem: Problem) -> No:
    """Return the no of an outcome with a problem; what may have been done is said in a way no SDK asks again."""
    if outcome.state is IntentState.UNKNOWN:
        return No(_told(problem), Cause.MAYBE_DONE, intent_id=outcome.intent_id)
    return of_problem(problem, outcome.intent_id)


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
    return No(words, Cause.DENIED, intent_id=outcome.intent_id)


def shaped(no: No, speech: Speech, request_id: str) -> ErrorAnswer:
    """Return a no as the answer the client's SDK expects.

    Args:
        no: What is said.
        speech: To whom.
        request_id: For a no without an intent.
    """
    code, status = no.code, no.status
    if no.cause is not None:
        status, codes = _TABLE[no.cause]
        code = codes[_COLUMNS[speech.dialect] % len(codes)]
    error = AwsError(code, no.message, status, no.intent_id or request_id)
    answer = render(error, speech.protocol, signing_name=speech.signing_name, method=speech.method)
    if no.retry_after_seconds > 0:
        answer.headers["retry-after"] = str(no.retry_after_seconds)
    if status in _BODILESS:
        return ErrorAnswer(status, answer.headers, b"")
    if speech.method != "HEAD":
        answer.headers["content-length"] = str(len(answer.body))
    return answer


def _told(problem: Problem) -> str:
    """Return all a problem says in one line."""
    return problem.detail if problem.kind is ProblemKind.UPSTREAM_REFUSED else sentence_of(problem)


def _status_of(problem: Problem) -> int:
    """Return the upstream's status; an error inside a 200 becomes a 400, as SDKs look for errors above 300."""
    status = problem.extra.get("upstream_status", 0)
    return status if isinstance(status, int) and (400 <= status < 600 or status in _REDIRECTS) else 400  # noqa: PLR2004
