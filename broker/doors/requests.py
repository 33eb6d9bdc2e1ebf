"""Reading of one HTTP request from its raw parts: headers, bearer token, preferences, body.

Everything read here is unverified. Bodies are read under a limit, before and while they arrive, and only after the
caller is known. A request with two values where one is expected is refused, as two readers may pick different ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope

from broker.doors.problems import RefusedError, refused
from broker.doors.strict_json import JsonObject, MalformedJsonError, parse_object
from broker.exchange import ClientGoneError
from broker.outcome import Problem, ProblemKind

MAX_WAIT_SECONDS: Final = 60
"""Longest ``Prefer: wait``; proxies and clients commonly give up at a minute."""

MAX_HEADERS: Final = 64
MAX_HEADER_BYTES: Final = 16 << 10
"""All names and values together."""

BODY_SECONDS: Final = 60.0
"""Longest time a body may take to arrive."""

MAX_TOKEN_CHARS: Final = 512
"""Longest bearer token looked at; ours have 53 characters."""

_SINGLE: Final = frozenset(
    (b"authorization", b"content-length", b"content-type", b"host", b"idempotency-key", b"transfer-encoding")
)
_DISCONNECT: Final = "http.disconnect"

Model = TypeVar("Model", bound=BaseModel)


def headers_problem(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return what is wrong with the request's headers as a whole, empty when nothing is."""
    size = count = 0
    seen: set[bytes] = set()
    for name, value in headers:
        count += 1
        size += len(name) + len(value)
        if name in _SINGLE:
            if name in seen:
                return f"header `{name.decode('latin-1')}` stands twice"
            seen.add(name)
    if count > MAX_HEADERS or size > MAX_HEADER_BYTES:
        return f"more than {MAX_HEADERS} headers or {MAX_HEADER_BYTES} bytes of them"
    if b"transfer-encoding" in seen and b"content-length" in seen:
        return "both `content-length` and `transfer-encoding`"
    return ""


def header(scope: Scope, name: bytes) -> str:
    """Return a header's value, empty when it is not there."""
    for found, value in scope["headers"]:
        if found == name:
            # Optional white space is space and tab (RFC 9110, section 5.6.3); Python would strip more, such as U+0085.
            return str(value, "latin-1").strip(" \t")
    return ""


def unverified_bearer(scope: Scope) -> str:
    """Return the bearer token as sent; nothing of it is verified.

    Raises:
        RefusedError: there is none, or what stands there is no bearer token.
    """
    scheme, _, unverified_token = header(scope, b"authorization").partition(" ")
    unverified_token = unverified_token.strip(" ")
    if scheme.lower() != "bearer" or not 0 < len(unverified_token) <= MAX_TOKEN_CHARS:
        raise refused(
            ProblemKind.UNAUTHENTICATED,
            "no bearer token",
            fix="send the token of your session as `Authorization: Bearer ost_s_…`",
        )
    return unverified_token


def wait_seconds(scope: Scope) -> int:
    """Return the seconds of ``Prefer: wait=N`` (RFC 7240, section 4.3), at most `MAX_WAIT_SECONDS`, 0 without it.

    An unknown or unreadable preference is ignored, as the RFC wants it.
    """
    for name, value in scope["headers"]:
        if name != b"prefer":
            continue
        for preference in str(value, "latin-1").split(","):
            key, _, wanted = preference.partition("=")
            wanted = wanted.strip()
            if key.strip().lower() == "wait" and wanted.isascii() and wanted.isdigit():
                return min(int(wanted[:6]), MAX_WAIT_SECONDS)
    return 0


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Return the whole body of a JSON request.

    Raises:
        RefusedError: the media type is another, the body is too long or too slow.
        ClientGoneError: the client went away.
    """
    _check_media_type(header(scope, b"content-type"))
    return await read_bytes(scope, receive, limit)


async def read_bytes(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Return the whole body of a request, of any media type.

    Raises:
        RefusedError: the body is too long or too slow.
        ClientGoneError: the client went away.
    """
    declared = header(scope, b"content-length")
    if declared.isascii() and declared.isdigit() and (len(declared) > len(str(limit)) or int(declared) > limit):
        raise _too_large(limit)
    message = await receive()
    if message["type"] == _DISCONNECT:
        raise ClientGoneError
    first: bytes = message.get("body", b"")
    if message.get("more_body", False):
        return await _read_rest(receive, first, limit)
    if len(first) > limit:
        raise _too_large(limit)
    return first


async def _read_rest(receive: Receive, first: bytes, limit: int) -> bytes:
    body = bytearray(first)
    more = True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more:
                if len(body) > limit:
                    raise _too_large(limit)
                message = await receive()
                if message["type"] == _DISCONNECT:
                    raise ClientGoneError
                body += message.get("body", b"")
                more = message.get("more_body", False)
    except TimeoutError:
        raise refused(
            ProblemKind.MALFORMED_REQUEST, f"the body did not arrive within {BODY_SECONDS:.0f} seconds"
        ) from None
    if len(body) > limit:
        raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> RefusedError:
    return refused(ProblemKind.REQUEST_TOO_LARGE, f"the body has more than {limit} bytes")


def _check_media_type(value: str) -> None:
    media_type, _, parameters = value.partition(";")
    charset = parameters.replace(" ", "").replace('"', "").lower()
    if media_type.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise refused(
            ProblemKind.UNSUPPORTED_MEDIA_TYPE,
            "expected a body of type `application/json` in UTF-8",
            fix="send `Content-Type: application/json`",
        )


def parse_body(data: bytes, model: type[Model]) -> Model:
    """Return the body as ``model``.

    Raises:
        RefusedError: it is no strict JSON object or does not fit the model; says where, never what stood there.
    """
    try:
        return model.model_validate(parse_object(data))
    except MalformedJsonError as error:
        raise refused(ProblemKind.MALFORMED_REQUEST, f"the body cannot be read: {error}") from None
    except ValidationError as error:
        raise RefusedError(validation_problem(error.errors(include_input=False, include_url=False))) from None


def validation_problem(errors: Iterable[Any]) -> Problem:
    """Return the problem for pydantic's findings, with a JSON pointer to each."""
    found: list[JsonObject] = [
        {"pointer": "".join(f"/{_clip(str(part))}" for part in item["loc"]), "detail": _lower(item["msg"])}
        for item in list(errors)[:10]
    ]
    first = found[0]
    return Problem(
        ProblemKind.MALFORMED_REQUEST,
        f"`{first['pointer']}`: {first['detail']}",
        extra={"errors": found},
    )


def _clip(text: str) -> str:
    """Return a name from the input as it may be shown again: short and printable ASCII."""
    return "".join(char if "!" <= char <= "~" else "?" for char in text[:40]).replace("~", "~0").replace("/", "~1")


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
