"""Asking a human: requests, decisions, expiry. Every change is one compare-and-set and one event.

    pending -> approved | rejected | expired | cancelled
    approved -> consumed | expired | cancelled

An approval answers for one plan digest, once, until its time is over. Agents never decide, and neither does the
operator who started the asking session. When several rules ask, their terms are taken together, the strictest of each
kind (`broker.approvals.terms`). Nothing here executes: approved intents are found by the reconciler and by the
caller of `decide`, in the database, and sent to the queue from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from broker.approvals.terms import combined, is_enough, nobody
from broker.canonical import canonical_bytes, digest
from broker.clock import NS_PER_SECOND, Clock, fresh_id, rfc3339
from broker.config.model import Configuration
from broker.errors import ConflictError
from broker.ids import ApprovalId, SessionId
from broker.model import (
    Approval,
    ApprovalState,
    HaltScope,
    IntentRecord,
    IntentState,
    JsonObject,
    Operator,
    Role,
    Session,
)
from broker.outcome import Problem, ProblemKind
from broker.store.base import Change, Committer, Event, EventType, Reader, Update, new_event
from broker.store.rows import insert_approval, insert_intent, move_approval, move_intent, session_lives
from broker.store.statements import is_storable
from policies.errors import quote
from policies.model import Assurance, Decision, Effect

MAX_REASON: Final = 2_000
"""Characters of a decision's reason."""

VOIDED_AT_ONCE: Final = 100
"""Approvals that are voided beside each other, so that they share the flush of the ledger."""

_ENDINGS: Final = {
    ApprovalState.APPROVED: (EventType.APPROVAL_APPROVED, IntentState.APPROVED),
    ApprovalState.REJECTED: (EventType.APPROVAL_REJECTED, IntentState.REJECTED),
    ApprovalState.EXPIRED: (EventType.APPROVAL_EXPIRED, IntentState.EXPIRED),
    ApprovalState.CANCELLED: (EventType.APPROVAL_CANCELLED, IntentState.CANCELLED),
}


@dataclass(frozen=True, slots=True)
class Question:
    """What people are asked about.

    Args:
        summary: What will be done, made by the broker.
        draft: Canonical bytes to plan from again.
        reason: The agent's words, unverified.
        context: The facts the decision was made with, JSON.
        told: What the ledger is told of the decision.
        preview: What the broker found out about the effect, secrets masked.
        connection: Name of the connection it goes to.
    """

    summary: str
    draft: bytes
    reason: str
    context: JsonObject
    told: JsonObject = field(default_factory=dict)
    preview: JsonObject = field(default_factory=dict)
    connection: str = ""


