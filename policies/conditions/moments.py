"""Moments of time as text and as nanoseconds since the epoch.

The text is RFC 3339 with a full date, seconds and an offset (section 5.6), so that it means one instant wherever it is
read. Nothing here knows what time it is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

NS_PER_SECOND: Final = 1_000_000_000

END_OF_TIME_NS: Final = 253_402_214_400 * NS_PER_SECOND
"""9999-12-31T00:00:00Z: a day before the last one `datetime` knows, so that every zone can show every moment."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC_3339: Final = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt](?P<time>(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?:\.(?P<fraction>[0-9]{1,9}))?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3]):(?P<minutes>[0-5][0-9]))"
)


def parse_moment(text: str) -> int | None:
    """Return the moment an RFC 3339 text names.

    Args:
        text: As ``2027-01-01T00:00:00Z`` or ``2027-01-01T09:30:00.25+02:00``; at most nine digits of a fraction.

    Returns:
        Nanoseconds since the epoch, UTC, above 0 (0 stands for "no end" in a rule) and below `END_OF_TIME_NS`; None
        for any other text, a leap second (``:60``) among them.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return None
    try:
        wall = datetime.fromisoformat(f"{match['date']}T{match['time']}+00:00")
    except ValueError:
        return None
    since = wall - _EPOCH
    seconds = since.days * 86_400 + since.seconds - _offset_seconds(match)
    moment = seconds * NS_PER_SECOND + int((match["fraction"] or "").ljust(9, "0"))
    return moment if 0 < moment < END_OF_TIME_NS else None


def written(ns: int) -> str:
    """Return a moment as RFC 3339 in UTC, the fraction only where there is one; a number outside of its range."""
    if not 0 <= ns < END_OF_TIME_NS:
        return f"{ns} ns after 1970"
    seconds, rest = divmod(ns, NS_PER_SECOND)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _offset_seconds(match: re.Match[str]) -> int:
    if match["sign"] is None:
        return 0
    size = int(match["hours"]) * 3600 + int(match["minutes"]) * 60
    return -size if match["sign"] == "-" else size
