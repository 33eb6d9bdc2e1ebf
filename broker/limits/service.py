"""All limits of an intent, in the order in which they are asked: one question before it, one answer after it.

    1 halts      nothing goes on that people, or a budget, stopped            | halted
    2 breaker    a loop that only fails is stopped here                       | breaker-open
    3 rates      requests per minute: waits for its turn, or is refused       | rate-limited
    4 places     how many at once, of this process and of what is configured  | too-busy
    5 budgets    what is reserved with the `executing` event                  | budget-exceeded

1 to 4 hold in memory, shared between processes as each says itself; 5 is in the database, which is the truth.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from broker.limits.admission import Admission
from broker.limits.breaker import Breakers
from broker.limits.budgets import Budgets, Grant
from broker.limits.halts import Halts
from broker.limits.throttle import Throttle
from broker.model import Approval, JsonObject, Session
from broker.outcome import Problem
from broker.store.base import Step
from connectors.base import Plan
from connectors.usage import Usage
from policies.model import Decision


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the limits.

    Args:
        session: Who asks.
        plan: What for.
        digest: Of the plan; identical requests have the same.
        approval: The answer of people, when there is one.
    """

    session: Session
    plan: Plan
    digest: str
    approval: Approval | None = None


@dataclass(slots=True)
class Passage:
    """What the limits gave an intent; places are held until the context is left, whatever happened.

    Args:
        asked: What it was given for.
        steps: Reservations, for the transaction of the `executing` event; empty when no budget counts it.
        hold: The same, stored with the intent; see `broker.holds`.
        told: More for the `executing` event.
        places: Gives back what is held in memory.
    """

    asked: Asked
    steps: tuple[Step, ...] = ()
    hold: JsonObject = field(default_factory=dict)
    told: JsonObject = field(default_factory=dict)
    places: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.places.close()


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A budget has not enough left, and people may be asked to grant more.

    Args:
        decision: Requires their approval; its reason names the budget.
        grant: What a yes gives, stored with the question and read back from it.
        summary: What they are asked, in one line.
    """

    decision: Decision
    grant: Grant
    summary: str


class Limits:
    """Asks all limits.

    Args:
        halts: What is stopped.
        breakers: Loops that only fail.
        throttle: Rates, and how many at once of what is configured.
        places: How many at once in this process.
        budgets: What may be spent.
    """

    def __init__(
        self, *, halts: Halts, breakers: Breakers, throttle: Throttle, places: Admission, budgets: Budgets
    ) -> None:
        self._halts = halts
        self._breakers = breakers
        self._throttle = throttle
        self._places = places
        self._budgets = budgets

    @property
    def in_use(self) -> int:
        """Intents this process executes now."""
        return self._places.in_use

    async def admit(self, asked: Asked, *, gated: bool = False) -> Passage | Problem:
        """Let an intent through, or say why not; may wait for its turn.

        Args:
            asked: What is asked.
            gated: People are asked before anything is done: nothing is reserved yet.

        Raises:
            StoreUnavailableError: it cannot be told what is left.
        """
        session, plan = asked.session, asked.plan
        refused = self._halts.refusal(session, plan.connection) or self._breakers.refusal(session, plan, asked.digest)
        if refused is not None:
            return refused
        turn = await self._throttle.turn(session, plan)
        if isinstance(turn, Problem):
            return turn
        places = ExitStack()
        with places:
            places.enter_context(turn)
            # It may have waited for its turn, and been stopped meanwhile.
            place = self._halts.refusal(session, plan.connection) or self._places.reserve(session.family_id)
            if isinstance(place, Problem):
                return place
            places.enter_context(place)
            if gated:
                return Passage(asked, places=places.pop_all())
            grant = Grant.of(asked.approval) if asked.approval else None
            drawn = await self._budgets.draw(session, plan, grant)
            if isinstance(drawn, Problem):
                return drawn
            return Passage(asked, drawn.steps, drawn.hold, {**turn.told, **drawn.told}, places.pop_all())
        raise AssertionError("unreachable")  # the context lets every error through

    async def exceeded(self, passage: Passage, key: str) -> Passage | Problem | Shortfall:
        """Say what becomes of an intent whose reservation did not fit; nothing was written.

        Args:
            passage: What it was given; its places stay held.
            key: Which budget had not enough left.

        Returns:
            A passage that reserves what is left; a problem; or what people may be asked for.
        """
        asked = passage.asked
        answered = asked.approval is not None
        answer = await self._budgets.short(asked.session, asked.plan, passage.hold, key, answered=answered)
        if isinstance(answer, Problem):
            return answer
        if isinstance(answer, Grant):
            asking = self._budgets.asking(asked.session, asked.plan, answer)
            return Shortfall(asking.decision, answer, asking.summary)
        return Passage(asked, answer.steps, answer.hold, {**passage.told, **answer.told}, passage.places)

    def feed(self, passage: Passage, problem: Problem | None, usage: Usage | None) -> tuple[Step, ...]:
        """Learn from what became of an intent.

        Args:
            passage: What it was given.
            problem: Why it did not succeed; None when it did.
            usage: What it came to; None when nobody knows.

        Returns:
            Steps for the transaction of its outcome: what other processes should know.
        """
        asked = passage.asked
        if usage is not None:
            self._budgets.learn(asked.session, usage)
        return self._breakers.feed(asked.session, asked.plan, asked.digest, problem)
