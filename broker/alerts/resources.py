"""An agent touches what it never touched before: a bucket, a repository, a model; not each object in them.

In the first day of an agent's life everything is new, and nothing is said. Later the first is told at once and what
follows within ten minutes together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from broker.alerts.memory import Memory, Seen, Terms, Touch
from broker.alerts.model import Alert, AlertKind, Notice, Severity
from broker.clock import NS_PER_SECOND

QUIET_NS: Final = 24 * 3600 * NS_PER_SECOND
"""From an agent's first touch on."""
MAX_TOUCHED: Final = 5_000
"""Remembered of one agent; what is new beyond that is told each time, ten minutes of it together."""
MAX_OF_ONE: Final = 200
"""Looked at of one intent."""
_LONGEST: Final = 200

_DEPTHS: Final = {"repos": 3, "models": 3}
"""Segments of what contains the rest; two where nothing is said."""


def see(seen: Seen, memory: Memory, terms: Terms) -> list[Notice]:
    """Remember what an intent touches, and return what is to be told; what is known of it must be in the memory."""
    del terms
    event = seen.event
    told: list[Notice] = []
    for touch in touches_of(seen):
        if not memory.touched.add(touch):
            continue
        first_ns = memory.first_touch_ns.setdefault(event.agent, event.at_ns)
        if memory.touches[event.agent] < MAX_TOUCHED:
            memory.touches[event.agent] += 1
            memory.added_touches[touch] = event.at_ns
        if event.at_ns >= first_ns + QUIET_NS:
            told += memory.folds.note(_alert(seen, touch[1]), event.at_ns, f"{seen.seq}:{touch[1]}")
    return told


def touches_of(seen: Seen) -> list[Touch]:
    """Return what an intent touches, cut to what contains it."""
    event = seen.event
    service = event.action.partition(":")[0]
    resources: Iterable[object] = (event.data.get("resources") or [])[:MAX_OF_ONE]
    return [(event.agent, f"{service} {each}") for each in dict.fromkeys(container_of(str(one)) for one in resources)]


def container_of(resource: str) -> str:
    """Return what contains a resource: ``repos/acme/app`` of a branch, the bucket of an object, the table of an index.

    Args:
        resource: Full name, as policy sees it: a path, or an ARN.
    """
    if resource.startswith("arn:"):
        *head, tail = resource.split(":", 5)
        if len(head) < 5 or not tail:  # noqa: PLR2004 - parts of an ARN before the resource's own name
            found = resource
        elif head[2] == "s3":
            found = ":".join((*head, tail.partition("/")[0]))
        else:
            found = ":".join((*head, _first_two(tail)))
    else:
        parts = resource.split("/")
        found = "/".join(parts[: _DEPTHS.get(parts[0], 2)])
    if len(found) <= _LONGEST and found.isascii():
        return found
    # Its column is indexed, and such a key has a largest size.
    return found.encode("ascii", "replace").decode()[:100] + "#" + hashlib.sha256(found.encode()).hexdigest()[:32]


def _first_two(tail: str) -> str:
    """Return kind and name at the head of the last part of an ARN: ``table/users``, ``function:build``."""
    separators = [index for index, char in enumerate(tail) if char in "/:"]
    return tail if len(separators) < 2 else tail[: separators[1]]  # noqa: PLR2004 - kind and name


def _alert(seen: Seen, touched: str) -> Alert:
    event = seen.event
    return Alert(
        AlertKind.NEW_RESOURCE,
        f"agent:{event.agent}",
        f"agent `{event.agent}` touches what it never touched before",
        f"if that is not its task, narrow its policy; what it did: `ostiary session replay {event.session_id}`",
        Severity.INFO,
        agent=event.agent,
        project=event.project,
        session_id=event.session_id,
        facts={"resource": touched, "action": event.action, "intent": event.intent_id},
    )
