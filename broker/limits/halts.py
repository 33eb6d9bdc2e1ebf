"""The kill switch: what people, or a budget, stopped, known in every process within a second. STUB."""

from __future__ import annotations

from broker.model import Session
from broker.outcome import Problem


class Halts:
    """Knows what is stopped."""

    def refusal(self, session: Session, connection: str) -> Problem | None:
        """Tell why nothing of a session may go on now; None when it may."""
        del session, connection
        return None
