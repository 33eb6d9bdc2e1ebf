"""A till for tests of budgets: the real budgets, store and ledger; calls reserve and settle as in the pipeline."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from broker.config.limits import Asking, Budget, BudgetLine, Mode, OnExceed, Period
from broker.config.model import Agent, Configuration, Project
from broker.errors import BudgetExceededError
from broker.holds import Unit, settlement
from broker.ids import Digest, SessionId, TokenHash
from broker.ledger.log import Ledger
from broker.limits.budgets import Budgets, Drawn, Grant
from broker.model import IntentRecord, JsonObject, Operator, Role, Session
from broker.outcome import Problem, ProblemKind
from broker.store.base import BudgetRow, Insert
from broker.store.database import Database, Synchronous, open_database
from broker.store.reader import SqlReader
from broker.store.rows import session_values
from broker.store.schema import migrate
from connectors.base import Access, Plan
from connectors.usage import Estimate, Usage
from policies.model import Requirement
from policies.resources.catalogue import Catalogue
from tests.house import ManualClock
from tests.parts.ledgers import change, intent, running
from vault.model import CredentialRef

NS: Final = 10**9
NANO: Final = 10**9
NOON_NS: Final = 1_795_176_000 * NS
"""2026-11-20T12:00:00Z, a Friday."""
ASKING: Final = Asking("slack:#spend", 600, 50, ("alice",))


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database that nobody has open; a copy of it costs less than a migration."""
    path = tmp_path_factory.mktemp("store") / "empty.sqlite3"
    opened_once = open_database(f"sqlite:///{path}")
    migrate(opened_once)
    opened_once.close()
    return path


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated SQLite database of the test's own."""
    copied = shutil.copy(empty_store, tmp_path / "store.sqlite3")
    database = open_database(f"sqlite:///{copied}", synchronous=Synchronous.NORMAL)
    yield database
    database.close()


def tokens(cap: int, period: Period = Period.DAY) -> BudgetLine:
    return BudgetLine(f"max_tokens_per_{period.value}", Unit.TOKENS, period, cap)


def money(dollars: float, period: Period = Period.MONTH) -> BudgetLine:
    return BudgetLine(f"max_cost_per_{period.value}", Unit.NANO_DOLLARS, period, round(dollars * NANO))


def calls(cap: int, actions: str = "*", period: Period = Period.DAY) -> BudgetLine:
    return BudgetLine(f"max_actions({actions})_per_{period.value}", Unit.CALLS, period, cap, actions)


def sessions(cap: int) -> BudgetLine:
    return BudgetLine("max_sessions_per_day", Unit.SESSIONS, Period.DAY, cap)


def budget(*lines: BudgetLine, **terms: Any) -> Budget:
    return Budget(lines, **terms)


def strict(*lines: BudgetLine, **terms: Any) -> Budget:
    return Budget(lines, mode=Mode.STRICT, **terms)


def asking(*lines: BudgetLine, **terms: Any) -> Budget:
    return Budget(lines, on_exceed=OnExceed.ASK, asking=ASKING, **terms)


def pausing(*lines: BudgetLine, **terms: Any) -> Budget:
    return Budget(lines, on_exceed=OnExceed.PAUSE_AND_ALERT, **terms)


def configured(agent: Budget | None = None, project: Budget | None = None) -> Configuration:
    """Return a configuration of one agent in one project."""
    return Configuration(
        root=Path("/nowhere"),
        version=Digest("c0ffee"),
        projects={"data": Project("data", "", (), project)},
        agents={"ci-runner": Agent("ci-runner", "data", "", "", agent)},
        operators={"olivia": Operator("olivia", frozenset({Role.ADMIN}))},
        connections={},
        channels={},
        policies={},
        layers={},
        catalogue=Catalogue(()),
    )


def opened(name: str = "ses_1", **fields: Any) -> Session:
    """Return a session that began at noon and ends two days later."""
    values: JsonObject = {
        "id": SessionId(name), "agent": "ci-runner", "project": "data", "owner": "olivia", "created_at_ns": NOON_NS,
        "expires_at_ns": NOON_NS + 48 * 3600 * NS,
    }  # fmt: skip
    return Session(**{**values, **fields})


