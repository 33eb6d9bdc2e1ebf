"""Windows of time: days of the week and hours of the day in one zone.

A window that runs over midnight belongs to the day it begins on: ``fri`` with ``22:00-06:00`` ends on Saturday morning.
The wall clock of the zone counts, so an hour that a change of the clocks repeats is inside twice, and one it leaves out
never comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from policies.conditions.moments import END_OF_TIME_NS, NS_PER_SECOND

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALL_DAY: Final = "00:00-24:00"

_HOURS: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes of the day, the first one inside and the last one outside; over midnight when ``end`` <= ``start``."""

    start: int
    end: int


def parse_hours(text: str) -> Hours | None:
    """Read ``09:00-17:00``; the end may be ``24:00``. None for any other text and for an empty window."""
    match = _HOURS.fullmatch(text)
    if match is None:
        return None
    start = int(match[1]) * 60 + int(match[2])
    end = _DAY_MINUTES if match[3] is None else int(match[3]) * 60 + int(match[4])
    return None if start == end else Hours(start, end)


def parse_days(text: str) -> tuple[str, ...] | None:
    """Read one day or a range of them, as ``sat``, ``mon-fri`` or ``fri-mon``; None if neither."""
    first, dash, last = text.partition("-")
    if first not in DAYS or (last not in DAYS if dash else last):
        return None
    start, end = DAYS.index(first), DAYS.index(last or first)
    return tuple(DAYS[day % len(DAYS)] for day in range(start, (end if end >= start else end + len(DAYS)) + 1))


def compile_window(zone: ZoneInfo, days: Sequence[str], hours: Sequence[Hours]) -> Callable[[int], bool | None]:
    """Return the test of a moment in nanoseconds since the epoch: inside, outside, or None where no calendar reaches.

    Args:
        zone: Whose wall clock counts.
        days: Out of `DAYS`, on which the windows begin.
        hours: The windows; any of them suffices.
    """
    inside = [_minutes_of_week(days, window) for window in hours]

    def holds(now_ns: int) -> bool | None:
        if not 0 <= now_ns < END_OF_TIME_NS:
            return None
        now = datetime.fromtimestamp(now_ns // NS_PER_SECOND, zone)
        minute = (now.weekday() * 24 + now.hour) * 60 + now.minute
        return any(start <= minute < end for spans in inside for start, end in spans)

    return holds


def _minutes_of_week(days: Sequence[str], window: Hours) -> list[tuple[int, int]]:
    """Return the window of each day as minutes since Monday 00:00; Sunday night runs on into the first Monday."""
    length = (window.end - window.start) % _DAY_MINUTES or _DAY_MINUTES
    week = len(DAYS) * _DAY_MINUTES
    spans = []
    for day in days:
        start = DAYS.index(day) * _DAY_MINUTES + window.start
        spans.append((start, min(start + length, week)))
        if start + length > week:
            spans.append((0, start + length - week))
    return spans
