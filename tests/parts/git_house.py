"""The whole of Ostiary between stock git and a real git host: what an agent runs, and what its people do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.parts.git_server import GitServer, git_server
from tests.parts.http_api import call
from tests.parts.up import Up, data_folder, eventually

REPO: Final = "acme/app"
WAIT_SECONDS: Final = 2
"""A client's patience with people, in this house, unless a test chooses another."""
ZERO: Final = "0" * 40

_CONFIG: Final = """\
version: 1
projects: {{shop: {{connections: [forge]}}, lab: {{connections: [bench]}}}}
agents: {{coder: {{project: shop}}, reader: {{project: shop}}, careful: {{project: shop}}}}
operators:
  admin: {{roles: [admin]}}
  alice: {{roles: [approver]}}
connections:
  forge: {{connector: git, credential: git/forge, url: "{url}", protected_branches: [release]}}
  bench: {{connector: git, credential: git/forge, url: "{url}"}}
"""
CODER: Final = """\
  - git:read,git:lfs-read on repos/acme/*
  - {deny: "git:read on repos/acme/hidden", id: not-hidden}
  - {deny: "git:push on repos/acme/*", id: no-workflows, when: {params.paths_folded: ".github/workflows/*"}}
  - {deny: "git:push,git:force-push on repos/acme/*/branches/feature/*", id: no-secrets, when: {params.leaks: "*"}}
  - git:push,git:force-push,git:delete-ref on repos/acme/*/branches/feature/*
  - git:push on repos/acme/*/branches/large
  - git:push on repos/acme/*/branches/release
  - git:push,git:delete-ref on repos/acme/*/tags/v*
  - {allow: "git:push on repos/acme/*/branches/main", id: ask-for-main, requires_approval: true}
  - {allow: "git:push on repos/acme/*/branches/asked/*", id: ask, requires_approval: true}
  - {allow: "git:force-push on repos/acme/*/branches/asked/*", id: ask-to-force, requires_approval: true}
  - {allow: "git:push on repos/acme/*/branches/brief/*", id: ask-briefly, requires_approval: true, approval_timeout: 1s}
  - {deny: "git:force-push,git:delete-ref on repos/acme/*/branches/main", id: main-stays}
"""
CAREFUL: Final = """\
  - git:* on repos/acme/*
  - {deny: "git:push on repos/acme/*/branches/signed/*", id: signed-only, when: {params.signed: false}}
  - {deny: "git:push on repos/acme/*", id: no-infra, when: {params.paths: "infra/*"}}
  - {deny: "git:push on repos/acme/*", id: no-workflows, when: {params.paths_folded: ".github/workflows/*"}}
  - {deny: "git:push on repos/acme/*", id: our-authors, when: {params.authors: {not: "*@example.com"}}}
  - {deny: "git:push on repos/acme/*", id: our-committers, when: {params.committers: {not: "*@example.com"}}}
  - {deny: "git:push on repos/acme/*", id: few-commits, when: {params.commits: {min: 4}}}
  - {deny: "git:push on repos/acme/*", id: small-pushes, when: {params.added_bytes: {min: 60000}}}
  - {deny: "git:push on repos/acme/*", id: small-files, when: {params.largest_file_bytes: {min: 30000}}}
  - {deny: "git:push on repos/acme/*", id: no-binaries, when: {params.binary_files: "*"}}
  - {deny: "git:push on repos/acme/*", id: no-secrets, when: {params.leaks: "*"}}
  - {deny: "git:push on repos/acme/*", id: no-options, when: {params.options: "deploy*"}}
"""
_POLICY_HEAD_LINES: Final = 3
_READER: Final = "  - git:read on repos/acme/app\n"


def place(rule: str) -> str:
    """Return how a rule of the coder's is named in an answer: file, line and id."""
    at = next(
        number for number, line in enumerate(CODER.splitlines(), 1) if f"id: {rule}," in line or f"id: {rule}}}" in line
    )
    return f"policies/coder.yaml:{at + _POLICY_HEAD_LINES} ({rule})"


