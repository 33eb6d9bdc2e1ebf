"""An agent's side of git and a connector set up towards the real git host, for the tests of both."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from connectors.base import CallResult, Connection, JsonObject, Plan, UploadStream
from connectors.git.connector import GitConnector, Machine
from connectors.git.process import ProcessLimits
from connectors.guard import AddressGuard
from connectors.inspection import Evidence, Inquiry
from connectors.transport import HttpTransport, Timeouts
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


class NoSecrets:
    """A masker of a vault that holds none."""

    async def scrub(self, data: bytes) -> tuple[bytes, int]:
        return data, 0


class Bench:
    """A connector with all it needs, towards one server."""

    def __init__(self, server: GitServer, areas: Path) -> None:
        self.server = server
        self.areas = areas
        self.limits = ProcessLimits(timeout_seconds=20.0, stall_seconds=20)
        self.token = server.rw_token
        self.scheme = CredentialKind.BASIC
        self.url = server.url
        self.options: dict[str, object] = {}
        self.answer_seconds = 20.0
        self.upload: UploadStream | None = None
        self.before_sending: Callable[[], object] | None = None
        self.plans: list[Plan] = []
        self.evidence: list[Evidence] = []

    @property
    def left_behind(self) -> list[Path]:
        """Areas that were not removed; mirrors are meant to stay."""
        return [path for path in self.areas.glob("*") if path.name != "mirrors"]

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
        transport = HttpTransport(
            AddressGuard(["127.0.0.1"]), timeouts=Timeouts(answer=self.answer_seconds, read=self.answer_seconds)
        )
        try:
            yield transport
        finally:
            await transport.aclose()

    async def execute(self, transport: HttpTransport, action: str, params: dict[str, object]) -> CallResult:
        """Do what the broker does for an intent, without asking anybody."""
        connector = GitConnector(machine=Machine(folder=self.areas, limits=self.limits))
        connection = Connection("forge", "git", CredentialRef("git/acme"), {"url": self.url, **self.options})
        lease = FakeLease("bot", self.header(), self.scheme)
        named = {"repo": REPO, **params}
        if not connector.inspects(action):
            return await connector.execute(connector.plan(action, named, connection), connection, lease, transport)
        answers = []
        for ask in connector.asks(action, named, connection):
            read = connector.plan(ask.action, ask.params, connection)
            answers.append((await connector.execute(read, connection, lease, transport)).data)
        inquiry = Inquiry(tuple(answers), NoSecrets(), self.upload)
        async with connector.inspect(action, named, connection, inquiry) as evidence:
            plan = connector.plan_on(action, evidence.params or named, connection, evidence.found)
            self.plans.append(plan)
            self.evidence.append(evidence)
            if self.before_sending is not None:
                self.before_sending()
            plan = replace(plan, stream=evidence.upload)
            return await connector.execute(plan, connection, lease, transport)


@contextmanager
def git_bench(folder: Path) -> Iterator[Bench]:
    """A bench towards a new git host with one repository, whose branch `release` is protected."""
    with git_server(folder / "srv") as server:
        server.create_repo(REPO, protected=("release",))
        server.seed_repo(REPO)
        yield Bench(server, folder / "areas")
