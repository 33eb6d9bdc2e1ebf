"""The check near the token limit: a budget is filled up to its threshold, then to its cap.

Nothing is called for that: what a call would have used is written to the scratch ledger. At the threshold an alert must
be raised; at the cap a request for a model must be refused, or people be asked about it, as the budget says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from broker.alerts.model import Alert, AlertKind, Severity, raising
from broker.clock import Clock
from broker.config.limits import OnExceed
from broker.config.model import Configuration
from broker.holds import Unit
from broker.ledger.events import fields_of
from broker.limits.thresholds import Thresholds
from broker.limits.treasury import Account
from broker.model import IntentState, JsonObject, Session
from broker.outcome import Outcome, ProblemKind
from broker.store.base import Committer, EventFilter, EventType, Reader, Reserve

METERED: Final = frozenset({Unit.TOKENS, Unit.NANO_DOLLARS})


def metered(accounts: Iterable[Account]) -> Account | None:
    """Return the budget to look at: one of tokens before one of money, the smallest of them; None for none."""
    found = [each for each in accounts if each.counter.line.unit in METERED]
    return min(found, key=lambda each: (each.counter.line.unit is not Unit.TOKENS, each.counter.line.cap), default=None)


class Spending:
    """Fills a budget in a scratch store.

    Args:
        reader, committer: The store.
        clock: Time and entropy.
        configuration: What is drilled.
        account: The budget.
    """

    def __init__(
        self, reader: Reader, committer: Committer, clock: Clock, configuration: Configuration, account: Account
    ) -> None:
        self._reader = reader
        self._committer = committer
        self._clock = clock
        self._counter = account.counter
        self._used = account.row.used
        self._thresholds = Thresholds(reader, committer, clock, lambda: configuration)

    @property
    def threshold(self) -> int:
        """The percents of the cap at which people are told first."""
        return self._counter.terms.thresholds[0]

    async def fill(self, percent: int, session: Session) -> None:
        """Use up the budget to so many percent of its cap, rounded up."""
        wanted = -(-self._counter.line.cap * percent // 100)
        amount, self._used = max(wanted - self._used, 0), max(wanted, self._used)
        counter = self._counter
        spent = Reserve(counter.key, amount, counter.line.cap, used=True, ends_at_ns=counter.ends_at_ns)
        alert = Alert(
            AlertKind.TEST,
            f"drill {counter.key} {percent}",
            f"the drill fills the budget {counter.line.name} to {percent} percent",
            "nothing: this is a drill",
            Severity.INFO,
            agent=session.agent,
            project=session.project,
            session_id=session.id,
        )
        await self._committer.commit(raising(self._clock, alert, (spent,)))

    async def alert(self) -> JsonObject | None:
        """Compare the budgets with their thresholds; return the event of the alert about this one, if there is one."""
        await self._thresholds.look()
        wanted = EventFilter(type=EventType.ALERT_RAISED, newest_first=True, limit=20)
        found = [fields_of(each.body) for each in await self._reader.events(wanted)]
        about = (each for each in found if each["data"]["kind"] == AlertKind.BUDGET and self._counter.key in str(each))
        return next(about, None)

    def is_held(self, outcome: Outcome) -> bool:
        """Tell whether an outcome is what the budget says of a call that does not fit."""
        if self._counter.terms.on_exceed is OnExceed.ASK:
            return outcome.state is IntentState.PENDING_APPROVAL
        kinds = {ProblemKind.BUDGET_EXCEEDED, ProblemKind.HALTED}
        return outcome.problem is not None and outcome.problem.kind in kinds
