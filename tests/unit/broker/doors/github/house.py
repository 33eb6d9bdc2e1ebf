"""A broker behind the GitHub door that does what a test says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.exchange import Exchange
from broker.ids import IntentId
from broker.model import IntentDraft, IntentState, Session
from broker.outcome import Outcome, Problem
from broker.settings import Settings
from connectors.base import Connection
from tests.unit.broker.doors.asgi import Client, Reply
from tests.unit.broker.doors.parts import FakeProject
from tests.unit.broker.doors.world import World
from vault.model import CredentialRef

API = "https://api.github.com"
HOST = {"Host": "ostiary.test"}
PIECE = b"0123456789abcdef" * 4096
MERGE = "/api/v3/repos/a/b/pulls/7/merge"
Act = Callable[["Seen"], Awaitable[Outcome]]


@dataclass
class Seen:
    """One intent as it reached the broker."""

    intent_id: IntentId
    draft: IntentDraft
    exchange: Exchange

    def done(self, body: Any = None, status: int = 200, headers: dict[str, str] | None = None, **more: Any) -> Outcome:
        result = {"status": status, "headers": headers or {}, "body": body}
        return Outcome(self.intent_id, IntentState.SUCCEEDED, result, **more)

    def refused(self, problem: Problem, state: IntentState = IntentState.FAILED) -> Outcome:
        return Outcome(self.intent_id, state, problem=problem)


@dataclass
class GitHubWorld(World):
    """Intents do what `act` says."""

    act: Act | None = None
    seen: list[IntentDraft] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("hub", "other"):
            self.config.connections[name] = Connection(name, "github", CredentialRef("github/x"), {"url": API})
        self.config.projects["web"] = FakeProject(("git-main", "hub"))
        self.config.projects["data"] = FakeProject(("hub", "other", "gone"))

    async def submit(
        self,
        session: Session,
        draft: IntentDraft,
        *,
        wait_seconds: float,
        exchange: Exchange | None = None,
        on_parked: Callable[[Outcome], None] | None = None,
    ) -> Outcome:
        self.seen.append(draft)
        self.waits.append(wait_seconds)
        assert exchange is not None
        assert self.act is not None
        return await self.act(Seen(IntentId(self.new_id("int")), draft, exchange))


def make_github_world(folder: Path, **settings: Any) -> GitHubWorld:
    return GitHubWorld(Settings(data=folder, **settings))


async def ask(client: Client, world: GitHubWorld, method: str, path: str, **more: Any) -> Reply:
    headers = {"Authorization": f"token {world.pusher_token}", **HOST, **more.pop("headers", {})}
    return await client.call(method, path, headers=headers, **more)


def answering(world: GitHubWorld, body: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> None:
    async def act(seen: Seen) -> Outcome:
        return seen.done(body, status, headers)

    world.act = act


def refusing(world: GitHubWorld, problem: Problem, state: IntentState = IntentState.FAILED) -> None:
    async def act(seen: Seen) -> Outcome:
        return seen.refused(problem, state)

    world.act = act
