"""``/v1/sessions`` and ``/v1/whoami``: runs of agents are started, ended and told."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from broker.doors.documents import body_of, problems
from broker.doors.events import PageQuery, page_of
from broker.doors.principals import READERS, Broker, Principal, operator_with, require
from broker.doors.problems import RefusedError, refused
from broker.doors.requests import parse_body, read_body
from broker.doors.views import EventsView, PrincipalView, SessionView, StartedView
from broker.ids import SessionId
from broker.model import Operator, Role, Session
from broker.outcome import Problem, ProblemKind
from broker.store.base import EventFilter

ID_PATTERN: Final = "^ses_[0-9a-hjkmnp-tv-z]{26}$"
MAX_BODY_BYTES: Final = 64 << 10
MAX_TTL_SECONDS: Final = 7 * 24 * 3600
DEFAULT_TTL_SECONDS: Final = 8 * 3600
"""A working day; a run that takes longer says so."""

_Label = Annotated[str, Field(max_length=256)]
_LabelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._/-]{0,62}$")]

router = APIRouter(tags=["sessions"])

SessionPath = Annotated[SessionId, Path(pattern=ID_PATTERN)]


class SessionRequest(BaseModel):
    """A session to be started."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    agent: str = Field(min_length=1, max_length=63, description="name of an agent in the configuration")
    ttl_seconds: int = Field(DEFAULT_TTL_SECONDS, ge=1, le=MAX_TTL_SECONDS)
    labels: dict[_LabelName, _Label] = Field(default={}, max_length=16, description="shown in replay")


@router.get("/v1/whoami", responses=problems())
async def whoami(principal: Principal) -> PrincipalView:
    """Tell who the token belongs to."""
    return PrincipalView.of(principal)


@router.post(
    "/v1/sessions",
    status_code=201,
    responses=problems(
        ProblemKind.NOT_FOUND,
        ProblemKind.INVALID_PARAMS,
        ProblemKind.REQUEST_TOO_LARGE,
        ProblemKind.UNSUPPORTED_MEDIA_TYPE,
        ProblemKind.LEDGER_UNAVAILABLE,
    ),
    openapi_extra=body_of(SessionRequest),
)
async def start_session(
    broker: Broker,
    operator: Annotated[Operator, Depends(operator_with(Role.ADMIN))],
    request: Request,
    response: Response,
) -> StartedView:
    """Start a session of an agent; its token is in the answer and nowhere else."""
    wanted = parse_body(await read_body(request.scope, request.receive, MAX_BODY_BYTES), SessionRequest)
    started = await broker.sessions.start(
        operator, agent=wanted.agent, ttl_seconds=wanted.ttl_seconds, labels=dict(wanted.labels)
    )
    if isinstance(started, Problem):
        raise RefusedError(started)
    session, token = started
    response.headers["Location"] = f"/v1/sessions/{session.id}"
    return StartedView(session=SessionView.of(session), token=token)


@router.delete(
    "/v1/sessions/{session_id}",
    status_code=204,
    response_class=Response,
    responses=problems(ProblemKind.NOT_FOUND, ProblemKind.LEDGER_UNAVAILABLE),
)
async def end_session(broker: Broker, principal: Principal, session_id: SessionPath) -> None:
    """Kill a session: no new work, pending approvals void, within a second everywhere. A session may end itself."""
    if isinstance(principal, Operator):
        require(principal, Role.ADMIN, Role.APPROVER)
        ended_by = principal
    else:
        _own(principal, session_id)
        # No operator can have this name, so the ledger says truly that the agent ended its own session.
        ended_by = Operator(f"agent:{principal.agent}", frozenset())
    killed = await broker.sessions.kill(session_id, ended_by)
    # Killing twice is no fault of the caller: the session is as dead as they want it.
    if not killed and await broker.reader.session(session_id) is None:
        raise refused(ProblemKind.NOT_FOUND, "there is no such session")


@router.get("/v1/sessions/{session_id}", responses=problems(ProblemKind.NOT_FOUND))
async def read_session(broker: Broker, principal: Principal, session_id: SessionPath) -> SessionView:
    """Show one session; an agent sees its own."""
    return SessionView.of(await _readable(broker, principal, session_id))


@router.get("/v1/sessions/{session_id}/events", responses=problems(ProblemKind.NOT_FOUND))
async def replay_session(
    broker: Broker, principal: Principal, session_id: SessionPath, page: Annotated[PageQuery, Query()]
) -> EventsView:
    """Tell the whole story of one session in order; an agent sees its own."""
    session = await _readable(broker, principal, session_id)
    return await page_of(broker, EventFilter(session_id=session.id), page)


async def _readable(broker: Broker, principal: Session | Operator, session_id: SessionId) -> Session:
    if isinstance(principal, Operator):
        require(principal, *READERS)
    else:
        _own(principal, session_id)
    session = await broker.reader.session(session_id)
    if session is None:
        raise refused(ProblemKind.NOT_FOUND, "there is no such session")
    return session


def _own(session: Session, session_id: SessionId) -> None:
    if session.id != session_id:
        raise refused(ProblemKind.NOT_FOUND, "there is no such session")
