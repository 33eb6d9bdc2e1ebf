"""What a person in front of git reads behind ``remote:``, and the one line that stands beside each ref."""

from __future__ import annotations

from typing import Final

from broker.model import IntentState
from broker.outcome import Outcome, Problem, ProblemKind

_SHORT: Final = {
    ProblemKind.DENIED: "denied by policy",
    ProblemKind.APPROVAL_REJECTED: "rejected by a person",
    ProblemKind.APPROVAL_EXPIRED: "nobody answered in time",
    ProblemKind.OUTCOME_UNKNOWN: "outcome unknown",
    ProblemKind.STALE_PLAN: "what was approved has changed",
    ProblemKind.CANCELLED: "cancelled",
    ProblemKind.TOO_BUSY: "too busy",
    ProblemKind.RATE_LIMITED: "too many requests",
    ProblemKind.BUDGET_EXCEEDED: "budget spent",
    ProblemKind.BREAKER_OPEN: "stopped after too many failures",
    ProblemKind.HALTED: "stopped by an operator",
    ProblemKind.UPLOAD_BROKEN: "pack did not come whole",
}
"""Beside a ref; git shows it in brackets."""


def lines_of(problem: Problem) -> list[str]:
    """Return a problem for people: what, which rule at which line, why, and what would help."""
    rows = (("", problem.detail), ("rule: ", problem.rule), ("reason: ", problem.reason), ("fix: ", problem.fix))
    lines = [f"{label}{text}" for label, text in rows if text]
    lines += [f"found: {note}" for note in problem.extra.get("notes", ())]
    if problem.retry_after_seconds > 0:
        lines.append(f"try again in {problem.retry_after_seconds} s")
    return [f"ostiary: {line}" for line in lines]


def short(problem: Problem) -> str:
    """Return a problem as it stands beside a ref."""
    if problem.kind in (ProblemKind.UPSTREAM_REFUSED, ProblemKind.STALE_TARGET):
        return problem.reason or "refused by the git host"
    return _SHORT.get(problem.kind, problem.kind.value.replace("-", " "))


def pending(outcome: Outcome, approvals_url: str) -> str:
    """Return where a push stands that people have not answered yet."""
    if outcome.state is IntentState.PENDING_APPROVAL:
        return f"pending approval {approvals_url}/{outcome.approval_id}"
    return "approved, not yet carried out"
