"""``/v1/policy``: what operators ask about policies: remarks, grants, what a draft changes, what the ledger teaches.

The answers are those of `ostiary policy` (`broker.studies`), about the configuration in force. A draft is a set of
files that stand in place of the ones in force; it is looked at and never kept. Everything runs beside the requests of
agents.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from broker.clock import NS_PER_SECOND
from broker.config.model import Configuration
from broker.doors.documents import body_of, problems
from broker.doors.ports import BrokerPort
from broker.doors.principals import Broker, operator_with
from broker.doors.problems import RefusedError, refused
from broker.doors.requests import parse_body, read_body
from broker.doors.views import View
from broker.errors import ConfigError
from broker.model import JsonObject, Operator, Role
from broker.outcome import Problem, ProblemKind
from broker.studies.answers import difference_row, differences, grants_of, remark_row, remarks_on, who_can_rows
from broker.studies.records import RecordedIntent, recorded
from broker.studies.replay import replay
from broker.studies.suggest import suggest
from broker.studies.unused import unused
from policies.language.schema import policy_schema
from policies.model import Requirement

MAX_BODY_BYTES: Final = 8 << 20
MAX_FILES: Final = 1_000
_DAY_SECONDS: Final = 86_400
_MAX_SECONDS: Final = 3_660 * _DAY_SECONDS
"""Ten years; SOC 2 and HIPAA keep less."""
_SHOWN_FINDINGS: Final = 50

Report = TypeVar("Report")

router = APIRouter(tags=["policy"])

Reader = Annotated[Operator, Depends(operator_with(Role.AUDITOR, Role.ADMIN))]
"""Policies tell much about a house: its auditors and admins read them, not everybody who may see an event."""

Since = Annotated[int, Query(ge=1, le=_MAX_SECONDS, description="how far back to look, in seconds")]
_File = Annotated[str, Field(max_length=2 << 20)]
_FileName = Annotated[
    str, Field(pattern=r"^(ostiary|policies/((guardrails|projects)/)?[a-z0-9][a-z0-9-]{0,62})\.yaml$")
]


class DraftRequest(BaseModel):
    """Files that stand in place of the ones in force; the rest stays as it is."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    files: dict[_FileName, _File] = Field(default={}, max_length=MAX_FILES, description="text by name")
    removed: list[_FileName] = Field(default=[], max_length=MAX_FILES, description="names of files that go")
    since_seconds: int = Field(7 * _DAY_SECONDS, ge=1, le=_MAX_SECONDS, description="for a replay: how far back")


class RowsView(View):
    """Answers, one by one."""

    rows: list[dict[str, Any]]


class ReportView(BaseModel):
    """A report as `ostiary policy … -o json` prints it."""

    model_config = ConfigDict(extra="allow", frozen=True)


_READING = problems(ProblemKind.NOT_FOUND, ProblemKind.INVALID_PARAMS)
_DRAFTING = problems(
    ProblemKind.INVALID_PARAMS,
    ProblemKind.REQUEST_TOO_LARGE,
    ProblemKind.UNSUPPORTED_MEDIA_TYPE,
    ProblemKind.STORE_UNAVAILABLE,
)


@router.get("/v1/policy/schema", responses=problems())
async def schema(broker: Broker, _operator: Reader) -> ReportView:
    """Give the JSON Schema of policy files, for editors."""
    return ReportView(**policy_schema(broker.in_force().catalogue))


@router.get("/v1/policy/lint", responses=problems())
async def lint(broker: Broker, _operator: Reader) -> RowsView:
    """List what is valid and probably not meant."""
    found = await asyncio.to_thread(remarks_on, broker.in_force(), broker.clock.now_ns())
    return RowsView(rows=[remark_row(each) for each in found])


@router.get("/v1/policy/can-i", responses=_READING)
async def can_i(
    broker: Broker,
    _operator: Reader,
    agent: Annotated[str, Query(max_length=63)],
    action: Annotated[str, Query(max_length=128)] = "",
) -> RowsView:
    """List what an agent can do."""
    configuration = broker.in_force()
    if agent not in configuration.layers:
        raise refused(ProblemKind.NOT_FOUND, "no such agent in ostiary.yaml")
    return RowsView(rows=await asyncio.to_thread(grants_of, configuration, agent, action))


