"""One request of git-lfs, how it is handed to the broker, and how it is answered: in the form of the LFS API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

import orjson
from starlette.types import Receive, Scope, Send

from broker.doors.git.exchange import PackExchange
from broker.doors.git.places import Place
from broker.doors.git.words import lines_of, pending
from broker.doors.outlet import StreamedAnswer
from broker.doors.ports import BrokerPort
from broker.doors.problems import status_of
from broker.model import IntentDraft, IntentState, JsonObject, Session
from broker.outcome import Outcome, Problem, ProblemKind

MEDIA_TYPE: Final = "application/vnd.git-lfs+json"
_CHALLENGE: Final = MappingProxyType({"LFS-Authenticate": 'Basic realm="ostiary"'})
_APPROVALS: Final = "/v1/approvals"
_ABOUT_OBJECT: Final = frozenset((404, 410, 413, 422))
"""Statuses of the host that say something about an object, and nothing about a credential the client does not have."""


@dataclass(frozen=True, slots=True)
class LfsRequest:
    """One request, whose session is known.

    Args:
        scope, receive, send: Of the server.
        session: Who asks.
        place: The repository, and the path below ``info/lfs/``.
        home: Where clients reach this API, without a slash at its end.
        source_ip: Address it came from.
    """

    scope: Scope
    receive: Receive
    send: Send
    session: Session
    place: Place
    home: str
    source_ip: str = ""

    @property
    def url(self) -> str:
        """Where objects of the repository are at this door."""
        return f"{self.home}/git/{self.place.connection}/{self.place.repo}.git/info/lfs/objects"


class LfsRefusedError(Exception):
    """Carries a refusal to where it is written.

    Args:
        status: HTTP status.
        message: For people.
        intent_id: The intent it is about, empty when there is none.
        retry_after_seconds: When to ask again, 0 for not said.
    """

    def __init__(self, status: int, message: str, intent_id: str = "", retry_after_seconds: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.intent_id = intent_id
        self.retry_after_seconds = retry_after_seconds


async def submit(
    broker: BrokerPort, request: LfsRequest, action: str, params: JsonObject, exchange: PackExchange | StreamedAnswer
) -> Outcome:
    """Return the outcome of what succeeded.

    Raises:
        LfsRefusedError: it did not, or waits for people.
    """
    draft = IntentDraft(action, params, connection=request.place.connection, source_ip=request.source_ip, joins=True)
    wait_seconds = broker.settings.wire_approval_wait_seconds
    outcome = await broker.submit(request.session, draft, wait_seconds=wait_seconds, exchange=exchange)
    if isinstance(exchange, StreamedAnswer) and exchange.begun:
        return outcome
    if outcome.problem is not None:
        problem = outcome.problem
        message = "; ".join(lines_of(problem))
        raise LfsRefusedError(_status_of(problem), message, outcome.intent_id, problem.retry_after_seconds)
    if outcome.state is not IntentState.SUCCEEDED:
        told = pending(outcome, request.home + _APPROVALS)
        raise LfsRefusedError(403, f"ostiary: {told}; ask again once it is approved", outcome.intent_id)
    if outcome.result.keys() == {"withheld"}:
        raise LfsRefusedError(403, "ostiary: it was done, and its result is withheld", outcome.intent_id)
    return outcome


def _status_of(problem: Problem) -> int:
    """Return the status git-lfs is told; the host's own where it says something about the object."""
    upstream = problem.extra.get("upstream_status", 0)
    if problem.kind is ProblemKind.UPSTREAM_REFUSED and upstream in _ABOUT_OBJECT:
        return int(upstream)
    return status_of(problem)


async def send_document(
    send: Send, status: int, document: JsonObject, headers: Mapping[str, str] | None = None
) -> None:
    """Send an answer of the LFS API.

    Args:
        send: Of the answer.
        status: HTTP status; with 401 goes what git-lfs looks for in place of ``WWW-Authenticate``.
        document: The body.
        headers: More headers.
    """
    body = orjson.dumps(document)
    own = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **(headers or {})}
    if status == HTTPStatus.UNAUTHORIZED:
        own |= _CHALLENGE
    raw = [(name.lower().encode(), value.encode()) for name, value in own.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def send_no(
    send: Send, status: int, message: str, *, intent_id: str = "", headers: Mapping[str, str] | None = None
) -> None:
    """Send a "no" in the form of the LFS API; for the door's own, too, as when there is no session.

    Args:
        send: Of the answer.
        status: HTTP status.
        message: For people.
        intent_id: The intent it is about, empty when there is none.
        headers: More headers.
    """
    document = {"message": message, **({"request_id": intent_id} if intent_id else {})}
    await send_document(send, status, document, headers)
