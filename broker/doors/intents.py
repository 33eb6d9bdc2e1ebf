"""``/v1/intents``: what an agent asks for and where it stands.

An intent is JSON, or a form of JSON and the body it declares (`broker.doors.uploads`). `IntentDoor` is raw ASGI: it is
the hot path, and a framework's routing and injection would cost more than the decision. What it takes and gives is in
the OpenAPI document all the same, from the same models.
"""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from broker.doors.addresses import client_address
from broker.doors.documents import problems
from broker.doors.forms import form_of
from broker.doors.ports import BrokerPort
from broker.doors.principals import Agent, Broker, authenticate_agent
from broker.doors.problems import problem_response, refused
from broker.doors.requests import header, parse_body, read_body, wait_seconds
from broker.doors.uploads import exchange_of, refuse_missing_body
from broker.doors.views import IntentView, intent_json, intent_path
from broker.ids import IntentId
from broker.model import IntentDraft, IntentState, Session
from broker.outcome import Outcome, Problem, ProblemKind

PATH: Final = "/v1/intents"
ID_PATTERN: Final = "^int_[0-9a-hjkmnp-tv-z]{26}$"

MAX_REASON_CHARS: Final = 1000
"""The agent's words are clipped here: they are shown to people, last and unverified."""

MAX_IDEMPOTENCY_KEY_CHARS: Final = 128
POLL_SECONDS: Final = 0.1
"""Pause between two looks at a pending intent while a client waits."""

_IDEMPOTENCY_KEY: Final = re.compile(r"[!-~]{1,128}")
_RETRY_PERSON_SECONDS: Final = 5
_RETRY_QUEUE_SECONDS: Final = 1

IntentPath = Annotated[IntentId, Path(pattern=ID_PATTERN)]


class IntentRequest(BaseModel):
    """What an agent asks for."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    action: str = Field(min_length=1, max_length=128, description="`service:Operation`, as listed by /v1/actions")
    params: dict[str, Any] = Field(default={}, description="params of the action; /v1/actions has their schema")
    resource: str = Field("", max_length=2048, description="a claim, compared with what the params name, never used")
    connection: str = Field("", max_length=63, description="which connection, where the project has several")
    reason: str = Field("", description=f"your words for the approver; clipped to {MAX_REASON_CHARS} characters")
    dry_run: bool = Field(default=False, description="decide and say what would happen; do nothing")


class IntentDoor:
    """``POST /v1/intents`` as an ASGI application.

    Args:
        broker: Takes the intents.
    """

    def __init__(self, broker: BrokerPort) -> None:
        self._broker = broker
        self._limit = broker.settings.max_request_bytes
        self._trusted = broker.settings.trusted_networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the caller is known before a byte of the body is read.

        Of an upload nothing is read here but the intent before it: `broker.doors.uploads`.
        """
        if scope["method"] != "POST":
            problem = Problem(ProblemKind.METHOD_NOT_ALLOWED, "intents are made by POST")
            await problem_response(problem, headers={"Allow": "POST"})(scope, receive, send)
            return
        session = await authenticate_agent(self._broker, scope)
        key = idempotency_key(scope)
        form = form_of(scope, receive, self._limit)
        sent = await (form.intent() if form else read_body(scope, receive, self._limit))
        wanted = parse_body(sent, IntentRequest)
        exchange = await exchange_of(form, wanted.params) if form else None
        if exchange is None and not wanted.dry_run:
            refuse_missing_body(wanted.params)
        draft = IntentDraft(
            action=wanted.action,
            params=wanted.params,
            resource=wanted.resource,
            connection=wanted.connection,
            reason=wanted.reason[:MAX_REASON_CHARS],
            idempotency_key=key,
            dry_run=wanted.dry_run,
            source_ip=client_address(scope, self._trusted),
        )
        wait = wait_seconds(scope)
        outcome = await self._broker.submit(session, draft, wait_seconds=wait, exchange=exchange)
        await outcome_response(outcome, wait)(scope, receive, send)


def idempotency_key(scope: Scope) -> str:
    """Return the idempotency key, empty when none was sent.

    Raises:
        RefusedError: it is no key; an empty header is none either, as its sender believes to be protected.
    """
    key = header(scope, b"idempotency-key")
    if not key and not any(name == b"idempotency-key" for name, _ in scope["headers"]):
        return ""
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise refused(
            ProblemKind.MALFORMED_REQUEST,
            f"an idempotency key has 1 to {MAX_IDEMPOTENCY_KEY_CHARS} visible ASCII characters",
        )
    return key


def outcome_response(outcome: Outcome, waited_seconds: int = 0) -> Response:
    """Return an outcome as an HTTP answer: 200 when done, 202 while pending, the problem's status otherwise."""
    headers = {"Preference-Applied": f"wait={waited_seconds}"} if waited_seconds else {}
    shown = intent_json(outcome)
    if outcome.problem is not None:
        return _problem_of(outcome, outcome.problem, headers)
    if outcome.dry_run or outcome.state.terminal:
        return Response(orjson.dumps(shown), 200, headers, "application/json")
    asks_person = outcome.state is IntentState.PENDING_APPROVAL
    headers["Location"] = intent_path(outcome.intent_id)
    headers["Retry-After"] = str(_RETRY_PERSON_SECONDS if asks_person else _RETRY_QUEUE_SECONDS)
    return Response(orjson.dumps(shown), 202, headers, "application/json")


def _problem_of(outcome: Outcome, problem: Problem, headers: dict[str, str]) -> Response:
    members: dict[str, Any] = {"intent": outcome.intent_id, "state": outcome.state.value}
    if outcome.decision:
        members["decision"] = outcome.decision
    if outcome.approval_id:
        members["approval"] = outcome.approval_id
    return problem_response(problem, instance=intent_path(outcome.intent_id), members=members, headers=headers)


router = APIRouter(tags=["intents"])


@router.get(
    PATH + "/{intent_id}",
    response_model=IntentView,
    responses={
        202: {"model": IntentView, "description": "Not decided or not done yet; look again after `Retry-After`"},
        **problems(*ProblemKind),
    },
)
async def read_intent(broker: Broker, session: Agent, intent_id: IntentPath, request: Request) -> Response:
    """Tell where an intent of this session stands, as its POST would answer now; `Prefer: wait=N` waits for the end."""
    wait = wait_seconds(request.scope)
    outcome = await _settled(broker, session, intent_id, wait)
    return outcome_response(outcome, wait)


async def _settled(broker: BrokerPort, session: Session, intent_id: IntentId, wait: int) -> Outcome:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    while True:
        outcome = await own_outcome(broker, session, intent_id)
        if outcome.state.terminal or loop.time() >= deadline:
            return outcome
        await asyncio.sleep(POLL_SECONDS)


async def own_outcome(broker: BrokerPort, session: Session, intent_id: IntentId) -> Outcome:
    """Return the outcome of an intent of this session.

    Raises:
        RefusedError: there is none; another session's intent looks the same as none.
    """
    outcome = await broker.outcome(session, intent_id)
    if outcome is None:
        raise refused(ProblemKind.NOT_FOUND, "this session has no such intent")
    return outcome
