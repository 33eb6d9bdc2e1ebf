"""The tour's story: what an agent without keys can do, cannot do, and must ask for; told step by step and checked.

Each step says what it expected and what happened; a step that did not happen as expected fails the tour.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deploy.tour.stage import AGENT, BUCKET, CONTENT, KEY, REPO, Said, Stage

DENIED: Final = 3
PENDING: Final = 8
APPROVAL_WAIT: Final = "20"
"""Seconds the agent waits for the worker once a human said yes."""
KEY_OF_PUSH: Final = "release-1.2"
"""The agent asks again with the key it asked with: the same intent, not a second push."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it went.

    Args:
        name: Short name, stable: scripts read it.
        title: One line for people.
        ok: True when it went as expected.
        lines: What happened, for people.
        facts: What happened, for machines.
    """

    name: str
    title: str
    ok: bool
    lines: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)


class Story:
    """Plays on a stage.

    Args:
        stage: Where.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._token = ""
        self._session = ""
        self._work = stage.desk / "app"
        self._approval = ""
        self._intent = ""

    def play(self) -> Iterator[Step]:
        """Yield the steps as they happen; stop after one that failed, as the rest would only follow from it."""
        steps: tuple[Callable[[], Step], ...] = (
            self._start, self._no_keys, self._read, self._refused, self._clone, self._push_feature, self._push_main,
            self._approve, self._landed, self._replay, self._verify,
        )  # fmt: skip
        for step in steps:
            told = step()
            yield told
            if not told.ok:
                return

    def _do(self, *arguments: str) -> Said:
        return self._stage.agent(self._token, "do", *arguments, "-o", "json")

    def _start(self) -> Step:
        said = self._stage.operator("session", "start", "--agent", AGENT, "--ttl", "15m", "-o", "json")
        if said.status == 0:
            self._token, self._session = said.output["token"], said.output["session"]["id"]
        lines = (f"$ {said.command}", f"session {self._session}; its token is all the agent gets")
        return Step("session", "an operator starts a session for the agent", said.status == 0, lines, {
            "session": self._session, "agent": AGENT,
        })  # fmt: skip

    def _no_keys(self) -> Step:
        environment = self._stage.agent_environment(self._token)
        text = "\n".join(f"{name}={value}" for name, value in environment.items())
        held = [secret for secret in self._stage.secrets if secret in text]
        names = sorted(environment)
        return Step("no-keys", "the agent's environment holds no key", not held, (
            f"variables: {', '.join(names)}", "neither the AWS secret key nor the git password is among their values",
        ), {"variables": names, "keys_found": len(held)})  # fmt: skip

    def _read(self) -> Step:
        said = self._do("s3:GetObject", f"Bucket={BUCKET}", f"Key={KEY}")
        body = b""
        if said.status == 0:
            body = base64.b64decode(said.output["result"]["body"]["data"])
        first = body.splitlines()[0].decode() if body else said.error
        return Step("s3-read", "the agent reads an S3 object it may read", body == CONTENT, (
            f"$ {said.command}", f"succeeded: {len(body)} bytes, first line `{first}`",
        ), {"exit": said.status, "bytes": len(body), "state": _state(said)})  # fmt: skip

    def _refused(self) -> Step:
        said = self._do("s3:DeleteObject", f"Bucket={BUCKET}", f"Key={KEY}")
        objects = self._stage.moto.client().list_objects_v2(Bucket=BUCKET).get("KeyCount")
        return Step("s3-delete", "the agent is refused a delete", said.status == DENIED and objects == 1, (
            f"$ {said.command}", *said.error.splitlines(), "the object is still there",
        ), {"exit": said.status, "objects_left": objects, "told": said.error})  # fmt: skip

    def _clone(self) -> Step:
        bundle = self._stage.desk / "app.bundle"
        said = self._do("git:read", f"repo={REPO}", "what=bundle", "--out", str(bundle))
        if said.status == 0:
            _git("clone", "--quiet", "--branch", "main", str(bundle), str(self._work))
        commits = _git("-C", str(self._work), "rev-list", "--count", "main") if self._work.exists() else "0"
        return Step("git-clone", "the agent clones a repository it may read", commits == "1", (
            f"$ {said.command}", f"$ git clone app.bundle: {commits} commit",
        ), {"exit": said.status, "commits": int(commits)})  # fmt: skip

    def _push_feature(self) -> Step:
        said, head = self._push("feature/faster", "faster.txt")
        landed = self._stage.git.refs(REPO).get("refs/heads/feature/faster") == head
        return Step("push-feature", "the agent pushes to a feature branch", said.status == 0 and landed, (
            f"$ {said.command}", f"refs/heads/feature/faster is now {head[:12]} upstream",
        ), {"exit": said.status, "state": _state(said), "head": head})  # fmt: skip

    def _push_main(self) -> Step:
        before = self._stage.git.refs(REPO)["refs/heads/main"]
        said, head = self._push("main", "release.txt", "--reason", "release 1.2", "--idempotency-key", KEY_OF_PUSH)
        if said.status == PENDING:
            self._intent, self._approval = said.output["intent"], said.output["approval"]["id"]
        still = self._stage.git.refs(REPO)["refs/heads/main"] == before
        return Step("push-main", "a push to main waits for a human", said.status == PENDING and still, (
            f"$ {said.command}", f"pending: {self._approval}; main upstream is unchanged",
        ), {"exit": said.status, "approval": self._approval, "intent": self._intent, "head": head})  # fmt: skip

    def _approve(self) -> Step:
        token = self._stage.operator("operator", "token", "alice", "--ttl", "15m", "-o", "json").output["token"]
        own = self._stage.operator("approvals", "approve", self._approval)
        shown = self._stage.operator("approvals", "show", self._approval, "-o", "json", token=token).output
        said = self._stage.operator("approvals", "approve", self._approval, token=token)
        return Step("approve", "a human looks at it and approves", own.status != 0 and said.status == 0, (
            "the operator who started the session tries to approve: refused",
            f"alice sees: {shown.get('summary', '')}",
            f"$ {said.command}",
        ), {"self_approval_exit": own.status, "exit": said.status, "summary": shown.get("summary")})  # fmt: skip

    def _landed(self) -> Step:
        options = ("--reason", "release 1.2", "--idempotency-key", KEY_OF_PUSH, "--wait", APPROVAL_WAIT)
        said, head = self._push("main", "", *options, again=True)
        landed = self._stage.git.refs(REPO)["refs/heads/main"] == head
        return Step("landed", "the approved push lands, exactly as approved", landed and said.status == 0, (
            f"$ {said.command}", f"succeeded: main upstream is now {head[:12]}",
        ), {"exit": said.status, "head": head, "state": _state(said)})  # fmt: skip

    def _replay(self) -> Step:
        said = self._stage.operator("session", "replay", self._session, "-o", "json")
        events = said.output if isinstance(said.output, list) else []
        kinds = [each["event"] for each in events]
        expected = {"intent.succeeded", "intent.denied", "intent.parked", "approval.approved"}
        return Step("replay", "the whole session can be replayed", expected <= set(kinds), (
            f"$ ostiary session replay {self._session}",
            *(f"{each['event']:<20} {each['action']:<16} {each['resource']}" for each in events),
        ), {"exit": said.status, "events": kinds})  # fmt: skip

    def _verify(self) -> Step:
        said = self._stage.operator("audit", "verify", "-o", "json")
        report = said.output if isinstance(said.output, dict) else {}
        return Step("audit-verify", "the ledger proves that nothing of this was changed", said.status == 0, (
            "$ ostiary audit verify", f"ok: {report.get('events')} events, root {str(report.get('root', ''))[:16]}…",
        ), {"exit": said.status, **report})  # fmt: skip

    def _push(self, branch: str, file: str, *options: str, again: bool = False) -> tuple[Said, str]:
        """Commit ``file`` on ``branch`` in the agent's clone and push it as a bundle."""
        work = str(self._work)
        if not again:
            _git("-C", work, "checkout", "--quiet", "-B", branch, "origin/main")
            (self._work / file).write_text(f"{file}\n")
            _git("-C", work, "add", "--all")
            _git("-C", work, "commit", "--quiet", "--message", f"add {file}")
        bundle = self._work.parent / f"{branch.replace('/', '-')}.bundle"
        if not again:
            _git("-C", work, "bundle", "create", "--quiet", str(bundle), f"origin/main..{branch}")
        head = _git("-C", work, "rev-parse", branch)
        return self._do("git:push", f"repo={REPO}", f"bundle=@{bundle}", *options), head


def _state(said: Said) -> str:
    return str(said.output.get("state", "")) if isinstance(said.output, dict) else ""


def _git(*arguments: str) -> str:
    """Run the agent's own git: no credential, no configuration of this machine."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "agent", "GIT_AUTHOR_EMAIL": "agent@example.com",
        "GIT_COMMITTER_NAME": "agent", "GIT_COMMITTER_EMAIL": "agent@example.com",
    }  # fmt: skip
    done = subprocess.run(
        ["git", *arguments], env=environment, capture_output=True, text=True, check=True, cwd=Path("/")
    )
    return done.stdout.strip()