class Approvals:
    """Parks intents and carries people's answers.

    Args:
        reader: Where approvals are looked up.
        committer: Where they are changed.
        clock: Time and entropy.
        configuration: Returns the configuration in force; roles are looked up at the moment of the decision.
        on_approved: Called after a yes is durable, to send the intent to the queue without waiting for the reconciler.
    """

    def __init__(
        self,
        reader: Reader,
        committer: Committer,
        clock: Clock,
        configuration: Callable[[], Configuration],
        on_approved: Callable[[Approval], Awaitable[None]],
    ) -> None:
        self._reader = reader
        self._committer = committer
        self._clock = clock
        self._configuration = configuration
        self._on_approved = on_approved

    async def park(
        self, session: Session, record: IntentRecord, decision: Decision, question: Question
    ) -> Approval | Problem:
        """Store an intent with the question about it and return the approval it waits for.

        Args:
            session: Who asks.
            record: The intent, not stored yet.
            decision: The decision that requires approval.
            question: What people are asked.

        Returns:
            The approval; or a denial when the rules that ask leave nobody who may answer, and nothing is stored.

        Raises:
            NotCanonicalError: the preview is no JSON.
            ConflictError: the session was killed or the idempotency key was used meanwhile.
            LedgerUnavailableError: nothing is parked.
        """
        terms = combined(decision.approvals)
        if terms is None:
            return nobody(decision)
        now_ns = self._clock.now_ns()
        asking = next(each for each in decision.reasons if each.effect is Effect.REQUIRE_APPROVAL)
        approval = Approval(
            ApprovalId(fresh_id(self._clock, "apr")),
            record.id,
            session.id,
            session.agent,
            session.project,
            session.owner,
            record.action,
            record.resources,
            question.summary,
            record.plan_digest,
            decision.policy_version,
            f"{asking.span} ({asking.rule_id})" if asking.span else asking.rule_id,
            terms.channel,
            question.reason,
            question.draft,
            ApprovalState.PENDING,
            1,
            now_ns,
            now_ns + terms.timeout_seconds * NS_PER_SECOND,
            approvers=terms.approvers,
            assurance=terms.assurance,
            context=question.context,
            connection=question.connection,
            preview=question.preview,
        )
        parked = replace(record, state=IntentState.PENDING_APPROVAL, version=1, approval_id=approval.id)
        data: JsonObject = {
            **question.told,
            "plan_digest": approval.plan_digest,
            "summary": approval.summary,
            **_shown(question),
            "rule": approval.rule,
            "channel": approval.channel,
            "approvers": list(approval.approvers),
            "assurance": approval.assurance.value,
            "expires_at_ns": approval.expires_at_ns,
            "reason_unverified": approval.reason,
        }
        steps = (session_lives(session.id), insert_intent(parked), insert_approval(approval))
        await self._committer.commit(Change(self._event(EventType.INTENT_PARKED, approval, "", data), steps))
        return approval

    async def decide(
        self,
        approval_id: ApprovalId,
        operator: Operator,
        *,
        approve: bool,
        reason: str,
        assurance: Assurance = Assurance.CHAT,
    ) -> Approval | Problem:
        """Carry an operator's answer, or say why it does not count.

        Args:
            approval_id: Which approval.
            operator: Who answers, as authenticated.
            approve: Yes or no.
            reason: Their words, at most `MAX_REASON` characters; a no needs one.
            assurance: How surely the surface knows who answers; without it as little as any.

        Raises:
            LedgerUnavailableError: the answer is not durable and does not count.
        """
        approval = await self._reader.approval(approval_id)
        if approval is None:
            return Problem(ProblemKind.NOT_FOUND, "there is no such approval")
        refused = (
            self._stranger(approval, operator)
            or _weak(approval, assurance)
            or _unfit(approval, approve=approve, reason=reason)
        )
        if refused:
            return refused
        if self._clock.now_ns() >= approval.expires_at_ns:
            await self.end(approval, ApprovalState.EXPIRED, "nobody answered in time")
            return Problem(ProblemKind.APPROVAL_EXPIRED, f"the time was over at {rfc3339(approval.expires_at_ns)}")
        state = ApprovalState.APPROVED if approve else ApprovalState.REJECTED
        ended = await self.end(approval, state, reason, operator.name)
        if ended is not None:
            if approve:
                await self._on_approved(ended)
            return ended
        return Problem(
            ProblemKind.APPROVAL_CONFLICT,
            "somebody else answered first, or the session was killed",
            fix=f"ostiary approvals show {approval_id}",
        )

    async def end(self, approval: Approval, state: ApprovalState, reason: str, operator: str = "") -> Approval | None:
        """Move an approval and its intent to ``state`` together; None when somebody else moved them first.

        Raises:
            LedgerUnavailableError: nothing was moved.
        """
        intent = await self._reader.intent(approval.intent_id)
        if intent is None or intent.approval_id != approval.id:
            return None
        kind, intent_state = _ENDINGS[state]
        now_ns = self._clock.now_ns()
        columns: JsonObject = {"decided_by": operator, "decided_at_ns": now_ns, "decision_reason": reason[:MAX_REASON]}
        told = {} if state is ApprovalState.APPROVED else {"problem": _told(state, reason, operator).to_json()}
        moves: tuple[Update, ...] = (
            move_approval(approval, state, **columns),
            move_intent(intent, intent_state, now_ns, **told),
        )
        guard = (session_lives(approval.session_id),) if state is ApprovalState.APPROVED else ()
        data: JsonObject = {"plan_digest": approval.plan_digest, "reason": reason[:MAX_REASON]}
        try:
            await self._committer.commit(Change(self._event(kind, approval, operator, data), (*guard, *moves)))
        except ConflictError:
            return None
        return replace(approval, state=state, version=approval.version + 1, **columns)

    def consumption(self, approval: Approval) -> Update:
        """Return the step that uses an approval up; it goes into the transaction of the `executing` event."""
        return move_approval(approval, ApprovalState.CONSUMED)

    def voidance(self, approval: Approval) -> Update:
        """Return the step that ends an approval whose intent is turned away at its second look."""
        return move_approval(approval, ApprovalState.CANCELLED)

    async def expire_overdue(self) -> int:
        """End every approval whose time is over; return how many."""
        ended = 0
        for approval in await self._reader.overdue_approvals(self._clock.now_ns()):
            ended += await self.end(approval, ApprovalState.EXPIRED, "nobody answered in time") is not None
        return ended

    async def cancel_session(self, session_id: SessionId) -> int:
        """Void every open approval of a killed session; return how many."""
        states = (ApprovalState.PENDING, ApprovalState.APPROVED)
        ended = 0
        for approval in await self._reader.approvals(states, session_id=session_id, limit=1_000):
            ended += await self.end(approval, ApprovalState.CANCELLED, "the session was killed") is not None
        return ended

    async def void(self, scope: HaltScope, name: str, reason: str) -> list[Approval]:
        """Void every open approval of an agent, a project, a connection or all; return them as they stood.

        Args:
            scope: Of what.
            name: Its name, empty for everything.
            reason: What the agents are told, at most `MAX_REASON` characters of it.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: some may be open still.
        """
        voided: list[Approval] = []
        last = ""
        while found := await self._reader.open_approvals(scope, name, after_id=last, limit=VOIDED_AT_ONCE):
            ended = await asyncio.gather(*(self.end(each, ApprovalState.CANCELLED, reason) for each in found))
            voided += [each for each, done in zip(found, ended, strict=True) if done is not None]
            last = found[-1].id
        return voided

    def _stranger(self, approval: Approval, operator: Operator) -> Problem | None:
        """Tell why an operator may not answer at all."""
        current = self._configuration().operators.get(operator.name)
        if current is None or not current.may(Role.APPROVER):
            return Problem(ProblemKind.FORBIDDEN, "only an operator with the role `approver` may answer")
        if approval.owner == operator.name:
            return Problem(
                ProblemKind.FORBIDDEN,
                "you started the session that asks; nobody approves their own request",
                fix="ask another approver",
            )
        if approval.approvers and operator.name not in approval.approvers:
            names = ", ".join(map(quote, approval.approvers))
            return Problem(ProblemKind.FORBIDDEN, f"the rule names who may answer: {names}", rule=approval.rule)
        return None

    def _event(self, kind: EventType, approval: Approval, operator: str, data: JsonObject) -> Event:
        return new_event(
            self._clock,
            kind,
            {**data, "approval_id": approval.id, "resources": list(approval.resources)},
            agent=approval.agent,
            project=approval.project,
            session_id=approval.session_id,
            intent_id=approval.intent_id,
            action=approval.action,
            operator=operator,
        )


