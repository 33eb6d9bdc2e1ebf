"""``/v1/sessions`` and ``/v1/whoami``: runs of agents are started, ended and told."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from broker.doors.documents import body_of, problems
from broker.doors.events import PageQuery, page_of
from broker.doors.ports import BrokerPort
from broker.doors.principals import READERS, Agent, Broker, Principal, operator_with, require
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
MAX_LABELS: Final = 16
MAX_RULES: Final = 64
MAX_RULE_CHARS: Final = 1024

_Label = Annotated[str, Field(max_length=256)]
_LabelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._/-]{0,62}$")]
_Labels = dict[_LabelName, _Label]
_Rule = Annotated[str, Field(min_length=1, max_length=MAX_RULE_CHARS)]

router = APIRouter(tags=["sessions"])

SessionPath = Annotated[SessionId, Path(pattern=ID_PATTERN)]


class SessionRequest(BaseModel):
    """A session to be started."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    agent: str = Field(min_length=1, max_length=63, description="name of an agent in the configuration")
    ttl_seconds: int = Field(DEFAULT_TTL_SECONDS, ge=1, le=MAX_TTL_SECONDS)
    labels: _Labels = Field(default={}, max_length=MAX_LABELS, description="shown in replay")
    scope: list[_Rule] = Field(
        default=[], max_length=MAX_RULES, description="rules it is held to beside the policy of its agent"
    )


class ChildRequest(BaseModel):
    """A session to be handed out by the session that asks."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    scope: list[_Rule] = Field(
        min_length=1, max_length=MAX_RULES, description="rules it is held to; none may be wider than what is held"
    )
    ttl_seconds: int = Field(
        DEFAULT_TTL_SECONDS, ge=1, le=MAX_TTL_SECONDS, description="it ends with the session that asks at the latest"
    )
    labels: _Labels = Field(default={}, max_length=MAX_LABELS, description="added to those of the session that asks")


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
        ProblemKind.HALTED,
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
        operator,
        agent=wanted.agent,
        ttl_seconds=wanted.ttl_seconds,
        labels=dict(wanted.labels),
        scope=wanted.scope,
    )
    return _started(started, response)


@router.post(
    "/v1/sessions/children",
    status_code=201,
    responses=problems(
        ProblemKind.INVALID_PARAMS,
        ProblemKind.SCOPE_TOO_WIDE,
        ProblemKind.HALTED,
        ProblemKind.TOO_BUSY,
        ProblemKind.REQUEST_TOO_LARGE,
        ProblemKind.UNSUPPORTED_MEDIA_TYPE,
        ProblemKind.LEDGER_UNAVAILABLE,
    ),
    openapi_extra=body_of(ChildRequest),
)
async def start_child(broker: Broker, session: Agent, request: Request, response: Response) -> StartedView:
    """Hand out a session that may do no more than the one that asks; its token is in the answer and nowhere else."""
    wanted = parse_body(await read_body(request.scope, request.receive, MAX_BODY_BYTES), ChildRequest)
    started = await broker.sessions.start_child(
        session, scope=wanted.scope, ttl_seconds=wanted.ttl_seconds, labels=dict(wanted.labels)
    )
    return _started(started, response)


@router.delete(
    "/v1/sessions/{session_id}",
    status_code=204,
    response_class=Response,
    responses=problems(ProblemKind.NOT_FOUND, ProblemKind.LEDGER_UNAVAILABLE),
)
async def end_session(broker: Broker, principal: Principal, session_id: SessionPath) -> None:
    """Kill a session and all below it: no new work, pending approvals void, within a second everywhere.

    A session may end itself and those it handed out.
    """
    if isinstance(principal, Operator):
        require(principal, Role.ADMIN, Role.APPROVER)
        ended_by = principal
    else:
        await _own(broker, principal, session_id)
        # The ledger says truly that the agent ended its own session.
        ended_by = Operator(principal.actor, frozenset())
    killed = await broker.sessions.kill(session_id, ended_by)
    # Killing twice is no fault of the caller: the session is as dead as they want it.
    if not killed and await broker.reader.session(session_id) is None:
        raise refused(ProblemKind.NOT_FOUND, "there is no such session")


@router.get("/v1/sessions/{session_id}", responses=problems(ProblemKind.NOT_FOUND))
async def read_session(broker: Broker, principal: Principal, session_id: SessionPath) -> SessionView:
    """Show one session; an agent sees its own and those it handed out."""
    return SessionView.of(await _readable(broker, principal, session_id))


@router.get("/v1/sessions/{session_id}/events", responses=problems(ProblemKind.NOT_FOUND))
async def replay_session(
    broker: Broker, principal: Principal, session_id: SessionPath, page: Annotated[PageQuery, Query()]
) -> EventsView:
    """Tell the whole story of one session in order; an agent sees its own and those it handed out."""
    session = await _readable(broker, principal, session_id)
    return await page_of(broker, EventFilter(session_id=session.id), page)


async def _readable(broker: Broker, principal: Session | Operator, session_id: SessionId) -> Session:
    if isinstance(principal, Operator):
        require(principal, *READERS)
    else:
        await _own(broker, principal, session_id)
    session = await broker.reader.session(session_id)
    if session is None:
        raise refused(ProblemKind.NOT_FOUND, "there is no such session")
    return session


async def _own(broker: BrokerPort, session: Session, session_id: SessionId) -> None:
    """Refuse a session that is neither the asking one nor handed out by it."""
    if session.id == session_id:
        return
    found = await broker.reader.session(session_id)
    if found is None or found.parent_id != session.id:
        raise refused(ProblemKind.NOT_FOUND, "there is no such session")


def _started(started: tuple[Session, str] | Problem, response: Response) -> StartedView:
    if isinstance(started, Problem):
        raise RefusedError(started)
    session, token = started
    response.headers["Location"] = f"/v1/sessions/{session.id}"
    return StartedView(session=SessionView.of(session), token=token)
