"""A GitHub that does what the emulator does not: ETags, media types, links of its own kind, limits, and no answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tests.parts.threaded_http import QuietHandler, threaded

ETAG: Final = 'W/"5f3a"'
DIFF: Final = b"diff --git a/x b/x\n+one\n"
ARCHIVE: Final = bytes(range(256)) * 4096
"""A MiB: more than fits into an answer that is whole in memory."""


@dataclass
class ScriptedGitHub:
    """What it was asked.

    Args:
        host: ``host:port``.
        seen: Method, path, and the headers and body of each request.
    """

    host: str = ""
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Of the API, in the form of an Enterprise server."""
        return f"http://{self.host}/api/v3"

    def asked(self, method: str) -> list[str]:
        """Return the paths that were asked for with a method, without the root of the API."""
        return [path.removeprefix("/api/v3") for said, path, _, _ in self.seen if said == method]


class _Script(QuietHandler):
    """Answers by the path."""

    github: ScriptedGitHub

    def respond(self) -> None:
        self.github.seen.append((self.command, self.path, dict(self.headers), self.body()))
        if self.path == "/api/graphql":
            self.json(200, {"data": {"viewer": {"login": "ada"}}})
            return
        if self.command == "POST":
            self.json(500, {"message": "Server Error"})
            return
        match self.path.removeprefix("/api/v3").partition("?")[0]:
            case "/":
                self.json(200, {"current_user_url": f"{self.github.url}/user"}, ("X-OAuth-Scopes", "repo, read:org"))
            case "/repos/acme/app":
                self.conditional()
            case "/repos/acme/app/issues":
                self.paged()
            case "/repos/acme/app/pulls/7":
                self.reply(200, DIFF, ("Content-Type", "application/vnd.github.diff; charset=utf-8"))
            case "/repos/acme/app/tarball/main":
                self.reply(302, b"", ("Location", f"http://{self.github.host}/archive"))
            case "/archive":
                self.reply(200, ARCHIVE, ("Content-Type", "application/x-gzip"))
            case "/repos/acme/app/labels":
                limits = (("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1"), ("X-RateLimit-Limit", "60"))
                self.json(403, {"message": "API rate limit exceeded for user"}, *limits)
            case _:
                self.json(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})

    def conditional(self) -> None:
        if self.headers.get("If-None-Match") == ETAG:
            self.send_response(304)
            self.send_header("ETag", ETAG)
            self.end_headers()
        else:
            body = {"full_name": "acme/app", "url": f"{self.github.url}/repos/acme/app"}
            self.json(200, body, ("ETag", ETAG), ("X-RateLimit-Remaining", "59"))

    def paged(self) -> None:
        """List one issue a page; the link names the repository by number, with a cursor nobody documents."""
        page = 2 if "page=2" in self.path else 1
        url = f"{self.github.url}/repositories/1/issues?after=Y3Vyc29y&page=2"
        link = (("Link", f'<{url}>; rel="next"'),) if page == 1 else ()
        self.json(200, [{"number": page, "url": f"{self.github.url}/repos/acme/app/issues/{page}"}], *link)

    def json(self, status: int, body: Any, *headers: tuple[str, str]) -> None:
        self.reply(status, json.dumps(body).encode(), ("Content-Type", "application/json; charset=utf-8"), *headers)


@contextmanager
def scripted_github() -> Iterator[ScriptedGitHub]:
    """Run it until the block ends."""
    scripted = ScriptedGitHub()

    class Handler(_Script):
        github = scripted

    with threaded(Handler) as scripted.host:
        yield scripted
