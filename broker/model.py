"""The frozen words of the broker: principals, sessions, intents, approvals, outcomes, halts, and their states.

State names are stored in the database and in ledger events: a name may be added, never changed or reused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from broker.ids import ApprovalId, Digest, HaltId, IntentId, SessionId
from policies.model import Assurance

JsonObject = dict[str, Any]

MAX_DEPTH: Final = 3
"""Most sessions above one: an operator's session hands one out, that one another, and that one a last."""

Scopes = tuple[tuple[str, ...], ...]
"""Scopes of a session and of those above it, outermost first; each is a list of rules and all of them must allow."""


class Role(StrEnum):
    """What an operator may do; the server checks it at every door."""

    VIEWER = "viewer"
    APPROVER = "approver"
    AUDITOR = "auditor"
    KEY_ADMIN = "key-admin"
    ADMIN = "admin"


class IntentState(StrEnum):
    """Where an intent stands; everything from SUCCEEDED on is terminal and never changes again."""

    PENDING_APPROVAL = "pending_approval"
    APPROVED = "approved"
    EXECUTING = "executing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DENIED = "denied"
    REFUSED = "refused"
    EXPIRED = "expired"
    REJECTED = "rejected"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """True when nothing more is done; what is UNKNOWN may still become known (`broker.settling`)."""
        return self not in (IntentState.PENDING_APPROVAL, IntentState.APPROVED, IntentState.EXECUTING)


