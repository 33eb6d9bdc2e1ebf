"""A circuit breaker opened: calls that only fail are refused for a while."""

from __future__ import annotations

from broker.alerts.memory import Memory, Seen, Terms
from broker.alerts.model import Alert, AlertKind, Notice


def see(seen: Seen, memory: Memory, terms: Terms) -> list[Notice]:
    """Return what is to be told of a breaker.

    One that opens again without a success in between is no news: the same loop still fails, and people were told.
    """
    del terms
    event = seen.event
    if event.data.get("openings", 1) != 1:
        return []
    key = str(event.data.get("breaker") or event.session_id)
    whose = f"agent `{event.agent}`" if event.agent else "an agent"
    alert = Alert(
        AlertKind.BREAKER,
        f"breaker:{key}",
        f"calls of {whose} that only fail are stopped",
        "look at why they fail before the breaker is reset; the agent is told to stop, and may be in a loop",
        agent=event.agent,
        project=event.project,
        session_id=event.session_id,
        facts={name: value for name, value in event.data.items() if isinstance(value, (str, int))},
    )
    return memory.folds.note(alert, event.at_ns, str(seen.seq))
