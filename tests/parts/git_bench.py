"""An agent's side of git and a connector set up towards the real git host, for the tests of both."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from connectors.base import CallResult, Connection, JsonObject
from connectors.git.connector import GitConnector, Machine
from connectors.git.process import ProcessLimits
from connectors.guard import AddressGuard
from connectors.transport import HttpTransport
from tests.fakes import FakeLease
from tests.parts.git_server import GitServer, git_server
from vault.model import CredentialKind, CredentialRef

REPO = "acme/app"


class Agent:
    """An agent's side: a clone made by stock git, commits, and bundles of them."""

    def __init__(self, folder: Path, server: GitServer) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main", str(folder), cwd=folder.parent)
        self.git("fetch", "--quiet", str(server.path(REPO)), "main:refs/remotes/origin/main")
        self.git("checkout", "--quiet", "-B", "main", "origin/main")

    def git(self, *arguments: str, cwd: Path | None = None, stdin: bytes = b"") -> str:
        return self.run(*arguments, cwd=cwd, stdin=stdin).decode().strip()

    def run(self, *arguments: str, cwd: Path | None = None, stdin: bytes = b"") -> bytes:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Bob",
            "GIT_AUTHOR_EMAIL": "bob@example.com",
            "GIT_COMMITTER_NAME": "Bob",
            "GIT_COMMITTER_EMAIL": "bob@example.com",
        }
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", *arguments],
            check=True,
            capture_output=True,
            cwd=cwd or self.folder,
            env=environment,
            input=stdin,
        )
        return done.stdout

    def commit(self, branch: str, start: str = "origin/main", text: str = "work\n") -> str:
        self.git("checkout", "--quiet", "-B", branch, start)
        (self.folder / "work.txt").write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", f"work on {branch}")
        return self.git("rev-parse", "HEAD")

    def store(self, *arguments: str, text: bytes) -> str:
        """The object id a plumbing command makes of its input."""
        return self.git(*arguments, stdin=text)

    def forged(self, refs: dict[str, str], objects: list[str]) -> str:
        """A bundle whose pack holds exactly these objects, whatever they refer to."""
        packed = self.run("pack-objects", "--quiet", "--stdout", stdin="\n".join(objects).encode())
        header = "# v2 git bundle\n" + "".join(f"{oid} {ref}\n" for ref, oid in refs.items()) + "\n"
        return base64.b64encode(header.encode() + packed).decode()

    def bundle(self, *revisions: str) -> str:
        path = self.folder.parent / "upload.bundle"
        self.git("bundle", "create", "--quiet", str(path), *revisions)
        return base64.b64encode(path.read_bytes()).decode()


class Bench:
    """A connector with all it needs, towards one server."""

    def __init__(self, server: GitServer, areas: Path) -> None:
        self.server = server
        self.areas = areas
        self.limits = ProcessLimits(timeout_seconds=20.0, stall_seconds=20)
        self.token = server.rw_token
        self.scheme = CredentialKind.BASIC
        self.url = server.url

    def header(self) -> str:
        if self.scheme is CredentialKind.BEARER:
            return f"Bearer {self.token}"
        return "Basic " + base64.b64encode(f"bot:{self.token}".encode()).decode()

    async def run(self, action: str, **params: object) -> CallResult:
        async with self.transport() as transport:
            return await self.execute(transport, action, params)

    async def read_body(self, **params: object) -> tuple[JsonObject, bytes]:
        async with self.transport() as transport:
            result = await self.execute(transport, "git:read", params)
            assert result.body is not None
            assert result.media_type == "application/x-git-bundle"
            return result.data, b"".join([chunk async for chunk in result.body])

    @asynccontextmanager
    async def transport(self) -> AsyncIterator[HttpTransport]:
        transport = HttpTransport(AddressGuard(["127.0.0.1"]))
        try:
            yield transport
        finally:
            await transport.aclose()

    async def execute(self, transport: HttpTransport, action: str, params: dict[str, object]) -> CallResult:
        connector = GitConnector(machine=Machine(areas=self.areas, limits=self.limits))
        connection = Connection("forge", "git", CredentialRef("git/acme"), {"url": self.url})
        plan = connector.plan(action, {"repo": REPO, **params}, connection)
        return await connector.execute(plan, connection, FakeLease("bot", self.header(), self.scheme), transport)


@contextmanager
def git_bench(folder: Path) -> Iterator[Bench]:
    """A bench towards a new git host with one repository, whose branch `release` is protected."""
    with git_server(folder / "srv") as server:
        server.create_repo(REPO, protected=("release",))
        server.seed_repo(REPO)
        yield Bench(server, folder / "areas")
