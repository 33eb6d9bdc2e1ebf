"""The path of one request through the GitHub door, numbered in the code as here.

 1 place         which connection, REST or GraphQL                       | 404
 2 authenticate  the session's token, in any of its forms                | 401; nothing was read of the body
 3 read          operation and params, strictly; the draft of an intent  | 400, 404, 422
 4 submit        the broker decides, records, executes; the wait for people is that of the AWS door
 5 answer        as GitHub would, streamed, or a no

What may have been done is never answered in a way that a client asks again (`broker.doors.github.refusals`).
"""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.types import Receive, Scope, Send

from broker.doors.addresses import client_address, scheme_of
from broker.doors.github import graphql
from broker.doors.github.answer import Answer, send_answer
from broker.doors.github.answering import Request, answer_of
from broker.doors.github.credentials import unverified_token
from broker.doors.github.links import Links
from broker.doors.github.places import Interface, Place, place_of
from broker.doors.github.reading import MAX_BODY_BYTES, READS, Asked, asked_of, params_from
from broker.doors.github.refusals import DOCUMENTATION, No, maybe_done, no, of_problem, rendered
from broker.doors.guard import outage
from broker.doors.outlet import StreamedAnswer
from broker.doors.ports import BrokerPort, ConfigurationPort
from broker.doors.problems import RefusedError
from broker.doors.requests import header, read_bytes
from broker.exchange import ClientGoneError
from broker.model import IntentDraft, JsonObject, Operator, Session
from broker.outcome import Outcome, Problem, ProblemKind
from connectors.base import Connection

_log = structlog.get_logger(__name__)

_ID_BYTES: Final = 8
_APPROVALS: Final = "/v1/approvals"
_CONNECTOR: Final = "github"
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
"""A ``Host`` header, RFC 3986 section 3.2.2."""
_NO_TOKEN: Final = "Requires authentication: send the token of your session"  # noqa: S105 - words
_NO_PLACE: Final = "Not Found: this door serves `/api/v3`, `/api/graphql` and the same under `/github/NAME`"
_NO_UPLOADS: Final = "Not Found: files of releases are not taken here"


@dataclass(slots=True)
class Turn:
    """One request, and how far it has come.

    Args:
        scope, receive, send: Of the server.
        place: Where it goes.
        here: Where clients reach this API; empty when that cannot be told.
        read: It changes nothing, whatever becomes of it.
        exchange: Set when it is handed to the broker.
    """

    scope: Scope
    receive: Receive
    send: Send
    place: Place
    here: str
    read: bool = False
    exchange: StreamedAnswer | None = None


