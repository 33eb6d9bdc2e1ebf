"""A real git host on loopback: git's own ``http-backend`` behind the standard library's HTTP server, with tokens.

It checks Basic (any user, the token as password) and Bearer credentials, tells a token that may write from one that may
only read, protects branches with a real pre-receive hook, remembers what it was asked (never a token), and can be told
to misbehave. Used by the tests and by the tour; it depends on nothing but Python and git.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Final

_CHUNK_BYTES: Final = 64 << 10
_PROBE_BYTES: Final = 4
"""Before a long upload git sends a lone flush packet, to see whether it may."""
_HOOK: Final = """\
#!/bin/sh
while read -r old new ref; do
  case "$ref" in
    {pattern}) echo "branch is protected: $ref" >&2; exit 1 ;;
  esac
done
"""


class Fault(StrEnum):
    """How the server misbehaves when a push arrives."""

    NONE = "none"
    CUT_BEFORE = "cut_before"
    """Read the whole upload, do nothing with it, cut the connection."""
    CUT_AFTER = "cut_after"
    """Carry the push out, then cut the connection instead of answering."""
    HANG = "hang"
    """Read the whole upload and say nothing until `GitServer.release` is set, then cut."""
    HANG_AFTER = "hang_after"
    """Carry the push out, then say nothing until `GitServer.release` is set, and cut."""
    HANG_FETCH = "hang_fetch"
    """As `HANG`, for a request of a fetch."""
    REDIRECT = "redirect"
    """Answer every request with a redirect to `GitServer.redirect_to`."""


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request that reached the server.

    Args:
        method: HTTP method.
        path: Path and query.
        user: User name of the credential, ``bearer`` for a bearer token, empty when there was none that fits.
    """

    method: str
    path: str
    user: str


