"""Who asks: the one place where a door turns a token into a principal and looks at its roles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request
from starlette.types import Scope

from broker.doors.ports import BrokerPort
from broker.doors.problems import RefusedError, refused
from broker.doors.requests import unverified_bearer
from broker.model import Operator, Role, Session
from broker.outcome import Problem, ProblemKind


async def authenticate(broker: BrokerPort, scope: Scope) -> Session | Operator:
    """Return who sent the request.

    Raises:
        RefusedError: no token, or one that is not accepted.
    """
    found = await broker.sessions.authenticate(unverified_bearer(scope))
    if isinstance(found, Problem):
        raise RefusedError(found)
    return found


async def authenticate_agent(broker: BrokerPort, scope: Scope) -> Session:
    """Return the session that sent the request.

    Raises:
        RefusedError: as in `authenticate`, or it is an operator.
    """
    found = await authenticate(broker, scope)
    if isinstance(found, Operator):
        raise refused(
            ProblemKind.FORBIDDEN,
            "intents belong to sessions of agents, this is the token of an operator",
            fix="send a token that `ostiary session start` or `POST /v1/sessions` gave",
        )
    return found


def broker_of(request: Request) -> BrokerPort:
    """Return the broker the application was made with."""
    return cast("BrokerPort", request.app.state.broker)


async def principal_of(request: Request) -> Session | Operator:
    """Return who sent the request."""
    return await authenticate(broker_of(request), request.scope)


async def agent_of(request: Request) -> Session:
    """Return the session that sent the request."""
    return await authenticate_agent(broker_of(request), request.scope)


def operator_with(*roles: Role) -> Callable[[Request], Awaitable[Operator]]:
    """Return a dependency that gives the operator who holds at least one of ``roles``."""

    async def operator_of(request: Request) -> Operator:
        found = await principal_of(request)
        if isinstance(found, Session):
            raise refused(ProblemKind.FORBIDDEN, "this is for operators; a session of an agent never gets it")
        require(found, *roles)
        return found

    return operator_of


def require(operator: Operator, *roles: Role) -> None:
    """Refuse an operator who holds none of ``roles``.

    Raises:
        RefusedError: naming the roles that would do.
    """
    if not any(operator.may(role) for role in roles):
        names = ", ".join(f"`{role.value}`" for role in roles)
        raise refused(ProblemKind.FORBIDDEN, f"operator `{operator.name}` holds none of the roles {names}")


READERS = (Role.VIEWER, Role.AUDITOR, Role.APPROVER)
"""Roles that may read what happened; an admin holds the first two."""

Broker = Annotated[BrokerPort, Depends(broker_of)]
Principal = Annotated[Session | Operator, Depends(principal_of)]
Agent = Annotated[Session, Depends(agent_of)]
