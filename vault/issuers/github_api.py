"""One exchange with GitHub's REST API, from the vault's process: bounded, sent once, with nothing of the machine.

urllib3 and not PyGithub's own requester, which reads proxies and ``.netrc`` from the environment, follows redirects,
tries again, and reads an answer of any size.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import orjson

from vault.errors import IssuerUnavailableError

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 15.0
"""Longest time for all of an answer, however slowly it drips."""
MAX_ANSWER_BYTES: Final = 8 << 20
"""An answer to a new token describes each of its repositories, at most 500, with some kilobytes."""
_CHUNK_BYTES: Final = 64 << 10
_HEADERS: Final = {
    "Accept": "application/vnd.github+json",
    "Accept-Encoding": "identity",
    "User-Agent": "ostiary",
    "X-GitHub-Api-Version": "2022-11-28",
}


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What GitHub said.

    Args:
        status: HTTP status.
        data: The body as JSON; empty when it is none, or no object.
        is_limited: Whether it is a no for now only.
    """

    status: int
    data: dict[str, Any]
    is_limited: bool


def ask(method: str, url: str, authorization: str, body: Any = None) -> ApiAnswer:  # noqa: ANN401 - JSON
    """Send one request and return the answer; blocks.

    Args:
        method: HTTP method.
        url: Absolute; its origin was checked by the caller.
        authorization: Value of the ``Authorization`` header.
        body: JSON; None for none.

    Raises:
        IssuerUnavailableError: there is no answer, or none that is whole and bounded.
    """
    from urllib3.exceptions import HTTPError

    headers = {**_HEADERS, "Authorization": authorization}
    if body is not None:
        headers["Content-Type"] = "application/json"
    until = time.monotonic() + ANSWER_SECONDS
    try:
        response = _pool().request(
            method,
            url,
            headers=headers,
            body=None if body is None else orjson.dumps(body),
            redirect=False,
            preload_content=False,
        )
        try:
            text = _read(response, until)
        finally:
            response.close()
    except HTTPError as error:
        # The kind only: urllib3's words hold the address, and what it sent.
        raise IssuerUnavailableError(f"github cannot be reached ({type(error).__name__})") from None
    limited = response.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in response.headers
    return ApiAnswer(response.status, _object(text), limited)


def _read(response: Any, until: float) -> bytes:  # noqa: ANN401 - urllib3's response, which is imported late
    text = bytearray()
    while piece := response.read1(_CHUNK_BYTES):
        text += piece
        if len(text) > MAX_ANSWER_BYTES or time.monotonic() > until:
            raise IssuerUnavailableError("github's answer is too large or too slow")
    return bytes(text)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


@cache
def _pool() -> Any:  # noqa: ANN401 - imported when the first token is minted, as most vaults never need it
    import urllib3

    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    return urllib3.PoolManager(retries=False, timeout=timeout, maxsize=8)
