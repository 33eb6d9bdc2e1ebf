"""A broker behind the LLM door that does what a test says."""

from __future__ import annotations

import json
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
from connectors.llm.bodies import Whole
from tests.unit.broker.doors.asgi import Client, Reply
from tests.unit.broker.doors.parts import FakeProject
from tests.unit.broker.doors.world import World
from vault.model import CredentialRef

BODY: dict[str, Any] = {"model": "claude-opus-4-8", "max_tokens": 8, "messages": [{"role": "user", "content": "hé"}]}
RAW = json.dumps(BODY, ensure_ascii=False, indent=1).encode()
"""Nobody who reads and writes it anew gets these bytes."""
JSON = {"Content-Type": "application/json"}
PATHS = {
    "messages": "/v1/messages",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "invoke": "/model/us.anthropic.claude-opus-4-8/invoke",
}
OPTIONS: dict[str, Any] = {
    "upstreams": [
        {"name": "a", "speaks": "anthropic"},
        {"name": "o", "speaks": "openai"},
        {
            "name": "z",
            "speaks": "azure",
            "url": "https://acme.openai.azure.com",
            "api_version": "v1",
            "deployments": {"gpt-9-azure": "d1"},
        },
        {"name": "m", "speaks": "openai", "provider": "mistral"},
    ],
    "routes": [
        {"models": "anthropic/claude-next", "upstreams": ["a"]},
        {"models": "openai/gpt-5-mini", "upstreams": ["m"], "instead": {"m": "mistral/mistral-large-latest"}},
    ],
    "aliases": {"sonnet": "anthropic/claude-sonnet-5", "fast": "openai/gpt-5-nano", "lost": "nobody/model"},
}
MORE: dict[str, Any] = {
    "upstreams": [{"name": "b", "speaks": "bedrock", "region": "eu-west-1"}],
    "routes": [{"models": "anthropic/claude-never", "upstreams": ["b"]}],
    "unknown_models": "deny",
}
Act = Callable[["Seen"], Awaitable[Outcome]]


@dataclass
class Seen:
    """One intent as it reached the broker."""

    intent_id: IntentId
    draft: IntentDraft
    exchange: Exchange

    def done(self, body: bytes | None = b"{}", status: int = 200, **more: Any) -> Outcome:
        headers = {"content-type": "application/json", **more.pop("headers", {})}
        result = {"status": status, "headers": headers, **more.pop("result", {})}
        return Outcome(self.intent_id, IntentState.SUCCEEDED, result, body=body, **more)

    def refused(self, problem: Problem, state: IntentState = IntentState.FAILED, **more: Any) -> Outcome:
        return Outcome(self.intent_id, state, problem=problem, **more)


@dataclass
class LlmWorld(World):
    """Intents do what `act` says."""

    act: Act | None = None
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, options in (("models", OPTIONS), ("more", MORE)):
            self.config.connections[name] = Connection(name, "llm", CredentialRef("llm/x"), options)
        self.config.projects["web"] = FakeProject(("git-main", "models", "gone"))

    async def submit(
        self,
        session: Session,
        draft: IntentDraft,
        *,
        wait_seconds: float,
        exchange: Exchange | None = None,
        on_parked: Callable[[Outcome], None] | None = None,
    ) -> Outcome:
        assert exchange is not None
        assert self.act is not None
        self.seen.append(Seen(IntentId(self.new_id("int")), draft, exchange))
        self.waits.append(wait_seconds)
        return await self.act(self.seen[-1])

    def uploaded(self) -> Whole:
        """The body of the last intent."""
        upload = self.seen[-1].exchange.upload
        assert isinstance(upload, Whole)
        return upload


def make_llm_world(folder: Path, **settings: Any) -> LlmWorld:
    return LlmWorld(Settings(data=folder, **settings))


async def ask(client: Client, world: LlmWorld, path: str = "/v1/messages", raw: bytes = RAW, **more: Any) -> Reply:
    headers = {"x-api-key": world.pusher_token, "Host": "ostiary.test", **JSON, **more.pop("headers", {})}
    return await client.call(more.pop("method", "POST"), path, headers=headers, body=more.pop("body", raw), **more)


def answering(world: LlmWorld, body: bytes | None = b"{}", status: int = 200, **more: Any) -> None:
    async def act(seen: Seen) -> Outcome:
        return seen.done(body, status, **more)

    world.act = act


def refusing(world: LlmWorld, problem: Problem, state: IntentState = IntentState.FAILED, **more: Any) -> None:
    async def act(seen: Seen) -> Outcome:
        return seen.refused(problem, state, **more)

    world.act = act
