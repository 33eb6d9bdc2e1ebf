"""``/v1/approvals``: what waits for a person, and the person's answer."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from broker.doors.documents import body_of, problems
from broker.doors.events import Name
from broker.doors.ports import BrokerPort
from broker.doors.principals import READERS, Broker, Principal, operator_with, require
from broker.doors.problems import RefusedError, refused
from broker.doors.requests import parse_body, read_body
from broker.doors.views import ApprovalsView, ApprovalView
from broker.ids import ApprovalId
from broker.model import ApprovalState, Operator, Role
from broker.outcome import Problem, ProblemKind
from policies.model import Assurance

ID_PATTERN: Final = "^apr_[0-9a-hjkmnp-tv-z]{26}$"
MAX_BODY_BYTES: Final = 64 << 10
MAX_LIMIT: Final = 500
BEARER_ASSURANCE: Final = Assurance.WEB
"""What an operator's bearer token says about who sends it."""

router = APIRouter(tags=["approvals"])

ApprovalPath = Annotated[ApprovalId, Path(pattern=ID_PATTERN)]
Approver = Annotated[Operator, Depends(operator_with(Role.APPROVER))]

_DECISION_PROBLEMS: Final = problems(
    ProblemKind.NOT_FOUND,
    ProblemKind.INVALID_PARAMS,
    ProblemKind.APPROVAL_CONFLICT,
    ProblemKind.APPROVAL_EXPIRED,
    ProblemKind.REQUEST_TOO_LARGE,
    ProblemKind.UNSUPPORTED_MEDIA_TYPE,
    ProblemKind.LEDGER_UNAVAILABLE,
)


class ApprovalsQuery(BaseModel):
    """Which approvals; an empty filter does not filter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: ApprovalState | None = None
    project: Name = ""
    limit: int = Field(100, ge=1, le=MAX_LIMIT)


class DecisionRequest(BaseModel):
    """A person's words with the decision; a rejection's go back to the agent."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    reason: str = Field("", max_length=1000)


@router.get("/v1/approvals", responses=problems())
async def list_approvals(
    broker: Broker, principal: Principal, wanted: Annotated[ApprovalsQuery, Query()]
) -> ApprovalsView:
    """List approvals, newest first; an agent sees those of its own session."""
    session_id = ""
    if isinstance(principal, Operator):
        require(principal, *READERS)
    else:
        session_id = principal.id
    states = (wanted.state,) if wanted.state else ()
    found = await broker.reader.approvals(states, project=wanted.project, session_id=session_id, limit=wanted.limit)
    return ApprovalsView(approvals=[ApprovalView.of(approval, listed=True) for approval in found])


@router.get("/v1/approvals/{approval_id}", responses=problems(ProblemKind.NOT_FOUND))
async def read_approval(broker: Broker, principal: Principal, approval_id: ApprovalPath) -> ApprovalView:
    """Show one approval; an agent sees those of its own session."""
    if isinstance(principal, Operator):
        require(principal, *READERS)
    approval = await broker.reader.approval(approval_id)
    hidden = not isinstance(principal, Operator) and approval is not None and approval.session_id != principal.id
    if approval is None or hidden:
        raise refused(ProblemKind.NOT_FOUND, "there is no such approval")
    return ApprovalView.of(approval)


@router.post(
    "/v1/approvals/{approval_id}/approve",
    responses=_DECISION_PROBLEMS,
    openapi_extra=body_of(DecisionRequest, required=False),
)
async def approve(broker: Broker, operator: Approver, approval_id: ApprovalPath, request: Request) -> ApprovalView:
    """Approve: the exact plan that was parked may run once."""
    return await _decide(broker, operator, approval_id, request, approve=True)


@router.post(
    "/v1/approvals/{approval_id}/reject",
    responses=_DECISION_PROBLEMS,
    openapi_extra=body_of(DecisionRequest, required=False),
)
async def reject(broker: Broker, operator: Approver, approval_id: ApprovalPath, request: Request) -> ApprovalView:
    """Reject: the intent ends here."""
    return await _decide(broker, operator, approval_id, request, approve=False)


async def _decide(
    broker: BrokerPort, operator: Operator, approval_id: ApprovalId, request: Request, *, approve: bool
) -> ApprovalView:
    reason = await _reason(request)
    decided = await broker.approvals.decide(
        approval_id, operator, approve=approve, reason=reason, assurance=BEARER_ASSURANCE
    )
    if isinstance(decided, Problem):
        raise RefusedError(decided)
    return ApprovalView.of(decided)


async def _reason(request: Request) -> str:
    headers = request.headers
    if "transfer-encoding" not in headers and headers.get("content-length", "0") == "0":
        return ""
    body = await read_body(request.scope, request.receive, MAX_BODY_BYTES)
    return parse_body(body, DecisionRequest).reason
