"""``/v1/alerts``: what people should know, how far it came to them, and one to see whether it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from broker.alerts.book import Delivery, State
from broker.alerts.model import AlertRow, Severity
from broker.clock import NS_PER_SECOND, rfc3339
from broker.config.alerting import AlertKind
from broker.doors.documents import problems
from broker.doors.principals import READERS, Broker, operator_with
from broker.doors.problems import refused
from broker.doors.views import View
from broker.model import Operator, Role
from broker.outcome import ProblemKind

ID_PATTERN: Final = "^alt_[0-9a-hjkmnp-tv-z]{26}$"
MAX_LIMIT: Final = 500
TEST_SECONDS: Final = 20.0
"""How long a test waits for the channels; what is pending then may still arrive."""

router = APIRouter(tags=["alerts"])

AlertPath = Annotated[str, Path(pattern=ID_PATTERN)]
Watcher = Annotated[Operator, Depends(operator_with(*READERS))]
Admin = Annotated[Operator, Depends(operator_with(Role.ADMIN))]


class AlertsQuery(BaseModel):
    """Which alerts; an empty filter does not filter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: AlertKind | None = None
    since: AwareDatetime | None = Field(None, description="RFC 3339, inclusive")
    limit: int = Field(100, ge=1, le=MAX_LIMIT)


class AlertView(View):
    """An alert; texts in it are made harmless, names in ``facts`` may have been chosen by an agent."""

    id: str
    kind: AlertKind
    severity: Severity
    subject: str
    title: str
    todo: str
    at: str
    count: int = Field(description="how many of its sort it tells of")
    agent: str | None
    project: str | None
    session: str | None
    facts: dict[str, Any]
    href: str = Field(description="where it is read")

    @classmethod
    def of(cls, row: AlertRow, base_url: str) -> AlertView:
        """Return what is shown of an alert.

        Args:
            row: Which.
            base_url: Where people reach the API; may be empty.
        """
        alert = row.alert
        return cls(
            id=row.id,
            kind=alert.kind,
            severity=alert.severity,
            subject=alert.subject,
            title=alert.title,
            todo=alert.todo,
            at=rfc3339(row.at_ns),
            count=row.count,
            agent=alert.agent or None,
            project=alert.project or None,
            session=alert.session_id or None,
            facts=alert.facts,
            href=base_url + row.path,
        )


class DeliveryView(View):
    """How far an alert came to one channel."""

    id: str
    channel: str
    state: State
    attempts: int
    next_at: str | None = Field(description="when it is tried next")
    error: str | None = Field(description="what went wrong last, in one word")
    more: int = Field(description="above 0: it tells of so many others instead")

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryView:
        """Return what is shown of a delivery."""
        pending = delivery.state is State.PENDING
        return cls(
            id=delivery.id,
            channel=delivery.channel,
            state=delivery.state,
            attempts=delivery.attempts,
            next_at=rfc3339(delivery.next_at_ns) if pending else None,
            error=delivery.error or None,
            more=delivery.more,
        )


class AlertsView(View):
    """Alerts, newest first."""

    alerts: list[AlertView]


class SentView(View):
    """An alert with its deliveries."""

    alert: AlertView
    deliveries: list[DeliveryView]

    @classmethod
    def of(cls, row: AlertRow, deliveries: Sequence[Delivery], base_url: str) -> SentView:
        """Return what is shown of both."""
        shown = [DeliveryView.of(each) for each in deliveries]
        return cls(alert=AlertView.of(row, base_url), deliveries=shown)


@router.get("/v1/alerts", responses=problems())
async def list_alerts(broker: Broker, _operator: Watcher, wanted: Annotated[AlertsQuery, Query()]) -> AlertsView:
    """List alerts, newest first."""
    since_ns = int(wanted.since.timestamp() * 1_000_000) * (NS_PER_SECOND // 1_000_000) if wanted.since else 0
    kind = wanted.kind.value if wanted.kind else ""
    found = await broker.alerts.newest(kind=kind, since_ns=max(since_ns, 0), limit=wanted.limit)
    return AlertsView(alerts=[AlertView.of(row, broker.settings.public_url) for row in found])


@router.post("/v1/alerts/test", responses=problems(ProblemKind.LEDGER_UNAVAILABLE))
async def send_test(broker: Broker, operator: Admin) -> SentView:
    """Send one alert to every declared channel, and tell what became of it."""
    row, deliveries = await broker.alerts.test(operator.name, wait_seconds=TEST_SECONDS)
    return SentView.of(row, deliveries, broker.settings.public_url)


@router.get("/v1/alerts/{alert_id}", responses=problems(ProblemKind.NOT_FOUND))
async def read_alert(broker: Broker, _operator: Watcher, alert_id: AlertPath) -> SentView:
    """Show one alert, and how far it came to each channel."""
    found = await broker.alerts.get(alert_id)
    if found is None:
        raise refused(ProblemKind.NOT_FOUND, "there is no such alert")
    return SentView.of(*found, broker.settings.public_url)
