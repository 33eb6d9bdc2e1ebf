"""A request's body, read whole: within a bound of its own, one of all together, and a time.

Nothing is read before it is known who asks.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import Message, Receive, Scope

from broker.doors.aws.bodies import Hold
from broker.doors.problems import RefusedError, refused
from broker.doors.requests import BODY_SECONDS, header
from broker.exchange import ClientGoneError
from broker.outcome import Problem, ProblemKind

_DISCONNECT: Final = "http.disconnect"
_JSON: Final = "application/json"
_CHARSETS: Final = frozenset(("", "charset=utf-8"))
_PLAIN: Final = frozenset(("", "identity"))
"""Codings of content that are none, RFC 9110 section 8.4."""


def check_head(scope: Scope, limit: int) -> None:
    """Look at what the head says of the body.

    Args:
        scope: Of the request.
        limit: Most bytes.

    Raises:
        RefusedError: it is encoded, no JSON, or longer than ``limit``.
    """
    if header(scope, b"content-encoding").lower() not in _PLAIN:
        # It would have to be unpacked to be metered, and a small one may unpack to gigabytes.
        raise refused(ProblemKind.UNSUPPORTED_MEDIA_TYPE, "the body is encoded", fix="send it as it is")
    media_type, _, more = header(scope, b"content-type").partition(";")
    charset = more.replace(" ", "").replace('"', "").lower()
    if media_type.strip().lower() != _JSON or charset not in _CHARSETS:
        raise refused(ProblemKind.UNSUPPORTED_MEDIA_TYPE, "expected a body of type `application/json` in UTF-8")
    declared = header(scope, b"content-length")
    if declared.isascii() and declared.isdigit() and (len(declared) > len(str(limit)) or int(declared) > limit):
        raise refused(ProblemKind.REQUEST_TOO_LARGE, f"the body has more than {limit} bytes")


async def read_whole(receive: Receive, hold: Hold, limit: int, *, seconds: float = BODY_SECONDS) -> bytes:
    """Return the body as it was sent.

    Args:
        receive: Of the request.
        hold: What it is counted in.
        limit: Most bytes.
        seconds: Longest time it may take.

    Raises:
        RefusedError: it is too long or too slow, or too many are read at once.
        ClientGoneError: the client went away.
    """
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(seconds):
            while more:
                message = await receive()
                piece = _piece(message, hold, limit - len(body))
                more = message.get("more_body", False)
                if not more and not body:
                    return piece
                body += piece
    except TimeoutError:
        raise refused(ProblemKind.MALFORMED_REQUEST, f"the body did not arrive within {seconds:.0f} seconds") from None
    return bytes(body)


def _piece(message: Message, hold: Hold, room: int) -> bytes:
    """Return what came, if there is room for it."""
    if message["type"] == _DISCONNECT:
        raise ClientGoneError
    piece: bytes = message.get("body", b"")
    if len(piece) > room:
        raise refused(ProblemKind.REQUEST_TOO_LARGE, "the body is larger than what is taken here")
    if not hold.grow(len(piece)):
        raise RefusedError(
            Problem(ProblemKind.TOO_BUSY, "too many large requests at once", reason="memory", retry_after_seconds=1)
        )
    return piece
