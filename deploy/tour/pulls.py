"""The tour's chapter on GitHub: PyGithub opens a pull request, and merges it at the head a person has seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from deploy.tour.agent import Agent
from deploy.tour.code import LANDING_SECONDS, approval_in, approve
from deploy.tour.configuration import REPO
from deploy.tour.stage import Stage
from deploy.tour.step import Step
from tests.parts.github import Hub

BRANCH: Final = "feature/faster"
_FORBIDDEN: Final = 403
_OPEN: Final = """\
pull = app.create_pull(base="main", head="feature/faster", title="Make it faster")
print(json.dumps({"number": pull.number, "head": pull.head.sha, "url": pull.url}))
"""
_MERGE: Final = """\
try:
    done = app.get_pull(NUMBER).merge()
    print(json.dumps({"merged": done.merged, "status": 200, "message": done.message}))
except GithubException as error:
    print(json.dumps({"merged": False, "status": error.status, "message": error.data["message"]}))
"""


class PullsChapter:
    """Plays it.

    Args:
        stage: Where.
        hub: GitHub.
        agent: Who.
        approver: Token of the person who answers.
    """

    def __init__(self, stage: Stage, hub: Hub, agent: Agent, approver: str) -> None:
        self._stage = stage
        self._hub = hub
        self._agent = agent
        self._approver = approver
        self._number = 0
        self._head = ""
        self._approval = ""

    def steps(self) -> tuple[Callable[[], Step], ...]:
        """Return its steps in order."""
        return (self._open, self._merge, self._merged)

    def _open(self) -> Step:
        head = self._hub.commit(BRANCH, {"faster.txt": "cache = true\n"}, "add faster.txt")
        taken = self._agent.take_up("--github")
        said = self._agent.pygithub(_OPEN)
        if said.status == 0:
            self._number, self._head = said.output["number"], said.output["head"]
        ok = taken.status == 0 and self._number > 0 and self._head == head
        return Step("pr-open", "PyGithub opens a pull request", ok, (
            f"$ {taken.command}",
            f">>> app.create_pull(base='main', head='{BRANCH}', title='Make it faster')",
            f"#{self._number} at {self._head[:12]}" if ok else said.error,
        ), {"exit": said.status, "number": self._number, "head": self._head})  # fmt: skip

    def _merge(self) -> Step:
        self._hub.approve(self._number)  # the review that the protection of `main` asks for, by a person at GitHub
        said = self._ask()
        self._approval = approval_in(said["message"])
        ok = said["status"] == _FORBIDDEN and bool(self._approval) and not self._is_merged()
        return Step("pr-merge", "its merge waits for a person", ok, (
            f">>> app.get_pull({self._number}).merge()", f"{said['status']}: {said['message']}",
        ), {**said, "approval": self._approval})  # fmt: skip

    def _merged(self) -> Step:
        intent, page, answered = approve(self._stage, self._approver, self._approval)
        shown = self._agent.ostiary("intent", "show", intent, "--wait", LANDING_SECONDS, "-o", "json")
        said = self._ask()
        head = str(self._hub.get(f"/repos/{REPO}/pulls/{self._number}")["head"]["sha"])
        ok = bool(said["merged"]) and self._is_merged() and head == self._head and self._head[:9] in page
        return Step("pr-merged", "a person looks at it and approves; it is merged at the head they saw", ok, (
            f"$ ostiary approvals show {self._approval}", *(f"| {line}".rstrip() for line in _effect(page)), "| …",
            f"$ {answered.command}", f">>> app.get_pull({self._number}).merge()",
            f"merged at {head[:12]}" if ok else f"{said['status']}: {said['message']}",
        ), {**said, "state": shown.state, "head": head, "page": page})  # fmt: skip

    def _ask(self) -> dict[str, Any]:
        said = self._agent.pygithub(_MERGE.replace("NUMBER", str(self._number)))
        if isinstance(said.output, dict):
            return said.output
        return {"merged": False, "status": 0, "message": said.error}

    def _is_merged(self) -> bool:
        return bool(self._hub.get(f"/repos/{REPO}/pulls/{self._number}")["merged"])


def _effect(page: str) -> list[str]:
    """Return the part of an approval's page that says what will happen."""
    return f"EFFECT{page.partition('EFFECT')[2].partition('WHO')[0]}".rstrip().splitlines()
