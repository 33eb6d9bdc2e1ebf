"""An alert: what people should know, what it is about, and what to do; and the change that raises one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from broker.clock import Clock
from broker.model import JsonObject
from broker.store.base import Change, EventType, Step, new_event


class AlertKind(StrEnum):
    """What alerts are about; closed. A name may be added, never changed or reused."""

    DENIED = "denied"
    VOLUME = "volume"
    OFF_HOURS = "off-hours"
    NEW_RESOURCE = "new-resource"
    BUDGET = "budget"
    RATE = "rate"
    BREAKER = "breaker"
    HALT = "halt"
    LEDGER = "ledger"
    VAULT = "vault"
    ROTATION = "rotation"
    TEST = "test"


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


def raising(clock: Clock, alert: Alert, steps: tuple[Step, ...] = ()) -> Change:
    """Return the change that raises an alert, with steps that must win for it to be raised. STUB: no row yet."""
    data: JsonObject = {"kind": alert.kind.value, "subject": alert.subject, "title": alert.title, "todo": alert.todo}
    about = {"agent": alert.agent, "project": alert.project, "session_id": alert.session_id}
    return Change(new_event(clock, EventType.ALERT_RAISED, {**data, "facts": alert.facts}, **about), steps)
