"""Alerts as lines of the process's log."""

from __future__ import annotations

import structlog

from broker.alerts.channels.base import Fault, Outgoing

log = structlog.get_logger(__name__)


class LogSender:
    """Writes a line; it never fails."""

    async def send(self, outgoing: Outgoing) -> Fault | None:
        """Write the line."""
        alert = outgoing.row.alert
        log.warning(
            "alert",
            alert=outgoing.row.id,
            kind=alert.kind.value,
            severity=alert.severity.value,
            title=alert.title,
            subject=alert.subject,
            agent=alert.agent,
            more=outgoing.delivery.more,
            url=outgoing.url,
        )
        return None
