"""An answer of the door before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.types import Send

REQUEST_ID: Final = "x-github-request-id"
"""The header clients print with an error; ours names the intent."""
JSON: Final = "application/json; charset=utf-8"

BODILESS: Final = frozenset((204, 304))
"""Statuses whose answers end with the head (RFC 9110, 15.3.5 and 15.4.5)."""
_PASSED_ON: Final = frozenset(
    (
        "content-disposition",
        "deprecation",
        "etag",
        "last-modified",
        "retry-after",
        "sunset",
        "x-accepted-github-permissions",
        "x-accepted-oauth-scopes",
        "x-github-api-version-selected",
        "x-github-media-type",
        "x-oauth-scopes",
        "x-poll-interval",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-ratelimit-resource",
        "x-ratelimit-used",
    )
)
"""Headers of GitHub that clients look at, besides those that hold addresses."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Args:
        status: HTTP status.
        headers: Lower-case names.
        body: Of the answer; empty for none.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def json_answer(status: int, data: Any, headers: Mapping[str, str]) -> Answer:  # noqa: ANN401 - JSON of any type
    """Return an answer with a JSON body."""
    return Answer(status, {"content-type": JSON, **headers}, orjson.dumps(data))


async def send_answer(send: Send, answer: Answer, method: str) -> None:
    """Send an answer, without its body to a ``HEAD``."""
    length = {} if answer.status in BODILESS else {"content-length": str(len(answer.body))}
    body = b"" if method == "HEAD" or answer.status in BODILESS else answer.body
    await send({"type": "http.response.start", "status": answer.status, "headers": raw({**answer.headers, **length})})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI wants them."""
    return [(name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers.items()]


def passed_on(given: Any) -> dict[str, str]:  # noqa: ANN401 - JSON
    """Return those of GitHub's headers that clients look at."""
    pairs = given.items() if isinstance(given, dict) else ()
    return {name: value for name, value in pairs if name in _PASSED_ON and isinstance(value, str) and is_plain(value)}


def is_plain(value: str) -> bool:
    """Tell whether a value may stand in a header: printable ASCII."""
    return value.isascii() and value.isprintable()
