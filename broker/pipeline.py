"""The one path of every intent, asked for now or approved before.

     1 authenticate   the session is alive                                  | session-expired
     2 receive        canonical bytes, digest; an idempotency key brings
                      back the earlier outcome                              | idempotency-mismatch
     3 resolve        plan and digest, pure; approved: digest equal         | unknown-action, invalid-params, stale-plan
     4 decide         policy; an approval answers REQUIRE_APPROVAL only     | denied
     5 admit          limits reserve                                        | too-busy
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

from broker.approvals.service import Approvals, Question
from broker.approvals.terms import unanswered
from broker.calls import Call, RunningCalls
from broker.canonical import NotCanonicalError
from broker.catalog import Catalog, Resolved, draft_bytes, request_digest
from broker.decision_point import DecisionPoint, Verdict
from broker.errors import ConflictError, LedgerUnavailableError, StoreUnavailableError
from broker.ids import Digest
from broker.intents import Attempt, Conclusion, Journal
from broker.limits.admission import Admission
from broker.model import Approval, IntentDraft, IntentRecord, IntentState, Session
from broker.outcome import Outcome, Problem, ProblemKind
from broker.ports import Leases
from broker.redaction import BodyTooLargeError, Redactor
from broker.sessions import Sessions
from broker.store.base import Reader
from broker.store.rows import use_of
from broker.store.statements import UnwritableError
from broker.verdicts import denial, explain, failure, outcome_of, success, told, withheld
from connectors.base import CallResult, Plan, Transport
from connectors.errors import ConnectorError
from policies.model import Effect
from vault.errors import VaultError

NONE: Final = Digest("")
"""Of what is not known yet."""

STREAM_SECONDS: Final = 3_600.0
"""Longest time a body may take once its answer began; each chunk is bounded by the transport."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pipeline stands on; see the classes themselves."""

    sessions: Sessions
    catalog: Catalog
    decision_point: DecisionPoint
    limits: Admission
    approvals: Approvals
    journal: Journal
    calls: RunningCalls
    leases: Leases
    transport: Transport
    redactor: Redactor
    reader: Reader
    accepting: Callable[[], bool]
    timeout_seconds: float


