"""``/v1/budgets``: how budgets stand, and more of one. An agent sees those that count its own calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from broker.clock import rfc3339
from broker.config.limits import Mode, OnExceed
from broker.doors.documents import body_of, problems
from broker.doors.events import Name
from broker.doors.ports import BrokerPort
from broker.doors.principals import READERS, Broker, Principal, operator_with, require
from broker.doors.problems import RefusedError, refused
from broker.doors.requests import parse_body, read_body
from broker.doors.views import View
from broker.holds import Unit
from broker.ids import SessionId
from broker.limits.drawing import MOST, Scope
from broker.limits.treasury import MAX_KEY_CHARS, MAX_PERCENT, MAX_REASON_CHARS, Account, Extra
from broker.model import Operator, Role, Session
from broker.outcome import Problem, ProblemKind

MAX_BODY_BYTES: Final = 64 << 10

router = APIRouter(tags=["budgets"])


class BudgetsQuery(BaseModel):
    """Which budgets; an unknown filter is refused, as it would show too much."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent: Name = Field("", description="only those of this agent")
    project: Name = Field("", description="only those of this project and of its agents")
    session: Name = Field("", description="those that count the calls of this session, its own among them")


class GrantRequest(BaseModel):
    """How much more of which budget, and why. Keys have slashes, so they stand in no path."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    key: str = Field(
        min_length=1,
        max_length=MAX_KEY_CHARS,
        description="as the list shows it; without its period, as in `agent/ci-runner/max_tokens_per_day`, for the one "
        "that runs",
    )
    extra: int = Field(0, ge=0, le=MOST, description="in the budget's unit; or `percent`")
    percent: int = Field(0, ge=0, le=MAX_PERCENT, description="of its cap; or `extra`")
    unit: Unit | None = Field(
        None, strict=False, description="of `extra`, to be sure; money is not granted without `nano_dollars`"
    )
    reason: str = Field(min_length=1, max_length=MAX_REASON_CHARS)


class BudgetView(View):
    """One budget in its running period. Amounts are in its unit."""

    key: str
    budget: str = Field(description="its name in the configuration")
    of: Scope
    name: str = Field(description="of the agent or project, or id of the session at the top of its family")
    unit: Unit = Field(description="a nano-dollar is a US dollar divided by 10**9")
    cap: int = Field(ge=0, description="as it is configured")
    granted: int = Field(ge=0, description="beyond the cap, by people, in this period")
    used: int = Field(description="by calls that are over")
    reserved: int = Field(description="for calls under way")
    left: int = Field(description="below zero when it is overdrawn")
    percent: int = Field(description="how much is used of cap and grants, rounded down")
    resets_at: str | None = Field(description="null for the budget of a session, which never begins anew")
    mode: Mode
    on_exceed: OnExceed

    @classmethod
    def of_account(cls, account: Account) -> BudgetView:
        """Return what is shown of a budget."""
        counter, row = account.counter, account.row
        return cls(
            key=counter.key,
            budget=counter.line.name,
            of=counter.scope,
            name=counter.owner,
            unit=counter.line.unit,
            cap=counter.line.cap,
            granted=row.extra,
            used=row.used,
            reserved=row.reserved,
            left=account.left,
            percent=account.percent,
            resets_at=rfc3339(counter.resets_at_ns) if counter.resets_at_ns else None,
            mode=counter.terms.mode,
            on_exceed=counter.terms.on_exceed,
        )


class BudgetsView(View):
    """Budgets, by key."""

    budgets: list[BudgetView]


@router.get("/v1/budgets", responses=problems(ProblemKind.NOT_FOUND))
async def list_budgets(broker: Broker, principal: Principal, wanted: Annotated[BudgetsQuery, Query()]) -> BudgetsView:
    """Tell how budgets stand; those of single sessions are shown with `session`."""
    if isinstance(principal, Session):
        found = await _own(broker, principal, wanted)
    else:
        require(principal, *READERS)
        found = await _chosen(broker, wanted)
    return BudgetsView(budgets=[BudgetView.of_account(each) for each in found])


@router.post(
    "/v1/budgets/grants",
    responses=problems(
        ProblemKind.NOT_FOUND,
        ProblemKind.INVALID_PARAMS,
        ProblemKind.TOO_BUSY,
        ProblemKind.REQUEST_TOO_LARGE,
        ProblemKind.UNSUPPORTED_MEDIA_TYPE,
        ProblemKind.LEDGER_UNAVAILABLE,
    ),
    openapi_extra=body_of(GrantRequest),
)
async def grant(
    broker: Broker, operator: Annotated[Operator, Depends(operator_with(Role.ADMIN))], request: Request
) -> BudgetView:
    """Grant more of a budget until its running period is over; it resumes nothing that the budget paused."""
    wanted = parse_body(await read_body(request.scope, request.receive, MAX_BODY_BYTES), GrantRequest)
    extra = Extra(wanted.extra, wanted.percent, wanted.unit)
    granted = await broker.treasury.grant(wanted.key, extra, operator=operator, reason=wanted.reason)
    if isinstance(granted, Problem):
        raise RefusedError(granted)
    return BudgetView.of_account(granted)


async def _own(broker: BrokerPort, session: Session, wanted: BudgetsQuery) -> Sequence[Account]:
    if any(
        asked not in {"", own}
        for asked, own in (
            (wanted.session, session.id),
            (wanted.agent, session.agent),
            (wanted.project, session.project),
        )
    ):
        raise refused(ProblemKind.FORBIDDEN, "an agent sees the budgets of its own session only")
    return await broker.treasury.of_session(session)


async def _chosen(broker: BrokerPort, wanted: BudgetsQuery) -> Sequence[Account]:
    if not wanted.session:
        return await broker.treasury.accounts(agent=wanted.agent, project=wanted.project)
    session = await broker.reader.session(SessionId(wanted.session))
    # Of another agent or project it is not the one that is asked for.
    if session is None or wanted.agent not in {"", session.agent} or wanted.project not in {"", session.project}:
        raise refused(ProblemKind.NOT_FOUND, "there is no such session")
    return await broker.treasury.of_session(session)
