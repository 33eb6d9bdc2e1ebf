"""An agent asks faster than it may: its requests are made to wait, or refused."""

from __future__ import annotations

from broker.alerts.memory import Memory, Seen, Terms
from broker.alerts.model import Alert, AlertKind, Notice, Severity
from broker.outcome import ProblemKind
from broker.store.base import EventType


def see(seen: Seen, memory: Memory, terms: Terms) -> list[Notice]:
    """Return what is to be told of a request that came too fast; nothing of any other."""
    del terms
    event = seen.event
    problem = event.data.get("problem") or {}
    throttled_ms = event.data.get("throttled_ms") or 0
    if event.type is EventType.INTENT_REFUSED:
        if problem.get("kind") != ProblemKind.RATE_LIMITED.value:
            return []
    elif not throttled_ms:
        return []
    alert = Alert(
        AlertKind.RATE,
        f"agent:{event.agent}",
        f"agent `{event.agent}` asks faster than its rate limit allows",
        "look whether it is in a loop; if it is not, raise `rate_limits` in ostiary.yaml",
        Severity.INFO,
        agent=event.agent,
        project=event.project,
        session_id=event.session_id,
        facts={"action": event.action, "limit": str(problem.get("reason") or ""), "throttled_ms": throttled_ms},
    )
    return memory.folds.note(alert, event.at_ns, str(seen.seq))
