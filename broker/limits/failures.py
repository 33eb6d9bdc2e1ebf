"""Which outcomes are failures of a call, as the circuit breaker counts them. Pure.

upstream    429, 401, 403, 408, 5xx, unreachable, unknown: it is overloaded, away, or does not want us
repeated    other refusals, 400, 404, 409, 422: the agent asked for something wrong; only the same again counts
none        what we refused ourselves, what was cancelled: nothing is known of the upstream
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker.outcome import Problem, ProblemKind

SERVER_ERROR: Final = 500
OF_UPSTREAM: Final = frozenset({401, 403, 408, 425, 429})
"""Statuses below 500 that say that the upstream does not want us, or not so often. 401 is our credential's."""

CODES: Final = frozenset(
    {
        "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnrecognizedClientException",
        "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "SignatureDoesNotMatch",
        "BandwidthLimitExceeded", "EC2ThrottledException", "LimitExceededException", "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled",
        "RequestThrottledException", "SlowDown", "ThrottledException", "Throttling", "ThrottlingException",
        "TooManyRequestsException", "TransactionInProgressException",
        "FORBIDDEN", "RATE_LIMITED",
    }
)  # fmt: skip
"""Codes that say the same beside a status 400 or 200: of AWS (AWS SDKs and Tools Reference Guide, "Retry behavior"; AWS
common errors) and of GitHub's GraphQL."""

_OURS: Final = frozenset(
    {
        ProblemKind.CANCELLED,
        ProblemKind.CREDENTIAL_REFUSED,
        ProblemKind.LEDGER_UNAVAILABLE,
        ProblemKind.STORE_UNAVAILABLE,
        ProblemKind.VAULT_UNAVAILABLE,
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that failed.

    Args:
        status: What is told of it: an HTTP status, or a word.
        upstream: True when it speaks against the upstream, or against us there; otherwise only its repetition counts.
    """

    status: str
    upstream: bool


def failure_of(problem: Problem) -> Failure | None:
    """Return what an unsuccessful outcome says of the upstream; None for nothing.

    Args:
        problem: Of an intent that was executed. ``extra["killed"]`` marks one that we cut ourselves.
    """
    if problem.kind in _OURS or problem.extra.get("killed"):
        return None
    match problem.kind:
        case ProblemKind.UPSTREAM_UNREACHABLE:
            return Failure("unreachable", upstream=True)
        case ProblemKind.OUTCOME_UNKNOWN:
            return Failure("unknown", upstream=True)
        case ProblemKind.UPSTREAM_REFUSED:
            status = problem.extra.get("upstream_status")
            number = status if isinstance(status, int) else 0
            against = number >= SERVER_ERROR or number in OF_UPSTREAM or problem.reason in CODES
            return Failure(str(number) if number else "refused", against)
        case _:
            return Failure(problem.kind.value, upstream=False)
