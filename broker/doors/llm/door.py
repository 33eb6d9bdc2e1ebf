"""The path of one request through the LLM door, numbered in the code as here.

 1 place         what is asked for, in whose format                       | 404, 405; what is not metered is not served
 2 authenticate  the session's token, in any of its forms                 | 401, 403; nothing was read of the body
 3 read          the body, whole and in bounds; what it says of itself    | 400, 413, 429
 4 submit        the broker decides, reserves, records, executes; the wait for people is that of the AWS door
 5 answer        the provider's bytes as they come, its own no, or ours in its form

An answer that was begun and broke has no end: the connection is cut, so that no client takes a part for the whole.
"""

from __future__ import annotations

import asyncio
import re
import traceback
from dataclasses import dataclass, field
from typing import Final

import structlog
from starlette.types import Receive, Scope, Send

from broker.doors.addresses import client_address, scheme_of
from broker.doors.aws.bodies import Buffers
from broker.doors.guard import outage
from broker.doors.llm import models
from broker.doors.llm.answer import Answer, send_answer
from broker.doors.llm.answering import Request, answer_of
from broker.doors.llm.bodies import check_head, read_whole
from broker.doors.llm.credentials import unverified_token
from broker.doors.llm.places import METHODS, Place, Want, is_query, place_of
from broker.doors.llm.reading import Asked, asked_of
from broker.doors.llm.refusals import No, maybe_done, no, of_problem, rendered
from broker.doors.llm.remaining import Left, Remaining
from broker.doors.llm.words import ENVELOPES, Cause, Envelope
from broker.doors.outlet import StreamedAnswer
from broker.doors.ports import BrokerPort
from broker.doors.problems import RefusedError
from broker.doors.requests import header
from broker.exchange import ClientGoneError
from broker.model import IntentDraft, Operator, Session
from broker.outcome import Problem, ProblemKind

_log = structlog.get_logger(__name__)

LARGE_BODY_BYTES: Final = 1 << 20
"""Bodies above this are read in a thread: at 32 MiB it takes so long that others would wait."""

_ID_BYTES: Final = 8
_APPROVALS: Final = "/v1/approvals"
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
"""A ``Host`` header, RFC 3986 section 3.2.2."""
_SERVED: Final = "`/v1/messages`, `/v1/chat/completions`, `/v1/responses`, `/v1/models`, Bedrock's `/model/ID/invoke`"
_OPERATOR: Final = "this is the token of an operator; send the token of a session"


@dataclass(slots=True)
class Turn:
    """One request, and how far it has come.

    Args:
        scope, receive, send: Of the server.
        place: Where it goes.
        envelope: In whose form a no is written.
        left: What is left of a budget; None while nobody looked, or there is none.
        exchange: Set when it is handed to the broker.
    """

    scope: Scope
    receive: Receive
    send: Send
    place: Place
    envelope: Envelope
    left: Left | None = None
    exchange: StreamedAnswer | None = field(default=None, repr=False)

    def told(self, *, rejected: bool = False) -> dict[str, str]:
        """Return headers about budgets."""
        return self.left.headers(self.envelope, rejected=rejected) if self.left else {}


class LlmDoor:
    """The door as an ASGI application.

    Args:
        broker: Takes the intents.
    """

    def __init__(self, broker: BrokerPort) -> None:
        settings = broker.settings
        self._broker = broker
        self._buffers = Buffers(settings.wire_buffer_bytes)
        self._remaining = Remaining(broker)
        self._max_bytes = settings.max_request_bytes
        self._trusted = settings.trusted_networks
        self._wait_seconds = settings.wire_approval_wait_seconds
        self._public_url = settings.public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        place = place_of(scope.get("raw_path") or scope["path"].encode())  # 1 place
        envelope = ENVELOPES[place.dialect] if place.dialect else models.envelope_of(scope)
        turn = Turn(scope, receive, send, place, envelope)
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
        refused = _misplaced(turn)
        if refused is not None:
            return refused
        if turn.place.want is Want.PROBE:
            return Answer(200, {})
        session = await self._broker.sessions.authenticate(unverified_token(turn.scope))  # 2 authenticate
        if isinstance(session, Problem):
            return of_problem(session)
        if isinstance(session, Operator):
            return no(ProblemKind.FORBIDDEN, _OPERATOR)
        if turn.place.want in {Want.MODELS, Want.MODEL}:
            return await models.answer_of(self._broker, session, turn.place, turn.envelope)
        check_head(turn.scope, self._max_bytes)
        with self._buffers.hold() as hold:
            body = await read_whole(turn.receive, hold, self._max_bytes)
            if len(body) > LARGE_BODY_BYTES:
                asked = await asyncio.to_thread(asked_of, turn.place, turn.scope, body)
            else:
                asked = asked_of(turn.place, turn.scope, body)  # 3 read
            return await self._ask(turn, session, asked)

    async def _ask(self, turn: Turn, session: Session, asked: Asked) -> Answer | No | None:
        turn.left = await self._remaining.of(session)
        request = Request(self._url(turn.scope) + _APPROVALS, turn.told())
        exchange = turn.exchange = StreamedAnswer(request.head, turn.receive, turn.send, upload=asked.upload)
        draft = IntentDraft(
            action=asked.action,
            params=asked.params,
            connection=turn.place.connection,
            source_ip=client_address(turn.scope, self._trusted),
            joins=True,
        )
        outcome = await self._broker.submit(
            session, draft, wait_seconds=self._wait_seconds, exchange=exchange
        )  # 4 submit
        if exchange.begun:
            # Without this end a body was cut, and its client sees the connection break.
            if outcome.streamed:
                await exchange.finish()
            return None
        return await answer_of(outcome, request, exchange, self._broker.outputs)  # 5 answer

    def _shaped(self, answer: Answer | No, turn: Turn) -> Answer:
        if isinstance(answer, Answer):
            return answer
        shaped = rendered(answer, turn.envelope, f"req_{self._broker.clock.entropy(_ID_BYTES).hex()}")
        told = turn.told(rejected=answer.cause is Cause.SPENT)
        return Answer(shaped.status, {**told, **shaped.headers}, shaped.body)

    def _url(self, scope: Scope) -> str:
        """Return where people reach this API: as set, or as this client reached it; empty when it said nothing."""
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
        if turn.exchange is None:
            return of_problem(problem)
        # It was handed on, and nobody can tell how far it came.
        return maybe_done(f"{problem.detail}; it may have happened")


def _misplaced(turn: Turn) -> No | None:
    """Return why nothing is served at a place."""
    want, method = turn.place.want, turn.scope["method"]
    if want is Want.NOTHING:
        return no(ProblemKind.NOT_FOUND, f"Not Found: this door serves {_SERVED} and the same under `/llm/NAME`")
    if method not in METHODS[want]:
        return no(ProblemKind.METHOD_NOT_ALLOWED, "this path does not take that method", allow=METHODS[want])
    if not is_query(turn.scope["query_string"]):
        return no(ProblemKind.MALFORMED_REQUEST, "the query cannot be read")
    return None
