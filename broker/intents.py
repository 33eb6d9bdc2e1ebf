"""The journal of intents: every step of one is written here, state and event in one transaction.

An `Attempt` is the context around one execution. It is entered with the `executing` event and left with exactly one
outcome: the one that was concluded, or, when nothing was, `failed` if the call was never begun and `unknown` if it was.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self

import structlog

from broker.canonical import canonical_bytes, digest
from broker.clock import Clock, fresh_id
from broker.errors import ConflictError, LedgerUnavailableError
from broker.holds import NOTHING, facts_of, settlement
from broker.ids import IntentId
from broker.model import IntentRecord, IntentState, JsonObject
from broker.outcome import Problem, ProblemKind
from broker.store.base import Change, Committer, Event, EventType, Position, Step, new_event
from broker.store.rows import insert_intent, move_intent, session_lives
from connectors.inspection import Settlement
from connectors.usage import Usage

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 0.5
"""Pause between two tries to record an outcome the ledger refused."""

MAX_OWED: Final = 1_000
"""Outcomes kept in memory while the ledger is away; those beyond are left to the reconciler, which says `unknown`."""

OUTCOME_EVENTS: Final = {
    IntentState.SUCCEEDED: EventType.INTENT_SUCCEEDED,
    IntentState.FAILED: EventType.INTENT_FAILED,
    IntentState.UNKNOWN: EventType.INTENT_UNKNOWN,
    IntentState.CANCELLED: EventType.INTENT_CANCELLED,
    IntentState.DENIED: EventType.INTENT_DENIED,
    IntentState.REFUSED: EventType.INTENT_REFUSED,
}


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The one outcome of an execution.

    Args:
        state: A terminal state.
        result: What the agent gets back, redacted.
        problem: Why it did not succeed.
        data: More for the event.
        output_bytes: Size of the body kept in the outputs, -1 for none.
        output_media_type: Of that body.
        kept: False when the result goes out with the answer and is not stored; its digest is on the ledger.
        usage: What it came to, for budgets; None when nobody knows, and all that was reserved counts as used.
    """

    state: IntentState
    result: JsonObject = field(default_factory=dict)
    problem: Problem | None = None
    data: JsonObject = field(default_factory=dict)
    output_bytes: int = -1
    output_media_type: str = ""
    kept: bool = True
    usage: Usage | None = NOTHING