class ApprovalState(StrEnum):
    """Where an approval stands; only PENDING and APPROVED can change."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    CONSUMED = "consumed"


@dataclass(frozen=True, slots=True)
class Operator:
    """A human principal from the configuration."""

    name: str
    roles: frozenset[Role]

    def may(self, role: Role) -> bool:
        """Tell whether the operator holds ``role``; an admin holds all but APPROVER, which is always explicit."""
        return role in self.roles or (Role.ADMIN in self.roles and role is not Role.APPROVER)


@dataclass(frozen=True, slots=True)
class Session:
    """One run of one agent, as authenticated from its token.

    Args:
        id: Its id.
        agent: Name of the agent.
        project: Name of the agent's project.
        owner: Name of the operator who started it, or the session at the top of its family.
        created_at_ns: Start, nanoseconds since the epoch, UTC.
        expires_at_ns: End of validity.
        killed_at_ns: When it, or a session above it, was killed; 0 while alive.
        labels: Claims the operator gave at the start: shown in replay, and facts of policies.
        scopes: What it may do at most, beside the policy of its agent; empty for all of that.
        parent_id: The session that handed it out; empty for one that an operator started.
        root_id: The session at the top of its family; empty for one that an operator started.
        depth: How many sessions are above it.
        added_labels: What agents added when they handed it out: shown in replay, and never a fact, as a rule that looks
            at a label trusts the operator who gave it.
    """

    id: SessionId
    agent: str
    project: str
    owner: str
    created_at_ns: int
    expires_at_ns: int
    killed_at_ns: int = 0
    labels: JsonObject = field(default_factory=dict)
    scopes: Scopes = ()
    parent_id: str = ""
    root_id: str = ""
    depth: int = 0
    added_labels: JsonObject = field(default_factory=dict)

    def alive(self, now_ns: int) -> bool:
        """Tell whether the session may act at ``now_ns``."""
        return self.killed_at_ns == 0 and now_ns < self.expires_at_ns

    @property
    def family_id(self) -> SessionId:
        """The session at the top of its family; what a family may do together is counted under it."""
        return SessionId(self.root_id or self.id)

    @property
    def actor(self) -> str:
        """How the ledger names the agent where it did what operators do; no operator can have this name."""
        return f"agent:{self.agent}"


@dataclass(frozen=True, slots=True)
class IntentDraft:
    """What an agent sent, validated in shape only.

    Args:
        action: As sent.
        params: JSON object as sent.
        resource: The agent's claim of the resource; compared with the derived ones, never used.
        connection: Name of the connection when the project has several for the action; empty otherwise.
        reason: The agent's words, unverified, clipped at the door.
        idempotency_key: Empty when none was given.
        dry_run: Stop after the decision and say what it would be.
        source_ip: Address the request came from, as seen by the door; no part of what the agent asks.
        alternatives: Other readings of the same request, action and params; policy must allow them as well.
        joins: The same request again is the same intent, while people look at it and until its answer was fetched:
            for clients that know no ids and can only ask again.
        evidence: What the broker found out before it planned (`connectors.inspection.Evidence`): ``found`` and
            ``facts``; empty when the action is not inspected. No door takes it from a client.
        part_of: Id of the intent for which the broker reads this; empty for what an agent asked itself.
    """

    action: str
    params: JsonObject
    resource: str = ""
    connection: str = ""
    reason: str = ""
    idempotency_key: str = ""
    dry_run: bool = False
    source_ip: str = ""
    alternatives: tuple[tuple[str, JsonObject], ...] = ()
    joins: bool = False
    evidence: JsonObject = field(default_factory=dict)
    part_of: str = ""


@dataclass(frozen=True, slots=True)
class IntentRecord:
    """An intent as stored.

    Args:
        id: Its id.
        session_id, agent, project: Who asked.
        action: Canonical action.
        resources: Resources of the plan's requirements, in order.
        request_digest: Digest of the canonical draft; an idempotency key is bound to it.
        plan_digest: Digest of the plan.
        state: Where it stands.
        version: Counts the state changes, from 1; every change compares and sets it.
        fence: Counts the executions that were begun, from 0; a late executor with an older fence is refused.
        owner: Instance that executes it, empty otherwise.
        access: What the operation does upstream (`connectors.base.Access`); decides what a crash means.
        idempotency_key: Empty when none was given.
        approval_id: The approval it waits or waited for, empty when none.
        created_at_ns, updated_at_ns: Nanoseconds since the epoch, UTC.
        result: What the agent gets back when it is terminal; redacted.
        problem: Problem type, reason, rule and fix when it did not succeed.
        output_bytes: Size of the stored output, -1 when there is none.
        output_media_type: Of the output.
        hold: What it holds of budgets while it is executed; see `broker.holds`.
    """

    id: IntentId
    session_id: SessionId
    agent: str
    project: str
    action: str
    resources: tuple[str, ...]
    request_digest: Digest
    plan_digest: Digest
    state: IntentState
    version: int
    fence: int
    owner: str
    access: str
    idempotency_key: str
    approval_id: str
    created_at_ns: int
    updated_at_ns: int
    result: JsonObject = field(default_factory=dict)
    problem: JsonObject = field(default_factory=dict)
    output_bytes: int = -1
    output_media_type: str = ""
    hold: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Approval:
    """People's answer about one plan digest: single use, with an end.

    Args:
        id: Its id.
        intent_id: The parked intent.
        session_id, agent, project, owner: Who asked, and the operator who started the session (never decides it).
        action, resources, summary: What is asked, computed by the broker.
        plan_digest: What the answer is bound to.
        policy_version: Policy that asked for it.
        rule: ``file:line`` and id of the rule that asked.
        channel: Where people are asked.
        reason: The agent's words, unverified.
        draft: Canonical bytes of the parked intent, for the second planning.
        state, version: Where it stands; every change compares and sets both.
        created_at_ns, expires_at_ns: Nanoseconds since the epoch, UTC.
        decided_by, decided_at_ns, decision_reason: The human answer, empty or 0 before it.
        approvers: Names of the operators who may answer; empty for every approver.
        assurance: How surely the one who answers must be known.
        context: The facts the first decision was made with; the second one is made with them again.
        connection: Name of the connection it goes to; empty in rows of before it was kept.
        preview: What the broker found out about the effect (`connectors.inspection.Inspector.preview`), secrets masked;
            empty when nothing was, and where many approvals are read at once.
    """

    id: ApprovalId
    intent_id: IntentId
    session_id: SessionId
    agent: str
    project: str
    owner: str
    action: str
    resources: tuple[str, ...]
    summary: str
    plan_digest: Digest
    policy_version: str
    rule: str
    channel: str
    reason: str
    draft: bytes
    state: ApprovalState
    version: int
    created_at_ns: int
    expires_at_ns: int
    decided_by: str = ""
    decided_at_ns: int = 0
    decision_reason: str = ""
    approvers: tuple[str, ...] = ()
    assurance: Assurance = Assurance.CHAT
    context: JsonObject = field(default_factory=dict)
    connection: str = ""
    preview: JsonObject = field(default_factory=dict)


class HaltScope(StrEnum):
    """What a halt stops; closed."""

    AGENT = "agent"
    PROJECT = "project"
    SESSION = "session"
    """One session with all of its family; only a pause has it, as a session that people kill is over for ever."""
    CONNECTION = "connection"
    CONNECTOR = "connector"
    """Every connection of one connector."""
    EVERYTHING = "everything"


class HaltKind(StrEnum):
    """Who stopped it, and so how far it goes; closed."""

    KILL = "kill"
    """People did: what runs is cut, sessions end, and it holds until they lift it."""
    PAUSE = "pause"
    """A budget did: nothing new begins until a moment, or until people lift it."""


@dataclass(frozen=True, slots=True)
class Halt:
    """What people, or a budget, stopped; of one scope and name one holds at a time.

    Args:
        id: Its id.
        scope, name: What; the name is empty for everything.
        kind: Whether it is a kill or a pause.
        reason: Words of who did it; those of a budget name it.
        started_by: Name of the operator; empty for a budget.
        started_at_ns: Since when, nanoseconds since the epoch, UTC.
        ends_at_ns: When a pause is over; 0 for not before it is lifted.
        reported_at_ns: When all that it stops was stopped; 0 before, and for a pause.
        lifted_by, lift_reason, lifted_at_ns: Who lifted it, why and when; empty and 0 while it holds.
        active: Whether it holds.
    """

    id: HaltId
    scope: HaltScope
    name: str
    kind: HaltKind
    reason: str
    started_by: str
    started_at_ns: int
    ends_at_ns: int = 0
    reported_at_ns: int = 0
    lifted_by: str = ""
    lift_reason: str = ""
    lifted_at_ns: int = 0
    active: bool = True

    @property
    def key(self) -> str:
        """What it stops, in one word: ``agent:ci-runner``; ``everything:`` for everything."""
        return halt_key(self.scope, self.name)

    def holds(self, now_ns: int) -> bool:
        """Tell whether it stops anything at ``now_ns``."""
        return self.active and (self.ends_at_ns == 0 or now_ns < self.ends_at_ns)


def halt_key(scope: HaltScope, name: str) -> str:
    """Return how a halt of one thing is found; see `Halt.key`."""
    return f"{scope.value}:{name}"
