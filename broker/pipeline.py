"""The one path of every intent, asked for now or approved before.

     1 authenticate   the session is alive                                  | session-expired
     2 receive        canonical bytes, digest; an idempotency key brings
                      back the earlier outcome                              | idempotency-mismatch
     3 resolve        plan and digest, pure; approved: digest equal         | unknown-action, invalid-params, stale-plan
                      where a plan rests on more than params, that is found
                      out first, by recorded reads of the same session
     4 decide         policy; an approval answers REQUIRE_APPROVAL only     | denied
     5 admit          limits: halts, breaker, rates, places, budgets        | halted, breaker-open, rate-limited,
                                                                             | too-busy, budget-exceeded
     6 park?          approval required and not given: stored, people are
                      asked, pending (the reservation is released)
     7 record         `executing` durable before a write is sent; a read is
                      sent meanwhile and released only after it             | ledger-unavailable
     8 lease          the vault lends one credential for this plan          | vault-unavailable
     9 execute        the connector sends the plan, once                    | upstream-refused, outcome-unknown, …
    10 redact         the result is scanned with the real secrets
    11 settle         the reservation is given back
    12 conclude       the outcome is durable, then the result is released   | ledger-unavailable: withheld

Stages 5, 7 and 8 are context managers nested in this order, so that every attempt has exactly one outcome by structure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import orjson

from broker.approvals.service import Approvals
from broker.approvals.terms import unanswered
from broker.canonical import NotCanonicalError
from broker.catalog import Catalog, request_digest
from broker.decision_point import DecisionPoint, Verdict
from broker.errors import ConflictError, LedgerUnavailableError
from broker.exchange import Exchange
from broker.ids import Digest
from broker.inspection import Inspections
from broker.intents import Journal
from broker.limits.service import Asked, Limits, Shortfall
from broker.model import Approval, IntentDraft, IntentRecord, IntentState, JsonObject, Session
from broker.outcome import Outcome, Problem, ProblemKind
from broker.performing import Admitted, Performer
from broker.sessions import Sessions
from broker.store.base import Reader
from broker.store.statements import UnwritableError
from broker.verdicts import CAME_SECOND, MISMATCH, STALE, denial, explain, outcome_of, told, withheld
from broker.waiting import Drafted, Waiting
from policies.model import Effect

NONE: Final = Digest("")  # of what is not known yet


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pipeline stands on; see the classes themselves."""

    sessions: Sessions
    catalog: Catalog
    inspections: Inspections
    decision_point: DecisionPoint
    limits: Limits
    approvals: Approvals
    waiting: Waiting
    journal: Journal
    performer: Performer
    reader: Reader
    accepting: Callable[[], bool]


