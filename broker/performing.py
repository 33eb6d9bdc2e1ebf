"""Stages 5 to 12 of an intent that policy allows: admitted, recorded, executed, concluded; the pipeline's second half.

A budget is reserved in the transaction of the `executing` event. When it has not enough left, nothing was written and
nothing is sent; what then happens (less is reserved, it is refused, people are asked) is for the limits to say.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Final

from broker.approvals.service import Approvals
from broker.catalog import Resolved
from broker.decision_point import Verdict
from broker.errors import BudgetExceededError, LedgerUnavailableError
from broker.exchange import ClientGoneError, Exchange
from broker.execution import Executor
from broker.intents import Journal
from broker.limits.service import Limits, Passage, Shortfall
from broker.model import Approval, IntentRecord, JsonObject
from broker.outcome import Outcome, Problem, ProblemKind
from broker.store.rows import use_of
from broker.verdicts import outcome_of, told, withheld

RESERVE_TRIES: Final = 8
"""How often less is reserved than before, because others of the same budget came first each time."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """An intent that may be carried out.

    Args:
        record: As it stands.
        resolved: What will be sent.
        verdict: The decision on it.
        passage: What the limits gave it.
        approval: The answer of people, when it needed one.
        exchange: Its door's side, while that is open.
    """

    record: IntentRecord
    resolved: Resolved
    verdict: Verdict
    passage: Passage
    approval: Approval | None = None
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class Performer:
    """Carries intents out."""

    journal: Journal
    executor: Executor
    approvals: Approvals
    limits: Limits

    async def perform(self, admitted: Admitted) -> Outcome | Problem | Shortfall:
        """Reserve, record, execute and conclude.

        Returns:
            The outcome; a problem when a budget has not enough left; or a shortfall that people may be asked about.

        Raises:
            ConflictError: somebody else came first, or the session was killed; nothing was done.
            LedgerUnavailableError: nothing was done.
        """
        for _ in range(RESERVE_TRIES):
            try:
                return await self._attempt(admitted)
            except BudgetExceededError as error:
                answer = await self.limits.exceeded(admitted.passage, error.key)
            if not isinstance(answer, Passage):
                return answer
            admitted = replace(admitted, passage=answer)
        return Problem(
            ProblemKind.TOO_BUSY,
            "others took what was left of a budget at the same moment",
            reason="budget",
            retry_after_seconds=1,
        )

    async def _attempt(self, admitted: Admitted) -> Outcome:
        journal, plan, verdict, passage = self.journal, admitted.resolved.plan, admitted.verdict, admitted.passage
        answered = (self.approvals.consumption(admitted.approval),) if admitted.approval else ()
        # A reservation comes last: whatever else is lost tells more.
        consume = (*answered, *(use_of(limit) for limit in verdict.decision.uses), *passage.steps)
        started_ns = journal.monotonic_ns()
        record = replace(admitted.record, hold=passage.hold)
        facts: JsonObject = {"summary": plan.summary, "access": record.access, "connection": plan.connection}
        facts |= told(verdict) | passage.told | ({"trace": plan.trace} if plan.trace else {})
        attempt = journal.attempt(record, facts, consume=consume)
        try:
            async with attempt:  # 7 record
                ran = await self.executor.run(attempt, admitted.resolved, admitted.exchange)  # 8, 9, 10
                ran.conclusion.data["duration_us"] = (journal.monotonic_ns() - started_ns) // 1_000
                learned = self.limits.feed(passage, ran.conclusion.problem, ran.conclusion.usage)  # 11 settle
                concluded = await attempt.conclude(ran.conclusion, learned)  # 12 conclude
        except LedgerUnavailableError:
            return withheld(record, acted=attempt.may_have_acted)
        self.executor.contents.keep(ran.capture)
        exchange = admitted.exchange
        if exchange and exchange.outlet and ran.tail is not None:
            with contextlib.suppress(ClientGoneError):
                await exchange.outlet.write(ran.tail)
        return outcome_of(concluded, body=ran.body, streamed=ran.tail is not None)
