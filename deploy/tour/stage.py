"""The tour's stage: two real upstreams on loopback, one Ostiary, and two people's worth of command line.

S3 is moto with its signature check on, git is git's own ``http-backend``; the broker is the real one, started as its
users start it. Everything lives in one temporary folder and ends with the stage, whatever happens.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.parts.git_server import GitServer, git_server
from tests.parts.moto import Moto, moto_server
from tests.parts.up import ROOT, Up, data_folder

BUCKET: Final = "data-lake"
KEY: Final = "raw/x.csv"
CONTENT: Final = b"order,amount\n1001,42\n1002,17\n"
REPO: Final = "acme/app"
AGENT: Final = "ci-runner"

_COMMAND_SECONDS: Final = 60.0

_OSTIARY_YAML: Final = """\
version: 1
projects:
  shop: {{connections: [lake, code]}}
agents:
  ci-runner: {{project: shop}}
operators:
  olivia: {{roles: [admin]}}
  alice: {{roles: [approver]}}
connections:
  lake:
    connector: aws
    credential: aws/lake
    account: "{account}"
    regions: [{region}]
    endpoint: {endpoint}
  code:
    connector: git
    credential: git/code
    url: {git_url}
"""

_POLICY: Final = """\
  - git:read on repos/*
  - git:push on repos/*/branches/feature/*
  - allow: git:push on repos/*/branches/main
    requires_approval: true
    approval_timeout: 10m
  - s3:GetObject on data-lake/raw/*
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What one command said.

    Args:
        status: Exit status.
        output: Standard output, parsed where it is JSON.
        error: Standard error.
        command: The command as a person would type it.
    """

    status: int
    output: Any
    error: str
    command: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the tour plays.

    Args:
        house: The running Ostiary.
        moto: The S3 side.
        git: The git side.
    """

    house: Up
    moto: Moto
    git: GitServer

    @property
    def secrets(self) -> list[str]:
        """Every upstream secret, to look for where none may be."""
        return [self.moto.secret_key, self.git.rw_token]

    @property
    def desk(self) -> Path:
        """The folder the agent works in."""
        return self.house.folder / "agent"

    def operator(self, *arguments: str, token: str = "") -> Said:
        """Run `ostiary` as a person at the broker's machine: the one who installed it, or the holder of ``token``."""
        extra = {"OSTIARY_TOKEN": token} if token else {}
        return _said(self.house.cli(*arguments, **extra), arguments)

    def agent_environment(self, token: str) -> dict[str, str]:
        """Return everything the agent's process gets: where the broker is and its session token, no key."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.desk),
            "PYTHONPATH": str(ROOT),
            "OSTIARY_URL": self.house.ready["url"],
            "OSTIARY_TOKEN": token,
        }

    def agent(self, token: str, *arguments: str) -> Said:
        """Run `ostiary` as the agent does, in an environment of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "broker.cli", *arguments],
            env=self.agent_environment(token),
            cwd=self.desk,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        return _said(done, arguments)


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Start the upstreams and Ostiary; stop and remove everything at the end."""
    with ExitStack() as stack:
        house = stack.enter_context(data_folder())
        for name in ("agent", "git"):
            (house.folder / name).mkdir()
        moto = stack.enter_context(moto_server({BUCKET: {KEY: CONTENT}}))
        git = stack.enter_context(git_server(house.folder / "git"))
        git.create_repo(REPO)
        git.seed_repo(REPO)
        connections = _OSTIARY_YAML.format(
            account=moto.account, region=moto.region, endpoint=moto.endpoint, git_url=git.url
        )
        house.configure(connections, ci_runner=_POLICY)
        house.start()
        stack.callback(house.end)
        house.seal(
            "aws/lake", "aws", _host(moto.endpoint), access_key_id=moto.access_key, secret_access_key=moto.secret_key
        )
        house.seal("git/code", "basic", _host(git.url), username="ostiary", password=git.rw_token)
        yield Stage(house, moto, git)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def _said(done: subprocess.CompletedProcess[str], arguments: tuple[str, ...]) -> Said:
    try:
        output: Any = json.loads(done.stdout)
    except ValueError:
        output = done.stdout
    return Said(done.returncode, output, done.stderr.strip(), "ostiary " + shlex.join(arguments))