class Journal:
    """Writes what happens to intents.

    Args:
        committer: The ledger.
        clock: Time and entropy.
        instance_id: This process, named as the owner of what it executes.
    """

    def __init__(self, committer: Committer, clock: Clock, instance_id: str) -> None:
        self._committer = committer
        self._clock = clock
        self.instance_id = instance_id
        self._owed: set[asyncio.Task[None]] = set()

    def new_id(self) -> IntentId:
        """Return a fresh intent id."""
        return IntentId(fresh_id(self._clock, "int"))

    def now_ns(self) -> int:
        """Return the wall time of the journal's clock."""
        return self._clock.now_ns()

    def monotonic_ns(self) -> int:
        """Return the monotonic time of the journal's clock."""
        return self._clock.monotonic_ns()

    async def turn_away(
        self, record: IntentRecord, problem: Problem, data: JsonObject, *, also: tuple[Step, ...] = ()
    ) -> IntentRecord:
        """Record an intent that was denied or refused before anything was done.

        Args:
            record: As it stands: not stored yet, or APPROVED when a parked intent is turned away at its second look.
            problem: What the agent is told; DENIED becomes state `denied`, every other kind `refused`.
            data: More for the event.
            also: Steps in the same transaction: the approval's end.

        Raises:
            ConflictError: somebody else changed it first.
            LedgerUnavailableError: nothing is recorded; the answer stays no.
        """
        state = IntentState.DENIED if problem.kind is ProblemKind.DENIED else IntentState.REFUSED
        stored = problem.to_json()
        now_ns = self._clock.now_ns()
        step: Step
        if record.state is IntentState.APPROVED:
            step = move_intent(record, state, now_ns, problem=stored)
        else:
            # A refused intent may come again with the same key: only a denial is an answer to keep.
            key = record.idempotency_key if state is IntentState.DENIED else ""
            step = insert_intent(replace(record, state=state, idempotency_key=key, problem=stored))
        event = self.event(OUTCOME_EVENTS[state], record, {**data, "problem": stored})
        await self._committer.commit(Change(event, (step, *also)))
        return replace(record, state=state, problem=stored)

    def attempt(self, record: IntentRecord, data: JsonObject, *, consume: tuple[Step, ...] = ()) -> Attempt:
        """Return the context of one execution.

        Args:
            record: As it stands: not stored yet (version 0), or APPROVED.
            data: For the `executing` event.
            consume: Steps in the same transaction: the approval's consumption.
        """
        return Attempt(self, record, data, consume)

    async def close_lost(self, record: IntentRecord) -> None:
        """Give the one outcome to an execution whose process died.

        A read changed nothing upstream, so it failed; anything else may have happened and is said to be unknown.

        Raises:
            ConflictError: somebody else concluded it first.
            LedgerUnavailableError: not recorded; to be tried again.
        """
        read = record.access == "read"
        state = IntentState.FAILED if read else IntentState.UNKNOWN
        problem = Problem(
            ProblemKind.UPSTREAM_UNREACHABLE if read else ProblemKind.OUTCOME_UNKNOWN,
            "the process that executed the intent died",
            reason="interrupted",
            fix="send the intent again" if read else "look at the resource before sending the intent again",
        )
        lost = Conclusion(state, problem=problem, data={"closed_by": self.instance_id}, usage=None)
        await self.conclude(record, lost)

    async def settle(self, record: IntentRecord, found: Settlement) -> None:
        """Write what was learned about an execution whose outcome was unknown.

        Raises:
            ConflictError: somebody else wrote it first.
            LedgerUnavailableError: not written; to be tried again.
        """
        state = IntentState.SUCCEEDED if found.happened else IntentState.FAILED
        problem = Problem(ProblemKind.UPSTREAM_REFUSED, found.how, reason="read-back").to_json()
        told = {"result": found.data, "problem": {}} if found.happened else {"problem": problem}
        facts: JsonObject = {"state": state.value, "known_by": "read-back", "how": found.how, "fence": record.fence}
        if found.data:
            facts["result_digest"] = digest("ostiary/result/v1", canonical_bytes(found.data))
        event = self.event(EventType.INTENT_RECONCILED, record, facts)
        await self._committer.commit(Change(event, (move_intent(record, state, event.at_ns, **told),)))

    def disown(self, record: IntentRecord) -> None:
        """Give an execution that was not begun its outcome as soon as the ledger can, if it is on the ledger at all."""
        problem = Problem(ProblemKind.LEDGER_UNAVAILABLE, "the ledger gave no answer, so nothing was sent")
        self._owe(self._ending(record, Conclusion(IntentState.FAILED, problem=problem)))

    async def conclude(self, record: IntentRecord, outcome: Conclusion, also: tuple[Step, ...] = ()) -> IntentRecord:
        """Make the outcome of an EXECUTING intent durable and return the record with it.

        Raises:
            ConflictError: it has an outcome already.
            LedgerUnavailableError: not recorded yet; it is tried again in the background until it is.
        """
        change = self._ending(record, outcome, also)
        try:
            await self._committer.commit(change)
        except LedgerUnavailableError:
            self._owe(change)
            raise
        return replace(
            record,
            state=outcome.state,
            version=record.version + 1,
            updated_at_ns=change.event.at_ns,
            result=outcome.result,
            problem=outcome.problem.to_json() if outcome.problem else {},
            output_bytes=outcome.output_bytes,
            output_media_type=outcome.output_media_type,
        )

    def _ending(self, record: IntentRecord, outcome: Conclusion, also: tuple[Step, ...] = ()) -> Change:
        """Return the change that gives ``record`` its outcome."""
        stored = outcome.problem.to_json() if outcome.problem else {}
        facts: JsonObject = {**outcome.data, "fence": record.fence}
        if outcome.result:
            facts["result_digest"] = digest("ostiary/result/v1", canonical_bytes(outcome.result))
        if outcome.output_bytes >= 0:
            facts["output_bytes"] = outcome.output_bytes
        if stored:
            facts["problem"] = stored
        if outcome.usage is not None:
            facts |= facts_of(outcome.usage)
        event = self.event(OUTCOME_EVENTS[outcome.state], record, facts)
        step = move_intent(
            record,
            outcome.state,
            event.at_ns,
            result=outcome.result if outcome.kept else {},
            problem=stored,
            output_bytes=outcome.output_bytes,
            output_media_type=outcome.output_media_type,
        )
        return Change(event, (step, *settlement(record, outcome.usage, event.at_ns), *also))

    def submit(self, change: Change, *, patient: bool) -> asyncio.Future[Position]:
        """Hand a change to the ledger, now; see `Committer.submit`."""
        return self._committer.submit(change, patient=patient)

    async def aclose(self) -> None:
        """Stop trying to record owed outcomes; the reconciler of another process will say `unknown`."""
        for task in self._owed:
            task.cancel()
        await asyncio.gather(*self._owed, return_exceptions=True)

    def event(self, kind: EventType, record: IntentRecord, data: JsonObject) -> Event:
        """Return an event about ``record``."""
        return new_event(
            self._clock,
            kind,
            {**data, "resources": list(record.resources), "plan_digest": record.plan_digest},
            agent=record.agent,
            project=record.project,
            session_id=record.session_id,
            intent_id=record.id,
            action=record.action,
        )

    def _owe(self, change: Change) -> None:
        if len(self._owed) >= MAX_OWED:
            log.error("outcome_dropped", intent=change.event.intent_id)
            return
        task = asyncio.get_running_loop().create_task(self._pay(change))
        self._owed.add(task)
        task.add_done_callback(self._owed.discard)

    async def _pay(self, change: Change) -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                await self._committer.commit(change)
            except LedgerUnavailableError:
                continue
            except ConflictError:
                log.warning("outcome_was_recorded_before", intent=change.event.intent_id)
            return


