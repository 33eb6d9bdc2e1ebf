"""``/v1/explain``: what would be decided, and why; nothing is done and nothing is recorded.

An agent gets answers about itself and its own session. An operator who may read names any agent.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from broker.doors.addresses import client_address
from broker.doors.documents import body_of, problems
from broker.doors.ports import BrokerPort
from broker.doors.principals import READERS, Broker, Principal, require
from broker.doors.problems import RefusedError, refused
from broker.doors.requests import parse_body, read_body
from broker.ids import SessionId
from broker.model import IntentDraft, Operator, Session
from broker.outcome import Problem, ProblemKind
from policies.answers.explain import to_json
from policies.conditions.moments import parse_moment

MAX_BODY_BYTES: Final = 256 << 10

router = APIRouter(tags=["policy"])

_Name = Annotated[str, Field(max_length=128)]
_Text = Annotated[str, Field(max_length=2048)]


class ExplainRequest(BaseModel):
    """What somebody would ask for, and what to suppose about the moment."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    action: str = Field(min_length=1, max_length=128, description="`service:Operation`")
    resource: str = Field("", max_length=2048, description="one resource, in full or in its short form")
    params: dict[str, Any] = Field(default={}, description="params of the action, in place of a resource")
    connection: str = Field("", max_length=63, description="which connection, where the project has several")
    agent: str = Field("", max_length=63, description="for operators: whose policy; an agent asks about itself")
    at: str = Field("", max_length=40, description="RFC 3339; the moment to suppose, now when left out")
    context: dict[_Name, _Text | int | bool] = Field(
        default={}, max_length=64, description="facts to suppose, as `source_ip` or `session.branch`"
    )


class ExplainView(BaseModel):
    """The answer: the strictest effect, and what every layer says to every requirement."""

    effect: str = Field(description="`allow`, `require_approval` or `deny`")
    requirements: list[dict[str, Any]] = Field(
        description="one explanation per (action, resource) pair, strictest first"
    )
    asked: int = Field(description="how many pairs there are; at most 20 are explained")
    fix: str = Field(description="what would help; empty when nothing is denied")
    policy_version: str


@router.post(
    "/v1/explain",
    responses=problems(
        ProblemKind.UNKNOWN_ACTION,
        ProblemKind.INVALID_PARAMS,
        ProblemKind.AMBIGUOUS_CONNECTION,
        ProblemKind.RESOURCE_MISMATCH,
        ProblemKind.DENIED,
        ProblemKind.NOT_FOUND,
        ProblemKind.REQUEST_TOO_LARGE,
        ProblemKind.UNSUPPORTED_MEDIA_TYPE,
        ProblemKind.STORE_UNAVAILABLE,
    ),
    openapi_extra=body_of(ExplainRequest),
)
async def explain(broker: Broker, principal: Principal, request: Request) -> ExplainView:
    """Explain what would be decided: every rule that matches, what nearly did, and what would help."""
    wanted = parse_body(await read_body(request.scope, request.receive, MAX_BODY_BYTES), ExplainRequest)
    session = _asking(broker, principal, wanted.agent)
    now_ns = parse_moment(wanted.at) if wanted.at else 0
    if now_ns is None:
        raise refused(ProblemKind.INVALID_PARAMS, "`at` is no moment", fix="write `2026-11-20T12:00:00Z`")
    draft = IntentDraft(
        action=wanted.action,
        params=wanted.params,
        resource=wanted.resource,
        connection=wanted.connection,
        source_ip=client_address(request.scope, broker.settings.trusted_networks) if session.id else "",
    )
    found = await broker.explain(session, draft, facts=dict(wanted.context), now_ns=now_ns)
    if isinstance(found, Problem):
        raise RefusedError(found)
    decision = found.decision
    return ExplainView(
        effect=decision.effect.value,
        requirements=[to_json(each) for each in found.explanations],
        asked=max(len(decision.reasons), len(found.explanations)),
        fix=next((each.fix for each in found.explanations if each.fix), ""),
        policy_version=decision.policy_version,
    )


def _asking(broker: BrokerPort, principal: Session | Operator, agent: str) -> Session:
    """Return whose question it is: the session itself, or for an operator one that was made up for the agent."""
    if isinstance(principal, Session):
        if agent not in ("", principal.agent):
            raise refused(ProblemKind.FORBIDDEN, "an agent gets answers about itself only", fix="leave `agent` out")
        return principal
    require(principal, *READERS)
    known = broker.configuration().agents.get(agent)
    if known is None:
        raise refused(ProblemKind.NOT_FOUND, "no such agent in ostiary.yaml", fix="name one in `agent`")
    return Session(SessionId(""), agent, known.project, "", 0, 0)
