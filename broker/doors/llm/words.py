"""Why a request is not served, and how each format says so: the tables, and nothing else.

The statuses were chosen by what clients do with them, which was seen with Claude Code 2.1.197, Codex 0.169.0 and the
SDKs of Anthropic and OpenAI:

- ``x-should-retry: false`` stops Claude Code and both SDKs, whatever the status; Codex does not look at it.
- Claude Code repeats 401, 429 and 5xx without that header; a ``Retry-After`` up to 60 seconds is waited for.
- Codex repeats all but 400, and 429 with ``insufficient_quota``. So what is final is 400 in OpenAI's format, but for
  what no client repeats in a loop: no token, no such path, a body that is too large.
- botocore repeats 500, 502, 503 and errors of throttling. So what is final is none of these in Bedrock's format.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from broker.outcome import ProblemKind
from connectors.llm.words import Dialect


class Envelope(StrEnum):
    """In whose form an error is written."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    BEDROCK = "bedrock"


ENVELOPES: Final[Mapping[Dialect, Envelope]] = MappingProxyType(
    {
        Dialect.MESSAGES: Envelope.ANTHROPIC,
        Dialect.CHAT: Envelope.OPENAI,
        Dialect.RESPONSES: Envelope.OPENAI,
        Dialect.INVOKE: Envelope.BEDROCK,
    }
)


class Cause(StrEnum):
    """Why a request is not served, as far as clients can tell such things apart."""

    STRANGER = "stranger"
    """Nobody knows who asks."""
    OVER = "over"
    """The session is over."""
    FORBIDDEN = "forbidden"
    """It may not, or waits for people."""
    MISSING = "missing"
    METHOD = "method"
    INVALID = "invalid"
    TOO_LARGE = "too-large"
    FAST = "fast"
    """It came too fast, or while too much else was under way; it may come again."""
    SPENT = "spent"
    """A budget has not enough left."""
    BROKEN = "broken"
    """It was stopped after too many failures."""
    AWAY = "away"
    """Something it needs is away; it may come again."""
    LOST = "lost"
    """It may have been done, or was, and what came of it cannot be told."""
    FAULT = "fault"
    """A fault of ours."""


REPEATABLE: Final = frozenset((Cause.FAST, Cause.AWAY))
"""Causes after which a client may ask again by itself: nothing was done, or it is worth its price."""

CAUSES: Final[Mapping[ProblemKind, Cause]] = MappingProxyType(
    {
        ProblemKind.UNAUTHENTICATED: Cause.STRANGER,
        ProblemKind.SESSION_EXPIRED: Cause.OVER,
        ProblemKind.FORBIDDEN: Cause.FORBIDDEN,
        ProblemKind.NOT_FOUND: Cause.MISSING,
        ProblemKind.MALFORMED_REQUEST: Cause.INVALID,
        ProblemKind.INVALID_PARAMS: Cause.INVALID,
        ProblemKind.UNKNOWN_ACTION: Cause.MISSING,
        ProblemKind.AMBIGUOUS_CONNECTION: Cause.INVALID,
        ProblemKind.IDEMPOTENCY_MISMATCH: Cause.INVALID,
        ProblemKind.RESOURCE_MISMATCH: Cause.INVALID,
        ProblemKind.DENIED: Cause.FORBIDDEN,
        ProblemKind.SCOPE_TOO_WIDE: Cause.FORBIDDEN,
        ProblemKind.TOO_BUSY: Cause.FAST,
        ProblemKind.RATE_LIMITED: Cause.FAST,
        ProblemKind.BUDGET_EXCEEDED: Cause.SPENT,
        ProblemKind.BREAKER_OPEN: Cause.BROKEN,
        ProblemKind.HALTED: Cause.FORBIDDEN,
        ProblemKind.HALT_CONFLICT: Cause.INVALID,
        ProblemKind.LEDGER_UNAVAILABLE: Cause.AWAY,
        ProblemKind.VAULT_UNAVAILABLE: Cause.AWAY,
        ProblemKind.CREDENTIAL_REFUSED: Cause.FORBIDDEN,
        ProblemKind.STORE_UNAVAILABLE: Cause.AWAY,
        ProblemKind.UPSTREAM_REFUSED: Cause.INVALID,
        ProblemKind.STALE_TARGET: Cause.INVALID,
        ProblemKind.UPSTREAM_UNREACHABLE: Cause.AWAY,
        ProblemKind.OUTCOME_UNKNOWN: Cause.LOST,
        ProblemKind.APPROVAL_CONFLICT: Cause.INVALID,
        ProblemKind.HALT_CONFLICT: Cause.INVALID,
        ProblemKind.APPROVAL_EXPIRED: Cause.FORBIDDEN,
        ProblemKind.APPROVAL_REJECTED: Cause.FORBIDDEN,
        ProblemKind.CANCELLED: Cause.FORBIDDEN,
        ProblemKind.STALE_PLAN: Cause.INVALID,
        ProblemKind.OUTPUT_GONE: Cause.LOST,
        ProblemKind.OUTPUT_TOO_LARGE: Cause.LOST,
        ProblemKind.UPLOAD_BROKEN: Cause.INVALID,
        ProblemKind.REQUEST_TOO_LARGE: Cause.TOO_LARGE,
        ProblemKind.UNSUPPORTED_MEDIA_TYPE: Cause.INVALID,
        ProblemKind.METHOD_NOT_ALLOWED: Cause.METHOD,
        ProblemKind.INTERNAL: Cause.FAULT,
    }
)

