"""What an agent or an operator is told: an outcome of an intent, or a problem with its reason and a way out.

A problem is a value. Its HTTP status and title are in one table at the door (`broker.doors.problems`); here stands only
what happened. Kinds are part of the API: a name may be added, never changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from broker.model import IntentState, JsonObject


class ProblemKind(StrEnum):
    """Every way in which a request may not do what was asked; closed."""

    UNAUTHENTICATED = "unauthenticated"
    SESSION_EXPIRED = "session-expired"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    MALFORMED_REQUEST = "malformed-request"
    INVALID_PARAMS = "invalid-params"
    UNKNOWN_ACTION = "unknown-action"
    AMBIGUOUS_CONNECTION = "ambiguous-connection"
    IDEMPOTENCY_MISMATCH = "idempotency-mismatch"
    RESOURCE_MISMATCH = "resource-mismatch"
    DENIED = "denied"
    SCOPE_TOO_WIDE = "scope-too-wide"
    TOO_BUSY = "too-busy"
    RATE_LIMITED = "rate-limited"
    BUDGET_EXCEEDED = "budget-exceeded"
    BREAKER_OPEN = "breaker-open"
    HALTED = "halted"
    HALT_CONFLICT = "halt-conflict"
    LEDGER_UNAVAILABLE = "ledger-unavailable"
    VAULT_UNAVAILABLE = "vault-unavailable"
    CREDENTIAL_REFUSED = "credential-refused"
    STORE_UNAVAILABLE = "store-unavailable"
    UPSTREAM_REFUSED = "upstream-refused"
    STALE_TARGET = "stale-target"
    UPSTREAM_UNREACHABLE = "upstream-unreachable"
    OUTCOME_UNKNOWN = "outcome-unknown"
    APPROVAL_CONFLICT = "approval-conflict"
    APPROVAL_EXPIRED = "approval-expired"
    APPROVAL_REJECTED = "approval-rejected"
    CANCELLED = "cancelled"
    STALE_PLAN = "stale-plan"
    OUTPUT_GONE = "output-gone"
    OUTPUT_TOO_LARGE = "output-too-large"
    UPLOAD_BROKEN = "upload-broken"
    REQUEST_TOO_LARGE = "request-too-large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    INTERNAL = "internal"


PASSING: Final = frozenset(
    {ProblemKind.TOO_BUSY, ProblemKind.RATE_LIMITED, ProblemKind.BREAKER_OPEN, ProblemKind.STORE_UNAVAILABLE}
)
"""Kinds that pass by themselves."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something was not done.

    Args:
        kind: What sort of no.
        detail: One sentence for people; holds no secret.
        reason: What decided, in the words of the stage that did.
        rule: ``file:line`` and id of the rule, where a rule decided.
        fix: What the caller can do about it, where something can be done.
        retry_after_seconds: When to try again, 0 for not at all or not known.
        extra: More members, JSON.
    """

    kind: ProblemKind
    detail: str
    reason: str = ""
    rule: str = ""
    fix: str = ""
    retry_after_seconds: int = 0
    extra: JsonObject = field(default_factory=dict)

    @property
    def passes(self) -> bool:
        """Whether it passes by itself, so that an approved intent waits for that: a pause does, a kill does not."""
        return self.kind in PASSING or self.extra.get("halt", {}).get("kind") == "pause"

    def to_json(self) -> JsonObject:
        """Return the problem as it is stored with its intent; `from_json` reads it back."""
        return {
            "kind": self.kind.value,
            "detail": self.detail,
            "reason": self.reason,
            "rule": self.rule,
            "fix": self.fix,
            "retry_after_seconds": self.retry_after_seconds,
            "extra": self.extra,
        }

    @classmethod
    def from_json(cls, stored: JsonObject) -> Problem | None:
        """Return the problem stored by `to_json`, None for the empty object."""
        if not stored:
            return None
        return cls(**{**stored, "kind": ProblemKind(stored["kind"])})


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where an intent stands, told to the agent that asked.

    Args:
        intent_id: Its id.
        state: Where it stands.
        result: What came back; empty unless it succeeded.
        problem: Why not, when it did not succeed and is not pending.
        output_bytes: Size of the body kept for ``/output``, -1 when there is none.
        output_media_type: Of that body.
        approval_id: The approval it waits or waited for, empty when none.
        expires_at_ns: End of that approval's time, 0 when there is none.
        decision: Effect and reasons, for dry runs and denials.
        replayed: True when an idempotency key brought back an earlier outcome.
        dry_run: True when nothing was or will be done.
        body: A small body, scanned, for a door that takes bodies apart from results; None when there is none.
        streamed: True when the body went out through the door's `Exchange`.
    """

    intent_id: str
    state: IntentState
    result: JsonObject = field(default_factory=dict)
    problem: Problem | None = None
    output_bytes: int = -1
    output_media_type: str = ""
    approval_id: str = ""
    expires_at_ns: int = 0
    decision: JsonObject = field(default_factory=dict)
    replayed: bool = False
    dry_run: bool = False
    body: bytes | None = field(default=None, repr=False)
    streamed: bool = False
