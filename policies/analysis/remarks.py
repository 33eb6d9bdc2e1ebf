"""What a linter says: closed codes, how bad each is, and the place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from policies.model import Rule, Span


class Severity(StrEnum):
    """How bad it is: an error never does what it says, a warning rarely does what was meant."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Code(StrEnum):
    """What can be odd about a rule that is valid."""

    SHADOWED = "shadowed"
    ALLOW_UNDER_DENY = "allow-under-deny"
    GATE_LOST = "gate-lost"
    GUARDRAIL_DENIES = "guardrail-denies"
    OVER_BROAD = "over-broad"
    DENY_TOO_NARROW = "deny-too-narrow"
    UNKNOWN_ACTION = "unknown-action"
    DEAD = "dead"
    EXPIRED = "expired"
    NOBODY_APPROVES = "nobody-approves"
    ONE_APPROVER = "one-approver"
    NO_GRANT = "no-grant"
    NO_SECRET = "no-secret"  # noqa: S105 - a code
    SECRET_WITHHELD = "secret-withheld"  # noqa: S105 - a code
    LOOK_ALIKE = "look-alike"


SEVERITIES: Final = MappingProxyType(
    {
        Code.SHADOWED: Severity.WARNING,
        Code.ALLOW_UNDER_DENY: Severity.ERROR,
        Code.GATE_LOST: Severity.WARNING,
        Code.GUARDRAIL_DENIES: Severity.WARNING,
        Code.OVER_BROAD: Severity.WARNING,
        Code.DENY_TOO_NARROW: Severity.WARNING,
        Code.UNKNOWN_ACTION: Severity.ERROR,
        Code.DEAD: Severity.WARNING,
        Code.EXPIRED: Severity.WARNING,
        Code.NOBODY_APPROVES: Severity.ERROR,
        Code.ONE_APPROVER: Severity.WARNING,
        Code.NO_GRANT: Severity.INFO,
        Code.NO_SECRET: Severity.INFO,
        Code.SECRET_WITHHELD: Severity.WARNING,
        Code.LOOK_ALIKE: Severity.WARNING,
    }
)


@dataclass(frozen=True, slots=True)
class Lint:
    """One remark.

    Args:
        code: What is odd.
        severity: How bad that is.
        span: Where; None for a remark about an agent as a whole.
        rule_id: The rule; empty likewise.
        message: Lower case, no full stop.
        fix: What to write instead; may be empty.
    """

    code: Code
    severity: Severity
    span: Span | None
    rule_id: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.span}: " if self.span is not None else ""
        hint = f" ({self.fix})" if self.fix else ""
        return f"{place}{self.severity}: {self.message}{hint} [{self.code}]"


def remark(code: Code, rule: Rule, message: str, fix: str = "") -> Lint:
    """Return a remark about a rule."""
    return Lint(code, SEVERITIES[code], rule.span, rule.id, message, fix)