@dataclass
class GitHouse:
    """A running Ostiary and the tokens of its people.

    Args:
        up: Ostiary.
        host: The git host behind it.
        admin, alice: Tokens of the operators.
    """

    up: Up
    host: GitServer
    admin: str
    alice: str

    @property
    def url(self) -> str:
        """Where the API listens now; a restarted one may have another port."""
        return str(json.loads((self.up.data / "run" / "api.json").read_text())["url"])

    def door(self, repo: str = REPO, connection: str = "forge") -> str:
        """The URL of a repository at the door."""
        return f"{self.url}/git/{connection}/{repo}.git"

    def upstream(self, repo: str = REPO) -> Repository:
        """A repository as its host has it; made with a first commit when it is not there."""
        found = Repository(self.host.path(repo))
        if not found.path.exists():
            self.host.create_repo(repo, protected=("release",))
            self.host.seed_repo(repo)
            # What the large hosts allow.
            for name in ("receive.advertisePushOptions", "uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
                found.git("config", name, "true")
        return found

    def kill(self, session: str) -> None:
        assert self.call("DELETE", f"/v1/sessions/{session}", self.admin)[0] == 204

    def begin(self, agent: str) -> tuple[str, str]:
        """Start a session of an agent; return its id and its token."""
        status, started = self.call("POST", "/v1/sessions", self.admin, {"agent": agent})
        assert status == 201, started
        return started["session"]["id"], started["token"]

    def call(self, method: str, path: str, token: str, body: Any = None) -> tuple[int, Any]:
        return call(self.url, method, path, token, body, timeout_seconds=30)

    def pending(self, token: str) -> list[dict[str, Any]]:
        """Approvals a session waits for."""
        status, found = self.call("GET", "/v1/approvals?state=pending", token)
        assert status == 200, found
        return list(found["approvals"])

    def asked(self, token: str) -> dict[str, Any]:
        """Wait until a session asks for an approval, and return it as the approver sees it."""
        eventually(lambda: self.pending(token), lambda: self.up.said[-2000:])
        (asked,) = self.pending(token)
        _, shown = self.call("GET", f"/v1/approvals/{asked['id']}", self.alice)
        return dict(shown)

    def answer(self, token: str, verb: str = "approve") -> dict[str, Any]:
        """Wait until a session asks for an approval, answer it, and return it as the approver saw it."""
        asked = shown = self.asked(token)
        status, given = self.call("POST", f"/v1/approvals/{asked['id']}/{verb}", self.alice, {"reason": "because"})
        assert status == 200, given
        return dict(shown)

    def peak_bytes(self) -> int:
        """Most memory the API held at once, since it was asked to forget."""
        status = Path(f"/proc/{self.up.pid_of('api')}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) << 10

    def forget_peak(self) -> int:
        """Let the peak begin anew, and return it."""
        Path(f"/proc/{self.up.pid_of('api')}/clear_refs").write_text("5")  # proc(5)
        return self.peak_bytes()

    def types(self, session: str, action: str = "git:push") -> list[str]:
        """What happened to the intents of one action in a session, oldest first."""
        return [each["type"] for each in self.events(session) if each.get("action") == action]

    def await_event(self, session: str, wanted: str) -> dict[str, Any]:
        """Wait until a session's ledger has an event of a type, of a push where it is of an intent; return the last."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [
                each for each in self.events(session) if each["type"] == wanted and each["action"] in ("", "git:push")
            ]
            return bool(found)

        eventually(there, lambda: f"{[each['type'] for each in self.events(session)]}; {self.up.said[-2000:]}")
        return found[-1]

    def events(self, session: str) -> list[dict[str, Any]]:
        """The events of a session, oldest first."""
        _, page = self.call("GET", f"/v1/sessions/{session}/events?limit=500", self.admin)
        return [each["event"] for each in page["events"]]


@dataclass(frozen=True)
class Repository:
    """A repository on the host's disk, worked on from the inside.

    Args:
        path: Where it is.
    """

    path: Path

    def git(self, *arguments: str, stdin: str = "") -> str:
        """Run git in it and return what it says; it must not fail."""
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", str(self.path), *arguments],
            capture_output=True,
            env=_environment(),
            input=stdin,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def refs(self) -> dict[str, str]:
        listed = self.git("for-each-ref", "--format=%(refname) %(objectname)")
        return dict(line.split(" ") for line in listed.splitlines())

    def objects(self, *revisions: str) -> list[str]:
        """Ids of all that is reached from some revisions."""
        return sorted(self.git("rev-list", "--objects", "--no-object-names", *revisions).splitlines())


@dataclass
class Coder:
    """An agent's side: stock git in a folder, with a session's token and nothing else.

    Args:
        folder: Of its clone.
        url: Of the repository at the door.
        token: Of its session.
        more: Variables besides.
    """

    folder: Path
    url: str
    token: str
    more: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Variables of its git: the token for all of the door, nothing of the machine."""
        return {
            **_environment(),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{self.url.partition('/git/')[0]}/.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Bearer {self.token}",
            **self.more,
        }

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start git in a process group of its own."""
        return subprocess.Popen(
            ["git", "-c", "safe.directory=*", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd or self.folder,
            env=self.environment(),
            text=True,
            process_group=0,
        )

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run git to its end, whatever that is."""
        started = self.start(*arguments, cwd=cwd)
        out, err = started.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, started.returncode, out, err)

    def git(self, *arguments: str) -> str:
        """Run git and return what it says; it must not fail."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def refusal(self, *arguments: str) -> str:
        """Run git, which must fail as after a rejected push, and return its words."""
        done = self.run(*arguments)
        assert done.returncode == 1, done
        return done.stderr

    def clone(self, *flags: str) -> None:
        """Clone the repository through the door."""
        done = self.run("clone", "--quiet", *flags, self.url, str(self.folder), cwd=self.folder.parent)
        assert done.returncode == 0, done.stderr

    def commit(self, branch: str, start: str = "origin/main", files: Mapping[str, str | bytes] | None = None) -> str:
        """Commit files on a branch made anew; return the object id."""
        self.git("checkout", "--quiet", "-B", branch, start)
        for name, content in (files or {"work.txt": f"work on {branch}\n"}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", f"work on {branch}")
        return self.git("rev-parse", "HEAD")


def interrupt(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C at a git that runs, and return its words once it is gone."""
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    return err


def _environment() -> dict[str, str]:
    people = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _BOB.items()}
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **people,
    }


_BOB: Final = {"NAME": "Bob", "EMAIL": "bob@example.com"}


@contextmanager
def git_house(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[GitHouse]:
    """Run it until the block ends.

    Args:
        folder: For the host's repositories.
        settings: ``OSTIARY_*`` settings besides.
    """
    chosen = {"OSTIARY_WIRE_APPROVAL_WAIT_SECONDS": str(WAIT_SECONDS), **(settings or {})}
    with git_server(folder / "host") as host, data_folder(**chosen) as up:
        up.configure(_CONFIG.format(url=host.url), coder=CODER, reader=_READER, careful=CAREFUL)
        up.start()
        up.seal("git/forge", "basic", host.url.removeprefix("http://"), username="bot", password=host.rw_token)
        admin = (up.data / "operator.token").read_text().strip()
        alice = up.answer("operator", "token", "alice")["token"]
        house = GitHouse(up, host, admin, alice)
        house.upstream()
        yield house
        host.release.set()
        up.end()
