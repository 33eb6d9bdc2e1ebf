"""The tour's agent: programs in a folder of their own, with a session token and nothing else."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from deploy.tour.step import Said, said
from tests.parts.up import ROOT

_SECONDS: Final = 60.0
_NAME: Final = "ci-runner"
_CLIENTS: Final = """\
import json, os
from github import Auth, Github, GithubException

there, token = os.environ["GITHUB_API_URL"], os.environ["GH_ENTERPRISE_TOKEN"]
hub = Github(base_url=there, auth=Auth.Token(token), seconds_between_requests=0, seconds_between_writes=0)
app = hub.get_repo("acme/app")
"""
"""How any program begins that uses PyGithub; only its pauses, which are politeness towards GitHub, are left out."""


class Running:
    """A program of the agent's, as whoever watches it sees it.

    Args:
        process: With pipes of text.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a program without pipes")
        self._typed, self._told = process.stdin, process.stdout

    def line(self) -> str:
        """Return the next line it prints; empty when it has ended."""
        return self._told.readline().strip()

    def go_on(self) -> None:
        """Press Enter; a program that has ended does not mind."""
        with suppress(BrokenPipeError):
            self._typed.write("\n")
            self._typed.flush()


class Agent:
    """Runs what an agent runs.

    Args:
        folder: Its home and the folder it works in.
        url: Where Ostiary is.
        token: Of its session.
    """

    def __init__(self, folder: Path, url: str, token: str) -> None:
        self.folder = folder
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        own = {"HOME": str(folder), "PYTHONPATH": str(ROOT), "OSTIARY_URL": url, "OSTIARY_TOKEN": token}
        self.environment = {**kept, **own}
        """All of it: where the broker is and the session token, no key."""

    def ostiary(self, *arguments: str) -> Said:
        """Run the command line."""
        return self._run([sys.executable, "-m", "broker.cli", *arguments], f"ostiary {shlex.join(arguments)}")

    def take_up(self, *clients: str) -> Said:
        """Do what ``eval "$(ostiary session env --git)"`` does in a shell.

        Args:
            *clients: Options of the command that name kinds of clients.
        """
        told = self.ostiary("session", "env", *clients, "--shell", "json")
        if told.status == 0:
            for name in told.output["unset"]:
                self.environment.pop(name, None)
            self.environment |= told.output["set"]
        return Said(told.status, told.output, told.error, f'eval "$(ostiary session env {shlex.join(clients)})"')

    def git(self, *arguments: str) -> Said:
        """Run stock git: no credential of its own, no configuration of this machine."""
        who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (
            ("NAME", _NAME), ("EMAIL", f"{_NAME}@example.com"),
        )}  # fmt: skip
        nothing = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
        command = f"git {shlex.join(each for each in arguments if each not in {'-C', 'app'})}"
        return self._run(["git", *arguments], command, {**nothing, **who})

    def pygithub(self, source: str) -> Said:
        """Run a program that has PyGithub's repository as ``app``.

        Args:
            source: Its lines after that; prints JSON.
        """
        return self._run([sys.executable, "-c", _CLIENTS + source], "")

    @contextmanager
    def begin(self, source: str) -> Iterator[Running]:
        """Run a program beside the tour; at the end of the block it is gone.

        Args:
            source: Of the program.
        """
        with subprocess.Popen(
            [sys.executable, "-c", source],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield Running(process)
            finally:
                process.kill()

    def _run(self, command: list[str], shown: str, more: dict[str, str] | None = None) -> Said:
        done = subprocess.run(
            command,
            env={**self.environment, **(more or {})},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return said(done, shown)
