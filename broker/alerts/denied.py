"""An agent asked for what policy denies: told at once, once for each rule, and what follows together."""

from __future__ import annotations

from broker.alerts.memory import Memory, Seen, Terms
from broker.alerts.model import Alert, AlertKind, Notice


def see(seen: Seen, memory: Memory, terms: Terms) -> list[Notice]:
    """Return what a denial is to be told as."""
    del terms
    event = seen.event
    problem = event.data.get("problem") or {}
    rule = str(problem.get("rule") or "no rule")
    resources = [str(each) for each in event.data.get("resources") or []]
    alert = Alert(
        AlertKind.DENIED,
        f"agent:{event.agent} rule:{rule}",
        f"agent `{event.agent}` was denied by {rule}",
        f"see what it did before and after: `ostiary session replay {event.session_id}`; if it should be allowed, "
        f"`ostiary policy suggest` shows the rule",
        agent=event.agent,
        project=event.project,
        session_id=event.session_id,
        facts={"action": event.action, "resources": resources[:5], "rule": rule, "intent": event.intent_id},
    )
    return memory.folds.note(alert, event.at_ns, str(seen.seq))