class Pipeline:
    """Runs intents. "No" comes back as an outcome; what is raised, nobody foresaw."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def submit(self, session: Session, draft: IntentDraft, exchange: Exchange | None = None) -> Outcome:
        """Run an intent of a session that was authenticated at the door (stage 1); see `Exchange` for bodies."""
        journal = self._parts.journal
        now, intent_id = journal.now_ns(), journal.new_id()
        try:
            # 2 receive
            record = IntentRecord(
                intent_id, session.id, session.agent, session.project, draft.action[:200], (), request_digest(draft),
                NONE, IntentState.EXECUTING, 0, 0, "", "", "" if draft.dry_run else draft.idempotency_key, "", now, now,
            )  # fmt: skip
            earlier = await self._earlier(record)
            if earlier is not None:
                return earlier
            async with self._parts.inspections.of(session, draft, exchange, self.submit, record.id) as seen:
                if seen.problem is not None:
                    return await self._turn_away(record, seen.problem)
                return await self._run(session, seen.draft, record, exchange=seen.exchange, shown=seen.preview)
        except (NotCanonicalError, UnwritableError) as error:
            return Outcome(intent_id, IntentState.REFUSED, problem=Problem(ProblemKind.INVALID_PARAMS, str(error)))
        except ConflictError:
            # The same key came in twice at once, or the session was killed between two stages.
            ended = await self._parts.sessions.check(session)
            return await self._earlier(record) or Outcome(record.id, IntentState.REFUSED, problem=ended or CAME_SECOND)
        except LedgerUnavailableError:
            return withheld(record)

    async def resume(self, session: Session, record: IntentRecord, approval: Approval) -> Outcome:
        """Run an approved intent: the same path, with the approval as the answer to stage 6.

        Raises:
            ConflictError: another run came first, or the session was killed; this one did nothing.
        """
        ended = await self._parts.sessions.check(session)  # 1 authenticate
        try:
            if ended:
                return await self._turn_away(record, ended, approval=approval)
            return await self._run(session, IntentDraft(**orjson.loads(approval.draft)), record, approval=approval)
        except LedgerUnavailableError:
            return withheld(record)

    async def _earlier(self, record: IntentRecord) -> Outcome | None:
        """Return what an idempotency key brings back: the earlier outcome, or the mismatch."""
        if not record.idempotency_key:
            return None
        earlier = await self._parts.reader.intent_by_key(record.session_id, record.idempotency_key)
        if earlier is None or earlier.request_digest == record.request_digest:
            return replace(outcome_of(earlier), replayed=True) if earlier else None
        return Outcome(earlier.id, IntentState.REFUSED, problem=MISMATCH)

    async def _run(
        self,
        session: Session,
        draft: IntentDraft,
        record: IntentRecord,
        *,
        approval: Approval | None = None,
        exchange: Exchange | None = None,
        shown: JsonObject | None = None,
    ) -> Outcome:
        parts = self._parts
        await parts.catalog.ready(draft)
        resolved = parts.catalog.resolve(session.project, draft)  # 3 resolve
        if isinstance(resolved, Problem):
            return await self._turn_away(record, resolved, approval=approval)
        plan = resolved.plan
        names = tuple(each.resource for each in plan.requirements)
        record = replace(
            record, action=plan.action, resources=names, plan_digest=resolved.digest, access=plan.access.value
        )
        if approval and approval.plan_digest != resolved.digest:
            return await self._turn_away(record, STALE, approval=approval)
        verdict = await parts.decision_point.decide(
            session, draft, plan, approval.context if approval else None
        )  # 4 decide
        decision = verdict.decision
        denied = denial(decision, verdict.catalogue, draft) if decision.effect is Effect.DENY else None
        refused = denied or (unanswered(approval, decision) if approval else None)
        if refused:
            return await self._turn_away(record, refused, verdict, approval=approval)
        gated = decision.effect is Effect.REQUIRE_APPROVAL and approval is None
        if draft.dry_run:
            state = IntentState.PENDING_APPROVAL if gated else IntentState.APPROVED
            return Outcome(record.id, state, decision=explain(decision), dry_run=True)
        resolved = await parts.decision_point.within_reach(session, draft, resolved)
        passage = await parts.limits.admit(
            Asked(session, resolved.plan, resolved.digest, approval), gated=gated
        )  # 5 admit
        if isinstance(passage, Problem):
            # An approved intent waits in the database for the next round instead, unless no round will help.
            waits = approval is not None and passage.passes
            return outcome_of(record) if waits else await self._turn_away(record, passage, verdict, approval=approval)
        with passage:
            asked = Drafted(draft, resolved, shown or {})
            if gated:
                return await self._park(session, asked, record, verdict, exchange)
            if not parts.accepting():
                return withheld(record)
            done = await parts.performer.perform(
                Admitted(record, resolved, verdict, passage, approval, exchange)
            )  # 7 to 12
            if isinstance(done, Problem):
                return await self._turn_away(record, done, verdict, approval=approval)
            if isinstance(done, Shortfall):
                return await self._park(session, asked, record, verdict, exchange, done)
            return done
        # 11 settle: the places are given back on leaving

    async def _park(
        self,
        session: Session,
        asked: Drafted,
        record: IntentRecord,
        verdict: Verdict,
        exchange: Exchange | None,
        shortfall: Shortfall | None = None,
    ) -> Outcome:
        """Ask people: about the intent itself or, with a shortfall, whether a budget may be exceeded for it."""
        bound = await self._parts.waiting.bind(session, record, asked, exchange)
        if isinstance(bound, Problem):
            return await self._turn_away(record, bound, verdict)
        if isinstance(bound, Outcome):
            return bound
        record, decision = bound.record, shortfall.decision if shortfall else verdict.decision
        question = await self._parts.inspections.question(session, bound, verdict, self.submit)
        if isinstance(question, Problem):
            return await self._turn_away(record, question, verdict)
        if shortfall:
            question = replace(question, summary=shortfall.summary, preview=shortfall.grant.to_json())
        try:
            parked = await self._parts.approvals.park(session, record, decision, question)  # 6 park
        except ConflictError:
            joined = await self._parts.waiting.joined(record) if bound.draft.joins else None
            if joined is None:
                raise
            return joined
        if isinstance(parked, Problem):
            return await self._turn_away(record, parked, verdict)
        return Outcome(
            record.id,
            IntentState.PENDING_APPROVAL,
            approval_id=parked.id,
            expires_at_ns=parked.expires_at_ns,
            decision=explain(decision),
        )

    async def _turn_away(
        self,
        record: IntentRecord,
        problem: Problem,
        verdict: Verdict | None = None,
        *,
        approval: Approval | None = None,
    ) -> Outcome:
        """Record a no. One that cannot be recorded stays a no: LedgerUnavailableError goes up and becomes a 503."""
        void = (self._parts.approvals.voidance(approval),) if approval else ()
        ended = await self._parts.journal.turn_away(record, problem, told(verdict) if verdict else {}, also=void)
        return Outcome(record.id, ended.state, problem=problem, decision=explain(verdict.decision) if verdict else {})
