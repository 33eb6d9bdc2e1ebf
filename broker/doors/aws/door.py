"""The path of one request through the AWS wire door, numbered in the code as here.

 1 choose     signed for AWS? (`recognition`, in `broker.doors.app`)
 2 admit      head in bounds; claim, signature, living session       | codes of AWS, nothing read of a body that streams
 3 body       declared as a stream, or read whole, bounded, decoded and checked
 4 parse      every reading of the request, strictly, and the draft of an intent
 5 submit     the broker decides, records, executes; the client's patience is the wait for people
 6 answer     in the client's protocol, streamed, or a no

A body that was not read when the answer goes out closes the connection (`broker.doors.guard`). What may have been done
is never answered in a way that an SDK asks again.
"""

from __future__ import annotations

import traceback
from dataclasses import replace
from functools import partial
from typing import Final

import structlog
from starlette.types import Receive, Scope, Send

from broker.doors.addresses import client_address, scheme_of
from broker.doors.aws.answering import Asked, answer_of
from broker.doors.aws.bodies import Buffers, has_body
from broker.doors.aws.exchange import WireExchange, raw
from broker.doors.aws.gate import Gate
from broker.doors.aws.hosts import Hosts
from broker.doors.aws.intake import Intake
from broker.doors.aws.reading import Body, draft_of, likeliest_first, where_of
from broker.doors.aws.refusals import Cause, No, Speech, of_problem, of_refusal, shaped
from broker.doors.aws.turn import Models, Turn
from broker.doors.guard import outage
from broker.doors.ports import BrokerPort
from broker.exchange import ClientGoneError
from broker.model import IntentDraft, Session
from broker.outcome import ProblemKind
from connectors.aws.model import operation
from connectors.aws.wire_in.calls import Parsed
from connectors.aws.wire_in.calls import Scope as WireScope
from connectors.aws.wire_in.errors_out import ErrorAnswer
from connectors.aws.wire_in.parse import parse
from connectors.aws.wire_in.refusal import Reason, Refusal
from connectors.aws.wire_in.request import receive as receive_head
from connectors.aws.wire_in.services import REST, S3, Protocol
from connectors.aws.wire_out.answer import WireAnswer

_log = structlog.get_logger(__name__)

_ID_BYTES: Final = 8
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_APPROVALS: Final = "/v1/approvals"


