"""Which budgets count a call, under which keys, and how much of each it needs. Pure.

A key names one budget in one period, for people as well:

    agent/ci-runner/max_tokens_per_day/2026-11-20
    session/ses_01…/max_tokens_per_session          a session and all below it together
    project/data/monthly_limit/2026-11

How long an answer will be nobody knows before it is there. In mode `strict` a budget reserves all the request allows;
as far as the estimate of what is read holds, it is never overdrawn. In mode `adaptive` it reserves what answers of the
session take, and what is left when that is less.

Overshoot of `adaptive`: what is used beyond the cap is at most the sum, over the calls that were under way when the
last reservation fitted, of what each was allowed to write and had not reserved. So it is at most calls at once times
``max_tokens``, and after it nothing fits.

What a call reads is taken from its own length each time, and not from what the calls before it read: a request of the
same length can read a hundred times as much, and the bound above would not hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from broker.clock import NS_PER_SECOND
from broker.config.limits import Budget, BudgetLine, Mode, Period
from broker.config.model import Configuration
from broker.holds import Unit
from broker.limits.periods import Periods
from broker.model import Session
from broker.store.base import BudgetRow
from connectors.base import Plan
from connectors.usage import Estimate

MOST: Final = 1 << 61
"""Most of anything in one step: a cap, what was granted and what is counted stay within 64 bits together."""

FLOOR_TOKENS: Final = 4_096
"""Least an adaptive budget reserves for an answer that may be that long; most answers are shorter."""

_SESSION_NS: Final = 8 * 86_400 * NS_PER_SECOND
"""Longer than a family of sessions can live after any of them began (`broker.sessions.MAX_TTL_SECONDS`)."""

_PATTERNS: Final = 4_096
"""Patterns of actions kept compiled."""


class Scope(StrEnum):
    """Whose budget it is; closed, as keys begin with it."""

    SESSION = "session"
    AGENT = "agent"
    PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Counter:
    """One budget in its running period.

    Args:
        key: Under which it is counted.
        scope: Whose it is.
        owner: Name of the agent or the project, id of the session at the top of its family.
        line: What is counted.
        terms: The budget it stands in.
        resets_at_ns: When it begins anew; 0 for that of a session, which never does.
        ends_at_ns: When what was counted can be forgotten.
    """

    key: str
    scope: Scope
    owner: str
    line: BudgetLine
    terms: Budget
    resets_at_ns: int
    ends_at_ns: int

    @property
    def whose(self) -> str:
        """Whose budget it is, for people: ``agent `ci-runner```."""
        return f"{self.scope.value} `{self.owner}`"

    def left(self, row: BudgetRow) -> int:
        """Return what is neither used nor reserved; below zero when it is overdrawn."""
        return self.line.cap + row.extra - row.used - row.reserved


class Counters:
    """Finds the budgets of sessions, agents and projects.

    Args:
        periods: The running periods.
    """

    def __init__(self, periods: Periods) -> None:
        self._periods = periods

    def of(self, configuration: Configuration, session: Session, now_ns: int) -> tuple[Counter, ...]:
        """Return all budgets of a session, of its agent and of its project, in order of their keys.

        The order is the same for everybody, so that no two transactions wait for each other.
        """
        agent, project = configuration.agents.get(session.agent), configuration.projects.get(session.project)
        own = agent.budget if agent else None
        found = [
            *self._lines(own, Scope.AGENT, session.agent, now_ns),
            *self._lines(project.budget if project else None, Scope.PROJECT, session.project, now_ns),
            *_of_session(own, session),
        ]
        return tuple(sorted(found, key=lambda each: each.key))

    def owned(self, configuration: Configuration, scope: Scope, owner: str, now_ns: int) -> tuple[Counter, ...]:
        """Return the budgets of an agent or a project by itself, without those of its sessions."""
        held = configuration.projects if scope is Scope.PROJECT else configuration.agents
        known = held.get(owner)
        return tuple(self._lines(known.budget if known else None, scope, owner, now_ns))

    def _lines(self, terms: Budget | None, scope: Scope, owner: str, now_ns: int) -> Iterator[Counter]:
        if terms is None:
            return
        for line in terms.lines:
            if line.period is not Period.SESSION:
                span = self._periods.at(line.period, terms.zone, now_ns)
                key = f"{scope.value}/{owner}/{line.name}/{span.label}"
                yield Counter(key, scope, owner, line, terms, span.ends_at_ns, span.ends_at_ns)


def counts(counter: Counter, plan: Plan) -> bool:
    """Tell whether a budget counts a call: its action fits, and it has what the budget counts."""
    match counter.line.unit:
        case Unit.SESSIONS:
            return False
        case Unit.TOKENS | Unit.NANO_DOLLARS:
            if not plan.estimate.metered:
                return False
        case Unit.CALLS:
            pass
    return counter.line.actions == "*" or pattern_of(counter.line.actions).fullmatch(plan.action) is not None


def amount_of(counter: Counter, estimate: Estimate, output_tokens: int) -> int:
    """Return how much of a budget a call reserves.

    Args:
        counter: The budget.
        estimate: What the call may come to.
        output_tokens: How long its answer is taken to be, unless the budget is strict.
    """
    if counter.terms.mode is Mode.STRICT:
        output_tokens = estimate.output_tokens
    match counter.line.unit:
        case Unit.TOKENS:
            amount = estimate.input_tokens + output_tokens
        case Unit.NANO_DOLLARS:
            amount = _base(estimate) + output_tokens * estimate.output_nano_dollars
        case Unit.CALLS:
            amount = estimate.calls
        case Unit.SESSIONS:
            amount = 0
    return min(amount, MOST)


def least_of(counter: Counter, estimate: Estimate) -> int:
    """Return how much must be left for a call to be begun: what it reads and one token, or all when it is strict."""
    return amount_of(counter, estimate, min(1, estimate.output_tokens))


def longest(counter: Counter, estimate: Estimate, left: int) -> int:
    """Return the longest answer, in tokens, that fits what is left of a budget; not more than is allowed.

    Args:
        counter: The budget, which has at least `least_of` left.
        estimate: What the call may come to.
        left: What is left of it.
    """
    allowed = estimate.output_tokens
    if counter.terms.mode is Mode.STRICT:
        return allowed
    if counter.line.unit is Unit.TOKENS:
        return min(allowed, left - estimate.input_tokens)
    if counter.line.unit is Unit.NANO_DOLLARS and estimate.output_nano_dollars:
        return min(allowed, (left - _base(estimate)) // estimate.output_nano_dollars)
    return allowed


@lru_cache(maxsize=_PATTERNS)
def pattern_of(actions: str) -> re.Pattern[str]:
    """Return the expression of a pattern of actions, in which ``*`` stands for anything."""
    return re.compile(".*".join(map(re.escape, actions.split("*"))), re.DOTALL)


def _base(estimate: Estimate) -> int:
    """Return what a call costs however short its answer is, in nano-dollars."""
    return estimate.input_tokens * estimate.input_nano_dollars + estimate.extra_nano_dollars


def _of_session(terms: Budget | None, session: Session) -> Iterator[Counter]:
    if terms is None:
        return
    family_id = session.family_id
    # Of a session below another its own end is too early; when its family ends at the latest is known all the same.
    ends_at_ns = session.created_at_ns + _SESSION_NS if session.root_id else session.expires_at_ns
    for line in terms.lines:
        if line.period is Period.SESSION:
            key = f"{Scope.SESSION.value}/{family_id}/{line.name}"
            yield Counter(key, Scope.SESSION, family_id, line, terms, 0, ends_at_ns)
