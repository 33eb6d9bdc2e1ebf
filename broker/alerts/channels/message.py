"""What people read: one alert as a few lines, for chats, mail and the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker.alerts.channels.base import Outgoing
from broker.alerts.model import AlertRow
from broker.alerts.text import unmarked
from broker.clock import rfc3339
from broker.model import JsonObject

MAX_FACTS: Final = 12


@dataclass(frozen=True, slots=True)
class Message:
    """A message for people.

    Args:
        title: One line.
        body: A few lines: what, who, when, what to do, where to read on.
    """

    title: str
    body: str


def message_of(outgoing: Outgoing) -> Message:
    """Return a delivery as people read it; nothing in it is a mention, a link or markup but our own link."""
    row, alert = outgoing.row, outgoing.row.alert
    more = outgoing.delivery.more
    if more:
        title = f"[ostiary] and {more} more alerts"
        lines = [
            "what: more than this channel is sent in an hour; each of them is in the list",
            f"when: until {rfc3339(row.at_ns)}",
            "do: `ostiary alerts list`; find out who makes the noise, and look at what is not it",
        ]
        return Message(title, "\n".join((*lines, f"more: {outgoing.url}")))
    lines = [f"what: {unmarked(alert.title)}"]
    lines += [f"  {unmarked(name)}: {unmarked(_plain(value))}" for name, value in list(alert.facts.items())[:MAX_FACTS]]
    lines += [
        f"who: {_who(row)}",
        f"when: {rfc3339(row.at_ns)}",
        f"do: {unmarked(alert.todo)}",
        f"more: {outgoing.url}",
    ]
    return Message(f"[ostiary {alert.severity.value}] {unmarked(alert.title)}", "\n".join(lines))


def payload_of(outgoing: Outgoing) -> JsonObject:
    """Return a delivery as programs read it (Standard Webhooks, "payload structure": type, timestamp, data)."""
    row, alert = outgoing.row, outgoing.row.alert
    data: JsonObject = {
        "id": row.id,
        "kind": alert.kind.value,
        "severity": alert.severity.value,
        "subject": alert.subject,
        "title": alert.title,
        "todo": alert.todo,
        "agent": alert.agent,
        "project": alert.project,
        "session": alert.session_id,
        "count": row.count,
        "facts": alert.facts,
        "url": outgoing.url,
    }
    if outgoing.delivery.more:
        data = {"id": row.id, "more": outgoing.delivery.more, "url": outgoing.url}
    kind = "alert.digest" if outgoing.delivery.more else "alert.raised"
    return {"type": kind, "timestamp": rfc3339(row.at_ns), "data": data}


def _who(row: AlertRow) -> str:
    alert = row.alert
    named = (("agent", alert.agent), ("project", alert.project), ("session", alert.session_id))
    return unmarked(", ".join(f"{what} {name}" for what, name in named if name)) or "nobody in particular"


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    return str(value)