class Pipeline:
    """Runs intents. "No" comes back as an outcome; what is raised, nobody foresaw."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def submit(self, session: Session, draft: IntentDraft) -> Outcome:
        """Run an intent of a session that was authenticated at the door (stage 1)."""
        journal = self._parts.journal
        now_ns = journal.now_ns()
        record = IntentRecord(
            journal.new_id(), session.id, session.agent, session.project, draft.action[:200], (), NONE, NONE,
            IntentState.EXECUTING, 0, 0, "", "", "" if draft.dry_run else draft.idempotency_key, "", now_ns, now_ns,
        )  # fmt: skip
        try:
            record = replace(record, request_digest=request_digest(draft))  # 2 receive
            earlier = await self._earlier(record)
            return earlier or await self._run(session, draft, record, None)
        except (NotCanonicalError, UnwritableError) as error:
            return Outcome(record.id, IntentState.REFUSED, problem=Problem(ProblemKind.INVALID_PARAMS, str(error)))
        except ConflictError:
            # The same key came in twice at once, or the session was killed between two stages.
            ended = await self._parts.sessions.check(session)
            problem = ended or Problem(
                ProblemKind.APPROVAL_CONFLICT,
                "somebody else came first at the same moment",
                fix="send the intent again",
            )
            return await self._earlier(record) or Outcome(record.id, IntentState.REFUSED, problem=problem)
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
            return await self._run(session, IntentDraft(**orjson.loads(approval.draft)), record, approval)
        except LedgerUnavailableError:
            return withheld(record)

    async def _earlier(self, record: IntentRecord) -> Outcome | None:
        """Return what an idempotency key brings back: the earlier outcome, or the mismatch."""
        if not record.idempotency_key:
            return None
        earlier = await self._parts.reader.intent_by_key(record.session_id, record.idempotency_key)
        if earlier is None or earlier.request_digest == record.request_digest:
            return replace(outcome_of(earlier), replayed=True) if earlier else None
        problem = Problem(
            ProblemKind.IDEMPOTENCY_MISMATCH,
            "the idempotency key was used for another intent",
            fix="use a fresh key for every intent",
        )
        return Outcome(earlier.id, IntentState.REFUSED, problem=problem)

    async def _run(
        self, session: Session, draft: IntentDraft, record: IntentRecord, approval: Approval | None
    ) -> Outcome:
        parts = self._parts
        resolved = parts.catalog.resolve(session.project, draft)  # 3 resolve
        if isinstance(resolved, Problem):
            return await self._turn_away(record, resolved, approval=approval)
        plan = resolved.plan
        names = tuple(each.resource for each in plan.requirements)
        record = replace(
            record, action=plan.action, resources=names, plan_digest=resolved.digest, access=plan.access.value
        )
        if approval and approval.plan_digest != resolved.digest:
            stale = Problem(ProblemKind.STALE_PLAN, "what would be sent is no longer what was approved")
            return await self._turn_away(record, stale, approval=approval)
        earlier = approval.context if approval else None
        verdict = await parts.decision_point.decide(session, draft, plan, earlier)  # 4 decide
        decision = verdict.decision
        denied = denial(decision, verdict.catalogue) if decision.effect is Effect.DENY else None
        refused = denied or (unanswered(approval, decision) if approval else None)
        if refused:
            return await self._turn_away(record, refused, verdict, approval=approval)
        gated = decision.effect is Effect.REQUIRE_APPROVAL and approval is None
        if draft.dry_run:
            state = IntentState.PENDING_APPROVAL if gated else IntentState.APPROVED
            return Outcome(record.id, state, decision=explain(decision), dry_run=True)
        reservation = parts.limits.reserve(session.family_id)  # 5 admit
        if isinstance(reservation, Problem):
            # An approved intent waits in the database for the next round instead.
            return outcome_of(record) if approval else await self._turn_away(record, reservation)
        with reservation:
            if gated:
                return await self._park(session, draft, record, plan, verdict)
            if not parts.accepting():
                return withheld(record)
            return await self._perform(record, resolved, verdict, approval)
        # 11 settle: the reservation is given back on leaving

    async def _park(
        self, session: Session, draft: IntentDraft, record: IntentRecord, plan: Plan, verdict: Verdict
    ) -> Outcome:
        decision = verdict.decision
        question = Question(plan.summary, draft_bytes(draft), draft.reason, verdict.facts, told(verdict))
        asked = await self._parts.approvals.park(session, record, decision, question)  # 6 park
        if isinstance(asked, Problem):
            return await self._turn_away(record, asked, verdict)
        return Outcome(
            record.id,
            IntentState.PENDING_APPROVAL,
            approval_id=asked.id,
            expires_at_ns=asked.expires_at_ns,
            decision=explain(decision),
        )

    async def _perform(
        self, record: IntentRecord, resolved: Resolved, verdict: Verdict, approval: Approval | None
    ) -> Outcome:
        journal, plan = self._parts.journal, resolved.plan
        answered = (self._parts.approvals.consumption(approval),) if approval else ()
        consume = (*answered, *(use_of(limit) for limit in verdict.decision.uses))
        started_ns = journal.monotonic_ns()
        facts = {"summary": plan.summary, "access": record.access, "connection": plan.connection, **told(verdict)}
        attempt = journal.attempt(record, facts, consume=consume)
        try:
            async with attempt:  # 7 record
                conclusion = await self._execute(attempt, resolved)
                took_us = (journal.monotonic_ns() - started_ns) // 1_000
                data = {**conclusion.data, "duration_us": took_us}
                concluded = await attempt.conclude(replace(conclusion, data=data))  # 12 conclude
        except LedgerUnavailableError:
            return withheld(record, acted=attempt.may_have_acted)
        return outcome_of(concluded)

    async def _execute(self, attempt: Attempt, resolved: Resolved) -> Conclusion:
        parts, plan, intent_id = self._parts, resolved.plan, attempt.record.id
        result: CallResult | None = None
        call: Call | None = None
        try:
            async with (
                parts.calls.bounded(attempt.record.session_id, parts.timeout_seconds) as call,
                parts.leases.lease(plan.credential, host=plan.host, purpose=intent_id) as lease,  # 8 lease
            ):
                attempt.sending()
                result = await resolved.connector.execute(
                    plan, resolved.connection, lease, parts.transport
                )  # 9 execute
                call.extend(STREAM_SECONDS)
                clean = await parts.redactor.clean(intent_id, result.data, result.body)  # 10 redact
        except (ConnectorError, VaultError, StoreUnavailableError, BodyTooLargeError, TimeoutError) as error:
            return failure(error, plan, answered=result is not None, killed=call is not None and call.killed)
        return success(result, clean)

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
