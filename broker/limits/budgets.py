"""Budgets: what is reserved before a call and settled after it. STUB."""

from __future__ import annotations

from dataclasses import dataclass, field

from broker.model import Approval, JsonObject, Session
from broker.outcome import Problem
from broker.store.base import Step
from connectors.base import Plan
from connectors.usage import Usage
from policies.model import Decision


@dataclass(frozen=True, slots=True)
class Grant:
    """What a yes of people gives beyond a cap.

    Args:
        key: Of the budget.
        extra: How much, in its unit.
    """

    key: str
    extra: int

    def to_json(self) -> JsonObject:
        """Return it as people are shown it (`Approval.preview`); `of` reads it back."""
        return {"kind": "budget.extra", "key": self.key, "extra": self.extra}

    @classmethod
    def of(cls, approval: Approval) -> Grant | None:
        """Return what an answered question granted; None when it was about something else."""
        shown = approval.preview
        if shown.get("kind") != "budget.extra":
            return None
        return cls(str(shown["key"]), int(shown["extra"]))


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
class Asking:
    """The question about a grant."""

    decision: Decision
    summary: str


class Budgets:
    """Reserves."""

    async def draw(self, session: Session, plan: Plan, grant: Grant | None) -> Drawn | Problem:
        """Return what a plan draws on the budgets that count it."""
        del session, plan, grant
        return Drawn()

    async def short(self, session: Session, plan: Plan, hold: JsonObject, key: str) -> Drawn | Grant | Problem:
        """Return what becomes of a plan whose reservation did not fit."""
        del session, plan, hold, key
        raise NotImplementedError

    def asking(self, session: Session, plan: Plan, grant: Grant) -> Asking:
        """Return the question about a grant."""
        del session, plan, grant
        raise NotImplementedError

    def learn(self, session: Session, usage: Usage) -> None:
        """Remember what calls of a session come to."""
        del session, usage
