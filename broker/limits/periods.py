"""Periods of budgets: when one begins, what it is called, when the next one begins. Pure but for a memory of the last.

A period begins on the wall clock of its zone, so a day of a change of the clocks has 23 or 25 hours, and an hour that
comes twice is two periods: its name says which, by the offset from UTC.

    hour    2026-10-25T02+0200    60 minutes of one offset
    day     2026-10-25            from the first midnight of its date
    week    2026-W43              from Monday, ISO 8601
    month   2026-10               from its first day
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from broker.clock import NS_PER_SECOND
from broker.config.limits import Period
from policies.conditions.zones import load_zone

_HOUR_SECONDS: Final = 3_600


@dataclass(frozen=True, slots=True)
class Span:
    """One period.

    Args:
        label: Its name; no other period of its kind and zone has it.
        ends_at_ns: When the next one begins, nanoseconds since the epoch, UTC.
    """

    label: str
    ends_at_ns: int


def span_of(period: Period, zone: ZoneInfo, at_ns: int) -> Span:
    """Return the period in which a moment lies.

    Args:
        period: Its kind; that of a session has no name and no end that a clock could tell.
        zone: Whose wall clock counts.
        at_ns: The moment, nanoseconds since the epoch, UTC.

    Raises:
        ValueError: the period is that of a session.
    """
    at_seconds = at_ns // NS_PER_SECOND
    local = datetime.fromtimestamp(at_seconds, zone)
    day = local.date()
    match period:
        case Period.HOUR:
            ends = at_seconds - (local.minute * 60 + local.second) + _HOUR_SECONDS
            return Span(local.strftime("%Y-%m-%dT%H%z"), ends * NS_PER_SECOND)
        case Period.DAY:
            return Span(day.isoformat(), _midnight(day + timedelta(days=1), zone))
        case Period.WEEK:
            year, week, weekday = day.isocalendar()
            return Span(f"{year:04d}-W{week:02d}", _midnight(day + timedelta(days=8 - weekday), zone))
        case Period.MONTH:
            # The 28th and four days are in the next month, whatever the month.
            following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
            return Span(f"{day.year:04d}-{day.month:02d}", _midnight(following, zone))
        case Period.SESSION:
            raise ValueError("the period of a session is not on the clock")


class Periods:
    """Remembers the running period of each kind and zone, as every call asks for some of them."""

    def __init__(self) -> None:
        self._running: dict[tuple[Period, str], tuple[int, Span]] = {}

    def at(self, period: Period, zone: str, now_ns: int) -> Span:
        """Return the period in which ``now_ns`` lies; as `span_of`, with the zone's IANA name.

        Raises:
            ValueError: there is no such zone.
        """
        since_ns, span = self._running.get((period, zone), (0, _NONE))
        # A clock that went back may be in a period before the one that is remembered.
        if since_ns <= now_ns < span.ends_at_ns:
            return span
        known = load_zone(zone)
        if known is None:
            raise ValueError(f"no such time zone: `{zone}`")
        span = span_of(period, known, now_ns)
        self._running[period, zone] = (now_ns, span)
        return span


_NONE: Final = Span("", 0)


def _midnight(day: date, zone: ZoneInfo) -> int:
    """Return the first moment of a date.

    A midnight that comes twice is meant the first time; one that the clocks leave out is the moment of their change, as
    the offset from before it is taken (PEP 495).
    """
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * NS_PER_SECOND
