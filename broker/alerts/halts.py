"""Somebody used a kill switch, or took it back."""

from __future__ import annotations

from typing import Final

from broker.alerts.memory import Memory, Seen, Terms
from broker.alerts.model import Alert, AlertKind, Notice, Severity
from broker.store.base import EventType

AGENT: Final = "agent:"
"""Begins the name under which an agent ends sessions it handed out, or its own; that is nothing to tell."""

PAUSE: Final = "pause"
"""Kind of a halt that a spent budget began; the budget's own alert tells the rest."""


def see(seen: Seen, memory: Memory, terms: Terms) -> list[Notice]:
    """Return what is to be told of a halt that began or was lifted; each is told, once."""
    del memory, terms
    event, data = seen.event, seen.event.data
    lifted = event.type is EventType.HALT_LIFTED
    what = " ".join(str(data[name]) for name in ("scope", "name") if data.get(name)) or "something"
    by = f" by `{event.operator}`" if event.operator else ""
    alert = Alert(
        AlertKind.HALT,
        f"halt:{data.get('halt') or data.get('id') or seen.seq}",
        f"{what} may go on again: the halt was lifted{by}" if lifted else f"{what} was stopped{by}",
        "nothing, if you know of it; otherwise ask whoever did it"
        if lifted
        else "find out why before it is lifted; lifting needs a reason",
        Severity.CRITICAL if not lifted and data.get("kind") != PAUSE else Severity.WARNING,
        agent=event.agent,
        project=event.project,
        session_id=event.session_id,
        facts={
            "operator": event.operator,
            **{name: data[name] for name in ("scope", "name", "kind", "reason", "lift_reason") if name in data},
        },
    )
    return [Notice(alert, str(seen.seq))]


def see_kill(seen: Seen, memory: Memory, terms: Terms) -> list[Notice]:
    """Return what is to be told of a session that was ended before its time; many of one person are told together."""
    del terms
    event = seen.event
    if event.operator.startswith(AGENT) or event.data.get("halt"):
        return []  # what a halt ended is told with the halt
    below = event.data.get("below") or []
    alert = Alert(
        AlertKind.HALT,
        f"kills:{event.operator}",
        f"a session of agent `{event.agent}` was killed by `{event.operator}`",
        f"what it had done: `ostiary session replay {event.session_id}`",
        agent=event.agent,
        project=event.project,
        session_id=event.session_id,
        facts={"operator": event.operator, "sessions_below": len(below)},
    )
    return memory.folds.note(alert, event.at_ns, str(seen.seq))
