"""The outer wall of the HTTP server: what holds for every request, whatever door it goes to. Pure ASGI.

1. Headers that two readers may read differently are refused before anything looks at them.
2. Every answer says ``nosniff`` and ``no-store`` and forbids framing and scripts, unless the door says otherwise; a
   door that wants one of these headers left out gives it without a value.
3. An answer given before the whole request was read closes the connection, so that the rest of the body can never be
   taken for a next request.
4. Whatever a door raises becomes a problem: a known outage its own, anything else an id that stands in the log beside
   the place it came from. Neither answer nor log holds the exception's text or any local variable.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Final

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker.clock import Clock
from broker.doors.problems import RefusedError, problem_response
from broker.doors.requests import headers_problem
from broker.errors import LedgerUnavailableError, StoreUnavailableError
from broker.exchange import ClientGoneError
from broker.outcome import Problem, ProblemKind
from broker.store.statements import UnwritableError

_log = structlog.get_logger(__name__)

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"referrer-policy", b"no-referrer"),
)
_ERROR_ID_BYTES: Final = 8
_SECURITY_NAMES: Final = frozenset(name for name, _ in SECURITY_HEADERS)


class Exchange:
    """One request and its answer, seen from the wall: how far each has come.

    Args:
        scope: Of the request.
        receive: The server's.
        send: The server's.
    """

    __slots__ = ("_receive", "_send", "_unread")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._unread = any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in scope["headers"]
        )

    async def receive(self) -> Message:
        """Receive, and take note of the end of the body."""
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        """Send, and complete the headers of the answer."""
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            present = {name for name, _ in headers}
            headers.extend(item for item in SECURITY_HEADERS if item[0] not in present)
            headers = [item for item in headers if item[1] or item[0] not in _SECURITY_NAMES]
            if self._unread and b"connection" not in present:
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        await self._send(message)


class Guard:
    """The outermost ASGI application.

    Args:
        choose: Returns the door for a request's scope.
        lifespan: The application that takes the server's start and stop.
        clock: Source of error ids.
    """

    def __init__(self, choose: Callable[[Scope], ASGIApp], lifespan: ASGIApp, clock: Clock) -> None:
        self._choose = choose
        self._lifespan = lifespan
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, Exchange(scope, receive, send))
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, scope: Scope, exchange: Exchange) -> None:
        wrong = headers_problem(scope["headers"])
        if wrong:
            refusal = problem_response(Problem(ProblemKind.MALFORMED_REQUEST, wrong), headers={"Connection": "close"})
            await refusal(scope, exchange.receive, exchange.send)
            return
        await Faults(self._choose(scope), self._clock)(scope, exchange.receive, exchange.send)


class Faults:
    """Turns what an application raises into a problem, or into a cut connection once an answer was begun.

    Args:
        app: The application.
        clock: Source of error ids.
    """

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the last wall: leads to a problem or a cut connection, no further
            answer = self._answer(error)
            # An answer that was begun is left unfinished: the server cuts the connection and the client can tell.
            if not started:
                await answer(scope, receive, send)

    def _answer(self, error: Exception) -> Response:
        if isinstance(error, RefusedError):
            return problem_response(error.problem, headers=error.headers)
        error_id = self._clock.entropy(_ERROR_ID_BYTES).hex()
        frames = [
            f"{frame.filename}:{frame.lineno}:{frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        _log.error("door.fault", error_id=error_id, error_type=type(error).__qualname__, frames=frames)
        return problem_response(outage(error, error_id), instance=f"urn:ostiary:error:{error_id}")


def outage(error: Exception, error_id: str) -> Problem:
    """Return the problem for an exception: the known outages say what is away, the rest says nothing."""
    if isinstance(error, LedgerUnavailableError):
        return Problem(
            ProblemKind.LEDGER_UNAVAILABLE, "nothing can be recorded, so nothing is done", retry_after_seconds=5
        )
    if isinstance(error, StoreUnavailableError):
        return Problem(ProblemKind.STORE_UNAVAILABLE, "the database cannot be read", retry_after_seconds=5)
    if isinstance(error, UnwritableError):
        return Problem(ProblemKind.INVALID_PARAMS, "a value holds NUL, half a character, or more than can be kept")
    return Problem(ProblemKind.INTERNAL, f"unexpected error; the log has more under `{error_id}`")
