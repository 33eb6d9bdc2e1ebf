"""Budgets of the in-memory broker."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from broker.config.limits import Budget, BudgetLine, Mode, OnExceed, Period
from broker.errors import LedgerUnavailableError
from broker.holds import Unit
from broker.limits.drawing import Counter, Scope
from broker.limits.treasury import Account, Extra
from broker.model import Operator, Session
from broker.outcome import Problem, ProblemKind
from broker.store.base import BudgetRow

if TYPE_CHECKING:
    from tests.unit.broker.doors.world import World

RESETS_NS = 1_800_057_600 * 10**9
TOKENS = "agent/reader/max_tokens_per_day/2027-01-15"
MONEY = "project/data/monthly_limit/2027-01"
OF_SESSION = "session/ses_1/max_tokens_per_session"


def account(key: str, unit: Unit, cap: int, on_exceed: OnExceed, **row: int) -> Account:
    """Return a budget that stands so, in a period that ends at `RESETS_NS`; that of a session never does."""
    scope, owner, name, *period = key.split("/")
    line = BudgetLine(name, unit, Period.DAY if period else Period.SESSION, cap)
    resets_ns = RESETS_NS if period else 0
    terms = Budget((line,), on_exceed=on_exceed, mode=Mode.STRICT)
    return Account(Counter(key, Scope(scope), owner, line, terms, resets_ns, RESETS_NS), BudgetRow(key, **row))


class FakeTreasury:
    """Shows and grants what is in the world's list; what is called ``stuck`` cannot be recorded."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.granted: list[tuple[str, Extra, str, str]] = []

    async def accounts(self, *, agent: str = "", project: str = "") -> list[Account]:
        wanted = {name for name in (agent, project) if name}
        return [each for each in self._world.accounts if not wanted or each.counter.owner in wanted]

    async def of_session(self, session: Session) -> list[Account]:
        own = {session.agent, session.project}
        return [
            each for each in self._world.accounts if each.counter.owner in own or each.counter.scope is Scope.SESSION
        ]

    async def grant(self, key: str, extra: Extra, *, operator: Operator, reason: str) -> Account | Problem:
        if key == "stuck":
            raise LedgerUnavailableError("away")
        found = next((each for each in self._world.accounts if each.counter.key == key), None)
        if found is None:
            return Problem(ProblemKind.NOT_FOUND, "no such budget", fix="list them")
        self.granted.append((key, extra, operator.name, reason))
        return replace(found, row=replace(found.row, extra=found.row.extra + extra.amount))