@router.get("/v1/policy/who-can", responses=_READING)
async def who_can(
    broker: Broker,
    _operator: Reader,
    action: Annotated[str, Query(min_length=1, max_length=128)],
    resource: Annotated[str, Query(min_length=1, max_length=2048)],
) -> RowsView:
    """List the agents that can do one thing."""
    asked = Requirement(action, resource)
    rows = await asyncio.to_thread(who_can_rows, broker.in_force(), asked, {}, broker.clock.now_ns())
    return RowsView(rows=rows)


@router.post("/v1/policy/diff", responses=_DRAFTING, openapi_extra=body_of(DraftRequest))
async def diff(broker: Broker, _operator: Reader, request: Request) -> RowsView:
    """Tell what a draft newly allows, asks for and denies, each with an example; `widens` marks what to look at."""
    _, drafted = await _draft(broker, request)
    found = await asyncio.to_thread(differences, broker.in_force(), drafted)
    return RowsView(rows=[difference_row(each) for each in found])


@router.post("/v1/policy/replay", responses=_DRAFTING, openapi_extra=body_of(DraftRequest))
async def replay_draft(broker: Broker, _operator: Reader, request: Request) -> ReportView:
    """Decide what was asked again, by a draft: which answers would change, session by session."""
    wanted, drafted = await _draft(broker, request)
    report = await _beside(replay(_records(broker, drafted, wanted.since_seconds), drafted.layers))
    return ReportView(**report.to_json())


@router.get("/v1/policy/unused", responses=problems(ProblemKind.STORE_UNAVAILABLE))
async def unused_rules(broker: Broker, _operator: Reader, since_seconds: Since = 90 * _DAY_SECONDS) -> ReportView:
    """Tell how the rules were used, and which grant more than was needed."""
    found = broker.in_force()
    report = await _beside(unused(_records(broker, found, since_seconds), found.layers, found.catalogue))
    return ReportView(**report.to_json())


@router.get("/v1/policy/suggest", responses=problems(ProblemKind.STORE_UNAVAILABLE))
async def suggest_policies(
    broker: Broker,
    _operator: Reader,
    agent: Annotated[list[str] | None, Query(max_length=100)] = None,
    since_seconds: Since = 30 * _DAY_SECONDS,
) -> ReportView:
    """Suggest the least privilege that what was asked needed, as diffs; nothing is applied."""
    found = broker.in_force()
    records = _records(broker, found, since_seconds)
    report = await _beside(suggest(records, found.layers, found.files, found.catalogue, agent or ()))
    return ReportView(**report.to_json())


async def _beside(study: Coroutine[Any, Any, Report]) -> Report:
    """Run a study in a thread and a loop of its own: it computes for seconds, and agents do not wait for that."""
    return await asyncio.to_thread(asyncio.run, study)


def _records(broker: BrokerPort, found: Configuration, since_seconds: int) -> AsyncGenerator[RecordedIntent, None]:
    owners = {name: agent.owner for name, agent in found.agents.items()}
    return recorded(broker.reader, broker.clock.now_ns() - since_seconds * NS_PER_SECOND, owners=owners)


async def _draft(broker: BrokerPort, request: Request) -> tuple[DraftRequest, Configuration]:
    wanted = parse_body(await read_body(request.scope, request.receive, MAX_BODY_BYTES), DraftRequest)
    files: dict[str, bytes] = {
        name: data for name, data in broker.in_force().files.items() if name not in wanted.removed
    }
    files |= {name: text.encode("utf-8", "surrogatepass") for name, text in wanted.files.items()}
    try:
        return wanted, await asyncio.to_thread(broker.draft, files)
    except ConfigError as error:
        raise RefusedError(_faulty(error)) from None


def _faulty(error: ConfigError) -> Problem:
    found: list[JsonObject] = [
        {"file": each.file, "line": each.line, "column": each.column, "detail": each.message, "fix": each.fix}
        for each in error.findings[:_SHOWN_FINDINGS]
    ]
    return Problem(
        ProblemKind.INVALID_PARAMS, f"the draft cannot be used: {error.findings[0]}", extra={"errors": found}
    )