class GitHubDoor:
    """The door as an ASGI application.

    Args:
        broker: Takes the intents.
    """

    def __init__(self, broker: BrokerPort) -> None:
        settings = broker.settings
        self._broker = broker
        self._trusted = settings.trusted_networks
        self._wait_seconds = settings.wire_approval_wait_seconds
        self._public_url = settings.public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        place = place_of(scope.get("raw_path") or scope["path"].encode())  # 1 place
        turn = Turn(scope, receive, send, place, self._url(scope))
        answer = await self._guarded(turn)
        if answer is not None:
            await send_answer(send, self._shaped(answer, turn), scope["method"])

    async def _guarded(self, turn: Turn) -> Answer | No | None:
        """Serve a request; what nobody foresaw becomes a no, or a cut connection once an answer was begun."""
        try:
            return await self._serve(turn)
        except ClientGoneError:
            raise
        except RefusedError as error:
            return of_problem(error.problem)
        except Exception as error:  # noqa: BLE001 - the wall of this door: leads to a no or a cut connection, no further
            said = self._fault(error, turn)
            return None if turn.exchange is not None and turn.exchange.begun else said
        finally:
            if turn.exchange is not None:
                turn.exchange.close()

    async def _serve(self, turn: Turn) -> Answer | No | None:
        token = unverified_token(turn.scope)
        if not token:
            return no(ProblemKind.UNAUTHENTICATED, _NO_TOKEN)
        session = await self._broker.sessions.authenticate(token)  # 2 authenticate
        if isinstance(session, Problem):
            return of_problem(session)
        if isinstance(session, Operator):
            return no(ProblemKind.FORBIDDEN, "this is the token of an operator; send the token of a session")
        match turn.place.interface:
            case Interface.REST:
                return await self._rest(turn, session)
            case Interface.GRAPHQL:
                return await self._graphql(turn, session)
            case Interface.UPLOADS:
                return no(ProblemKind.NOT_FOUND, _NO_UPLOADS)
            case Interface.NOTHING:
                return no(ProblemKind.NOT_FOUND, _NO_PLACE)

    async def _rest(self, turn: Turn, session: Session) -> Answer | No | None:
        asked = asked_of(turn.scope, turn.place)  # 3 read
        if isinstance(asked, No):
            return asked
        turn.read = asked.entry.method in READS
        body = await read_bytes(turn.scope, turn.receive, MAX_BODY_BYTES)
        params = params_from(asked, turn.scope, body)
        if isinstance(params, No):
            return params
        request = self._request(turn, session, asked)
        exchange = turn.exchange = StreamedAnswer(request.head, turn.receive, turn.send)
        outcome = await self._submit(turn, session, asked.action, params)
        if exchange.begun:
            return None
        return await answer_of(outcome, request, exchange, self._broker.outputs)  # 5 answer

    async def _graphql(self, turn: Turn, session: Session) -> Answer | No | None:
        body = await read_bytes(turn.scope, turn.receive, graphql.MAX_BODY_BYTES)
        wanted = graphql.wanted_from(turn.scope, body)  # 3 read
        if isinstance(wanted, No):
            return wanted
        turn.read = wanted.read
        exchange = turn.exchange = StreamedAnswer(graphql.head, turn.receive, turn.send)
        outcome = await self._submit(turn, session, wanted.action, wanted.params)
        if exchange.begun:
            return None
        return graphql.answer_of(outcome, f"{turn.here}{_APPROVALS}")  # 5 answer

    async def _submit(self, turn: Turn, session: Session, action: str, params: JsonObject) -> Outcome:
        draft = IntentDraft(
            action=action,
            params=params,
            connection=turn.place.connection,
            source_ip=client_address(turn.scope, self._trusted),
            joins=True,
        )
        exchange = turn.exchange
        outcome = await self._broker.submit(
            session, draft, wait_seconds=self._wait_seconds, exchange=exchange
        )  # 4 submit
        if exchange is not None and exchange.begun and outcome.streamed:
            # Without this end a body was cut, and its client sees the connection break.
            await exchange.finish()
        return outcome

    def _request(self, turn: Turn, session: Session, asked: Asked) -> Request:
        connection = _connection_of(self._broker.configuration(), session.project, turn.place.connection)
        api = str(connection.options.get("url", "")).rstrip("/") if connection else ""
        return Request(
            path=turn.place.path,
            entry=asked.entry,
            links=Links(f"{api}/" if api else "", turn.here + turn.place.base),
            approvals_url=turn.here + _APPROVALS,
        )

    def _shaped(self, answer: Answer | No, turn: Turn) -> Answer:
        if isinstance(answer, Answer):
            return answer
        if turn.place.interface is Interface.GRAPHQL:
            return graphql.rendered_no(answer, documentation=turn.here + DOCUMENTATION)
        return rendered(answer, documentation=turn.here + DOCUMENTATION)

    def _url(self, scope: Scope) -> str:
        """Return where clients reach this API: as set, or as this one reached it; empty when it said nothing usable."""
        host = header(scope, b"host")
        if self._public_url or not _HOST.fullmatch(host):
            return self._public_url
        return f"{scheme_of(scope, self._trusted)}://{host}"

    def _fault(self, error: Exception, turn: Turn) -> No:
        """Log what nobody foresaw, without its text, and return what is said of it."""
        error_id = self._broker.clock.entropy(_ID_BYTES).hex()
        problem = outage(error, error_id)
        if problem.kind is not ProblemKind.INTERNAL:
            return of_problem(problem)
        frames = [f"{each.filename}:{each.lineno}:{each.name}" for each in traceback.extract_tb(error.__traceback__)]
        _log.error("door.fault", error_id=error_id, error_type=type(error).__qualname__, frames=frames)
        if turn.exchange is None or turn.read:
            return of_problem(problem)
        # It was handed on, and nobody can tell how far it came.
        return maybe_done(f"{problem.detail}; it may have happened")


def _connection_of(configuration: ConfigurationPort, project: str, name: str) -> Connection | None:
    """Return the connection that is meant; None where the broker will refuse: there is none, or several and no name."""
    entry = configuration.projects.get(project)
    named = (configuration.connections.get(each) for each in (entry.connections if entry else ()))
    found = [each for each in named if each is not None and each.connector == _CONNECTOR and name in {"", each.name}]
    return found[0] if len(found) == 1 else None
