"""A broker whose word on git a test gives, and a git client that says everything by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.types import ASGIApp, Message

from broker.exchange import Exchange
from broker.model import IntentDraft, IntentState, Session
from broker.outcome import Outcome, Problem, ProblemKind
from connectors.base import Connection
from connectors.errors import UploadBrokenError
from connectors.git.wire.packets import split
from connectors.git.wire.report import PushReport, parse_report
from connectors.git.workshop import Cleaner
from tests.unit.broker.doors.world import World
from vault.model import CredentialRef

INTENT = "int_01mcc5rm00000000000000000g"
Play = Callable[[Callable[[Outcome], None]], Awaitable[Outcome]]


def done(**result: object) -> Outcome:
    return Outcome(INTENT, IntentState.SUCCEEDED, result)


def failed(kind: ProblemKind, detail: str = "it did not work", **more: Any) -> Outcome:
    return Outcome(INTENT, IntentState.FAILED, problem=Problem(kind, detail, **more))


ASKED = Outcome(INTENT, IntentState.PENDING_APPROVAL, approval_id="apr_1")


def at_once(outcome: Outcome) -> Play:
    return after(0, outcome)


def after(seconds: float, outcome: Outcome | Exception) -> Play:
    """Return a broker that takes its time, without asking anybody."""

    async def play(_on_parked: Callable[[Outcome], None]) -> Outcome:
        await asyncio.sleep(seconds)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return play


def people(seconds: float, outcome: Outcome, asked: Outcome = ASKED) -> Play:
    """Return a broker that asks people, who answer after a while."""

    async def play(on_parked: Callable[[Outcome], None]) -> Outcome:
        await asyncio.sleep(0)
        on_parked(asked)
        await asyncio.sleep(seconds)
        return outcome

    return play


@dataclass
class GitWorld(World):
    """Takes uploads whole unless it says no before, and keeps what it was asked."""

    play: Play = field(default_factory=lambda: at_once(done()))
    reads: bool = True
    packs: list[bytes | None] = field(default_factory=list)
    cancelled: int = 0
    finished: int = 0

    def add_connection(self, name: str, **options: object) -> None:
        url = {"url": "https://git.test"}
        self.config.connections[name] = Connection(name, "git", CredentialRef("git/x"), {**url, **options})

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
        self.drafts.append(draft)
        self.waits.append(wait_seconds)
        try:
            if exchange.upload is not None and self.reads:
                self.packs.append(b"".join([piece async for piece in exchange.upload]))
            outcome = await self.play(on_parked or (lambda _outcome: None))
        except UploadBrokenError as error:
            return failed(ProblemKind.UPLOAD_BROKEN, str(error))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.finished += 1
        return replace(outcome)


@dataclass
class Line:
    """One request of a git client and what came back, with the time of each piece.

    Args:
        app: The application.
        pieces: Of the body.
        pause: Before each piece, in seconds.
        cut: Whether the client goes away after the pieces, with the body not at its end.
        gone_after: Messages of the answer after which sending fails; -1 for never.
    """

    app: ASGIApp
    pieces: list[bytes]
    pause: float = 0
    cut: bool = False
    gone_after: int = -1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    said: list[tuple[float, bytes]] = field(default_factory=list)
    whole: bool = False
    received: int = 0

    async def call(self, method: str, target: str, token: str, headers: dict[str, str] | None = None) -> Line:
        path, _, query = target.partition("?")
        sent = {"authorization": f"Bearer {token}", "host": "ostiary.test", **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items() if value],
            "client": ("198.51.100.7", 1),
        }
        await self.app(scope, self._receive, self._send)
        return self

    async def _receive(self) -> Message:
        await asyncio.sleep(self.pause)
        if self.received < len(self.pieces):
            self.received += 1
            more = self.cut or self.received < len(self.pieces)
            return {"type": "http.request", "body": self.pieces[self.received - 1], "more_body": more}
        if not self.cut:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if len(self.said) + bool(self.status) == self.gone_after:
            raise OSError("the client is gone")
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self.said.append((asyncio.get_running_loop().time(), message["body"]))
        self.whole = not message.get("more_body", False)

    @property
    def body(self) -> bytes:
        return b"".join(body for _, body in self.said)

    @property
    def report(self) -> PushReport:
        """What became of each ref, as git reads it."""
        assert self.whole
        return parse_report(self.body, Cleaner(""))

    @property
    def progress(self) -> list[tuple[float, str]]:
        """What git shows behind ``remote:``, line by line and when; an empty line is a sign of life."""
        packets = ((at, packet) for at, body in self.said for packet in split(body) if isinstance(packet, bytes))
        return [(at, packet[1:].decode().removesuffix("\n")) for at, packet in packets if packet[:1] == b"\2"]

    @property
    def lines(self) -> list[str]:
        return [line for _, line in self.progress if line]
