"""What the API shows, as types: the shapes in the OpenAPI document and the code that fills them.

Nothing is shown because it happens to be on an object: each member is named here. Tokens appear once, in the answer
that starts a session; an approval's parked draft never appears, its summary does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from broker.clock import rfc3339
from broker.doors.problems import JsonObject
from broker.ids import ApprovalId
from broker.model import Approval, ApprovalState, IntentState, Operator, Role, Session
from broker.outcome import Outcome
from connectors.base import Access, Operation
from policies.answers.speaking import Spoken
from policies.model import Assurance

MAX_RULES: Final = 50
"""Rules listed beside one operation."""


class View(BaseModel):
    """Base of all answers: closed, so that the document tells the truth."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProblemView(BaseModel):
    """A problem (RFC 9457). Branch on ``type``; members that are empty are left out."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = Field(pattern=r"^urn:ostiary:problem:[a-z-]+$")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    instance: str | None = None
    reason: str | None = Field(None, description="what decided, in the words of the stage that did")
    rule: str | None = Field(None, description="file, line and id of the rule that decided")
    fix: str | None = Field(None, description="what the caller can do about it")
    retry_after_seconds: int | None = None
    intent: str | None = Field(None, description="the intent it is about")
    state: IntentState | None = None
    decision: dict[str, Any] | None = None


class OutputView(View):
    """A body that is fetched on its own."""

    bytes: int = Field(ge=0)
    media_type: str
    href: str


class PendingView(View):
    """The approval an intent waits or waited for."""

    id: str
    expires_at: str | None


class IntentView(View):
    """Where an intent stands."""

    intent: str
    state: IntentState
    result: dict[str, Any] = Field(description="what came back; empty until it succeeded")
    output: OutputView | None
    approval: PendingView | None
    decision: dict[str, Any] | None = Field(description="effect and reasons, for dry runs and denials")
    dry_run: bool = Field(description="true when nothing was or will be done")
    replayed: bool = Field(description="true when the idempotency key brought back an earlier outcome")


def intent_path(intent_id: str) -> str:
    """Return where an intent is read."""
    return f"/v1/intents/{intent_id}"


def intent_json(outcome: Outcome) -> JsonObject:
    """Return an outcome in the shape of `IntentView`; a plain dict, as this is the hot path."""
    output = approval = None
    if outcome.output_bytes >= 0 and outcome.state is IntentState.SUCCEEDED:
        output = {
            "bytes": outcome.output_bytes,
            "media_type": outcome.output_media_type,
            "href": intent_path(outcome.intent_id) + "/output",
        }
    if outcome.approval_id:
        expires_at = rfc3339(outcome.expires_at_ns) if outcome.expires_at_ns else None
        approval = {"id": outcome.approval_id, "expires_at": expires_at}
    return {
        "intent": outcome.intent_id,
        "state": outcome.state.value,
        "result": outcome.result,
        "output": output,
        "approval": approval,
        "decision": outcome.decision or None,
        "dry_run": outcome.dry_run,
        "replayed": outcome.replayed,
    }


class SessionView(View):
    """One run of one agent."""

    id: str
    agent: str
    project: str
    owner: str
    created_at: str
    expires_at: str
    killed_at: str | None
    labels: dict[str, Any] = Field(description="given by the operator; rules may look at them")
    added_labels: dict[str, Any] = Field(description="added by the sessions that handed it out; no rule looks at them")
    scopes: list[list[str]] = Field(description="rules of each scope that holds it, outermost first, its own last")
    parent: str | None = Field(description="the session that handed it out")

    @classmethod
    def of(cls, session: Session) -> SessionView:
        """Return what may be shown of a session."""
        return cls(
            id=session.id,
            agent=session.agent,
            project=session.project,
            owner=session.owner,
            created_at=rfc3339(session.created_at_ns),
            expires_at=rfc3339(session.expires_at_ns),
            killed_at=rfc3339(session.killed_at_ns) if session.killed_at_ns else None,
            labels=session.labels,
            added_labels=session.added_labels,
            scopes=[list(scope) for scope in session.scopes],
            parent=session.parent_id or None,
        )


class StartedView(View):
    """A new session and its token."""

    session: SessionView
    token: str = Field(description="shown once; only its hash is kept")


class ApprovalView(View):
    """What a person is asked, computed by the broker; ``reason`` is the agent's own words, unverified."""

    id: ApprovalId
    state: ApprovalState
    intent: str
    session: str
    agent: str
    project: str
    owner: str = Field(description="who started the session; never decides it")
    action: str
    connection: str = Field(description="where it goes; empty for what was asked before this was kept")
    resources: list[str]
    summary: str
    plan_digest: str
    rule: str
    policy_version: str
    channel: str
    approvers: list[str] = Field(description="who may answer; empty for every approver")
    assurance: Assurance = Field(description="how surely the one who answers must be known")
    created_at: str
    expires_at: str
    decided_by: str | None
    decided_at: str | None
    decision_reason: str | None
    preview: dict[str, Any] | None = Field(
        description="what the broker found out about the effect, its form named by `kind`; null in a list"
    )
    reason: str = Field(description="the agent's own words, unverified")

    @classmethod
    def of(cls, approval: Approval, *, listed: bool = False) -> ApprovalView:
        """Return what may be shown of an approval.

        Args:
            approval: Which.
            listed: True for one of many, which comes without its preview.
        """
        return cls(
            id=approval.id,
            state=approval.state,
            intent=approval.intent_id,
            session=approval.session_id,
            agent=approval.agent,
            project=approval.project,
            owner=approval.owner,
            action=approval.action,
            connection=approval.connection,
            resources=list(approval.resources),
            summary=approval.summary,
            plan_digest=approval.plan_digest,
            rule=approval.rule,
            policy_version=approval.policy_version,
            channel=approval.channel,
            approvers=list(approval.approvers),
            assurance=approval.assurance,
            created_at=rfc3339(approval.created_at_ns),
            expires_at=rfc3339(approval.expires_at_ns),
            decided_by=approval.decided_by or None,
            decided_at=rfc3339(approval.decided_at_ns) if approval.decided_at_ns else None,
            decision_reason=approval.decision_reason or None,
            preview=None if listed else approval.preview,
            reason=approval.reason,
        )


