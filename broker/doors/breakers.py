"""``/v1/breakers``: circuit breakers with failures, and their reset."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from broker.clock import rfc3339
from broker.doors.documents import body_of, problems
from broker.doors.principals import READERS, Broker, operator_with
from broker.doors.problems import RefusedError
from broker.doors.requests import parse_body, read_body
from broker.doors.views import View
from broker.limits.breaker import MAX_REASON_CHARS
from broker.limits.runs import BreakerState, Standing
from broker.model import Operator, Role
from broker.outcome import Problem, ProblemKind

MAX_BODY_BYTES: Final = 64 << 10
MAX_KEY_CHARS: Final = 256

router = APIRouter(tags=["breakers"])


class ResetRequest(BaseModel):
    """Which breaker, and why its calls may be sent again. Keys have slashes, so they stand in no path."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    key: str = Field(min_length=1, max_length=MAX_KEY_CHARS, description="as the list shows it")
    reason: str = Field(min_length=1, max_length=MAX_REASON_CHARS)


class BreakerView(View):
    """One circuit breaker."""

    key: str = Field(description="`session/ID` or `connection/NAME/CREDENTIAL`")
    state: BreakerState
    failures: int = Field(ge=0, description="of upstreams, without a success in between")
    openings: int = Field(ge=0, description="since the last success; each one lasts twice as long as the one before")
    opened_at: str | None
    open_until: str | None
    last_status: str = Field(description="what the last failure was: an HTTP status, or a word")
    agent: str = Field(description="whose session it is; empty for a connection")

    @classmethod
    def of(cls, standing: Standing, now_ns: int) -> BreakerView:
        """Return what is shown of a breaker."""
        return cls(
            key=standing.key,
            state=standing.state(now_ns),
            failures=standing.tally.failures,
            openings=standing.openings,
            opened_at=_moment(standing.opened_at_ns),
            open_until=_moment(standing.open_until_ns),
            last_status=standing.tally.status,
            agent=standing.tally.agent,
        )


class BreakersView(View):
    """Breakers with failures, by key."""

    breakers: list[BreakerView]


@router.get("/v1/breakers", responses=problems())
async def list_breakers(
    broker: Broker, _operator: Annotated[Operator, Depends(operator_with(*READERS))]
) -> BreakersView:
    """List the circuit breakers that have failures, whichever process they are of; at most a second old."""
    now_ns = broker.clock.now_ns()
    return BreakersView(breakers=[BreakerView.of(each, now_ns) for each in broker.breakers.standings()])


@router.post(
    "/v1/breakers/reset",
    responses=problems(
        ProblemKind.NOT_FOUND,
        ProblemKind.INVALID_PARAMS,
        ProblemKind.REQUEST_TOO_LARGE,
        ProblemKind.UNSUPPORTED_MEDIA_TYPE,
        ProblemKind.LEDGER_UNAVAILABLE,
    ),
    openapi_extra=body_of(ResetRequest),
)
async def reset_breaker(
    broker: Broker, operator: Annotated[Operator, Depends(operator_with(Role.ADMIN))], request: Request
) -> BreakerView:
    """Close a breaker and forget its failures, everywhere within a second."""
    wanted = parse_body(await read_body(request.scope, request.receive, MAX_BODY_BYTES), ResetRequest)
    standing = await broker.breakers.reset(wanted.key, operator, wanted.reason)
    if isinstance(standing, Problem):
        raise RefusedError(standing)
    return BreakerView.of(standing, broker.clock.now_ns())


def _moment(at_ns: int) -> str | None:
    return rfc3339(at_ns) if at_ns else None
