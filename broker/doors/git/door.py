"""The git door as an ASGI application: one request of git is one intent of the session.

    GET  info/refs?service=git-upload-pack     git:read, what: advertisement    streamed
    POST git-upload-pack                       git:read, what: fetch            streamed
    GET  info/refs?service=git-receive-pack    git:read, what: push-refs        our own advertisement
    POST git-receive-pack                      git:push                         `broker.doors.git.pushing`
    info/lfs/…                                 git:lfs-read, git:lfs-write      `broker.doors.git.lfs`

The session token comes as the password of Basic or as Bearer. Protocol versions 0, 1 and 2. What a client says about
itself is never believed: refs, object ids and packs are read again by whoever decides.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from broker.doors.addresses import client_address, scheme_of
from broker.doors.git import words
from broker.doors.git.bodies import RequestBody, read_bounded
from broker.doors.git.exchange import PackExchange
from broker.doors.git.lfs import serve_lfs
from broker.doors.git.lfs_request import LfsRequest
from broker.doors.git.places import Place, Want, place_of
from broker.doors.git.pushing import PushAnswer
from broker.doors.outlet import RawHeaders, StreamedAnswer, send_kept
from broker.doors.outputs import inline_body
from broker.doors.ports import BrokerPort
from broker.doors.problems import status_of
from broker.doors.requests import header
from broker.errors import StoreUnavailableError
from broker.ids import ApprovalId, IntentId
from broker.model import IntentDraft, IntentState, JsonObject, Operator, Session
from broker.outcome import Outcome, Problem, ProblemKind
from connectors.errors import InvalidParamsError, UploadBrokenError
from connectors.git.operations import READ, What
from connectors.git.wire.fetch_request import MAX_REQUEST_BYTES, check_protocol

_REALM: Final = {"WWW-Authenticate": 'Basic realm="ostiary", charset="UTF-8"'}
_MAX_AUTHORIZATION_CHARS: Final = 2048
_APPROVALS: Final = "/v1/approvals"
_BODIES: Final = {
    Want.FETCH: "application/x-git-upload-pack-request",
    Want.PUSH: "application/x-git-receive-pack-request",
}
_READS: Final = {Want.READ_REFS: What.ADVERTISEMENT, Want.PUSH_REFS: What.PUSH_REFS, Want.FETCH: What.FETCH}


class GitDoor:
    """The door.

    Args:
        broker: Takes the intents.
    """

    def __init__(self, broker: BrokerPort) -> None:
        self._broker = broker
        self._trusted = broker.settings.trusted_networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        raw_path = scope.get("raw_path") or scope["path"].encode()
        place = place_of(scope["method"], raw_path, scope["query_string"])
        if place is None:
            await _plain(404, "there is nothing at this path; clone /git/<connection>/<owner>/<repo>.git")(
                scope, receive, send
            )
            return
        session = await self._session(scope)
        if isinstance(session, Problem):
            headers = _REALM if status_of(session) == _UNAUTHENTICATED else None
            await _no(session, headers)(scope, receive, send)
            return
        expected = _BODIES.get(place.want, "")
        if expected and header(scope, b"content-type") != expected:  # git sends it so; no form of a browser can
            await _no(Problem(ProblemKind.UNSUPPORTED_MEDIA_TYPE, f"expected a body of type `{expected}`"))(
                scope, receive, send
            )
            return
        place = self._spelled(place)
        try:
            await self._serve(session, place, (scope, receive, send))
        except (InvalidParamsError, UploadBrokenError) as error:
            fix = error.fix if isinstance(error, InvalidParamsError) else ""
            await _no(Problem(ProblemKind.MALFORMED_REQUEST, str(error), fix=fix))(scope, receive, send)

    async def _serve(self, session: Session, place: Place, asgi: tuple[Scope, Receive, Send]) -> None:
        scope, receive, send = asgi
        match place.want:
            case Want.PUSH:
                await self._push(session, place, asgi)
            case Want.LFS:
                source_ip = client_address(scope, self._trusted)
                request = LfsRequest(scope, receive, send, session, place, self._url(scope), source_ip)
                await serve_lfs(self._broker, request)
            case want:
                await self._read(session, place, _READS[want], asgi)

    async def _read(self, session: Session, place: Place, what: What, asgi: tuple[Scope, Receive, Send]) -> None:
        scope, receive, send = asgi
        params: JsonObject = {"repo": place.repo, "what": what.value}
        if what is not What.PUSH_REFS:
            params["protocol"] = check_protocol(header(scope, b"git-protocol"))
        if what is What.FETCH:
            request = await read_bounded(RequestBody(scope, receive).pieces(), MAX_REQUEST_BYTES)
            params["request"] = base64.b64encode(request).decode()
        draft = IntentDraft(
            READ, params, connection=place.connection, source_ip=client_address(scope, self._trusted), joins=True
        )
        exchange = StreamedAnswer(_head, receive, send)
        try:
            outcome = await self._broker.submit(
                session, draft, wait_seconds=self._broker.settings.wire_approval_wait_seconds, exchange=exchange
            )
            await self._answer(outcome, what, exchange, asgi)
        finally:
            exchange.close()

    async def _answer(
        self, outcome: Outcome, what: What, exchange: StreamedAnswer, asgi: tuple[Scope, Receive, Send]
    ) -> None:
        scope, receive, send = asgi
        if exchange.begun:
            if outcome.streamed:
                await exchange.finish()
            return  # one that was cut has no end, so the client sees that it was
        if outcome.problem is not None:
            await _no(outcome.problem)(scope, receive, send)
        elif outcome.state is not IntentState.SUCCEEDED:
            told = words.pending(outcome, self._url(scope) + _APPROVALS)
            await _plain(403, f"ostiary: {told}")(scope, receive, send)
        elif outcome.body is None and outcome.output_bytes >= 0:
            if not await send_kept(outcome, {}, exchange, self._broker.outputs):
                await _plain(410, "ostiary: the answer is no longer kept; ask again")(scope, receive, send)
        else:
            body = outcome.body if outcome.body is not None else inline_body(outcome) or b""
            await Response(body, media_type=_MEDIA[what])(scope, receive, send)

    async def _push(self, session: Session, place: Place, asgi: tuple[Scope, Receive, Send]) -> None:
        scope, receive, send = asgi

        async def submit(draft: IntentDraft, exchange: PackExchange, on_parked: Callable[[Outcome], None]) -> Outcome:
            return await self._broker.submit(
                session,
                draft,
                wait_seconds=self._broker.settings.wire_approval_wait_seconds,
                exchange=exchange,
                on_parked=on_parked,
            )

        answer = PushAnswer(send, submit, self._url(scope) + _APPROVALS, self._rule_of)
        body = RequestBody(scope, receive)
        await answer.run(place.repo, place.connection, body, source_ip=client_address(scope, self._trusted))

    async def _rule_of(self, approval_id: str) -> str:
        try:
            approval = await self._broker.reader.approval(ApprovalId(approval_id))
        except StoreUnavailableError:  # the question is open all the same, and its page says which
            return "not known now"
        return approval.rule if approval else "not known any more"

    async def _session(self, scope: Scope) -> Session | Problem:
        token = unverified_token(header(scope, b"authorization"))
        if token is None:
            return Problem(ProblemKind.UNAUTHENTICATED, "send the session token as password or as bearer token")
        found = await self._broker.sessions.authenticate(token)
        if isinstance(found, Operator):
            return Problem(ProblemKind.FORBIDDEN, "git is for sessions of agents, this is the token of an operator")
        return found

    def _spelled(self, place: Place) -> Place:
        """Return a place in the spelling its connection takes: a host that folds case has one name, in lower case."""
        known = self._broker.configuration().connections.get(place.connection)
        if known is not None and known.options.get("case_sensitive"):
            return place
        return Place(place.connection, place.repo.lower(), place.want, place.rest)

    def _url(self, scope: Scope) -> str:
        """Return where people reach this API: as set, or as the client reached it."""
        public = self._broker.settings.public_url
        return public or f"{scheme_of(scope, self._trusted)}://{header(scope, b'host')}"


_UNAUTHENTICATED: Final = 401
_MEDIA: Final = {
    What.ADVERTISEMENT: "application/x-git-upload-pack-advertisement",
    What.PUSH_REFS: "application/x-git-receive-pack-advertisement",
    What.FETCH: "application/x-git-upload-pack-result",
}


def _head(intent_id: IntentId, _data: JsonObject, media_type: str) -> tuple[int, RawHeaders]:
    return 200, [(b"content-type", media_type.encode("latin-1")), (b"ostiary-intent", intent_id.encode())]


def unverified_token(authorization: str) -> str | None:
    """Return the token of Basic (as password) or Bearer, not verified; None when there is none.

    Args:
        authorization: Value of the header.
    """
    scheme, _, value = authorization.partition(" ")
    if len(authorization) > _MAX_AUTHORIZATION_CHARS:
        return None
    if scheme.lower() == "bearer":
        return value.strip() or None
    if scheme.lower() != "basic":
        return None
    try:
        _, _, password = base64.b64decode(value.strip(), validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password or None


def _no(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Return a problem as text, which git shows line by line behind ``remote:``."""
    text = "\n".join(words.lines_of(problem)) + "\n"
    extra = {"Retry-After": str(problem.retry_after_seconds)} if problem.retry_after_seconds else {}
    return Response(text, status_of(problem), {**(headers or {}), **extra}, "text/plain; charset=utf-8")


def _plain(status: int, text: str) -> Response:
    return Response(text + "\n", status, media_type="text/plain; charset=utf-8")