class Attempt:
    """One execution; see the module's docstring. Use as ``async with``.

    Attributes:
        record: The intent as it stands.
    """

    def __init__(self, journal: Journal, record: IntentRecord, data: JsonObject, consume: tuple[Step, ...]) -> None:
        self._journal = journal
        self._before = record
        self._consume = consume
        self._data = data
        self._begun: asyncio.Future[Position] | None = None
        self._sent = False
        # What is reserved may be refused, and whoever was refused sends nothing.
        self._waits = record.access != "read" or bool(record.hold)
        self.record = replace(
            record,
            state=IntentState.EXECUTING,
            version=record.version + 1,
            fence=record.fence + 1,
            owner=journal.instance_id,
        )
        self._concluded = False

    async def __aenter__(self) -> Self:
        record, now_ns = self.record, self._journal.now_ns()
        step: Step = (
            move_intent(
                self._before, IntentState.EXECUTING, now_ns, fence=record.fence, owner=record.owner, hold=record.hold
            )
            if self._before.state is IntentState.APPROVED
            else insert_intent(record)
        )
        event = self._journal.event(EventType.INTENT_EXECUTING, record, {**self._data, "fence": record.fence})
        change = Change(event, (session_lives(record.session_id), step, *self._consume))
        # A read may be sent meanwhile, and a fast one shares the flush with its outcome.
        self._begun = self._journal.submit(change, patient=not self._waits)
        if self._waits:
            try:
                await self.begun()
            except ConflictError:
                raise
            except BaseException:
                # No answer, or nobody to wait for it: the event may be there all the same, and would wait for ever.
                self._journal.disown(self.record)
                raise
        return self

    async def begun(self) -> None:
        """Return once the `executing` event is durable; a write, or what a budget bounds, is sent only after it.

        Raises:
            BudgetExceededError: a budget has not enough left.
            ConflictError: the session was killed, or another execution came first.
            LedgerUnavailableError: it is not durable; nothing may be sent.
        """
        if self._begun is None:
            raise RuntimeError("the attempt was not entered")
        try:
            await asyncio.shield(self._begun)
        except (ConflictError, LedgerUnavailableError):
            self._concluded = True
            raise

    def sending(self) -> None:
        """Say that from here on something may have reached the upstream."""
        self._sent = True

    @property
    def may_have_acted(self) -> bool:
        """Whether anything but a read may have reached the upstream."""
        return self._sent and self.record.access != "read"

    async def conclude(self, outcome: Conclusion, also: tuple[Step, ...] = ()) -> IntentRecord:
        """Record the one outcome, and steps beside it; the errors are those of `Journal.conclude` and `begun`."""
        self._concluded = True
        try:
            # Handed in behind the `executing` event, so it is durable after it or with it, and lost when that is lost.
            self.record = await self._journal.conclude(self.record, outcome, also)
        finally:
            await self.begun()
        return self.record

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._concluded:
            return
        unknown = self.may_have_acted
        problem = Problem(
            ProblemKind.OUTCOME_UNKNOWN if unknown else ProblemKind.INTERNAL,
            "the execution ended without an answer",
            reason="interrupted",
        )
        state = IntentState.UNKNOWN if unknown else IntentState.FAILED
        # Shielded: the event must be written even when the task is being cancelled.
        usage = None if self._sent else NOTHING
        await asyncio.shield(self.conclude(Conclusion(state, problem=problem, usage=usage)))
