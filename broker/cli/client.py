"""The API's client: a few verbs over urllib3, problems as exit codes with a readable message.

No redirect is followed and nothing is tried again: the token goes to the one place it was given for, once per request.
The token is never printed.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, NoReturn
from urllib.parse import quote, urlencode, urlsplit

import typer
import urllib3

from broker.cli.context import api_url, unverified_token
from broker.cli.output import ExitCode, clean, fail, say

JsonObject = dict[str, Any]

TYPE_PREFIX: Final = "urn:ostiary:problem:"
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 75.0
"""A call upstream may take 60 s by default, and the answer comes after it."""
MAX_ANSWER_BYTES: Final = 64 << 20
CHUNK_BYTES: Final = 256 << 10
_NO_CONTENT: Final = 204

_DENIED: Final = frozenset(("denied", "forbidden", "approval-rejected", "approval-expired", "scope-too-wide"))
_USAGE: Final = frozenset(
    (
        "malformed-request",
        "invalid-params",
        "unknown-action",
        "ambiguous-connection",
        "idempotency-mismatch",
        "resource-mismatch",
        "request-too-large",
        "unsupported-media-type",
        "method-not-allowed",
    )
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API that is no problem."""

    status: int
    body: JsonObject
    location: str


class Api:
    """One API and the token it is asked with.

    Args:
        url: Of the API, without a final slash.
        token: Sent as the bearer.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._pool = urllib3.PoolManager(retries=False)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def get(self, path: str, query: Mapping[str, object] | None = None, *, wait: int = 0) -> Answer:
        """Read; empty values of the query are left out, those of a list go each on their own."""
        chosen = {name: value for name, value in (query or {}).items() if value not in ("", None)}
        return self._ask("GET", path + ("?" + urlencode(chosen, doseq=True) if chosen else ""), headers=_prefer(wait))

    def post(self, path: str, body: JsonObject, *, headers: Mapping[str, str] | None = None, wait: int = 0) -> Answer:
        """Send JSON."""
        sent = {**_prefer(wait), **(headers or {}), "Content-Type": "application/json"}
        return self._ask("POST", path, headers=sent, body=json.dumps(body).encode())

    def stream(self, path: str, pieces: Iterable[bytes], *, headers: Mapping[str, str], wait: int = 0) -> Answer:
        """Send a body as it is made; ``headers`` hold its type and length."""
        return self._ask("POST", path, headers={**_prefer(wait), **headers}, body=pieces)

    def delete(self, path: str) -> Answer:
        """Delete."""
        return self._ask("DELETE", path)

    def download(self, path: str, file: BinaryIO) -> int:
        """Write a body to ``file`` as it comes and return its size; a body that is cut ends the command."""
        size = 0
        with self._open("GET", path) as response:
            if response.status != 200:  # noqa: PLR2004 - HTTP
                explain(_json(response), response.status)
            for chunk in response.stream(CHUNK_BYTES, decode_content=False):
                size += file.write(chunk)
        return size

    def _ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Answer:
        with self._open(method, path, headers=headers, body=body) as response:
            found = _json(response)
            if not 200 <= response.status < 300:  # noqa: PLR2004 - HTTP
                explain(found, response.status)
            return Answer(response.status, found, response.headers.get("Location", ""))

    @contextmanager
    def _open(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        # The library takes the first for every piece that is sent, too, and the API may be slow to take one.
        sending = CONNECT_SECONDS if body is None or isinstance(body, bytes) else ANSWER_SECONDS
        try:
            response = self._pool.request(
                method,
                self._url + path,
                headers={**self._headers, **(headers or {})},
                body=body,
                timeout=urllib3.Timeout(sending, ANSWER_SECONDS),
                redirect=False,
                preload_content=False,
            )
            try:
                yield response
            finally:
                response.close()
        except urllib3.exceptions.HTTPError as error:
            # The library's text names the pool object; its type says enough.
            fail(f"the API at {self._url} did not answer: {type(error).__name__}", ExitCode.FAILED)


@contextmanager
def api_from(ctx: typer.Context) -> Iterator[Api]:
    """Give the API the options name, and close it at the end."""
    url = api_url(ctx)
    if not is_private_road(url):
        say("ostiary: warning: the token travels unencrypted; use https")
    api = Api(url, unverified_token(ctx))
    try:
        yield api
    finally:
        api.close()


def is_private_road(url: str) -> bool:
    """Tell whether a token sent to ``url`` cannot be read on the way: TLS, or it does not leave the machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def segment(unverified_id: str) -> str:
    """Return an id from the command line as one segment of a path."""
    return quote(unverified_id, safe="") or "%20"


def exit_code_of(problem: JsonObject) -> ExitCode:
    """Return the exit code a problem means."""
    kind = str(problem.get("type", "")).removeprefix(TYPE_PREFIX)
    if kind in _DENIED:
        return ExitCode.DENIED
    return ExitCode.USAGE if kind in _USAGE else ExitCode.FAILED


def explain(problem: JsonObject, status: int) -> NoReturn:
    """Say what the problem is, why, by which rule and what can be done, and end the command with its exit code.

    Raises:
        typer.Exit: always.
    """
    title = problem.get("title") or f"the API answered with status {status}"
    detail = problem.get("detail", "")
    say(f"ostiary: {str(title).lower()}" + (f": {detail}" if detail else ""))
    for name in ("intent", "reason", "rule", "fix"):
        if problem.get(name):
            say(f"  {name}: {clean(problem[name])}")
    raise typer.Exit(exit_code_of(problem))


def _prefer(wait: int) -> dict[str, str]:
    return {"Prefer": f"wait={wait}"} if wait > 0 else {}


def _json(response: urllib3.BaseHTTPResponse) -> JsonObject:
    data = response.read(MAX_ANSWER_BYTES + 1, decode_content=False)
    if response.status == _NO_CONTENT:
        return {}
    try:
        found = json.loads(data) if len(data) <= MAX_ANSWER_BYTES else None
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    # A problem from something in between, a proxy say, is told by its status; a good answer must be whole.
    if response.status < 300:  # noqa: PLR2004 - HTTP
        fail("the answer of the API is cut, too long or no JSON object", ExitCode.FAILED)
    return {}