class GitServer:
    """The server; start it with `git_server`.

    Args:
        root: Folder of the bare repositories.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rw_token = secrets.token_urlsafe(24)
        self.ro_token = secrets.token_urlsafe(24)
        self.fault = Fault.NONE
        self.redirect_to = ""
        self.arrived = threading.Event()
        """Set when a push that will hang has been read."""
        self.release = threading.Event()
        self.seen: list[SeenRequest] = []
        self.url = ""

    def create_repo(self, name: str, *, protected: tuple[str, ...] = ()) -> Path:
        """Make an empty repository ``owner/name`` whose ``protected`` branches no push can change."""
        path = self.path(name)
        _git("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(path))
        _git("-C", str(path), "config", "http.receivepack", "true")
        if protected:
            hook = path / "hooks" / "pre-receive"
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(_HOOK.format(pattern="|".join(f"refs/heads/{branch}" for branch in protected)))
            hook.chmod(0o755)
        return path

    def seed_repo(self, name: str, files: dict[str, str] | None = None) -> str:
        """Put a first commit on ``main`` from the inside, past every hook; return its object id."""
        path = str(self.path(name))
        with tempfile.TemporaryDirectory() as work:
            _git("init", "--quiet", "--template=", "--initial-branch=main", work)
            for file, text in (files or {"README.md": "hello\n"}).items():
                (Path(work) / file).write_text(text)
            _git("-C", work, "add", "--all")
            _git("-C", work, "commit", "--quiet", "--message", "first commit")
            oid = _git("-C", work, "rev-parse", "HEAD")
            _git("-C", path, "fetch", "--quiet", work, "main")
        _git("-C", path, "update-ref", "refs/heads/main", oid)
        return oid

    def path(self, name: str) -> Path:
        """Return the folder of ``owner/name``."""
        return self.root / f"{name}.git"

    def refs(self, name: str) -> dict[str, str]:
        """Return the refs of a repository as they are on disk."""
        listed = _git("-C", str(self.path(name)), "for-each-ref", "--format=%(refname) %(objectname)")
        return dict(line.split(" ") for line in listed.splitlines())

    def may(self, authorization: str) -> tuple[str, bool]:
        """Return the user a header stands for, empty for nobody, and whether they may write."""
        scheme, _, value = authorization.partition(" ")
        user, token = "bearer", value
        if scheme.lower() == "basic":
            try:
                user, _, token = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return "", False
        if secrets.compare_digest(token.encode(), self.rw_token.encode()):
            return user or "nobody", True
        return (
            (user or "nobody", False) if secrets.compare_digest(token.encode(), self.ro_token.encode()) else ("", False)
        )


@contextlib.contextmanager
def git_server(root: Path, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[GitServer]:
    """Serve the repositories under ``root`` on a loopback port until the block ends; hanging pushes are cut then.

    Args:
        root: Folder of the bare repositories; made when missing.
        port: Port; a free one when 0.
        tls: Speak https with this.
    """
    root.mkdir(parents=True, exist_ok=True)
    server = GitServer(root)

    class Handler(_Handler):
        host = server

    listener = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    listener.daemon_threads = False  # so that closing waits for every request and leaves no git behind
    if tls is not None:
        listener.socket = tls.wrap_socket(listener.socket, server_side=True)
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, name="git-server")
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        listener.shutdown()
        thread.join()
        listener.server_close()


class _Handler(BaseHTTPRequestHandler):
    host: GitServer
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""

    def _answer(self) -> None:
        # One request per connection: the pool of a client then never holds one the server wants to close.
        self.close_connection = True
        user, may_write = self.host.may(self.headers.get("Authorization", ""))
        self.host.seen.append(SeenRequest(self.command, self.path, user))
        with tempfile.TemporaryFile() as body, contextlib.suppress(ConnectionError, TimeoutError):
            for chunk in self._body():
                body.write(chunk)
            size = body.tell()
            body.seek(0)
            if self.host.fault is Fault.REDIRECT:
                self._plain(302, ("Location", self.host.redirect_to + self.path))
            elif not user:
                self._plain(401, ("WWW-Authenticate", 'Basic realm="git"'))
            elif "git-receive-pack" in self.path and not may_write:
                self._plain(403)
            else:
                self._serve(body, size, user)

    def _serve(self, body: IO[bytes], size: int, user: str) -> None:
        pushing = self.command == "POST" and self.path.endswith("/git-receive-pack") and size > _PROBE_BYTES
        fetching = self.command == "POST" and self.path.endswith("/git-upload-pack")
        if self.host.fault is (Fault.HANG if pushing else Fault.HANG_FETCH if fetching else None):
            self.host.arrived.set()
            self.host.release.wait()
            return
        if pushing and self.host.fault is Fault.CUT_BEFORE:
            return
        backend = subprocess.Popen(
            ["git", "http-backend"], stdin=body, stdout=subprocess.PIPE, env=self._cgi(size, user)
        )
        with backend:
            if backend.stdout is None:  # pragma: no cover - it is a pipe
                return
            if pushing and self.host.fault is Fault.CUT_AFTER:
                backend.stdout.read()
                return
            if pushing and self.host.fault is Fault.HANG_AFTER:
                backend.stdout.read()
                backend.wait()
                self.host.arrived.set()
                self.host.release.wait()
                return
            try:
                self._copy(backend.stdout)
            finally:
                backend.kill()

    def _copy(self, output: IO[bytes]) -> None:
        status, headers = 200, []
        while line := output.readline().strip():
            name, _, value = line.decode().partition(":")
            if name.lower() == "status":
                status = int(value.split()[0])
            else:
                headers.append((name, value.strip()))
        self.send_response(status)
        for name, value in [*headers, ("Transfer-Encoding", "chunked"), ("Connection", "close")]:
            self.send_header(name, value)
        self.end_headers()
        while chunk := output.read(_CHUNK_BYTES):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def _plain(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in [*headers, ("Content-Length", "0"), ("Connection", "close")]:
            self.send_header(name, value)
        self.end_headers()

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            yield from self._exactly(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield from self._exactly(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size > 0:
            chunk = self.rfile.read(min(size, _CHUNK_BYTES))
            if not chunk:
                raise ConnectionError("the client left early")
            size -= len(chunk)
            yield chunk

    def _cgi(self, size: int, user: str) -> dict[str, str]:
        path, _, query = self.path.partition("?")
        environment = _environment() | {
            "GIT_PROJECT_ROOT": str(self.host.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(size),
            "REMOTE_USER": user,
            "REMOTE_ADDR": "127.0.0.1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        if "Content-Encoding" in self.headers:
            environment["HTTP_CONTENT_ENCODING"] = self.headers["Content-Encoding"]
        return environment


def _environment() -> dict[str, str]:
    """An environment in which git reads no configuration of the machine and serves folders of other owners."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.com",
    }


def _git(*arguments: str) -> str:
    program = shutil.which("git") or "git"
    done = subprocess.run([program, *arguments], check=True, capture_output=True, text=True, env=_environment())
    return done.stdout.strip()
