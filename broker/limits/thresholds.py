"""Tells people once when a budget passes a threshold of its configuration, and when it is used up or refused a call.

`Thresholds.look` compares every running budget with its cap; how far people were told is in its row and changes by
compare-and-set in the transaction that raises the alert. So of several processes, and of one that dies in the middle,
one tells, once for each budget, period and threshold; of several thresholds passed since the last look, the highest.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from broker.alerts.model import Alert, AlertKind, Severity, raising
from broker.clock import Clock, rfc3339
from broker.config.limits import Budget, BudgetLine
from broker.config.model import Configuration
from broker.errors import ConflictError
from broker.ids import SessionId
from broker.limits.drawing import Scope
from broker.limits.grants import worded
from broker.model import Session
from broker.store.base import BudgetRow, Committer, Reader, Update

FULL: Final = 100
"""Percent at which a budget is used up; told whatever thresholds there are."""

MAX_SESSIONS: Final = 10_000
"""Sessions whose agent is remembered; over it all are forgotten, which costs one look-up each."""


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose budget a row counts."""

    scope: Scope
    name: str
    line: BudgetLine
    terms: Budget
    agent: str = ""
    project: str = ""
    session_id: str = ""

    @property
    def words(self) -> str:
        return f"{self.scope.value} `{self.name}`"


class Thresholds:
    """Compares budgets with their thresholds.

    Args:
        reader: Where they are looked up.
        committer: Where alerts are raised.
        clock: Time and entropy.
        configuration: Returns the configuration in force.
        refusals: Returns the budgets that refused a call since it was last asked, by key
            (`broker.limits.budgets.Budgets.take_refusals`): what is too small for a call is as good as used up.
    """

    def __init__(
        self,
        reader: Reader,
        committer: Committer,
        clock: Clock,
        configuration: Callable[[], Configuration],
        refusals: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._reader = reader
        self._committer = committer
        self._clock = clock
        self._configuration = configuration
        self._refusals = refusals
        self._refused: frozenset[str] = frozenset()
        self._sessions: dict[str, Session | None] = {}

    async def look(self) -> int:
        """Compare every running budget with its thresholds and raise what is to be told.

        Returns:
            How many alerts this process raised.

        Raises:
            StoreUnavailableError: the budgets cannot be read.
            LedgerUnavailableError: an alert could not be raised; the next look raises it.
        """
        now_ns, raised, after = self._clock.now_ns(), 0, ""
        # Kept until a look went through: what was refused is told even when this one fails.
        self._refused |= self._refusals()
        while rows := await self._reader.running_budgets(now_ns, after):
            for row in rows:
                raised += await self._compare(row, refused=row.key in self._refused)
            after = rows[-1].key
        self._refused = frozenset()
        return raised

    async def _compare(self, row: BudgetRow, *, refused: bool) -> bool:
        if row.alerted >= FULL or not (row.used or refused):
            return False
        owner = await self._owner(row.key)
        if owner is None:
            return False
        cap = owner.line.cap + row.extra
        percent = row.used * 100 // cap if cap else FULL
        passed = (
            FULL if refused else max((each for each in (*owner.terms.thresholds, FULL) if each <= percent), default=0)
        )
        if passed <= row.alerted:
            return False
        step = Update("budgets", {"key": row.key, "alerted": row.alerted}, {"alerted": passed})
        with suppress(ConflictError):  # another process told it
            await self._committer.commit(raising(self._clock, _alert(owner, row, percent, passed), (step,)))
            return True
        return False

    async def _owner(self, key: str) -> _Owner | None:
        """Return whose budget a row counts; None when it is not configured any more."""
        scope, name, line_name, *_ = key.split("/")
        configuration = self._configuration()
        if scope == Scope.PROJECT:
            project = configuration.projects.get(name)
            return _owner(Scope.PROJECT, name, line_name, project.budget if project else None, project=name)
        if scope == Scope.AGENT:
            known = configuration.agents.get(name)
            about = {"agent": name, "project": known.project if known else ""}
            return _owner(Scope.AGENT, name, line_name, known.budget if known else None, **about)
        session = await self._session(name)
        agent = configuration.agents.get(session.agent) if session else None
        if session is None or agent is None:
            return None
        about = {"agent": agent.name, "project": session.project, "session_id": name}
        return _owner(Scope.SESSION, name, line_name, agent.budget, **about)

    async def _session(self, session_id: str) -> Session | None:
        if session_id not in self._sessions:
            if len(self._sessions) >= MAX_SESSIONS:
                self._sessions.clear()
            self._sessions[session_id] = await self._reader.session(SessionId(session_id))
        return self._sessions[session_id]


def _owner(scope: Scope, name: str, line_name: str, terms: Budget | None, **about: str) -> _Owner | None:
    line = next((each for each in terms.lines if each.name == line_name), None) if terms else None
    return _Owner(scope, name, line, terms, **about) if terms and line else None


def _alert(owner: _Owner, row: BudgetRow, percent: int, passed: int) -> Alert:
    unit, cap = owner.line.unit, owner.line.cap + row.extra
    full = passed >= FULL
    state = "is used up" if percent >= FULL else "has not enough left for a call" if full else f"is used to {percent} %"
    return Alert(
        AlertKind.BUDGET,
        f"budget:{row.key}:{passed}",
        f"the budget `{owner.line.name}` of {owner.words} {state}: {worded(unit, row.used)} of {worded(unit, cap)}",
        "look at what it was used for with `ostiary usage`; raise it in ostiary.yaml, or leave it to end here",
        Severity.CRITICAL if full else Severity.WARNING,
        agent=owner.agent,
        project=owner.project,
        session_id=owner.session_id,
        facts={
            "budget": owner.line.name,
            "key": row.key,
            "unit": unit.value,
            "cap": cap,
            "used": row.used,
            "reserved": row.reserved,
            "percent": percent,
            "threshold": passed,
            "on_exceed": owner.terms.on_exceed.value,
            "ends_at": rfc3339(row.ends_at_ns),
        },
    )