class ApprovalsView(View):
    """Approvals, newest first."""

    approvals: list[ApprovalView]


class EventView(View):
    """One record of the ledger: its place, its leaf hash and what it says."""

    seq: int = Field(ge=1)
    leaf: str = Field(pattern=r"^[0-9a-f]{64}$")
    event: dict[str, Any]


class EventsView(View):
    """A page of the ledger."""

    events: list[EventView]
    next: int | None = Field(description="pass it as `after` (or `before` when descending); null on the last page")


class PrincipalView(View):
    """Who the token belongs to."""

    kind: str = Field(pattern="^(agent|operator)$")
    name: str
    project: str | None
    roles: list[Role]
    session: SessionView | None

    @classmethod
    def of(cls, principal: Session | Operator) -> PrincipalView:
        """Return what a principal may know of itself."""
        if isinstance(principal, Operator):
            return cls(kind="operator", name=principal.name, project=None, roles=sorted(principal.roles), session=None)
        session = SessionView.of(principal)
        return cls(kind="agent", name=principal.agent, project=principal.project, roles=[], session=session)


class GrantView(View):
    """What one rule says about an action; all layers together decide, per intent."""

    effect: str = Field(description="`allow`, `require_approval` or `deny`")
    layer: str = Field(description="`guardrail`, `boundary`, `agent` or `session`")
    action: str = Field(description="what policy is asked for; an operation can need several")
    resources: list[str] = Field(description="patterns, written out")
    conditional: bool = Field(description="it holds under conditions, until a moment, or so often only")
    rule: str
    place: str

    @classmethod
    def of(cls, spoken: Spoken) -> GrantView:
        """Return what a rule says."""
        rule = spoken.rule
        return cls(
            effect=rule.effect.value,
            layer=spoken.layer.value,
            action=spoken.action,
            resources=list(rule.resources),
            conditional=bool(rule.conditions or rule.until_ns or rule.max_uses),
            rule=rule.id,
            place=str(rule.span),
        )


class ActionView(View):
    """One operation that can be asked for; whether policy allows it is decided per intent."""

    action: str
    access: Access
    idempotent: bool
    summary: str
    resources: list[str] = Field(description="templates of the resources policy looks at")
    connections: list[str] = Field(description="connections that serve it; name one when there are several")
    params_schema: dict[str, Any]
    example: dict[str, Any]
    rules: list[GrantView] = Field(description="for an agent: what the rules about it say of this operation")
    more_rules: int = Field(description="how many rules are not listed")

    @classmethod
    def of(cls, operation: Operation, connections: list[str], spoken: Sequence[Spoken] = ()) -> ActionView:
        """Return an operation with the connections that serve it and the rules that speak of it."""
        return cls(
            action=operation.action,
            access=operation.access,
            idempotent=operation.idempotent,
            summary=operation.summary,
            resources=list(operation.resources),
            connections=connections,
            params_schema=operation.params_schema,
            example=operation.example,
            rules=[GrantView.of(each) for each in spoken[:MAX_RULES]],
            more_rules=max(len(spoken) - MAX_RULES, 0),
        )


class ActionLine(View):
    """One operation in a list; ``/v1/actions/{action}`` tells the rest."""

    action: str
    access: Access
    idempotent: bool
    summary: str
    asks: list[str] = Field(description="every action policy may be asked about; rules name these")
    connections: list[str] = Field(description="connections that serve it; name one when there are several")

    @classmethod
    def of(cls, operation: Operation, connections: list[str]) -> ActionLine:
        """Return an operation with the connections that serve it."""
        return cls(
            action=operation.action,
            access=operation.access,
            idempotent=operation.idempotent,
            summary=operation.summary,
            asks=list(operation.permissions or (operation.action,)),
            connections=connections,
        )


class ActionsView(View):
    """A page of the catalogue, in the order of names."""

    actions: list[ActionLine]
    total: int = Field(ge=0, description="operations the filter leaves, on all pages")
    services: dict[str, int] = Field(description="how many of them each service has; on the first page only")
    next: str | None = Field(description="pass it as `cursor`; null on the last page")


class LiveView(View):
    """The process answers."""

    status: str


class ReadyView(View):
    """Whether this process can do its work, check by check."""

    ready: bool
    checks: dict[str, bool | str]
