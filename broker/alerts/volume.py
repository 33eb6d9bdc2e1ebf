"""An agent asks far more often than it usually does.

Usual is the median of its calls in the hours in which it called, over its last `HISTORY_DAYS`: an hour of a loop does
not move a median, and a night of silence does not lower it. Nothing is said of an agent that is not known for a day and
a few busy hours yet, nor of a few calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from broker.alerts.memory import HOUR_NS, Memory, Seen, Terms, Usual, hour_of
from broker.alerts.model import Alert, AlertKind, Notice
from broker.store.base import EventType

TIMES: Final = 10
"""How many times the usual is told."""
MIN_CALLS: Final = 50
"""Fewer calls in an hour are never told."""
HISTORY_DAYS: Final = 14
QUIET_HOURS: Final = 24
"""An agent's first hours, in which nothing is told."""
MIN_ACTIVE_HOURS: Final = 6
"""With fewer hours of calls nobody knows what is usual."""

COUNTED: Final = frozenset({EventType.INTENT_EXECUTING, EventType.INTENT_DENIED, EventType.INTENT_REFUSED})
"""What counts as a call; one that waited for a person counts when it is carried out."""


def see(seen: Seen, memory: Memory, terms: Terms) -> list[Notice]:
    """Count a call, and return what is to be told of its hour; `Memory.usual` must know the hour."""
    del terms
    event = seen.event
    if not event.agent:
        return []
    hour_ns = hour_of(event.at_ns)
    key = (event.agent, hour_ns)
    memory.calls[key] += 1
    memory.added_calls[key] += 1
    calls, usual = memory.calls[key], memory.usual.get(key, Usual())
    if not is_unusual(calls, usual, hour_ns) or not memory.told.add((AlertKind.VOLUME, key)):
        return []
    alert = Alert(
        AlertKind.VOLUME,
        f"agent:{event.agent}",
        f"agent `{event.agent}` asks {TIMES} times as often as it usually does",
        f"look at what it is doing: `ostiary session replay {event.session_id}`; `ostiary session kill "
        f"{event.session_id}` ends it",
        agent=event.agent,
        project=event.project,
        session_id=event.session_id,
        facts={"calls_this_hour": calls, "usual_in_an_hour": int(usual.median), "known_hours": usual.active_hours},
    )
    return [Notice(alert, f"hour:{hour_ns}")]


def is_unusual(calls: int, usual: Usual, hour_ns: int) -> bool:
    """Tell whether so many calls in an hour are worth telling."""
    known = usual.active_hours >= MIN_ACTIVE_HOURS and usual.since_ns + QUIET_HOURS * HOUR_NS <= hour_ns
    return known and calls >= MIN_CALLS and calls >= TIMES * max(usual.median, 1)


def usual_of(hours: Sequence[tuple[int, int]], hour_ns: int) -> Usual:
    """Return what is usual before an hour.

    Args:
        hours: Beginning and calls of each hour in which the agent called.
        hour_ns: Beginning of the hour; it and later ones do not count.
    """
    from_ns = hour_ns - HISTORY_DAYS * 24 * HOUR_NS
    before = [(begin, calls) for begin, calls in hours if from_ns <= begin < hour_ns]
    if not before:
        return Usual()
    return Usual(median(calls for _, calls in before), len(before), min(begin for begin, _ in before))
