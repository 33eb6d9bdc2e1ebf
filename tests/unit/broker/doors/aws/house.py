"""A broker behind the AWS wire door that plans with the real connector and then does what a test says."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from broker.access_keys import access_key_id
from broker.errors import StoreUnavailableError
from broker.exchange import Exchange
from broker.ids import IntentId, SessionId
from broker.model import IntentDraft, IntentState, Session
from broker.outcome import Outcome, Problem, ProblemKind
from broker.settings import Settings
from connectors.aws.connector import AwsConnector
from connectors.base import Connection
from connectors.errors import InvalidParamsError, UploadBrokenError
from tests.unit.broker.doors.parts import CANARY, FakeClock
from tests.unit.broker.doors.people import FakeSessions
from tests.unit.broker.doors.world import World
from vault.model import CredentialRef

OPTIONS = {"account": "123456789012", "regions": ["eu-central-1", "eu-west-1"], "partition": "aws"}
MAIN = Connection("aws-main", "aws", CredentialRef("aws/main"), OPTIONS)
PIECE = b"0123456789abcdef" * 4096
Act = Callable[["Asked"], Awaitable[Outcome]]


class MovingClock(FakeClock):
    """The time clients sign with, moved by a test."""

    def __init__(self) -> None:
        super().__init__()
        self.offset_ns = 0

    def now_ns(self) -> int:
        return time.time_ns() + self.offset_ns


@dataclass
class Asked:
    """One intent as it reached the broker."""

    intent_id: IntentId
    draft: IntentDraft
    exchange: Exchange

    def done(self, result: dict[str, Any] | None = None, **more: Any) -> Outcome:
        return Outcome(self.intent_id, IntentState.SUCCEEDED, result or {}, **more)

    def refused(self, problem: Problem, state: IntentState = IntentState.FAILED) -> Outcome:
        return Outcome(self.intent_id, state, problem=problem)


class WireSessions(FakeSessions):
    """Sessions in a store that can be away."""

    async def authenticate_id(self, session_id: SessionId) -> Session | Problem:
        if self._world.store_away:
            raise StoreUnavailableError(CANARY)
        return await super().authenticate_id(session_id)


@dataclass
class WireWorld(World):
    """Actions do what `acts` says, and succeed with an empty result otherwise."""

    clock: FakeClock = field(default_factory=MovingClock)
    acts: dict[str, Act] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.sessions = WireSessions(self)
        self.config.connections["aws-main"] = MAIN
        self.connector = AwsConnector()
        self.begin()

    def begin(self) -> None:
        """Forget what was asked, and start a session of its own."""
        self.drafts.clear()
        self.waits.clear()
        self.uploads.clear()
        self.acts.clear()
        self.outputs.chunks.clear()
        self.store_away = self.vault_away = False
        self.clock.offset_ns = 0  # type: ignore[attr-defined]  # it is a MovingClock
        self.wire_session = self.session_of(self.session("reader"))

    def key(self) -> tuple[str, str]:
        session_id = self.wire_session.id
        digest = hashlib.sha256(session_id.encode()).digest()
        return access_key_id(session_id), base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def end(self) -> None:
        found = self.sessions_by_id[self.wire_session.id]
        self.sessions_by_id[found.id] = replace(found, killed_at_ns=self.clock.now_ns())

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
        assert exchange.outlet is not None
        assert draft.joins
        assert session.id == self.wire_session.id
        self.drafts.append(draft)
        self.waits.append(wait_seconds)
        asked = Asked(IntentId(self.new_id("int")), draft, exchange)
        wrong = self._planned(asked)
        if wrong is not None:
            return wrong
        try:
            return await self.acts.get(draft.action, succeed)(asked)
        except UploadBrokenError as error:
            return asked.refused(Problem(ProblemKind.UPLOAD_BROKEN, str(error)))

    def _planned(self, asked: Asked) -> Outcome | None:
        if any(isinstance(value, dict) and value.keys() == {"upload"} for value in asked.draft.params.values()):
            return None
        try:
            self.connector.plan(asked.draft.action, asked.draft.params, MAIN)
        except InvalidParamsError as error:
            problem = Problem(ProblemKind.INVALID_PARAMS, str(error), fix=error.fix)
            return asked.refused(problem, IntentState.REFUSED)
        return None

    @property
    def only(self) -> IntentDraft:
        (draft,) = self.drafts
        return draft


async def succeed(asked: Asked) -> Outcome:
    return asked.done()


def gives(result: dict[str, Any], **more: Any) -> Act:
    async def act(asked: Asked) -> Outcome:
        return asked.done(result, **more)

    return act


def refuses(problem: Problem, state: IntentState = IntentState.FAILED) -> Act:
    async def act(asked: Asked) -> Outcome:
        return asked.refused(problem, state)

    return act


def takes(world: World, result: dict[str, Any] | None = None, trailers: dict[str, str] | None = None) -> Act:
    """Read the upload to its end."""

    async def act(asked: Asked) -> Outcome:
        upload = asked.exchange.upload
        assert upload is not None
        digest, size = hashlib.sha256(), 0
        async for piece in upload:
            assert piece
            digest.update(piece)
            size += len(piece)
        assert trailers is None or dict(upload.trailers) == trailers
        world.uploads.append(f"{size} {digest.hexdigest()}".encode())
        return asked.done(result)

    return act


def streams(data: dict[str, Any], pieces: int, *, whole: bool = True, sized: bool = True) -> Act:
    async def act(asked: Asked) -> Outcome:
        length = {"ContentLength": pieces * len(PIECE)} if sized else {}
        outlet = asked.exchange.outlet
        assert outlet is not None
        await outlet.begin(asked.intent_id, {**data, **length}, "text/plain")
        for _ in range(pieces if whole else pieces - 1):
            await outlet.write(PIECE)
        return asked.done(streamed=whole)

    return act


def fingerprint(body: bytes) -> bytes:
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()


def make_wire_world(folder: Path, **settings: Any) -> WireWorld:
    return WireWorld(Settings(data=folder, **settings))


class Clients:
    """boto3 clients, made once: each takes 10 to 300 ms."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = boto3.session.Session()
        self._made: dict[tuple[Any, ...], Any] = {}

    def __call__(
        self,
        service: str,
        world: WireWorld,
        *,
        region: str = "eu-west-1",
        mode: str = "",
        attempts: int = 1,
        signed: str = "",
    ) -> Any:
        key_id, secret = world.key()
        retries = {"mode": mode or "standard", "total_max_attempts": attempts}
        client = self._made.get((service, region, mode, attempts, signed))
        if client is None:
            config = Config(retries=retries, connect_timeout=5, read_timeout=20, signature_version=signed or None)
            client = self._made[service, region, mode, attempts, signed] = self._session.client(
                service,
                endpoint_url=self.url,
                region_name=region,
                config=config,
                aws_access_key_id=key_id,
                aws_secret_access_key=secret,
            )
        credentials = client._request_signer._credentials
        credentials.access_key, credentials.secret_key = key_id, secret
        return client

    def close(self) -> None:
        for client in self._made.values():
            client.close()
