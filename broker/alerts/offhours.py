"""An agent works when nobody expects it to: told once for each agent and stretch of free time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from broker.alerts.memory import Memory, Seen, Terms
from broker.alerts.model import Alert, AlertKind, Notice
from broker.clock import NS_PER_SECOND, rfc3339
from broker.config.alerting import WorkingHours

_LONGEST_DAYS: Final = 8
"""The end of the last working day is never further back: some day of the week is one."""


def see(seen: Seen, memory: Memory, terms: Terms) -> list[Notice]:
    """Return what is to be told of a call that is carried out."""
    event = seen.event
    hours = terms.hours.get(event.project)
    if hours is None:
        return []
    since_ns = free_since(hours, event.at_ns)
    if since_ns is None or not memory.told.add((AlertKind.OFF_HOURS, event.agent, since_ns)):
        return []
    alert = Alert(
        AlertKind.OFF_HOURS,
        f"agent:{event.agent}",
        f"agent `{event.agent}` works outside the hours of project `{event.project}`",
        f"ask whoever started it, or end it: `ostiary session kill {event.session_id}`",
        agent=event.agent,
        project=event.project,
        session_id=event.session_id,
        facts={"action": event.action, "free_since": rfc3339(since_ns), "zone": hours.zone},
    )
    return [Notice(alert, f"free:{since_ns}")]


def free_since(hours: WorkingHours, at_ns: int) -> int | None:
    """Return when work last ended before a moment; None when the moment is in working hours.

    Args:
        hours: When work is expected.
        at_ns: Nanoseconds since the epoch.
    """
    zone = ZoneInfo(hours.zone)
    # Compared in UTC: two times of one zone are compared by their clocks, which stand twice at the same in autumn.
    moment = datetime.fromtimestamp(at_ns // NS_PER_SECOND, UTC)
    last: datetime | None = None
    today = moment.astimezone(zone).date()
    for back in range(_LONGEST_DAYS + 1):
        day = today - timedelta(days=back)
        if day.isoweekday() not in hours.days:
            continue
        begins, ends = _at(day, hours.from_minute, zone), _at(day, _end(hours), zone)
        if begins <= moment < ends:
            return None
        if ends <= moment and (last is None or ends > last):
            last = ends
    return int(last.timestamp()) * NS_PER_SECOND if last else 0


def _end(hours: WorkingHours) -> int:
    over_midnight = hours.to_minute <= hours.from_minute
    return hours.to_minute + (24 * 60 if over_midnight else 0)


def _at(day: date, minute: int, zone: ZoneInfo) -> datetime:
    days, rest = divmod(minute, 24 * 60)
    local = datetime(day.year, day.month, day.day, rest // 60, rest % 60, tzinfo=zone) + timedelta(days=days)
    return local.astimezone(UTC)
