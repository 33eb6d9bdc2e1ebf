"""What is left of budgets, in headers: of the fullest one, for programs and for Claude Code.

Claude Code warns its user at 75 and at 95 percent when answers have ``anthropic-ratelimit-unified-*`` headers: a status
(``allowed``, ``allowed_warning``, ``rejected``), when the limit is over in seconds since the epoch, and by which claim
it is reached. Its claims are windows (``five_hour``, ``seven_day``); the shorter one that reaches to the reset is
named, with how much of it is used, 0 to 1. That is what Anthropic's own gateway sends (code.claude.com, Claude apps
gateway); it is no part of the published API. The names of ours stand beside it for everybody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker.clock import NS_PER_SECOND
from broker.doors.llm.words import Envelope
from broker.doors.ports import BrokerPort
from broker.errors import StoreUnavailableError
from broker.holds import Unit
from broker.ids import SessionId
from broker.limits.budgets import BudgetStatus
from broker.model import Session

FRESH_SECONDS: Final = 5
"""How old what is told may be."""
MAX_REMEMBERED: Final = 4096
"""Sessions whose budgets are remembered; over it all are forgotten, and the next request of each looks again."""
WARNING_PERCENT: Final = 75
"""From which on Claude Code says something."""
ALL_PERCENT: Final = 100

_SPENT: Final = frozenset((Unit.TOKENS, Unit.NANO_DOLLARS))
"""What a call of a model spends; budgets of anything else may be about other actions."""
_UNIFIED: Final = "anthropic-ratelimit-unified"
_SHORT_SECONDS: Final = 5 * 3600
"""Of Claude Code's shorter window."""
_SHORT: Final = ("five_hour", "5h")
_LONG: Final = ("seven_day", "7d")


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a session's fullest budget.

    Args:
        status: Of that budget.
        resets_at_seconds: When it begins anew, or the session is over; seconds since the epoch.
        now_seconds: When it was looked at.
    """

    status: BudgetStatus
    resets_at_seconds: int
    now_seconds: int

    def headers(self, envelope: Envelope, *, rejected: bool = False) -> dict[str, str]:
        """Return the headers that tell of it.

        Args:
            envelope: Of the answer.
            rejected: The request was refused because of a budget.
        """
        status = self.status
        told = {
            "x-ostiary-budget": status.name,
            "x-ostiary-budget-unit": status.unit.value,
            "x-ostiary-budget-remaining": str(max(status.cap - status.used - status.reserved, 0)),
            "x-ostiary-budget-reset": str(self.resets_at_seconds),
        }
        return told | (self._unified(rejected=rejected) if envelope is Envelope.ANTHROPIC else {})

    def _unified(self, *, rejected: bool) -> dict[str, str]:
        claim, window = _SHORT if self.resets_at_seconds - self.now_seconds <= _SHORT_SECONDS else _LONG
        warned = "allowed_warning" if self.status.percent >= WARNING_PERCENT else "allowed"
        reset = str(self.resets_at_seconds)
        return {
            f"{_UNIFIED}-status": "rejected" if rejected else warned,
            f"{_UNIFIED}-representative-claim": claim,
            f"{_UNIFIED}-reset": reset,
            f"{_UNIFIED}-{window}-utilization": f"{min(self.status.percent, ALL_PERCENT) / ALL_PERCENT:.2f}",
            f"{_UNIFIED}-{window}-reset": reset,
        }


class Remaining:
    """Remembers for a moment what is left.

    Args:
        broker: Knows budgets.
        most: Sessions that are remembered.
    """

    def __init__(self, broker: BrokerPort, *, most: int = MAX_REMEMBERED) -> None:
        self._broker = broker
        self._most = most
        self._known: dict[SessionId, tuple[int, Left | None]] = {}

    async def of(self, session: Session) -> Left | None:
        """Return what is left of a session's fullest budget; None when it has none, or nobody can say."""
        now_ns = self._broker.clock.monotonic_ns()
        until_ns, left = self._known.get(session.id, (0, None))
        if now_ns < until_ns:
            return left
        if len(self._known) >= self._most:
            self._known.clear()
        # Set before it is looked up: of many requests at once, one asks the database.
        self._known[session.id] = (now_ns + FRESH_SECONDS * NS_PER_SECOND, left)
        left = await self._look(session)
        self._known[session.id] = (now_ns + FRESH_SECONDS * NS_PER_SECOND, left)
        return left

    async def _look(self, session: Session) -> Left | None:
        try:
            statuses = await self._broker.budget_status(session)
        except StoreUnavailableError:
            # A courtesy; whether the request is served is decided elsewhere.
            return None
        spent = [each for each in statuses if each.unit in _SPENT]
        if not spent:
            return None
        fullest = max(spent, key=lambda each: each.percent)
        resets_at_ns = fullest.resets_at_ns or session.expires_at_ns
        now_ns = self._broker.clock.now_ns()
        return Left(fullest, resets_at_ns // NS_PER_SECOND, now_ns // NS_PER_SECOND)
