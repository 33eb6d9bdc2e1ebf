"""Budgets for people: how each one stands, and more of it beyond its cap, once, by an admin.

A grant is part of one running period and is over with it; a lasting one is a change of ``ostiary.yaml``. It is written
by compare-and-set with its event, so that what was granted in all stays within what can be counted and every part of it
is on the ledger with who granted it and why. It resumes nothing that a budget paused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from broker.clock import Clock
from broker.config.model import Configuration
from broker.errors import ConflictError
from broker.holds import Unit
from broker.ids import SessionId
from broker.limits.drawing import MOST, Counter, Counters, Scope
from broker.limits.grants import worded
from broker.limits.periods import Periods
from broker.model import Operator, Session
from broker.outcome import Problem, ProblemKind
from broker.store.base import BudgetRow, Change, Committer, EventType, Reader, Reserve, Step, Update, new_event
from broker.store.statements import is_storable
from policies.errors import quote

MAX_KEY_CHARS: Final = 256
"""Characters of a key that doors take; no key is as long."""

MAX_REASON_CHARS: Final = 2_000
"""Characters of a reason."""

MAX_PERCENT: Final = 1_000
"""Most of a cap that is granted at once, in percent; as in `ask` of a budget."""

_KEYS_AT_ONCE: Final = 500
"""Budgets that are looked up with one statement."""

_TRIES: Final = 8
"""How often a grant is written anew because another one came first."""


@dataclass(frozen=True, slots=True)
class Account:
    """A budget in its running period, and what was counted against it.

    Args:
        counter: The budget as it is configured.
        row: What was counted; nothing, where nothing was drawn on it yet.
    """

    counter: Counter
    row: BudgetRow

    @property
    def left(self) -> int:
        """What is neither used nor reserved; below zero when it is overdrawn."""
        return self.counter.left(self.row)

    @property
    def percent(self) -> int:
        """How much is used of cap and grants together, rounded down; 100 of nothing."""
        cap = self.counter.line.cap + self.row.extra
        return self.row.used * 100 // cap if cap else 100


@dataclass(frozen=True, slots=True)
class Extra:
    """How much more is wanted: an amount, or a part of the cap.

    Args:
        amount: In the budget's unit, 1 or more; 0 for a part of the cap.
        percent: Of the cap as it is configured, 1 to `MAX_PERCENT`, rounded down; 0 for an amount.
        unit: What the amount counts, which must be what the budget counts; None where whoever asks did not say, which
            will not do for money: five dollars are not five nano-dollars.
    """

    amount: int = 0
    percent: int = 0
    unit: Unit | None = None


class Treasury:
    """Shows budgets, and grants more of them.

    Args:
        reader: Where they are looked up.
        committer: The ledger.
        clock: Says which period runs.
        configuration: Returns the configuration in force.
    """

    def __init__(
        self, reader: Reader, committer: Committer, clock: Clock, configuration: Callable[[], Configuration]
    ) -> None:
        self._reader = reader
        self._committer = committer
        self._clock = clock
        self._configuration = configuration
        self._counters = Counters(Periods())

    async def accounts(self, *, agent: str = "", project: str = "") -> list[Account]:
        """Return the budgets of agents and projects, by key, without those of single sessions.

        Args:
            agent: Only those of this agent; empty for all.
            project: Only those of this project and of its agents; empty for all.

        Raises:
            StoreUnavailableError: it cannot be told.
        """
        configuration, now_ns = self._configuration(), self._clock.now_ns()
        found: list[Counter] = []
        for name, known in configuration.agents.items():
            if agent in {"", name} and project in {"", known.project}:
                found += self._counters.owned(configuration, Scope.AGENT, name, now_ns)
        for name in configuration.projects:
            if not agent and project in {"", name}:
                found += self._counters.owned(configuration, Scope.PROJECT, name, now_ns)
        return await self._accounts(sorted(found, key=lambda each: each.key))

    async def of_session(self, session: Session) -> list[Account]:
        """Return all budgets that count what a session does, by key: its own, those of its agent and of its project.

        Raises:
            StoreUnavailableError: it cannot be told.
        """
        return await self._accounts(self._counters.of(self._configuration(), session, self._clock.now_ns()))

    async def grant(self, key: str, extra: Extra, *, operator: Operator, reason: str) -> Account | Problem:
        """Grant more of a budget, beyond its cap and what was granted before, until its period is over.

        Args:
            key: Of a budget that is configured and whose period runs; without the name of its period it is the one that
                runs, as in ``agent/ci-runner/max_tokens_per_day``.
            extra: How much.
            operator: Who grants it; the door has looked at their roles.
            reason: Their words, 1 to `MAX_REASON_CHARS` characters.

        Returns:
            How it stands with the grant; or why nothing was granted.

        Raises:
            StoreUnavailableError: nothing was granted.
            LedgerUnavailableError: nobody was told that it was granted; the list says whether it was.
        """
        if not reason.strip() or len(reason) > MAX_REASON_CHARS or not is_storable(reason):
            return _unfit(f"a grant needs a reason, at most {MAX_REASON_CHARS} characters")
        found = await self._running(key)
        if isinstance(found, Problem):
            return found
        counter, about = found
        amount = _amount(counter, extra)
        if isinstance(amount, Problem):
            return amount
        for _ in range(_TRIES):
            (before,) = await self._accounts((counter,))
            if before.row.extra + amount > MOST:
                return _unfit(f"more cannot be granted of this budget: it has {before.row.extra} beyond its cap")
            after = replace(before, row=replace(before.row, extra=before.row.extra + amount))
            told = {**_told(after), "extra": amount, "reason": reason}
            event = new_event(self._clock, EventType.BUDGET_GRANTED, told, operator=operator.name, **about)
            try:
                await self._committer.commit(Change(event, _granting(before.row, after)))
            except ConflictError:
                continue
            return after
        return Problem(ProblemKind.TOO_BUSY, "others were granted more of it at this moment", retry_after_seconds=1)

    async def _running(self, key: str) -> tuple[Counter, dict[str, str]] | Problem:
        """Return the budget of a key, in the period that runs, and what an event about it names."""
        scope, _, rest = key.partition("/")
        owner = rest.partition("/")[0]
        configuration, now_ns = self._configuration(), self._clock.now_ns()
        about = {"agent": owner}
        match scope:
            case Scope.AGENT:
                known = configuration.agents.get(owner)
                about["project"] = known.project if known else ""
            case Scope.PROJECT:
                about = {"project": owner}
            case Scope.SESSION:
                session = await self._reader.session(SessionId(owner))
                if session is None or not session.alive(now_ns):
                    return _unknown("no session that lives has this id")
                about = {"agent": session.agent, "project": session.project, "session_id": session.id}
                counters = self._counters.of(configuration, session, now_ns)
                return _named(counters, key, about)
            case _:
                return _unknown(f"{quote(key)} is no key of a budget")
        return _named(self._counters.owned(configuration, Scope(scope), owner, now_ns), key, about)

    async def _accounts(self, counters: Sequence[Counter]) -> list[Account]:
        rows: dict[str, BudgetRow] = {}
        for start in range(0, len(counters), _KEYS_AT_ONCE):
            rows |= await self._reader.budgets([each.key for each in counters[start : start + _KEYS_AT_ONCE]])
        return [Account(each, rows.get(each.key) or BudgetRow(each.key)) for each in counters]


def _named(counters: Iterable[Counter], key: str, about: dict[str, str]) -> tuple[Counter, dict[str, str]] | Problem:
    stem = "/".join(key.split("/")[:3])
    for counter in counters:
        if key in {counter.key, _stem(counter)}:
            return counter, about
        if stem == _stem(counter):
            return _unknown(f"the period of {quote(key)} does not run", f"grant more of {quote(counter.key)}")
    return _unknown(f"no budget is configured that is counted under {quote(key)}")


def _stem(counter: Counter) -> str:
    """Return a key without the name of its period."""
    return f"{counter.scope.value}/{counter.owner}/{counter.line.name}"


def _amount(counter: Counter, extra: Extra) -> int | Problem:
    """Return what is granted, in the budget's unit."""
    unit, cap = counter.line.unit, counter.line.cap
    if (extra.amount != 0) == (extra.percent != 0):
        return _unfit("a grant is either an amount or a percentage of the cap")
    if extra.percent:
        amount = cap * extra.percent // 100 if 1 <= extra.percent <= MAX_PERCENT else 0
        return amount or _unfit(f"1 to {MAX_PERCENT} percent can be granted, of a cap of {worded(unit, cap)}")
    if extra.unit is not unit and (extra.unit is not None or unit is Unit.NANO_DOLLARS):
        return _unfit(f"this budget counts {unit.value}", f"say how many, with the unit `{unit.value}`")
    if not 1 <= extra.amount <= MOST:
        return _unfit(f"1 to {MOST} can be granted at once")
    return extra.amount


def _granting(before: BudgetRow, after: Account) -> tuple[Step, ...]:
    """Return the steps of a grant; the first one makes a row that is not there yet, together with its end."""
    return (
        Reserve(before.key, 0, MOST, ends_at_ns=after.counter.ends_at_ns),
        Update("budgets", {"key": before.key, "extra": before.extra}, {"extra": after.row.extra}),
    )


def _told(account: Account) -> dict[str, str | int]:
    counter, row = account.counter, account.row
    return {
        "key": counter.key,
        "budget": counter.line.name,
        "of": counter.scope.value,
        "name": counter.owner,
        "unit": counter.line.unit.value,
        "cap": counter.line.cap,
        "granted": row.extra,
        "used": row.used,
        "reserved": row.reserved,
    }


def _unfit(detail: str, fix: str = "") -> Problem:
    return Problem(ProblemKind.INVALID_PARAMS, detail, fix=fix)


def _unknown(detail: str, fix: str = "list the budgets and their keys with `ostiary budget list`") -> Problem:
    return Problem(ProblemKind.NOT_FOUND, detail, fix=fix)
