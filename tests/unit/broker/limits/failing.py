"""Processes that share what fails: real breakers over one real store and ledger, and parts of it that can be away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from broker.errors import LedgerUnavailableError, StoreUnavailableError
from broker.ledger.events import parse_event
from broker.ledger.log import Ledger
from broker.limits.breaker import Breakers
from broker.limits.breaker_store import SqlBreakers
from broker.limits.runs import News, Standing
from broker.model import Operator, Role
from broker.outcome import Problem, ProblemKind
from broker.store.base import Change, EventFilter, Position
from broker.store.database import Database, open_database
from broker.store.reader import SqlReader
from broker.store.schema import migrate
from tests.house import ManualClock
from tests.unit.broker.limits.moments import plan, session

OLIVIA = Operator("olivia", frozenset({Role.ADMIN}))
SESSION = "session/ses_a"
CONNECTION = "connection/lake/aws/prod"
TOO_MANY = Problem(ProblemKind.UPSTREAM_REFUSED, "slow down", extra={"upstream_status": 429})
MISSING = Problem(ProblemKind.UPSTREAM_REFUSED, "no such key", extra={"upstream_status": 404})
OURS = Problem(ProblemKind.VAULT_UNAVAILABLE, "sealed")


@dataclass
class Shared:
    """One store, and processes over it."""

    database: Database
    ledger: Ledger
    clock: ManualClock
    processes: list[Breakers] = field(default_factory=list)

    def process(self) -> Breakers:
        self.processes.append(Breakers(SqlBreakers(self.database), self.ledger, self.clock))
        return self.processes[-1]

    async def round(self, seconds: float = 0.5) -> None:
        """Let half a second pass, in which every process looks."""
        self.clock.advance(seconds)
        for each in self.processes:
            await each.look()

    async def told(self, kind: str) -> list[dict[str, object]]:
        found = [parse_event(each.body) for each in await SqlReader(self.database).events(EventFilter(type=kind))]
        return [{**each.data, "session": each.session_id, "agent": each.agent, "by": each.operator} for each in found]


@asynccontextmanager
async def one_store(folder: Path) -> AsyncIterator[Shared]:
    """Open a store and its ledger."""
    database, clock = open_database(f"sqlite:///{folder / 'b.sqlite3'}"), ManualClock()
    migrate(database)
    ledger = Ledger(database, clock, min_free_bytes=0)
    ledger.start()
    yield Shared(database, ledger, clock)
    await ledger.aclose()
    database.close()


def ask(
    breakers: Breakers, problem: Problem | None, *, name: str = "a", root: str = "", digest: str = "d"
) -> Problem | None:
    """Ask once; the upstream answers with ``problem`` when it is asked."""
    asking = session(name, root=root)
    refusal = breakers.refusal(asking, plan(), digest)
    if refusal is None:
        assert breakers.feed(asking, plan(), digest, problem) == ()
    return refusal


def fail(breakers: Breakers, times: int, problem: Problem = TOO_MANY, **who: str) -> list[bool]:
    """Ask ``times``, each time something else; return which were refused here."""
    return [
        ask(breakers, problem, digest=f"{who}{number}", name=who.get("name", "a")) is not None
        for number in range(times)
    ]


class FlakyLedger:
    """A ledger that can be away."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.up = True

    def submit(self, change: Change, *, patient: bool = False) -> asyncio.Future[Position]:
        if not self.up:
            raise LedgerUnavailableError("away")
        return self._ledger.submit(change, patient=patient)

    async def commit(self, change: Change) -> Position:
        return await self.submit(change)


class StagedStore(SqlBreakers):
    """A store that can be away, and in which something happens while it is told or read."""

    told_up = True
    read_up = True
    while_told: Callable[[], object] | None = None
    while_read: Callable[[], object] | None = None

    async def tell(self, news: Mapping[str, News], now_ns: int) -> None:
        if not self.told_up:
            raise StoreUnavailableError("away")
        await super().tell(news, now_ns)
        happens, self.while_told = self.while_told, None
        if happens is not None:
            happens()

    async def read(self, since_ns: int, keys: Collection[str] = ()) -> list[Standing]:
        if not self.read_up:
            raise StoreUnavailableError("away")
        found = await super().read(since_ns, keys)
        happens, self.while_read = self.while_read, None
        if happens is not None:
            happens()
        return found
