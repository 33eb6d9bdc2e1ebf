"""Failures in a row, and what follows from them: the states of a circuit breaker. Pure.

    closed      calls pass; failures without a success in between are counted
    open        calls are refused, for 30 s the first time and twice as long each further time, up to 15 min
    half-open   after that one call at a time is let through: its success closes the breaker, its failure opens it

One breaker is of a family of sessions. It opens after 5 failures of upstreams in a row, or after the same request
failed 10 times, whatever failed. The other is of a connection and its credential, for all sessions: it opens after 10
failures in a row, of which no more than 5 are those of one family, so that nobody can close a connection to others.

A success forgets all. Without one, failures are forgotten after 15 min in which there was none and nothing was open:
the window must outlast slow loops, which call every 15 s or so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import orjson

from broker.clock import NS_PER_SECOND

SESSION_FAILURES: Final = 5
IDENTICAL: Final = 10
"""Who waits for something to appear asks the same a few times and is told 404."""
CONNECTION_FAILURES: Final = 10
MOST_OF_ONE: Final = 5
"""Of the failures in a row of a connection, how many one family's count at most."""

FIRST_SECONDS: Final = 30
LONGEST_SECONDS: Final = 900
FORGET_SECONDS: Final = 900
PROBE_SECONDS: Final = 30
"""How long the one call of a half-open breaker keeps others back: a call may be refused later by another limit, or take
long, and then nobody would ever learn."""
MAX_PARTS: Final = 16
"""Different requests, or families, that are counted apart; of more, one that failed least is forgotten, old first."""

_SESSION: Final = "session/"
_CONNECTION: Final = "connection/"


class BreakerState(StrEnum):
    """How a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


def session_key(family_id: str) -> str:
    """Return the key of the breaker of a family of sessions."""
    return _SESSION + family_id


def connection_key(connection: str, credential: str) -> str:
    """Return the key of the breaker of a connection with a credential."""
    return f"{_CONNECTION}{connection}/{credential}"


@dataclass(frozen=True, slots=True)
class Tally:
    """Failures without a success in between.

    Args:
        failures: Of upstreams.
        parts: All failures, by what is counted apart: digests of requests for a session, families for a connection.
        status: Of the last one.
        agent, project: Whose they are, for a session.
    """

    failures: int = 0
    parts: Mapping[str, int] = field(default_factory=dict)
    status: str = ""
    agent: str = ""
    project: str = ""

    def plus(self, other: Tally) -> Tally:
        """Return both together; ``other`` came later."""
        parts = dict(self.parts)
        for name, count in other.parts.items():
            parts[name] = parts.pop(name, 0) + count  # the last one stands last
        while len(parts) > MAX_PARTS:
            # Never the last one: it could never become many.
            del parts[min(list(parts)[:-1], key=parts.__getitem__)]
        return Tally(
            self.failures + other.failures,
            parts,
            other.status or self.status,
            self.agent or other.agent,
            self.project or other.project,
        )

    def trips(self, key: str) -> bool:
        """Tell whether it is enough to open a breaker."""
        if key.startswith(_CONNECTION):
            return sum(min(count, MOST_OF_ONE) for count in self.parts.values()) >= CONNECTION_FAILURES
        return self.failures >= SESSION_FAILURES or max(self.parts.values(), default=0) >= IDENTICAL

    def to_text(self) -> str:
        """Return what is stored beside the number of failures; `of` reads it back."""
        told = {"status": self.status, "agent": self.agent, "project": self.project, "parts": dict(self.parts)}
        return orjson.dumps(told).decode() if self != _NOTHING else ""

    @classmethod
    def of(cls, failures: int, text: str) -> Tally:
        """Return what is stored."""
        told = orjson.loads(text) if text else {}
        return cls(failures, told.get("parts", {}), *(told.get(name, "") for name in ("status", "agent", "project")))


_NOTHING: Final = Tally()


@dataclass(frozen=True, slots=True)
class Standing:
    """A breaker as it is stored and shown; times are nanoseconds since the epoch, 0 where there is none.

    Args:
        key: ``session/ses_…`` or ``connection/NAME/CREDENTIAL``.
        tally: Failures in a row.
        openings: How often it opened since the last success.
        opened_at_ns, open_until_ns: The last time.
        updated_at_ns: When any of it changed.
        reset_at_ns: When an operator reset it last.
    """

    key: str
    tally: Tally = field(default_factory=Tally)
    openings: int = 0
    opened_at_ns: int = 0
    open_until_ns: int = 0
    updated_at_ns: int = 0
    reset_at_ns: int = 0

    def state(self, now_ns: int) -> BreakerState:
        """Return how it stands at a moment."""
        if not self.openings:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now_ns < self.open_until_ns else BreakerState.HALF_OPEN

    @property
    def idle(self) -> bool:
        """True when there is nothing to know."""
        return not self.openings and not self.tally.failures and not self.tally.parts

    def forgotten(self, now_ns: int) -> bool:
        """Tell whether nothing failed for so long that it does not count any more."""
        return now_ns >= max(self.updated_at_ns, self.open_until_ns) + FORGET_SECONDS * NS_PER_SECOND

    def opened(self, now_ns: int) -> Standing:
        """Return it opened once more."""
        until_ns = now_ns + open_seconds(self.openings + 1) * NS_PER_SECOND
        return replace(
            self, openings=self.openings + 1, opened_at_ns=now_ns, open_until_ns=until_ns, updated_at_ns=now_ns
        )


@dataclass(frozen=True, slots=True)
class News:
    """What a process learned of a breaker since it last told the others.

    Args:
        tally: Failures since then, or since the success.
        success_at_ns: Of the last success; 0 when there was none.
        failed_at_ns: Of the last failure; 0 when there was none.
    """

    tally: Tally = field(default_factory=Tally)
    success_at_ns: int = 0
    failed_at_ns: int = 0

    @property
    def at_ns(self) -> int:
        """When any of it happened last; 0 when there is nothing to tell."""
        return max(self.success_at_ns, self.failed_at_ns)

    def plus(self, later: News) -> News:
        """Return both together."""
        tally = later.tally if later.success_at_ns else self.tally.plus(later.tally)
        return News(tally, max(self.success_at_ns, later.success_at_ns), max(self.failed_at_ns, later.failed_at_ns))


def open_seconds(openings: int) -> int:
    """Return how long a breaker stays open the ``openings``-th time in a row, from 1."""
    return min(FIRST_SECONDS << min(openings - 1, 10), LONGEST_SECONDS)


def merged(stored: Standing, news: News, now_ns: int) -> Standing:
    """Return what is stored of a breaker after news of one process; what was before a reset is none."""
    if news.at_ns <= stored.reset_at_ns:
        return stored
    # A success is news only of what failed before it: a breaker that opened after it stays open.
    over = news.success_at_ns > stored.opened_at_ns or stored.forgotten(now_ns)
    before = Standing(stored.key, reset_at_ns=stored.reset_at_ns) if over else stored
    return replace(before, tally=before.tally.plus(news.tally), updated_at_ns=now_ns)
