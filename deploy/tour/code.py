"""The tour's chapter on git: the stock client clones, pushes, is refused, asks, and lands what a person has read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from deploy.tour.agent import Agent
from deploy.tour.configuration import REPO
from deploy.tour.stage import Stage
from deploy.tour.step import Said, Step

REJECTED: Final = 1
"""How git ends after a push that was not taken."""
LANDING_SECONDS: Final = "30"
"""How long the agent waits for the worker once a person said yes."""
_MAIN: Final = "refs/heads/main"
_APPROVAL: Final = re.compile(r"\bapr_[a-z0-9]{20,}")


class CodeChapter:
    """Plays it.

    Args:
        stage: Where.
        agent: Who.
        approver: Token of the person who answers.
    """

    def __init__(self, stage: Stage, agent: Agent, approver: str) -> None:
        self._stage = stage
        self._agent = agent
        self._approver = approver
        self._approval = ""
        self._intent = ""
        self._head = ""

    def steps(self) -> tuple[Callable[[], Step], ...]:
        """Return its steps in order."""
        return (
            self._clone, self._push_feature, self._force_main, self._delete_main, self._push_main, self._approve,
            self._landed,
        )  # fmt: skip

    def _clone(self) -> Step:
        taken = self._agent.take_up("--git")
        url = f"{self._stage.git.url}/{REPO}.git"
        said = self._agent.git("clone", "--quiet", url, "app")
        commits = self._git("rev-list", "--count", "origin/main").output
        text = "\n".join(self._agent.environment.values())
        held = sum(secret in text for secret in self._stage.secrets)
        ok = (taken.status, said.status, commits, held) == (0, 0, 1, 0)
        return Step("git-clone", "stock git clones by the host's own address, which leads to Ostiary", ok, (
            f"$ {taken.command}", f"$ {said.command}", f"{commits} commit; the agent still holds no key",
        ), {"exit": said.status, "commits": commits, "keys_found": held})  # fmt: skip

    def _push_feature(self) -> Step:
        head = self._commit("feature/faster", "faster.txt", "cache = true\n")
        said = self._git("push", "--quiet", "origin", "feature/faster")
        landed = self._upstream("refs/heads/feature/faster") == head
        return Step("push-feature", "the agent pushes to a feature branch", said.status == 0 and landed, (
            f"$ {said.command}", f"refs/heads/feature/faster is now {head[:12]} upstream",
        ), {"exit": said.status, "head": head})  # fmt: skip

    def _force_main(self) -> Step:
        self._git("checkout", "--quiet", "--detach", "origin/main")
        self._git("commit", "--quiet", "--amend", "--message", "history, told anew")
        return self._refused("push-force", "the agent is refused to rewrite main", "--force", "HEAD:main")

    def _delete_main(self) -> Step:
        return self._refused("push-delete", "the agent is refused to delete main", "--delete", "main")

    def _refused(self, name: str, title: str, *arguments: str) -> Step:
        before = self._upstream(_MAIN)
        said = self._git("push", "--quiet", "origin", *arguments)
        ok = said.status == REJECTED and self._upstream(_MAIN) == before and "denied by policy" in said.error
        lines = (f"$ {said.command}", *said.remote, "main upstream is unchanged")
        return Step(name, title, ok, lines, {"exit": said.status, "told": list(said.remote)})

    def _push_main(self) -> Step:
        before = self._upstream(_MAIN)
        self._head = self._commit("main", "release.txt", "version = 1.2\n")
        said = self._git("push", "--quiet", "origin", "main")
        self._approval = approval_in(said.error)
        ok = said.status == REJECTED and bool(self._approval) and self._upstream(_MAIN) == before
        return Step("push-main", "a push to main waits for a person", ok, (
            f"$ {said.command}", *said.remote, "main upstream is unchanged",
        ), {"exit": said.status, "approval": self._approval, "head": self._head})  # fmt: skip

    def _approve(self) -> Step:
        own = self._stage.operator("approvals", "approve", self._approval)
        self._intent, page, said = approve(self._stage, self._approver, self._approval)
        ok = own.status != 0 and said.status == 0 and "+version = 1.2" in page
        return Step("approve", "a person reads what would be pushed, in the terminal, and approves", ok, (
            "the operator who started the session tries to approve: refused",
            f"$ ostiary approvals show {self._approval}", *(f"| {line}".rstrip() for line in page.splitlines()),
            f"$ {said.command}",
        ), {"self_approval_exit": own.status, "exit": said.status, "page": page})  # fmt: skip

    def _landed(self) -> Step:
        shown = self._agent.ostiary("intent", "show", self._intent, "--wait", LANDING_SECONDS, "-o", "json")
        said = self._git("push", "origin", "main")
        landed = self._upstream(_MAIN) == self._head
        ok = landed and said.status == 0 and "up-to-date" in said.error
        return Step("landed", "the approved push lands, exactly as approved", ok, (
            f"$ ostiary intent show {self._intent} --wait {LANDING_SECONDS}",
            f"{shown.state}: main upstream is now {self._head[:12]}", f"$ {said.command}", said.error,
        ), {"exit": said.status, "head": self._upstream(_MAIN), "state": shown.state, "told": said.error})  # fmt: skip

    def _commit(self, branch: str, file: str, text: str) -> str:
        self._git("checkout", "--quiet", "-B", branch, "origin/main")
        (self._agent.folder / "app" / file).write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", f"add {file}")
        return str(self._git("rev-parse", "HEAD").output)

    def _git(self, *arguments: str) -> Said:
        return self._agent.git("-C", "app", *arguments)

    def _upstream(self, ref: str) -> str:
        return self._stage.git.refs(REPO).get(ref, "")


def approval_in(text: str) -> str:
    """Return the approval that a client was told of; empty for none."""
    found = _APPROVAL.search(text)
    return found[0] if found else ""


def approve(stage: Stage, token: str, approval: str) -> tuple[str, str, Said]:
    """Read an approval and say yes to it; return its intent, its page, and what the command said.

    Args:
        stage: Where.
        token: Of the person.
        approval: Id.
    """
    known = stage.operator("approvals", "show", approval, "-o", "json", token=token).output
    page = stage.operator("approvals", "show", approval, token=token).output
    answered = stage.operator("approvals", "approve", approval, token=token)
    return str(known["intent"]) if isinstance(known, dict) else "", str(page), answered