def _shown(question: Question) -> JsonObject:
    """Return what the ledger is told of the preview: enough to prove later what people were shown."""
    if not question.preview:
        return {}
    return {"preview_digest": digest("approval-preview", canonical_bytes(question.preview))}


def _weak(approval: Approval, assurance: Assurance) -> Problem | None:
    """Tell that the surface does not know surely enough who answers."""
    if is_enough(assurance, approval.assurance):
        return None
    return Problem(
        ProblemKind.FORBIDDEN,
        f"an answer needs assurance `{approval.assurance.value}`, this one came with `{assurance.value}`",
        rule=approval.rule,
        fix=f"answer from a surface that has `{approval.assurance.value}`",
    )


def _unfit(approval: Approval, *, approve: bool, reason: str) -> Problem | None:
    """Tell what is wrong with an answer, whoever gives it."""
    if not approve and not reason.strip():
        return Problem(ProblemKind.INVALID_PARAMS, "a rejection needs a reason; the agent gets it")
    if not is_storable(reason):
        return Problem(ProblemKind.INVALID_PARAMS, "the reason holds NUL or half a character")
    if len(reason) > MAX_REASON:
        return Problem(ProblemKind.INVALID_PARAMS, f"the reason is longer than {MAX_REASON} characters")
    if approval.state is not ApprovalState.PENDING:
        expired = approval.state is ApprovalState.EXPIRED
        kind = ProblemKind.APPROVAL_EXPIRED if expired else ProblemKind.APPROVAL_CONFLICT
        return Problem(kind, f"the approval is {approval.state.value} already")
    return None


def _told(state: ApprovalState, reason: str, operator: str) -> Problem:
    """What the agent learns of a no."""
    if state is ApprovalState.REJECTED:
        return Problem(ProblemKind.APPROVAL_REJECTED, f"`{operator}` said no", reason=reason)
    if state is ApprovalState.EXPIRED:
        return Problem(ProblemKind.APPROVAL_EXPIRED, "nobody answered in time; silence is no", reason=reason)
    return Problem(ProblemKind.CANCELLED, "the request was cancelled", reason=reason)
