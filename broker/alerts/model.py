"""An alert: what people should know, what it is about, and what to do; and the change that raises one.

Texts of alerts are made by the broker, but names in them are not always: everything is made harmless before it is
stored (`broker.alerts.text`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import orjson

from broker.alerts.text import harmless, visible
from broker.canonical import canonical_bytes, digest
from broker.clock import Clock, fresh_id
from broker.config.alerting import AlertKind
from broker.model import JsonObject
from broker.store.base import Change, EventType, Insert, Step, new_event

__all__ = ["Alert", "AlertKind", "AlertRow", "Notice", "Severity", "key_of", "raising", "row_of"]


class Severity(StrEnum):
    """How soon somebody should look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert.

    Args:
        kind: What sort.
        subject: What it is about, ``agent:ci-runner`` or a key of its kind; of one kind and subject there is one open.
        title: One line.
        todo: What to do, one line.
        severity: How soon.
        agent, project, session_id: Whom it is about; empty where it does not apply.
        facts: More, JSON; names and numbers, no content, no secrets.
    """

    kind: AlertKind
    subject: str
    title: str
    todo: str
    severity: Severity = Severity.WARNING
    agent: str = ""
    project: str = ""
    session_id: str = ""
    facts: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert that a detector wants raised, once.

    Args:
        alert: What is told.
        window: With kind and subject of the alert, what may be told once only: an hour, a place in the ledger.
        count: How many of its sort it tells of.
    """

    alert: Alert
    window: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as it was raised.

    Args:
        id: ``alt_…``.
        alert: What is told.
        at_ns: When it was raised.
        count: How many of its sort it tells of.
    """

    id: str
    alert: Alert
    at_ns: int
    count: int

    @property
    def path(self) -> str:
        """Where it is read, below the address of the API."""
        return f"/v1/alerts/{self.id}"


def raising(
    clock: Clock, alert: Alert, steps: tuple[Step, ...] = (), *, window: str = "", count: int = 1, operator: str = ""
) -> Change:
    """Return the change that raises an alert.

    Args:
        clock: Time and entropy.
        alert: What is told.
        steps: What must win for it to be raised, in the same transaction.
        window: With kind and subject, what may be told once only: a second one loses with ConflictError. Empty: it is
            told each time.
        count: How many of its sort it tells of.
        operator: Who asked for it; empty for nobody.
    """
    alert_id = fresh_id(clock, "alt")
    alert = harmless_alert(alert)
    data: JsonObject = {
        "alert": alert_id,
        "kind": alert.kind.value,
        "subject": alert.subject,
        "severity": alert.severity.value,
        "title": alert.title,
        "todo": alert.todo,
        "count": count,
        "facts": alert.facts,
    }
    about = {"agent": alert.agent, "project": alert.project, "session_id": alert.session_id, "operator": operator}
    event = new_event(clock, EventType.ALERT_RAISED, data, **about)
    row = {
        "id": alert_id,
        "key": key_of(alert, window) if window else alert_id,
        **{name: data[name] for name in ("kind", "subject", "severity", "title", "todo", "count")},
        **{name: about[name] for name in ("agent", "project", "session_id")},
        "facts": canonical_bytes(alert.facts).decode(),
        "at_ns": event.at_ns,
    }
    return Change(event, (*steps, Insert("alerts", row)))


def harmless_alert(alert: Alert) -> Alert:
    """Return an alert whose texts cannot drive what shows them."""
    return Alert(
        alert.kind,
        visible(alert.subject),
        visible(alert.title),
        visible(alert.todo, 600),
        alert.severity,
        alert.agent,
        alert.project,
        alert.session_id,
        harmless(alert.facts),
    )


def key_of(alert: Alert, window: str) -> str:
    """Return what two alerts share of which one may be told."""
    return digest("ostiary/alert/v1", canonical_bytes([alert.kind.value, alert.subject, window]))


def row_of(row: JsonObject) -> AlertRow:
    """Return an alert from the columns of its row."""
    alert = Alert(
        AlertKind(row["kind"]),
        row["subject"],
        row["title"],
        row["todo"],
        Severity(row["severity"]),
        row["agent"],
        row["project"],
        row["session_id"],
        orjson.loads(row["facts"]),
    )
    return AlertRow(row["id"], alert, row["at_ns"], row["count"])
