"""Databases and ledgers for tests: both kinds, migrated, with the changes and the signer the tests need."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from broker.clock import Clock, SystemClock
from broker.ids import ApprovalId, Digest, IntentId, SessionId
from broker.ledger.log import Ledger
from broker.model import Approval, ApprovalState, IntentRecord, IntentState, Session
from broker.store.base import Change, Event, EventType, Insert, Position, Update
from broker.store.database import Database, open_database
from broker.store.schema import migrate
from tests.parts.postgres import fresh_database, start_postgres
from vault.crypto import ed25519_public_key, sign_ed25519

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real PostgreSQL server; its `postgres` database stays empty."""
    with start_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty PostgreSQL database of the test's own."""
    with fresh_database(postgres_server, f"t_{secrets.token_hex(6)}") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database of either kind."""
    opened = open_database(database_url)
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """A migrated SQLite database."""
    opened = open_database(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    migrate(opened)
    yield opened
    opened.close()


@asynccontextmanager
async def running(database: Database, clock: Clock | None = None, **options: Any) -> AsyncIterator[Ledger]:
    """Yield a started ledger and close it."""
    ledger = Ledger(database, clock or SystemClock(), **options)
    ledger.start()
    try:
        yield ledger
    finally:
        await ledger.aclose()


def event(number: int | None = None, kind: EventType = EventType.INTENT_EXECUTING, **fields: Any) -> Event:
    """Return an event with a text that differs from its neighbours'."""
    count = next(_numbers) if number is None else number
    base = {"agent": "ci-runner", "project": "acme", "session_id": "ses_1", "action": "s3:GetObject"}
    return Event(
        f"evt_{count:026d}", kind, 1_800_000_000_000_000_000 + count, **{**base, "data": {"n": count}, **fields}
    )


def change(*steps: Any, **fields: Any) -> Change:
    return Change(event(**fields), steps)


def beat(name: str, at_ns: int = 0) -> Insert:
    """Return the smallest row there is."""
    return Insert("instances", {"id": name, "beat_at_ns": at_ns})


def set_beat(name: str, before: int, after: int) -> Update:
    return Update("instances", {"id": name, "beat_at_ns": before}, {"beat_at_ns": after})


def intent(name: str = "int_1", **fields: Any) -> IntentRecord:
    values: dict[str, Any] = {
        "id": IntentId(name), "session_id": SessionId("ses_1"), "agent": "ci-runner", "project": "acme",
        "action": "s3:GetObject", "resources": ("arn:aws:s3:::data-lake/raw/x.csv",), "request_digest": Digest("aa"),
        "plan_digest": Digest("bb"), "state": IntentState.PENDING_APPROVAL, "version": 1, "fence": 0, "owner": "",
        "access": "read", "idempotency_key": "", "approval_id": "", "created_at_ns": 10, "updated_at_ns": 10,
    }  # fmt: skip
    return IntentRecord(**{**values, **fields})


def approval(name: str = "apr_1", **fields: Any) -> Approval:
    values: dict[str, Any] = {
        "id": ApprovalId(name), "intent_id": IntentId("int_1"), "session_id": SessionId("ses_1"), "agent": "ci-runner",
        "project": "acme", "owner": "olivia", "action": "git:push", "resources": ("repos/acme/app/branches/main",),
        "summary": "push 1 ref", "plan_digest": Digest("bb"), "policy_version": "v", "rule": "ci.yaml:3", "channel": "",
        "reason": "please", "draft": b"{}", "state": ApprovalState.PENDING, "version": 1, "created_at_ns": 10,
        "expires_at_ns": 100,
    }  # fmt: skip
    return Approval(**{**values, **fields})


def session(name: str = "ses_1", **fields: Any) -> Session:
    values: dict[str, Any] = {
        "id": SessionId(name), "agent": "ci-runner", "project": "acme", "owner": "olivia", "created_at_ns": 10,
        "expires_at_ns": 1000, "labels": {"run": "7"},
    }  # fmt: skip
    return Session(**{**values, **fields})


async def fill(ledger: Ledger, count: int) -> list[Position]:
    """Append events in this order, in one batch or a few."""
    return list(await asyncio.gather(*(ledger.commit(change(number=number)) for number in range(1, count + 1))))


async def until(condition: Callable[[], bool]) -> None:
    """Return once ``condition`` holds; what it looks at changes in another thread, which no event of ours tells of."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.001)


class SeedSigner:
    """Signs with a key of its own, as the vault does."""

    def __init__(self, seed: bytes = b"s" * 32) -> None:
        self._seed = seed

    async def sign_note(self, size: int, root: bytes, origin: str) -> bytes:
        from broker.ledger.note import signed_text

        return sign_ed25519(self._seed, signed_text(origin, size, root))

    async def public_key(self) -> bytes:
        return ed25519_public_key(self._seed)
