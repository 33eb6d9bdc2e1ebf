"""A hostile client: it sends any bytes on one kept connection and holds every answer to what must hold for all."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from tests.parts.http_api import call

_UNPARSED: Final = b"Invalid HTTP request received."
"""What the HTTP server says, with status 400, of bytes that are no HTTP; no code of ours has seen them."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; ``data`` is its JSON, None when it is none."""

    status: int
    headers: dict[str, str]
    body: bytes
    data: Any

    @property
    def kind(self) -> str:
        """The problem's kind, empty when it is none."""
        found = self.data.get("type", "") if isinstance(self.data, dict) else ""
        return str(found).removeprefix("urn:ostiary:problem:")


class Wall:
    """The API seen from outside.

    Args:
        url: Of the API.
        token: Sent with every request that names no other.
        secrets: Texts that no answer may hold.
    """

    def __init__(self, url: str, token: str, secrets: tuple[str, ...]) -> None:
        self.url = url
        self.token = token
        self.secrets = secrets
        self._described: dict[str, Any] = {}
        self._connection: http.client.HTTPConnection | None = None

    @property
    def described(self) -> dict[str, Any]:
        """The OpenAPI document of the running API."""
        if not self._described:
            status, self._described = call(self.url, "GET", "/v1/openapi.json", "")
            assert status == 200
        return self._described

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Send a request and return the answer, after asserting what holds for every answer.

        Args:
            method, path, body: Of the request, as they are.
            token: Instead of the client's own; empty for none.
            headers: More headers.
        """
        sent = {"Content-Type": "application/json", **(headers or {})}
        chosen = self.token if token is None else token
        if chosen and "Authorization" not in sent:
            sent["Authorization"] = f"Bearer {chosen}"
        answer = self._exchange(method, path, body, sent)
        raw = answer.read()
        if answer.will_close:
            self.close()
        try:
            data = json.loads(raw)
        except ValueError:
            data = None
        reply = Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, raw, data)
        self._hold(method, path, reply)
        return reply

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> http.client.HTTPResponse:
        for _ in range(2):
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
            try:
                self._connection.request(method, path, body or None, headers)
                return self._connection.getresponse()
            except ValueError:
                self.close()
                raise
            except ConnectionError:
                # A refusal before the whole body was read closes the connection; what was kept may be such a one.
                self.close()
        raise AssertionError("no answer")

    def _hold(self, method: str, path: str, reply: Reply) -> None:
        shown = (method, path, reply.status, reply.body[:500])
        assert reply.status < 500, shown
        assert not [each for each in self.secrets if each.encode() in reply.body], shown
        if reply.body == _UNPARSED:
            return
        if reply.status >= 400 and method != "HEAD":
            assert reply.headers["content-type"] == "application/problem+json", shown
            assert reply.data["status"] == reply.status, shown
            assert b"Traceback" not in reply.body, shown
        assert reply.headers["x-content-type-options"] == "nosniff", shown
        operation = self._operation(method, path)
        if operation is not None:
            assert str(reply.status) in operation["responses"], shown

    def _operation(self, method: str, path: str) -> Any:
        bare = path.partition("?")[0]
        for template, item in self.described["paths"].items():
            pattern = re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, bare):
                return item.get(method.lower())
        return None
