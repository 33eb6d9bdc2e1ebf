"""``/v1/halts``: the kill switch: what is stopped, stopping, and letting go on."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from broker.clock import rfc3339
from broker.doors.documents import body_of, problems
from broker.doors.principals import READERS, Broker, operator_with
from broker.doors.problems import RefusedError
from broker.doors.requests import parse_body, read_body
from broker.doors.views import View
from broker.halting import MAX_NAME, MAX_REASON
from broker.ids import HaltId
from broker.model import Halt, HaltKind, HaltScope, Operator, Role
from broker.outcome import Problem, ProblemKind

ID_PATTERN: Final = "^hlt_[0-9a-hjkmnp-tv-z]{26}$"
MAX_BODY_BYTES: Final = 64 << 10
MAX_LIMIT: Final = 500

router = APIRouter(tags=["halts"])

HaltPath = Annotated[HaltId, Path(pattern=ID_PATTERN)]
Killer = Annotated[Operator, Depends(operator_with(Role.ADMIN, Role.APPROVER, Role.KEY_ADMIN))]
"""Whoever answers for a part of the house may stop it; going on is for an admin to say."""
Lifter = Annotated[Operator, Depends(operator_with(Role.ADMIN))]

_PROBLEMS: Final = problems(
    ProblemKind.NOT_FOUND,
    ProblemKind.INVALID_PARAMS,
    ProblemKind.HALT_CONFLICT,
    ProblemKind.REQUEST_TOO_LARGE,
    ProblemKind.UNSUPPORTED_MEDIA_TYPE,
    ProblemKind.LEDGER_UNAVAILABLE,
)


class HaltRequest(BaseModel):
    """What is to be stopped, and why."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    scope: Literal["agent", "project", "connection", "connector", "everything"] = Field(
        description="a session is not halted but ended: `DELETE /v1/sessions/{session_id}`"
    )
    name: str = Field("", max_length=MAX_NAME, description="empty for everything")
    reason: str = Field(min_length=1, max_length=MAX_REASON)
    force: bool = Field(
        default=False, description="take a name that the configuration does not know, if the ledger does"
    )


class LiftRequest(BaseModel):
    """Why it may go on."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    reason: str = Field(min_length=1, max_length=MAX_REASON)


class HaltsQuery(BaseModel):
    """Which halts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    active: bool = Field(default=False, description="only those that hold")
    limit: int = Field(100, ge=1, le=MAX_LIMIT)


class HaltView(View):
    """What people, or a budget, stopped."""

    id: str
    scope: HaltScope
    name: str = Field(description="empty for everything")
    kind: HaltKind = Field(description="`kill` by people, `pause` by a budget")
    reason: str
    started_by: str = Field(description="name of the operator; empty for a budget")
    started_at: str
    ends_at: str | None = Field(description="when a pause is over by itself")
    active: bool
    carried_out_at: str | None = Field(description="when all that a kill stops was stopped")
    lifted_by: str | None
    lifted_at: str | None
    lift_reason: str | None

    @classmethod
    def of(cls, halt: Halt) -> HaltView:
        """Return what is shown of a halt."""
        return cls(
            id=halt.id,
            scope=halt.scope,
            name=halt.name,
            kind=halt.kind,
            reason=halt.reason,
            started_by=halt.started_by,
            started_at=rfc3339(halt.started_at_ns),
            ends_at=_moment(halt.ends_at_ns),
            active=halt.active,
            carried_out_at=_moment(halt.reported_at_ns),
            lifted_by=halt.lifted_by or None,
            lifted_at=_moment(halt.lifted_at_ns),
            lift_reason=halt.lift_reason or None,
        )


class HaltsView(View):
    """Halts, newest first."""

    halts: list[HaltView]


class CountedView(View):
    """What was stopped of one sort."""

    count: int
    names: list[str] = Field(description="ids; of many, the first")


class TokensView(View):
    """What became of tokens that were minted for sessions."""

    revoked: int
    failed: int = Field(description="the upstream could not be told; they end within the hour")
    pending: int = Field(description="sessions of which the vault has not said yet")


class ReportView(View):
    """What a kill stopped."""

    calls: int = Field(description="cut in the process that was asked; the others cut theirs by themselves")
    sessions: CountedView
    approvals: CountedView = Field(description="that waited for people")
    queued: CountedView = Field(description="approved intents that were not begun")
    tokens: TokensView
    stages_ms: dict[str, int]
    resumed: bool = Field(description="finished by a process that did not begin it; earlier parts are on the ledger")


class StoppedView(View):
    """A kill, and what it stopped."""

    halt: HaltView
    report: ReportView | None = Field(description="null while it is still being carried out")


@router.post("/v1/halts", status_code=201, responses=_PROBLEMS, openapi_extra=body_of(HaltRequest))
async def stop(broker: Broker, operator: Killer, request: Request) -> StoppedView:
    """Stop an agent, a project, a connection, all of a connector, or everything: everywhere within a second."""
    wanted = parse_body(await read_body(request.scope, request.receive, MAX_BODY_BYTES), HaltRequest)
    stopped = await broker.halting.kill(
        HaltScope(wanted.scope), wanted.name, operator=operator, reason=wanted.reason, force=wanted.force
    )
    if isinstance(stopped, Problem):
        raise RefusedError(stopped)
    report = ReportView.model_validate(stopped.report.to_json()) if stopped.report else None
    return StoppedView(halt=HaltView.of(stopped.halt), report=report)


@router.get("/v1/halts", responses=problems())
async def list_halts(
    broker: Broker,
    _operator: Annotated[Operator, Depends(operator_with(*READERS))],
    wanted: Annotated[HaltsQuery, Query()],
) -> HaltsView:
    """List what is and was stopped, newest first."""
    found = await broker.reader.halts(active=wanted.active, limit=wanted.limit)
    return HaltsView(halts=[HaltView.of(halt) for halt in found])


@router.post("/v1/halts/{halt_id}/lift", responses=_PROBLEMS, openapi_extra=body_of(LiftRequest))
async def lift(broker: Broker, operator: Lifter, halt_id: HaltPath, request: Request) -> HaltView:
    """Let what was stopped go on, everywhere within a second; sessions that were ended stay so."""
    wanted = parse_body(await read_body(request.scope, request.receive, MAX_BODY_BYTES), LiftRequest)
    lifted = await broker.halting.lift(halt_id, operator=operator, reason=wanted.reason)
    if isinstance(lifted, Problem):
        raise RefusedError(lifted)
    return HaltView.of(lifted)


def _moment(at_ns: int) -> str | None:
    return rfc3339(at_ns) if at_ns else None