class AwsDoor:
    """The door as an ASGI application.

    Args:
        broker: Takes the intents.
    """

    def __init__(self, broker: BrokerPort) -> None:
        settings = broker.settings
        self._broker = broker
        self._models = Models()
        self._intake = Intake(Gate(broker), self._models)
        self._buffers = Buffers(settings.wire_buffer_bytes)
        self._hosts = Hosts(settings.wire_host_names)
        self._trusted = settings.trusted_networks
        self._wait_seconds = settings.wire_approval_wait_seconds
        self._public_url = settings.public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._models.names()
        request_id = self._broker.clock.entropy(_ID_BYTES).hex()
        path = scope.get("raw_path") or scope["path"].encode()
        body = None if has_body(scope) else b""
        head = receive_head(scope["method"], path, scope["query_string"], headers=scope["headers"], body=body)
        if isinstance(head, Refusal):
            speech = Speech(Protocol.REST_XML, "", scope["method"])
            await _send(send, shaped(of_refusal(head), speech, request_id))
            return
        with self._buffers.hold() as hold:
            turn = Turn(scope, receive, send, head, hold, request_id)
            answer = await self._guarded(turn)
            if answer is not None:
                await _send(send, shaped(answer, turn.speech, request_id) if isinstance(answer, No) else answer)

    async def _guarded(self, turn: Turn) -> WireAnswer | No | None:
        """Serve a request; what nobody foresaw becomes a no, or a cut connection once an answer was begun."""
        try:
            return await self._serve(turn)
        except ClientGoneError:
            raise
        except Exception as error:  # noqa: BLE001 - the wall of this door: leads to a no or a cut connection, no further
            no = self._fault(error, turn)
            return None if turn.begun else no
        finally:
            if turn.exchange is not None:
                turn.exchange.close()

    async def _serve(self, turn: Turn) -> WireAnswer | No | None:
        admitted = await self._intake.admit(turn)  # 2 admit
        if isinstance(admitted, No):
            return admitted
        claim = admitted.verified.claim
        if claim.service == S3 and not self._hosts.knows(turn.request.host):
            return _unknown_host()
        scope = WireScope(claim.service, claim.region, presigned=claim.presigned, hosts=self._hosts.names)
        body = await self._intake.body(turn, admitted.verified, scope)  # 3 body
        if isinstance(body, No):
            return body
        parsed = await self._models.using(scope.service, partial(parse, turn.request, scope))  # 4 parse
        if isinstance(parsed, Refusal):
            return of_refusal(parsed)
        turn.parsed = likeliest_first(parsed, scope.service)
        return await self._ask(turn, admitted.session, turn.parsed, body, scope)

    async def _ask(
        self, turn: Turn, session: Session, parsed: Parsed, body: Body, scope: WireScope
    ) -> WireAnswer | No | None:
        api = await self._models.using(scope.service, partial(operation, parsed.service, parsed.operation))
        if api is None:  # parsed from the same models
            return of_refusal(Refusal(Reason.UNKNOWN_OPERATION, "the operation is not known"))
        self._models.read(scope.service)
        draft = self._draft(turn, session, Asked(parsed, api), body, scope)
        if isinstance(draft, No):
            return draft
        exchange = turn.exchange = WireExchange(api, turn.receive, turn.send, upload=body.incoming)
        outcome = await self._broker.submit(
            session, draft, wait_seconds=self._wait_seconds, exchange=exchange
        )  # 5 submit
        broken = body.incoming.no if body.incoming is not None else None
        if broken is not None and outcome.problem is not None and outcome.problem.kind is ProblemKind.UPLOAD_BROKEN:
            return replace(broken, intent_id=outcome.intent_id)
        return await answer_of(  # 6 answer
            outcome,
            Asked(parsed, api),
            exchange,
            outputs=self._broker.outputs,
            approvals_url=lambda: self._url(turn) + _APPROVALS,
        )

    def _draft(self, turn: Turn, session: Session, asked: Asked, body: Body, scope: WireScope) -> IntentDraft | No:
        configuration = self._broker.configuration()
        where = where_of(configuration, session.project, asked.api, asked.parsed.params, scope.region)
        if isinstance(where, No):
            return where
        source_ip = client_address(turn.scope, self._trusted)
        return draft_of(asked.parsed, body, asked.api, where=where, source_ip=source_ip)

    def _url(self, turn: Turn) -> str:
        """Return where people reach this API: as set, or as the client reached it."""
        if self._public_url:
            return self._public_url
        host = turn.request.host
        port = turn.request.headers.get("host", "")[len(host) :]
        return f"{scheme_of(turn.scope, self._trusted)}://{self._hosts.own(host)}{port}"

    def _fault(self, error: Exception, turn: Turn) -> No:
        """Log what nobody foresaw, without its text, and return what is said of it."""
        error_id = self._broker.clock.entropy(_ID_BYTES).hex()
        problem = outage(error, error_id)
        if problem.kind is not ProblemKind.INTERNAL:
            return of_problem(problem)
        frames = [f"{each.filename}:{each.lineno}:{each.name}" for each in traceback.extract_tb(error.__traceback__)]
        _log.error("door.fault", error_id=error_id, error_type=type(error).__qualname__, frames=frames)
        reads = turn.request.method in _SAFE_METHODS and turn.parsed is not None and turn.parsed.protocol in REST
        if turn.exchange is None or reads:
            return of_problem(problem)
        # It was handed on, and nobody can tell how far it came.
        return No(f"{problem.detail}; it may have happened", Cause.MAYBE_DONE)


def _unknown_host() -> No:
    words = "this host is none of `OSTIARY_WIRE_HOSTS`, so a bucket in it cannot be told from one in the path"
    return No(f"{words}; set it, or use addresses by path", Cause.INVALID)


async def _send(send: Send, answer: WireAnswer | ErrorAnswer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": raw(answer.headers)})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
