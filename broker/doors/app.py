"""The HTTP application: one guard, the doors for intents and for clients of others, FastAPI for the rest.

The doors are those for clients of AWS, git, GitHub and of models. Others (MCP, dashboard) join in `choose`, by path or
by the kind of authorization.
"""

from __future__ import annotations

import functools
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from broker.doors import (
    alerts,
    approvals,
    aws_keys,
    breakers,
    budgets,
    catalogue,
    connections,
    contents,
    events,
    explain,
    halts,
    health,
    intents,
    outputs,
    policy,
    sessions,
    usage,
)
from broker.doors.aws.door import AwsDoor
from broker.doors.aws.recognition import is_signed_for_aws
from broker.doors.git import places as git_places
from broker.doors.git.door import GitDoor
from broker.doors.github.door import GitHubDoor
from broker.doors.github.places import is_github
from broker.doors.guard import Faults, Guard
from broker.doors.llm.door import LlmDoor
from broker.doors.llm.places import is_llm
from broker.doors.openapi import DOCUMENT_PATH, document
from broker.doors.ports import BrokerPort
from broker.doors.problems import problem_response
from broker.doors.requests import validation_problem
from broker.outcome import Problem, ProblemKind

_DESCRIPTION: Final = "Agents hold no keys: they ask, Ostiary decides, acts, and hands back only the result."
_ROUTERS: Final = (
    intents.router,
    outputs.router,
    contents.router,
    aws_keys.router,
    connections.router,
    sessions.router,
    approvals.router,
    alerts.router,
    halts.router,
    breakers.router,
    events.router,
    usage.router,
    budgets.router,
    catalogue.router,
    explain.router,
    policy.router,
    health.router,
)


def create_app(broker: BrokerPort) -> ASGIApp:
    """Return the ASGI application of every HTTP door.

    Args:
        broker: An open broker; the application neither opens nor closes it.
    """
    api = create_api(broker)
    intent_door = intents.IntentDoor(broker)
    aws_door = AwsDoor(broker)
    git_door = GitDoor(broker)
    github_door = GitHubDoor(broker)
    llm_door = LlmDoor(broker)

    def choose(scope: Scope) -> ASGIApp:
        # First of all: an object of S3 may have any path.
        if is_signed_for_aws(scope):
            return aws_door
        if scope["path"].startswith(git_places.PREFIX):
            return git_door
        if is_github(scope["path"]):
            return github_door
        if is_llm(scope["method"], scope["path"]):
            return llm_door
        return intent_door if scope["path"] == intents.PATH else api

    return Guard(choose, api, broker.clock)


def create_api(broker: BrokerPort) -> FastAPI:
    """Return the FastAPI part, which also makes the OpenAPI document of the whole."""
    api = FastAPI(
        title="Ostiary",
        version="1",
        description=_DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(Faults, clock=broker.clock)],
    )
    api.state.broker = broker
    for router in _ROUTERS:
        api.include_router(router)
    api.add_exception_handler(HTTPException, _router_problem)
    api.add_exception_handler(RequestValidationError, _validation_problem)

    @functools.cache
    def made() -> dict[str, object]:
        return document(api)

    @api.get(DOCUMENT_PATH, include_in_schema=False)
    async def openapi() -> dict[str, object]:
        return made()

    return api


async def _router_problem(_request: Request, error: Exception) -> Response:
    """Answer for the router: no such path, or not with this method."""
    if isinstance(error, HTTPException) and error.status_code == 405:  # noqa: PLR2004 - HTTP
        problem = Problem(ProblemKind.METHOD_NOT_ALLOWED, "this path does not take that method")
        return problem_response(problem, headers=error.headers)
    return problem_response(Problem(ProblemKind.NOT_FOUND, "there is nothing at this path"))


async def _validation_problem(_request: Request, error: Exception) -> Response:
    """Answer for parameters of the path and the query; a path id that cannot exist is simply not found."""
    findings = error.errors() if isinstance(error, RequestValidationError) else []
    if not findings or any(item["loc"][0] == "path" for item in findings):
        return problem_response(Problem(ProblemKind.NOT_FOUND, "there is nothing at this path"))
    return problem_response(validation_problem(findings))
