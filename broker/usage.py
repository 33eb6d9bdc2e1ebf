"""What calls came to, summed: the question, and the rows of its answer. Pure.

Sums are kept by the hour a call ended in, session, model and upstream (table ``usage_hours``), in the transaction of
its outcome; so what stands there is what the ledger says, and answering costs no reading of events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from broker.clock import NS_PER_SECOND

HOUR_NS: Final = 3_600 * NS_PER_SECOND
MAX_ROWS: Final = 10_000
"""Rows of one answer; a question with more is to be narrowed."""


class By(StrEnum):
    """What an answer is split by."""

    PROJECT = "project"
    AGENT = "agent"
    SESSION = "session"
    MODEL = "model"
    UPSTREAM = "upstream"
    DAY = "day"
    HOUR = "hour"


COLUMNS: Final = {
    By.PROJECT: "project", By.AGENT: "agent", By.SESSION: "session_id", By.MODEL: "model", By.UPSTREAM: "upstream",
    By.DAY: "hour_ns", By.HOUR: "hour_ns",
}  # fmt: skip
"""The column of ``usage_hours`` each is read from."""


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Which calls; empty fields do not filter.

    Args:
        since_ns: Beginning, rounded down to its hour.
        until_ns: End, rounded up to its hour; 0 for none.
        project, agent, model: Of the calls.
        sessions: Ids of the sessions.
        by: What the sums are split by.
    """

    since_ns: int = 0
    until_ns: int = 0
    project: str = ""
    agent: str = ""
    model: str = ""
    sessions: tuple[str, ...] = ()
    by: tuple[By, ...] = ()


@dataclass(frozen=True, slots=True)
class Spent:
    """Sums of calls.

    Args:
        calls: How many.
        estimated_calls: Of these, the ones whose usage the upstream did not say to the end.
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens: As in `connectors.usage.Usage`.
        nano_dollars: US dollars times 10**9.
    """

    calls: int = 0
    estimated_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    nano_dollars: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One row of an answer.

    Args:
        key: What it is split by, each with its value: names, ids, a day as ``2026-11-20``, an hour as RFC 3339.
        spent: The sums.
    """

    key: tuple[tuple[By, str], ...]
    spent: Spent


def hours(wanted: UsageFilter) -> UsageFilter:
    """Return the filter with its ends at whole hours, as sums are kept."""
    until_ns = -(-wanted.until_ns // HOUR_NS) * HOUR_NS
    return replace(wanted, since_ns=wanted.since_ns // HOUR_NS * HOUR_NS, until_ns=until_ns)


def answer(by: Sequence[By], rows: Iterable[tuple[tuple[object, ...], Spent]], zone: ZoneInfo) -> list[UsageRow]:
    """Return rows of the store as rows of an answer, the dearest first.

    Args:
        by: What they are split by.
        rows: Values of the columns, in the order of ``by``, with the sums.
        zone: In which days and hours are named.
    """
    sums: dict[tuple[tuple[By, str], ...], Spent] = {}
    for values, spent in rows:
        key = tuple((name, _shown(name, value, zone)) for name, value in zip(by, values, strict=True))
        sums[key] = sums.get(key, Spent()) + spent
    if By.DAY in by or By.HOUR in by:
        moments = [at for at, name in enumerate(by) if name in (By.DAY, By.HOUR)]
        ordered = sorted(sums.items(), key=lambda item: ([item[0][at][1] for at in moments], -item[1].nano_dollars))
    else:
        ordered = sorted(sums.items(), key=lambda item: (-item[1].nano_dollars, -item[1].input_tokens, item[0]))
    return [UsageRow(key, spent) for key, spent in ordered]


def total(rows: Iterable[UsageRow]) -> Spent:
    """Return the sum of an answer."""
    return sum((row.spent for row in rows), Spent())


def dollars(nano_dollars: int) -> str:
    """Return money as an exact decimal number of US dollars, with nine digits: ``0.002385000``."""
    sign, amount = ("-", -nano_dollars) if nano_dollars < 0 else ("", nano_dollars)
    return f"{sign}{amount // 10**9}.{amount % 10**9:09d}"


def _shown(by: By, value: object, zone: ZoneInfo) -> str:
    if by not in (By.DAY, By.HOUR):
        return str(value)
    moment = datetime.fromtimestamp(int(str(value)) // NS_PER_SECOND, UTC).astimezone(zone)
    return moment.date().isoformat() if by is By.DAY else moment.isoformat()
