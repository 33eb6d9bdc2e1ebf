"""The circuit breaker: a loop that only fails is stopped before it costs. STUB."""

from __future__ import annotations

from broker.model import Session
from broker.outcome import Problem
from broker.store.base import Step
from connectors.base import Plan


class Breakers:
    """Counts failures in a row."""

    def refusal(self, session: Session, plan: Plan, digest: str) -> Problem | None:
        """Tell that a breaker is open; None when the call may be tried."""
        del session, plan, digest
        return None

    def feed(self, session: Session, plan: Plan, digest: str, problem: Problem | None) -> tuple[Step, ...]:
        """Learn what became of a call; return what the other processes should know, for its outcome's transaction."""
        del session, plan, digest, problem
        return ()
