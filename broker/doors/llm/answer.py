"""An answer of the door before it is sent, and which headers may go out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.types import Send

INTENT: Final = "x-ostiary-intent"
"""Names the intent beside the provider's own request id."""
JSON: Final = "application/json"

_BODILESS: Final = frozenset((204, 304))
_PASSED_ON: Final = frozenset(
    (
        "openai-processing-ms",
        "openai-version",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "x-amzn-errortype",
        "x-amzn-requestid",
        "x-request-id",
        "x-should-retry",
    )
)
_PASSED_FAMILIES: Final = ("anthropic-ratelimit-", "x-ratelimit-", "x-amzn-bedrock-")
"""Headers of providers that clients look at. What says whose account it is stays here."""


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
    length = {} if answer.status in _BODILESS else {"content-length": str(len(answer.body))}
    body = b"" if method == "HEAD" or answer.status in _BODILESS else answer.body
    await send({"type": "http.response.start", "status": answer.status, "headers": raw({**answer.headers, **length})})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI wants them."""
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


def passed_on(given: Any) -> dict[str, str]:  # noqa: ANN401 - JSON
    """Return those of a provider's headers that clients look at."""
    pairs = given.items() if isinstance(given, dict) else ()
    return {name: value for name, value in pairs if _is_passed(name) and isinstance(value, str) and _is_plain(value)}


def _is_passed(name: str) -> bool:
    return name in _PASSED_ON or (name.startswith(_PASSED_FAMILIES) and _is_plain(name))


def _is_plain(value: str) -> bool:
    return value.isascii() and value.isprintable()
