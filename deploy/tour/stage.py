"""The tour's stage: upstreams on loopback, one Ostiary, and two people's worth of command line.

S3 is moto with its signature check on, git is git's own ``http-backend``, GitHub an emulator that checks tokens and
branch protection, where Node.js could be had, and the models are a script in this process; the broker is the real one,
started as its users start it. Everything lives in one temporary folder and ends with the stage, whatever happens.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from deploy.tour.agent import Agent
from deploy.tour.configuration import APPROVER, BUCKET, KEY, POLICY, REPO, Account, ostiary_yaml
from deploy.tour.step import Said, said
from tests.parts.git_server import GitServer, git_server
from tests.parts.github import ADMIN_TOKEN, Hub, HubError, github_hub
from tests.parts.llm_providers import KEYS, Providers
from tests.parts.llm_script import Provider
from tests.parts.moto import Moto, moto_server
from tests.parts.up import Up, data_folder

CONTENT: Final = b"order,amount\n1001,42\n1002,17\n"
MODEL_KEY: Final = KEYS[Provider.ANTHROPIC]
WAIT_SECONDS: Final = "1"
"""How long clients are kept waiting for people here: long enough to be told, as nobody answers meanwhile."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the tour plays.

    Args:
        house: The running Ostiary.
        moto: The S3 side.
        git: The git side.
        models: The side of the models, a script.
        hub: The GitHub side; None where it could not be had.
        why_no_hub: Why not.
    """

    house: Up
    moto: Moto
    git: GitServer
    models: Providers
    hub: Hub | None
    why_no_hub: str = ""

    @property
    def secrets(self) -> list[str]:
        """Every upstream secret, to look for where none may be."""
        return [self.moto.secret_key, self.git.rw_token, ADMIN_TOKEN, MODEL_KEY]

    def operator(self, *arguments: str, token: str = "") -> Said:
        """Run `ostiary` as a person at the broker's machine: the one who installed it, or the holder of ``token``."""
        extra = {"OSTIARY_TOKEN": token} if token else {}
        return said(self.house.cli(*arguments, **extra), f"ostiary {shlex.join(arguments)}")

    def approver(self) -> str:
        """Return a token of the approver."""
        return str(self.operator("operator", "token", APPROVER, "--ttl", "15m", "-o", "json").output["token"])

    def agent(self, token: str) -> Agent:
        """Return the agent of a session.

        Args:
            token: Of the session; empty for none.
        """
        return Agent(self.house.folder / "agent", self.house.ready["url"], token)


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Start the upstreams and Ostiary; stop and remove everything at the end."""
    with ExitStack() as stack:
        house = stack.enter_context(data_folder(OSTIARY_WIRE_APPROVAL_WAIT_SECONDS=WAIT_SECONDS))
        for name in ("agent", "git"):
            (house.folder / name).mkdir()
        moto = stack.enter_context(moto_server({BUCKET: {KEY: CONTENT}}))
        git = stack.enter_context(git_server(house.folder / "git"))
        git.create_repo(REPO)
        git.seed_repo(REPO)
        models = stack.enter_context(Providers())
        hub, why_not = _open_hub(stack)
        connections = ostiary_yaml(
            Account(moto.account, moto.region, moto.endpoint),
            git_url=git.url,
            models_url=models.url,
            hub_url=hub.url if hub else "",
        )
        house.configure(connections, ci_runner=POLICY)
        house.start()
        stack.callback(house.end)
        house.seal(
            "aws/lake", "aws", _host(moto.endpoint), access_key_id=moto.access_key, secret_access_key=moto.secret_key
        )
        house.seal("git/code", "basic", _host(git.url), username="ostiary", password=git.rw_token)
        house.seal("llm/anthropic", "bearer", _host(models.url), token=MODEL_KEY)
        if hub:
            house.seal("github/hub", "bearer", _host(hub.url), token=ADMIN_TOKEN)
        yield Stage(house, moto, git, models, hub, why_not)


def _open_hub(stack: ExitStack) -> tuple[Hub | None, str]:
    """Return the GitHub side, or why there is none: it needs Node.js, which not every machine can be given."""
    try:
        return stack.enter_context(github_hub()), ""
    except HubError as error:
        return None, str(error)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
