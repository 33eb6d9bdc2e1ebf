"""Intents as forms: ``multipart/form-data`` (RFC 7578) of two parts, read as it comes in.

The part ``intent`` is first and read whole, under the limit of every request; the part ``body`` is read piece by piece,
by whoever wants it. A form has these two parts and no other, with no header but the two of RFC 7578: what is not
understood is refused.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.types import Receive, Scope

from broker.doors.problems import refused
from broker.doors.requests import BODY_SECONDS, header
from broker.exchange import ClientGoneError
from broker.outcome import ProblemKind
from connectors.errors import UploadBrokenError

MEDIA_TYPE: Final = "multipart/form-data"
INTENT_PART: Final = "intent"
BODY_PART: Final = "body"

IDLE_SECONDS: Final = 30.0
"""Longest pause between two pieces of a body; as long as proxies commonly wait."""

_OVERHEAD_BYTES: Final = 16 << 10
"""What may stand around the parts: boundaries, headers, a preamble, an epilogue."""
_BOUNDARY: Final = re.compile(rb"[0-9A-Za-z'()+_,./:=?-]{1,70}")
"""RFC 2046, section 5.1.1, without the space that nobody uses."""
_HEADERS: Final = frozenset((b"content-disposition", b"content-type"))
_FIX: Final = "send two parts: `intent` (application/json) first, then `body`"


class _FormError(Exception):
    """The form is none, or has other parts than it should; the message says what is wrong."""


class _Form:
    """Sorts the bytes of a form into the intent and pieces of the body.

    Args:
        boundary: Between the parts.
    """

    def __init__(self, boundary: bytes) -> None:
        self.intent = bytearray()
        self.pieces: deque[bytes] = deque()
        self.at_body = False
        self.ended = False
        self._part = 0
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._take_name,
                "on_header_value": self._take_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._take_data,
                "on_end": self._end,
            },
        )

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            _FormError: they are no form of this kind.
        """
        try:
            self._parser.write(data)
        except FormParserError:
            # The library's text quotes what stood there.
            raise _FormError("the form cannot be read") from None

    def _begin_part(self) -> None:
        self._part += 1
        if self._part > 2:  # noqa: PLR2004 - intent and body
            raise _FormError("the form has more than two parts")
        self._headers = {}

    def _take_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        name = self._name.lower()
        if name not in _HEADERS or name in self._headers:
            raise _FormError("a part has a header twice, or one beside `Content-Disposition` and `Content-Type`")
        self._headers[name] = self._value
        self._name = self._value = b""

    def _end_headers(self) -> None:
        wanted = INTENT_PART if self._part == 1 else BODY_PART
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if kind != b"form-data" or options.get(b"name") != wanted.encode():
            raise _FormError(f"part {self._part} of the form is not `{wanted}`")
        media_type, _ = parse_options_header(self._headers.get(b"content-type", b""))
        if wanted == INTENT_PART and media_type not in (b"", b"application/json"):
            raise _FormError("the part `intent` is not of type `application/json`")
        self.at_body = wanted == BODY_PART

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self.at_body:
            self.pieces.append(data[start:end])
        else:
            self.intent += data[start:end]

    def _end(self) -> None:
        self.ended = True


class FormRequest:
    """One request that is a form, read from its connection as far as somebody asks for it.

    Args:
        boundary: Between the parts.
        receive: The server's.
        limit: Most bytes of the intent.
        intent_seconds: Longest time the intent may take to arrive.
        idle_seconds: Longest pause between two pieces of the body.
    """

    def __init__(
        self,
        boundary: bytes,
        receive: Receive,
        *,
        limit: int,
        intent_seconds: float = BODY_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._intent_seconds = intent_seconds
        self._idle_seconds = idle_seconds
        self._form = _Form(boundary)
        self._receive = receive
        self._limit = limit
        self._over = False

    async def intent(self) -> bytes:
        """Return the part ``intent``; the part ``body`` has just begun then.

        Raises:
            RefusedError: it is too long or too slow, or the form is another.
            ClientGoneError: the client went away.
        """
        try:
            async with asyncio.timeout(self._intent_seconds):
                await self._read_intent()
        except TimeoutError:
            detail = f"the intent did not arrive within {self._intent_seconds:.0f} seconds"
            raise refused(ProblemKind.MALFORMED_REQUEST, detail) from None
        except _FormError as error:
            raise refused(ProblemKind.MALFORMED_REQUEST, str(error), fix=_FIX) from None
        return bytes(self._form.intent)

    async def _read_intent(self) -> None:
        size = 0
        while not self._form.at_body:
            if self._over or self._form.ended:
                raise _FormError(f"the form ended before the part `{BODY_PART}`")
            size += await self._take()
            self._check_intent(size)

    def _check_intent(self, size: int) -> None:
        astray = size > self._limit + _OVERHEAD_BYTES and not self._form.at_body
        if astray or len(self._form.intent) > self._limit:
            raise refused(ProblemKind.REQUEST_TOO_LARGE, f"the part `intent` has more than {self._limit} bytes")

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the part ``body`` as it comes in, none of its pieces empty, until the request has ended.

        Raises:
            UploadBrokenError: it stopped, was cut, or is no form to its end.
        """
        surplus = 0
        while True:
            while self._form.pieces:
                yield self._form.pieces.popleft()
            if self._over:
                break
            ended = self._form.ended
            size = await self._take_piece()
            surplus += size if ended else 0
            if surplus > _OVERHEAD_BYTES:
                raise UploadBrokenError("the request goes on after the end of its form")
        if not self._form.ended:
            raise UploadBrokenError("the form ended within the part `body`")

    async def _take_piece(self) -> int:
        try:
            async with asyncio.timeout(self._idle_seconds):
                return await self._take()
        except TimeoutError:
            raise UploadBrokenError(f"nothing of the body came for {self._idle_seconds:.0f} seconds") from None
        except ClientGoneError:
            raise UploadBrokenError("the client went away before the end of the body") from None
        except _FormError as error:
            raise UploadBrokenError(str(error)) from None

    async def _take(self) -> int:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        data: bytes = message.get("body", b"")
        self._over = not message.get("more_body", False)
        self._form.feed(data)
        return len(data)


def form_of(scope: Scope, receive: Receive, limit: int) -> FormRequest | None:
    """Return the form a request says it is; None when it says that it is something else.

    Args:
        scope: Of the request.
        receive: Of the request; nothing is read yet.
        limit: Most bytes of the intent.

    Raises:
        RefusedError: its boundary is none.
    """
    sent = header(scope, b"content-type")
    if sent[: len(MEDIA_TYPE)].lower() != MEDIA_TYPE:
        return None
    kind, options = parse_options_header(sent)
    boundary = options.get(b"boundary", b"")
    if kind != MEDIA_TYPE.encode():
        return None
    if not _BOUNDARY.fullmatch(boundary):
        raise refused(ProblemKind.MALFORMED_REQUEST, "the boundary of the form is missing, or is none", fix=_FIX)
    return FormRequest(boundary, receive, limit=limit)