def call(read: int = 100, write: int = 1_000, **fields: Any) -> Plan:
    """Return a call of a model that reads and may write so many tokens, at 3 and 15 nano-dollars each."""
    estimate = {"input_tokens": read, "output_tokens": write, "input_nano_dollars": 3, "output_nano_dollars": 15}
    return deed("llm:InvokeModel", Estimate(**{**estimate, "metered": True, **fields}))


def deed(action: str, estimate: Estimate | None = None) -> Plan:
    """Return a call of any action."""
    return Plan(
        "paper", action, "paper", CredentialRef("paper/one"), {}, (Requirement(action, "models/a/b"),), Access.READ,
        idempotent=True, summary=f"call {action}", estimate=estimate or Estimate(),
    )  # fmt: skip


def came_to(read: int = 100, written: int = 1_000) -> Usage:
    """Return what a call of a model came to, at the prices of `call`."""
    return Usage(
        input_tokens=read, output_tokens=written, nano_dollars=3 * read + 15 * written, model="a/b", prices="p1"
    )


@dataclass(slots=True)
class Till:
    """One process that spends."""

    configuration: Configuration
    clock: ManualClock
    ledger: Ledger
    reader: SqlReader
    paused: list[tuple[str, str, int]] = field(default_factory=list)
    budgets: Budgets = field(init=False)

    def __post_init__(self) -> None:
        self.budgets = Budgets(self.reader, self.clock, lambda: self.configuration, self.pause)

    async def pause(self, scope: str, name: str, *, reason: str, until_ns: int) -> None:
        assert reason
        self.paused.append((scope, name, until_ns))

    async def begin(self, session: Session, plan: Plan, grant: Grant | None = None) -> IntentRecord | Problem | Grant:
        """Reserve for a call as `broker.performing` does; the record has its hold."""
        drawn: Drawn | Grant | Problem = await self.budgets.draw(session, plan, grant)
        for _ in range(8):
            if not isinstance(drawn, Drawn):
                return drawn
            try:
                await self.ledger.commit(change(*drawn.steps))
            except BudgetExceededError as error:
                drawn = await self.budgets.short(session, plan, drawn.hold, error.key)
            else:
                return intent(session_id=session.id, hold=drawn.hold)
        return Problem(ProblemKind.TOO_BUSY, "others came first")

    async def hold(self, session: Session, plan: Plan, grant: Grant | None = None) -> IntentRecord:
        """Reserve for a call that fits."""
        begun = await self.begin(session, plan, grant)
        assert isinstance(begun, IntentRecord), begun
        return begun

    async def end(self, record: IntentRecord, usage: Usage | None) -> None:
        """Settle a call; with None as the reconciler does for a process that died."""
        await self.ledger.commit(change(*settlement(record, usage, self.clock.now_ns())))

    async def spend(self, session: Session, plan: Plan, usage: Usage) -> None:
        """Begin a call and settle it."""
        record = await self.hold(session, plan)
        self.budgets.learn(session, usage)
        await self.end(record, usage)

    async def store(self, session: Session) -> None:
        """Store a session's row."""
        await self.ledger.commit(change(Insert("sessions", session_values(session, TokenHash(session.id)))))

    async def rows(self) -> dict[str, BudgetRow]:
        """Return every budget with an end after the beginning of time, by key."""
        return {row.key: row for row in await self.reader.running_budgets(0)}


def amounts(record: IntentRecord) -> dict[str, int]:
    """Return what a call holds, by key."""
    return {key: amount for key, _, amount in record.hold["lines"]}


@contextlib.asynccontextmanager
async def till(database: Database, agent: Budget | None = None, project: Budget | None = None) -> AsyncIterator[Till]:
    """Open a till over a database."""
    clock = ManualClock(NOON_NS)
    async with running(database, clock) as ledger:
        yield Till(configured(agent, project), clock, ledger, SqlReader(database))
