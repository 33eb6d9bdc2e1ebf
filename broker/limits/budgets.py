"""Budgets: what is reserved before a call and settled after it.

A call draws on every budget that counts it, in one transaction with its `executing` event: all of them have enough
left and are told, or nothing is written (decision record 0013). `broker.limits.drawing` says which and how much, and
how far an adaptive budget can be overdrawn; `broker.holds` settles. A cap is configuration and no part of what is
stored, so that a changed one holds for the running period.

When one has not enough left, in this order:

    1 less is reserved      where adaptive budgets have at least what is read and one token left
    2 `ask`                 people are asked for a stated extra, unless they answered about this call before
    3 `pause_and_alert`     its owner is paused until the period is over. Not when the call is larger than the whole
                            budget, nor when what is missing is only reserved: neither says that it is used up
    4 refused

Of several that are short one that refuses goes before one that asks: its no would be final whatever people say.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from broker.clock import Clock
from broker.config.limits import OnExceed
from broker.config.model import Configuration
from broker.holds import Unit
from broker.limits.drawing import (
    FLOOR_TOKENS,
    MOST,
    Counter,
    Counters,
    Scope,
    amount_of,
    counts,
    least_of,
    longest,
)
from broker.limits.grants import Asking, Grant, exceeded, granting, question
from broker.limits.periods import Periods
from broker.model import JsonObject, Session
from broker.outcome import Problem, ProblemKind
from broker.store.base import Accrue, BudgetRow, Reader, Reserve, Step
from connectors.base import Plan
from connectors.usage import Estimate, Usage
from policies.model import PolicyVersion

__all__ = ["Asking", "BudgetStatus", "Budgets", "Drawn", "Grant", "Pause"]

MAX_FAMILIES: Final = 4_096
"""Families of sessions whose answers are remembered; the one that asked least recently is forgotten first."""

RECENT_ANSWERS: Final = 32
"""Answers of a family whose lengths are remembered."""

MAX_REFUSALS: Final = 256
"""Budgets that refused a call, remembered until somebody looks; see `broker.limits.thresholds`."""


class Pause(Protocol):
    """Stops an agent, a project or a session; what is stopped already stays so."""

    async def __call__(self, scope: str, name: str, *, reason: str, until_ns: int) -> None:
        """Stop it.

        Args:
            scope: ``agent``, ``project`` or ``session``.
            name: Its name or id.
            reason: Shown to whoever is refused.
            until_ns: When it may go on by itself, nanoseconds since the epoch, UTC.
        """


@dataclass(frozen=True, slots=True)
class Drawn:
    """What an intent draws on budgets.

    Args:
        steps: For the transaction of the `executing` event.
        hold: Stored with the intent; see `broker.holds`.
        told: More for the `executing` event.
    """

    steps: tuple[Step, ...] = ()
    hold: JsonObject = field(default_factory=dict)
    told: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """How a budget stands.

    Args:
        key: Under which it is counted.
        name: As written in the configuration.
        scope: Whose it is, by kind.
        owner: Name of the agent or project, or id of the session at the top of its family.
        unit: What is counted.
        cap: Most of it, with what people granted.
        used: What settled calls came to.
        reserved: What calls under way hold.
        resets_at_ns: When it begins anew; 0 for never.
    """

    key: str
    name: str
    scope: Scope
    owner: str
    unit: Unit
    cap: int
    used: int
    reserved: int
    resets_at_ns: int

    @property
    def percent(self) -> int:
        """How much of the cap is used, rounded down; 100 of a cap of nothing."""
        return self.used * 100 // self.cap if self.cap else 100


class Budgets:
    """Reserves.

    Args:
        reader: Where it is looked up what is left.
        clock: Says which period runs.
        configuration: Returns the configuration in force.
        pause: Stops the owner of a budget with `pause_and_alert`; without one its calls are refused one by one.
    """

    def __init__(
        self, reader: Reader, clock: Clock, configuration: Callable[[], Configuration], pause: Pause | None = None
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._configuration = configuration
        self._pause = pause
        self._counters = Counters(Periods())
        self._answers: OrderedDict[str, deque[int]] = OrderedDict()
        self._refusals: dict[str, None] = {}

    async def draw(self, session: Session, plan: Plan, grant: Grant | None) -> Drawn | Problem:
        """Return what a plan draws on the budgets that count it.

        Args:
            session: Who asks.
            plan: What for; its estimate says how much.
            grant: What people granted for it; it counts only for a budget that runs still.

        Returns:
            The steps; or a problem when it is larger than a whole budget.

        Raises:
            StoreUnavailableError: it cannot be told what was granted beyond a cap.
        """
        counters = self._drawn(session, plan)
        if any(_hopeless(counter, plan.estimate) for counter in counters):
            # No reservation is tried, as only what people granted before can make room for it.
            answer = await self._fit(session, plan, grant)
            if not isinstance(answer, Grant):
                return answer
        return _drawing(counters, plan.estimate, self._expected(session, plan.estimate), grant)

    async def short(
        self, session: Session, plan: Plan, hold: JsonObject, key: str, *, answered: bool = False
    ) -> Drawn | Grant | Problem:
        """Return what becomes of a plan whose reservation did not fit.

        Args:
            session: Who asks.
            plan: What for.
            hold: What `draw` or the last `short` said.
            key: The budget that had not enough left.
            answered: People answered about this call before, whatever they were asked; they are not asked again.

        Returns:
            A smaller reservation; what people may be asked for; or a problem.

        Raises:
            StoreUnavailableError: it cannot be told what is left.
        """
        return await self._fit(session, plan, Grant.held(hold), key, answered=answered)

    def asking(self, session: Session, plan: Plan, grant: Grant) -> Asking:
        """Return the question about a grant, as `short` returned it."""
        return question(session, plan, grant, PolicyVersion(self._configuration().version))

    def learn(self, session: Session, usage: Usage) -> None:
        """Remember how long an answer of a model was, for what adaptive budgets reserve next."""
        if not usage.model:
            return
        answers = self._answers.setdefault(session.family_id, deque(maxlen=RECENT_ANSWERS))
        answers.append(usage.output_tokens)
        self._answers.move_to_end(session.family_id)
        if len(self._answers) > MAX_FAMILIES:
            self._answers.popitem(last=False)

    def starting(self, session: Session) -> tuple[Reserve, ...]:
        """Return the steps that count a session which an operator starts.

        Sessions handed out below it are not counted: what they do counts in the budgets of its family.
        """
        return tuple(
            Reserve(each.key, 1, each.line.cap, used=True, ends_at_ns=each.ends_at_ns)
            for each in self._all(session)
            if each.line.unit is Unit.SESSIONS
        )

    async def not_started(self, session: Session, key: str) -> Problem:
        """Return why no more sessions can be started.

        Nobody is paused or asked: sessions that run may go on, and who starts one is an operator.

        Args:
            session: The one that was not started.
            key: The budget that had not enough left.

        Raises:
            StoreUnavailableError: it cannot be told what is used.
        """
        counter = next((each for each in self._all(session) if each.key == key), None)
        if counter is None:
            return Problem(
                ProblemKind.TOO_BUSY,
                "a period ended, or the budgets were changed, at this moment",
                retry_after_seconds=1,
            )
        self._note(key)
        row = (await self._rows((counter,)))[key]
        return exceeded(counter, row, 1, self._clock.now_ns())

    async def status(self, session: Session) -> list[BudgetStatus]:
        """Return how all budgets of a session stand: its own, those of its agent and of its project.

        Raises:
            StoreUnavailableError: it cannot be told.
        """
        return await self._statuses(self._all(session))

    async def statuses(self, scope: Scope, owner: str) -> list[BudgetStatus]:
        """Return how the budgets of an agent or a project stand, without those of single sessions.

        Raises:
            StoreUnavailableError: it cannot be told.
        """
        return await self._statuses(self._counters.owned(self._configuration(), scope, owner, self._clock.now_ns()))

    def take_refusals(self) -> frozenset[str]:
        """Return the budgets that refused a call since this was last asked, by key."""
        taken = frozenset(self._refusals)
        self._refusals.clear()
        return taken

    def _all(self, session: Session) -> tuple[Counter, ...]:
        return self._counters.of(self._configuration(), session, self._clock.now_ns())

    def _drawn(self, session: Session, plan: Plan) -> tuple[Counter, ...]:
        return tuple(counter for counter in self._all(session) if counts(counter, plan))

    async def _fit(
        self, session: Session, plan: Plan, grant: Grant | None, key: str = "", *, answered: bool = False
    ) -> Drawn | Grant | Problem:
        counters, estimate = self._drawn(session, plan), plan.estimate
        rows = await self._rows(counters, grant)
        tight = [counter for counter in counters if counter.left(rows[counter.key]) < least_of(counter, estimate)]
        expected = self._expected(session, estimate)
        if tight:
            first = min(tight, key=lambda each: (each.terms.on_exceed is OnExceed.ASK, each.key != key))
            if first.terms.on_exceed is OnExceed.ASK and not (grant or answered):
                asked = granting(first, rows[first.key], amount_of(first, estimate, expected))
                if asked is not None:
                    return asked
            return await self._refuse(first, rows[first.key], least_of(first, estimate))
        room = min((longest(counter, estimate, counter.left(rows[counter.key])) for counter in counters), default=0)
        return _drawing(counters, estimate, min(expected, room), grant)

    async def _refuse(self, counter: Counter, row: BudgetRow, needed: int) -> Problem:
        cap = counter.line.cap + row.extra
        if row.used + needed > cap:
            self._note(counter.key)
        problem = exceeded(counter, row, needed, self._clock.now_ns())
        used_up = needed <= cap < row.used + needed
        if counter.terms.on_exceed is OnExceed.PAUSE_AND_ALERT and self._pause is not None and used_up:
            await self._pause(counter.scope.value, counter.owner, reason=problem.detail, until_ns=counter.ends_at_ns)
        return problem

    def _expected(self, session: Session, estimate: Estimate) -> int:
        """Return how long the answer to a call is taken to be, in tokens: twice what those of its family were."""
        answers = sorted(self._answers.get(session.family_id, ()))
        # The 95th percentile by the nearest rank.
        typical = answers[-(-len(answers) * 95 // 100) - 1] if answers else 0
        return min(estimate.output_tokens, max(FLOOR_TOKENS, 2 * typical))

    def _note(self, key: str) -> None:
        if len(self._refusals) < MAX_REFUSALS:
            self._refusals[key] = None

    async def _rows(self, counters: Sequence[Counter], grant: Grant | None = None) -> dict[str, BudgetRow]:
        """Return what was counted against budgets, with what is granted now."""
        found = await self._reader.budgets([counter.key for counter in counters]) if counters else {}
        rows = {counter.key: found.get(counter.key) or BudgetRow(counter.key) for counter in counters}
        if grant and grant.key in rows:
            rows[grant.key] = replace(rows[grant.key], extra=rows[grant.key].extra + grant.extra)
        return rows

    async def _statuses(self, counters: Sequence[Counter]) -> list[BudgetStatus]:
        rows = await self._rows(counters)
        return [_status(counter, rows[counter.key]) for counter in counters]


def _hopeless(counter: Counter, estimate: Estimate) -> bool:
    """Tell whether a call needs more than a whole budget about which nobody is asked."""
    return counter.terms.on_exceed is not OnExceed.ASK and least_of(counter, estimate) > counter.line.cap


def _drawing(counters: Sequence[Counter], estimate: Estimate, output_tokens: int, grant: Grant | None) -> Drawn:
    """Return what a call draws whose answer is taken to be so long."""
    if not counters:
        return Drawn()
    steps: list[Step] = []
    lines: list[list[str | int]] = []
    hold: JsonObject = {"lines": lines}
    told: JsonObject = {"reserved": lines}
    if grant:
        hold["grant"] = [grant.key, grant.extra]
    for counter in counters:
        amount, cap = amount_of(counter, estimate, output_tokens), counter.line.cap
        if grant and grant.key == counter.key:
            # It reserves nothing, but makes a row that is not there yet together with its end.
            steps += [Reserve(counter.key, 0, MOST, ends_at_ns=counter.ends_at_ns)]
            steps += [Accrue("budgets", {"key": counter.key}, {"extra": grant.extra})]
            told["granted"] = hold["grant"]
        steps.append(Reserve(counter.key, amount, cap, ends_at_ns=counter.ends_at_ns))
        lines.append([counter.key, counter.line.unit.value, amount])
    return Drawn(tuple(steps), hold, told)


def _status(counter: Counter, row: BudgetRow) -> BudgetStatus:
    return BudgetStatus(
        key=counter.key,
        name=counter.line.name,
        scope=counter.scope,
        owner=counter.owner,
        unit=counter.line.unit,
        cap=counter.line.cap + row.extra,
        used=row.used,
        reserved=row.reserved,
        resets_at_ns=counter.resets_at_ns,
    )
