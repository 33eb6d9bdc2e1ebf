"""What agents and people are told when a budget has not enough left: a no with its numbers, or a question. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Self

from broker.clock import NS_PER_SECOND, rfc3339
from broker.config.limits import Asking as Terms
from broker.holds import Unit
from broker.limits.drawing import MOST, Counter
from broker.model import Approval, JsonObject, Session
from broker.outcome import Problem, ProblemKind
from broker.store.base import BudgetRow
from connectors.base import Plan
from policies.model import ApprovalTerms, Decision, Effect, PolicyVersion, Reason

KIND: Final = "budget.extra"
"""Kind of the preview of a question about a grant."""

_RULE: Final = "budget:"
"""What the rule of such a question begins with; no rule of a policy does, as it is named with its file and line."""

_NANO: Final = 10**9
_WORDS: Final = {Unit.TOKENS: "tokens", Unit.CALLS: "calls", Unit.SESSIONS: "sessions"}

RESERVED_RETRY_SECONDS: Final = 5
"""When to try again if what is missing is only reserved, for calls that are under way."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a yes of people gives beyond a cap.

    Args:
        key: Of the budget.
        extra: How much, in its unit; 1 or more.
        shown: What people see beside it: whose budget, its cap, what is used and reserved, when it begins anew.
        name: Name of the budget.
        terms: Who is asked, for the question.
    """

    key: str
    extra: int
    shown: JsonObject = field(default_factory=dict, compare=False)
    name: str = field(default="", compare=False)
    terms: Terms | None = field(default=None, compare=False)

    def to_json(self) -> JsonObject:
        """Return it as people are shown it (`Approval.preview`); `of` reads it back."""
        return {**self.shown, "kind": KIND, "key": self.key, "extra": self.extra}

    @classmethod
    def of(cls, approval: Approval) -> Self | None:
        """Return what an answered question granted; None when it was about something else."""
        # The preview of another question shows what an upstream said; its rule is always ours.
        if not approval.rule.startswith(_RULE) or approval.preview.get("kind") != KIND:
            return None
        return cls(str(approval.preview["key"]), int(approval.preview["extra"]))

    @classmethod
    def held(cls, hold: JsonObject) -> Self | None:
        """Return the grant an intent's hold was made with; None when it was made without."""
        return cls(*hold["grant"]) if "grant" in hold else None


@dataclass(frozen=True, slots=True)
class Asking:
    """The question about a grant."""

    decision: Decision
    summary: str


def granting(counter: Counter, row: BudgetRow, needed: int) -> Grant | None:
    """Return what people may be asked for; None when nobody may be asked, or they granted all that can be counted.

    A yes gives the percentage of the cap that is configured, and at least enough for the call that asks, even when
    others take what is left meanwhile.

    Args:
        counter: The budget that has not enough left.
        row: What was counted.
        needed: What the call reserves.
    """
    terms, cap = counter.terms.asking, counter.line.cap
    overdrawn = max(0, row.used + row.reserved - cap - row.extra)
    extra = max(1, cap * terms.extra_percent // 100 if terms else 0, needed + overdrawn)
    if terms is None or row.extra + extra > MOST:
        return None
    shown: JsonObject = {
        "budget": counter.line.name,
        "of": counter.scope.value,
        "name": counter.owner,
        "unit": counter.line.unit.value,
        "cap": cap,
        "granted_before": row.extra,
        "used": row.used,
        "reserved": row.reserved,
        "resets_at": _moment(counter.resets_at_ns),
        "asks": (
            f"{worded(counter.line.unit, extra)} beyond {worded(counter.line.unit, cap + row.extra)} of "
            f"`{counter.line.name}` of {counter.whose}, of which {worded(counter.line.unit, row.used)} are used"
        ),
    }
    return Grant(counter.key, extra, shown, counter.line.name, terms)


def question(session: Session, plan: Plan, grant: Grant, version: PolicyVersion) -> Asking:
    """Return the question about a grant.

    Args:
        session: Who asks.
        plan: What for.
        grant: What a yes gives, as `granting` made it.
        version: Of the configuration that asks.
    """
    terms = grant.terms
    if terms is None:
        raise ValueError("nobody is named who could grant it")
    reason = Reason(
        plan.requirements[0],
        Effect.REQUIRE_APPROVAL,
        f"{_RULE}{grant.name}",
        None,
        f"the budget `{grant.name}` has not enough left",
    )
    asked = ApprovalTerms(terms.channel, terms.timeout_seconds, terms.approvers)
    decision = Decision(Effect.REQUIRE_APPROVAL, (reason,), (asked,), version)
    return Asking(decision, f"grant agent `{session.agent}` {grant.shown['asks']}: {plan.summary}")


def exceeded(counter: Counter, row: BudgetRow, needed: int, now_ns: int) -> Problem:
    """Return the no of a budget that has not enough left.

    Args:
        counter: The budget.
        row: What was counted, with what was granted.
        needed: Least that would have to be left.
        now_ns: Time of the answer.
    """
    unit, name, cap = counter.line.unit, counter.line.name, counter.line.cap + row.extra
    resets_at = _moment(counter.resets_at_ns)
    anew = f"; it begins anew at {resets_at}" if resets_at else ""
    return Problem(
        ProblemKind.BUDGET_EXCEEDED,
        f"the budget `{name}` of {counter.whose} has {worded(unit, cap)}: {worded(unit, row.used)} are used, "
        f"{worded(unit, row.reserved)} reserved, at least {worded(unit, needed)} needed{anew}",
        reason=name,
        rule=f"budget {name} of {counter.scope.value} {counter.owner}",
        fix=_fix(counter, needed, cap),
        retry_after_seconds=_retry_after(counter, row, needed, now_ns),
        extra={
            "budget": name,
            "of": counter.scope.value,
            "name": counter.owner,
            "unit": unit.value,
            "cap": cap,
            "used": row.used,
            "reserved": row.reserved,
            "needed": needed,
            "resets_at": resets_at,
        },
    )


def worded(unit: Unit, amount: int) -> str:
    """Return an amount for people: ``4096 tokens``, ``$0.25``."""
    if unit is not Unit.NANO_DOLLARS:
        return f"{amount} {_WORDS[unit]}"
    whole, rest = divmod(abs(amount), _NANO)
    cents = f".{rest:09d}".rstrip("0").ljust(3, "0") if rest else ""
    return f"{'-' if amount < 0 else ''}${whole}{cents}"


def _fix(counter: Counter, needed: int, cap: int) -> str:
    if needed > cap:
        return "ask for less at once, or an operator to raise the budget in ostiary.yaml"
    wait = "wait until it begins anew" if counter.resets_at_ns else "go on in a new session"
    return f"{wait}, or ask an operator to raise it in ostiary.yaml"


def _retry_after(counter: Counter, row: BudgetRow, needed: int, now_ns: int) -> int:
    """Return when to try again, in whole seconds; 0 when no waiting helps."""
    cap = counter.line.cap + row.extra
    if needed > cap:
        return 0
    waits = -((now_ns - counter.resets_at_ns) // NS_PER_SECOND) if counter.resets_at_ns else 0
    if row.used + needed <= cap:
        return min(RESERVED_RETRY_SECONDS, waits or RESERVED_RETRY_SECONDS)
    return waits


def _moment(at_ns: int) -> str:
    return rfc3339(at_ns) if at_ns else ""
