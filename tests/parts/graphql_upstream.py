"""A GitHub with both of its interfaces at one address: the emulator's REST, passed on, and GraphQL made of it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tests.parts.github import Hub
from tests.parts.graphql_answers import answer
from tests.parts.threaded_http import QuietHandler, threaded

_HOP: Final = frozenset(("connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"))
_TIMEOUT_SECONDS: Final = 30


@dataclass
class GraphQLUpstream:
    """Where it is, and what it was sent.

    Args:
        host: ``host:port``.
        hub: The emulator behind it.
        sent: Method, path, ``Authorization`` and body of each request of a client.
    """

    host: str
    hub: Hub
    sent: list[tuple[str, str, str, bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Of the API, in the form of GitHub's own: no prefix, GraphQL at ``/graphql``."""
        return f"http://{self.host}"

    def documents(self) -> list[dict[str, Any]]:
        """Return what was asked in GraphQL."""
        return [json.loads(body) for _, path, _, body in self.sent if path == "/graphql"]

    def tokens(self, part: str) -> list[str]:
        """Return the tokens that requests came with whose body holds a text."""
        return [said.partition(" ")[2] for _, _, said, body in self.sent if part.encode() in body]


class _Both(QuietHandler):
    """Answers by the path."""

    upstream: GraphQLUpstream

    def do_PUT(self) -> None:  # noqa: N802 - the base class's form, and below
        self.respond()

    def do_PATCH(self) -> None:  # noqa: N802
        self.respond()

    def do_DELETE(self) -> None:  # noqa: N802
        self.respond()

    def respond(self) -> None:
        body, token = self.body(), self.headers.get("Authorization", "")
        self.upstream.sent.append((self.command, self.path, token, body))
        if self.path == "/graphql":
            content = json.dumps(answer(self._rest, json.loads(body))).encode()
            self.reply(200, content, ("Content-Type", "application/json; charset=utf-8"))
            return
        status, headers, content = self._passed_on(self.command, self.path, body)
        self.reply(status, content, *headers)

    def _rest(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        status, _, content = self._passed_on(method, path, b"" if body is None else json.dumps(body).encode())
        return status, json.loads(content) if content else {}

    def _passed_on(self, method: str, path: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        kept = {
            name: self.headers[name] for name in ("Accept", "Authorization", "If-None-Match") if name in self.headers
        }
        if body:
            kept["Content-Type"] = "application/json"
        with closing(http.client.HTTPConnection("127.0.0.1", self.upstream.hub.port, timeout=_TIMEOUT_SECONDS)) as hub:
            hub.request(method, path, body or None, kept)
            found = hub.getresponse()
            content = found.read().replace(self.upstream.hub.url.encode(), self.upstream.url.encode())
            headers = [(name, value) for name, value in found.getheaders() if name.lower() not in _HOP]
            return found.status, headers, content


@contextmanager
def graphql_upstream(hub: Hub) -> Iterator[GraphQLUpstream]:
    """Run it until the block ends."""
    upstream = GraphQLUpstream("", hub)

    class Handler(_Both):
        pass

    Handler.upstream = upstream
    with threaded(Handler) as upstream.host:
        yield upstream
