"""Moments as people say them, beside the exact ones: ``5 min ago``, ``in 55 min``."""

from __future__ import annotations

from typing import Final

from policies.conditions.moments import NS_PER_SECOND, parse_moment

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_FROM_TWO: Final = 2
"""A unit is used from two of it on, so that what is told is never far off."""


def relative(moment: object, now_ns: int) -> str:
    """Return how far a moment is from now; empty for what is no moment.

    Args:
        moment: As RFC 3339.
        now_ns: Nanoseconds since the epoch, UTC.
    """
    at_ns = parse_moment(moment) if isinstance(moment, str) else None
    if at_ns is None:
        return ""
    away = (at_ns - now_ns) // NS_PER_SECOND if at_ns >= now_ns else -((now_ns - at_ns) // NS_PER_SECOND)
    size, unit = next(((s, u) for s, u in _UNITS if abs(away) >= _FROM_TWO * s), _UNITS[-1])
    told = f"{abs(away) // size} {unit}"
    return f"in {told}" if at_ns > now_ns else f"{told} ago"
