"""The store's protocols: changes go in as data through one writer, reads come out as the broker's words.

A `Change` is one atomic unit: every row step must touch exactly one row, the event is appended to the ledger in the
same transaction, or nothing of it happens. Services build changes; only the writer opens transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from broker.clock import Clock, fresh_id
from broker.ids import ApprovalId, HaltId, IntentId, SessionId, TokenHash
from broker.model import Approval, ApprovalState, Halt, HaltScope, IntentRecord, IntentState, JsonObject, Session
from broker.usage import Spent, UsageFilter

Row = Mapping[str, Any]


class EventType(StrEnum):
    """Every kind of ledger event; closed. A name may be added, never changed or reused."""

    SESSION_STARTED = "session.started"
    SESSION_KILLED = "session.killed"
    SESSION_TOKENS_REVOKED = "session.tokens_revoked"
    OPERATOR_TOKEN_ISSUED = "operator.token_issued"  # noqa: S105 - a name of an event
    INTENT_DENIED = "intent.denied"
    INTENT_REFUSED = "intent.refused"
    INTENT_PARKED = "intent.parked"
    INTENT_EXECUTING = "intent.executing"
    INTENT_SUCCEEDED = "intent.succeeded"
    INTENT_FAILED = "intent.failed"
    INTENT_UNKNOWN = "intent.unknown"
    INTENT_CANCELLED = "intent.cancelled"
    INTENT_FETCHED = "intent.fetched"
    INTENT_RECONCILED = "intent.reconciled"
    APPROVAL_APPROVED = "approval.approved"
    APPROVAL_REJECTED = "approval.rejected"
    APPROVAL_EXPIRED = "approval.expired"
    APPROVAL_CANCELLED = "approval.cancelled"
    POLICY_LOADED = "policy.loaded"
    POLICY_REFUSED = "policy.refused"
    VAULT_CHANGED = "vault.changed"
    BUDGET_GRANTED = "budget.granted"
    HALT_STARTED = "halt.started"
    HALT_REPORTED = "halt.reported"
    HALT_LIFTED = "halt.lifted"
    BREAKER_OPENED = "breaker.opened"
    BREAKER_RESET = "breaker.reset"
    ALERT_RAISED = "alert.raised"
    ALERT_DELIVERED = "alert.delivered"
    ALERT_FAILED = "alert.failed"
    CONTENT_READ = "content.read"


@dataclass(frozen=True, slots=True)
class Event:
    """One ledger record before it has a place in the ledger.

    Args:
        id: ``evt_…``.
        type: Kind.
        at_ns: Wall time, nanoseconds since the epoch, UTC.
        agent, project, session_id, intent_id, action, operator: What it is about; empty where it does not apply.
        data: The rest, JSON, redacted; must hold no secret.
    """

    id: str
    type: EventType
    at_ns: int
    agent: str = ""
    project: str = ""
    session_id: str = ""
    intent_id: str = ""
    action: str = ""
    operator: str = ""
    data: JsonObject = field(default_factory=dict)


def new_event(clock: Clock, kind: EventType, data: JsonObject, **about: str) -> Event:
    """Return an event that happens now.

    Args:
        clock: Time and entropy.
        kind: Kind.
        data: As in `Event`.
        **about: What it is about, as in `Event`.
    """
    return Event(fresh_id(clock, "evt"), kind, clock.now_ns(), data=data, **about)


@dataclass(frozen=True, slots=True)
class Insert:
    """Add one row; an existing key loses the change."""

    table: str
    values: Row


@dataclass(frozen=True, slots=True)
class Update:
    """Compare and set: the one row where every column of ``where`` equals its value gets ``values``."""

    table: str
    where: Row
    values: Row


@dataclass(frozen=True, slots=True)
class Require:
    """The one row where every column of ``where`` equals its value must exist; it is not changed."""

    table: str
    where: Row


@dataclass(frozen=True, slots=True)
class Accrue:
    """Add to counters of the one row with this key, which is made when there is none; it never loses.

    Args:
        table: Its table.
        key: Every column of its primary key.
        add: Integers to add, each to its column; may be below zero.
    """

    table: str
    key: Row
    add: Row


@dataclass(frozen=True, slots=True)
class Reserve:
    """Add to a budget unless that would take it over its cap; over it, the change loses with BudgetExceededError.

    What counts against the cap, with what was granted beyond it, is used and reserved together.

    Args:
        key: Which budget, see `broker.limits.budgets`; its row is made when there is none.
        amount: How much, 0 or more.
        cap: Most of it, 0 or more.
        used: Add to what is used, for what needs no settling; otherwise to what is reserved.
        ends_at_ns: When its period is over and it can be forgotten; 0 for never.
    """

    key: str
    amount: int
    cap: int
    used: bool = False
    ends_at_ns: int = 0


Step = Insert | Update | Require | Accrue | Reserve


@dataclass(frozen=True, slots=True)
class Change:
    """Row steps and the event that tells of them: all or nothing, in one transaction."""

    event: Event
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """Where an event stands in the ledger: its 1-based sequence number and leaf hash (hex)."""

    seq: int
    leaf: str


class Committer(Protocol):
    """Makes changes durable: what the services know of the ledger."""

    def submit(self, change: Change, *, patient: bool = False) -> asyncio.Future[Position]:
        """Hand a change in, now; what is handed in later is written later or together with it.

        Args:
            change: What to write.
            patient: Let it wait a few milliseconds for another change to share the flush with.

        Returns:
            Done as `commit` is.

        Raises:
            LedgerUnavailableError: it was not taken.
        """

    async def commit(self, change: Change) -> Position:
        """Return once the change and its event are durable.

        Raises:
            ConflictError: a step did not touch exactly one row; nothing was applied, no event was written.
            LedgerUnavailableError: nothing was acknowledged; the change may or may not be there.
        """


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to list; empty fields do not filter. In order of sequence numbers, or ``newest_first``."""

    session_id: str = ""
    agent: str = ""
    project: str = ""
    action: str = ""
    type: str = ""
    intent_id: str = ""
    since_ns: int = 0
    until_ns: int = 0
    after_seq: int = 0
    before_seq: int = 0
    newest_first: bool = False
    limit: int = 100


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A ledger record as stored: its place, its bytes and its leaf hash."""

    seq: int
    body: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Minted:
    """The sessions below one that an operator started.

    Args:
        ever: How many were begun, as its row counts them.
        living: How many may act now.
    """

    ever: int
    living: int


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """What was counted against one budget in one period.

    Args:
        key: Which budget and period, see `broker.limits.drawing`.
        used: What settled calls came to.
        reserved: What calls under way hold.
        extra: What people granted beyond the cap, which is configuration.
        alerted: Highest threshold people were told of, in percent of the cap; 0 for none.
        ends_at_ns: When its period is over; 0 for never.
    """

    key: str
    used: int = 0
    reserved: int = 0
    extra: int = 0
    alerted: int = 0
    ends_at_ns: int = 0


class Reader(Protocol):
    """Reads of the database; every method may raise StoreUnavailableError."""

    async def session_by_token(self, token_hash: TokenHash) -> Session | None:
        """Return the session of a token."""

    async def operator_by_token(self, token_hash: TokenHash, now_ns: int) -> str | None:
        """Name of the operator the unexpired token belongs to."""

    async def session(self, session_id: SessionId) -> Session | None:
        """Return a session; it is killed, too, when one above it is."""

    async def killed_sessions(self, since_ns: int) -> list[SessionId]:
        """Sessions killed at or after ``since_ns``, with all that are below them."""

    async def unkilled_family(self, session_id: SessionId) -> list[SessionId]:
        """A session and all that are below it, as far as their own rows do not say killed; itself first."""

    async def minted_below(self, root_id: SessionId, now_ns: int) -> Minted:
        """How many sessions were handed out below one that an operator started."""

    async def rule_uses(self, keys: Collection[str]) -> dict[str, int]:
        """How often rules were used, by key; one that never was is not in it."""

    async def budgets(self, keys: Collection[str]) -> dict[str, BudgetRow]:
        """What was counted against budgets, by key; one that nothing was ever drawn on is not in it."""

    async def running_budgets(self, now_ns: int, after_key: str = "", limit: int = 1_000) -> list[BudgetRow]:
        """Budgets whose period is not over, in order of their keys, from behind ``after_key``."""

    async def intent(self, intent_id: IntentId) -> IntentRecord | None:
        """Return an intent."""

    async def intent_by_key(self, session_id: SessionId, idempotency_key: str) -> IntentRecord | None:
        """Return the intent of a session with an idempotency key."""

    async def intents(
        self, states: tuple[IntentState, ...], session_id: str = "", limit: int = 500, *, since_ns: int = 0
    ) -> list[IntentRecord]:
        """Intents in one of ``states``, oldest update first; of one session, and updated since then, when given."""

    async def approval(self, approval_id: ApprovalId) -> Approval | None:
        """Return an approval."""

    async def approvals(
        self, states: tuple[ApprovalState, ...], *, project: str = "", session_id: str = "", limit: int = 100
    ) -> list[Approval]:
        """Approvals in one of ``states`` (empty: any), newest first, without their previews."""

    async def overdue_approvals(self, now_ns: int, limit: int = 100) -> list[Approval]:
        """PENDING or APPROVED approvals whose time is over, without their previews."""

    async def halts(self, *, active: bool = False, limit: int = 1_000) -> list[Halt]:
        """Halts, newest first; only those that were not lifted, when ``active``."""

    async def halt(self, halt_id: HaltId) -> Halt | None:
        """Return a halt."""

    async def living_sessions(self, scope: HaltScope, name: str, now_ns: int, limit: int = 500) -> list[Session]:
        """Sessions of an agent, a project or all that are neither killed nor over, those above before those below."""

    async def open_approvals(
        self, scope: HaltScope, name: str, *, after_id: str = "", limit: int = 500
    ) -> list[Approval]:
        """PENDING or APPROVED approvals of a scope behind ``after_id``, by id, without their previews."""

    async def events(self, wanted: EventFilter) -> list[StoredEvent]:
        """Return events."""

    async def usage(self, wanted: UsageFilter) -> list[tuple[tuple[object, ...], Spent]]:
        """Sums of what calls came to, each with the values it is split by."""

    async def newest_configuration(self) -> dict[str, bytes] | None:
        """Files of the configuration that was accepted last; None before the first."""

    async def live_instances(self, since_ns: int) -> set[str]:
        """Ids of the instances whose heartbeat is at or after ``since_ns``."""


class Outputs(Protocol):
    """Bodies of results, kept for a while so that any process can stream them to the agent that asked."""

    async def append(self, intent_id: IntentId, index: int, chunk: bytes) -> None:
        """Keep the ``index``-th chunk."""

    async def discard(self, intent_id: IntentId) -> None:
        """Drop what was kept."""

    def read(self, intent_id: IntentId) -> AsyncGenerator[bytes, None]:
        """Yield the chunks in order; nothing when there are none."""

    async def expire(self, before_ns: int) -> int:
        """Drop bodies written before ``before_ns``; return how many intents lost theirs."""


class Heartbeats(Protocol):
    """Signs of life of processes that execute; not part of the ledger."""

    async def beat(self, instance_id: str, now_ns: int) -> None:
        """Note that the instance lives."""

    async def leave(self, instance_id: str) -> None:
        """Forget the instance."""