ANTHROPIC: Final[Mapping[Cause, tuple[int, str]]] = MappingProxyType(
    {
        Cause.STRANGER: (401, "authentication_error"),
        Cause.OVER: (401, "authentication_error"),
        Cause.FORBIDDEN: (403, "permission_error"),
        Cause.MISSING: (404, "not_found_error"),
        Cause.METHOD: (405, "invalid_request_error"),
        Cause.INVALID: (400, "invalid_request_error"),
        Cause.TOO_LARGE: (413, "request_too_large"),
        Cause.FAST: (429, "rate_limit_error"),
        Cause.SPENT: (429, "billing_error"),
        Cause.BROKEN: (429, "rate_limit_error"),
        Cause.AWAY: (529, "overloaded_error"),
        Cause.LOST: (500, "api_error"),
        Cause.FAULT: (500, "api_error"),
    }
)
"""Status and ``error.type``; docs.claude.com, API reference, Errors; ``billing_error`` is that of Claude's gateway."""

OPENAI: Final[Mapping[Cause, tuple[int, str]]] = MappingProxyType(
    {
        Cause.STRANGER: (401, "authentication_error"),
        Cause.OVER: (400, "authentication_error"),
        Cause.FORBIDDEN: (400, "permission_error"),
        Cause.MISSING: (404, "invalid_request_error"),
        Cause.METHOD: (405, "invalid_request_error"),
        Cause.INVALID: (400, "invalid_request_error"),
        Cause.TOO_LARGE: (413, "invalid_request_error"),
        Cause.FAST: (429, "rate_limit_error"),
        Cause.SPENT: (429, "insufficient_quota"),
        Cause.BROKEN: (400, "rate_limit_error"),
        Cause.AWAY: (503, "server_error"),
        Cause.LOST: (400, "server_error"),
        Cause.FAULT: (500, "server_error"),
    }
)
"""Status and ``error.type``; platform.openai.com, Error codes."""

BEDROCK: Final[Mapping[Cause, tuple[int, str]]] = MappingProxyType(
    {
        Cause.STRANGER: (403, "UnrecognizedClientException"),
        Cause.OVER: (403, "ExpiredTokenException"),
        Cause.FORBIDDEN: (403, "AccessDeniedException"),
        Cause.MISSING: (404, "ResourceNotFoundException"),
        Cause.METHOD: (405, "ValidationException"),
        Cause.INVALID: (400, "ValidationException"),
        Cause.TOO_LARGE: (413, "ValidationException"),
        Cause.FAST: (429, "ThrottlingException"),
        Cause.SPENT: (400, "ServiceQuotaExceededException"),
        Cause.BROKEN: (400, "ServiceQuotaExceededException"),
        Cause.AWAY: (503, "ServiceUnavailableException"),
        Cause.LOST: (424, "ModelErrorException"),
        Cause.FAULT: (500, "InternalServerException"),
    }
)
"""Status and name of the exception; Amazon Bedrock API reference, InvokeModel and Common Errors."""

SAID: Final[Mapping[Envelope, Mapping[Cause, tuple[int, str]]]] = MappingProxyType(
    {Envelope.ANTHROPIC: ANTHROPIC, Envelope.OPENAI: OPENAI, Envelope.BEDROCK: BEDROCK}
)

CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        ProblemKind.UNAUTHENTICATED.value: "invalid_api_key",
        ProblemKind.DENIED.value: "policy_denied",
        ProblemKind.BUDGET_EXCEEDED.value: "insufficient_quota",
        ProblemKind.RATE_LIMITED.value: "rate_limit_exceeded",
    }
)
"""Kind of problem to OpenAI's ``error.code``, where that is not the kind's own name."""

_OF_UPSTREAM: Final[Mapping[int, Cause]] = MappingProxyType(
    {
        401: Cause.FORBIDDEN,
        403: Cause.FORBIDDEN,
        404: Cause.MISSING,
        413: Cause.TOO_LARGE,
        429: Cause.FAST,
    }
)
_SERVER_ERRORS: Final = 500


def cause_of_upstream(status: int) -> Cause:
    """Return the cause behind an upstream's status, when nothing else is left of what it said.

    A 401 is about our credential, which no client can mend by showing its own again.
    """
    return _OF_UPSTREAM.get(status) or (Cause.AWAY if status >= _SERVER_ERRORS else Cause.INVALID)
