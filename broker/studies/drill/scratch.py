"""A broker of its own for one drill: the real services and store in a fresh folder, with no outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.alerts.book import Book
from broker.assembly import Assembly, Foundation, assemble
from broker.clock import Clock, fresh_id
from broker.config.model import Configuration
from broker.errors import BrokerError
from broker.holds import Unit
from broker.ledger.log import Ledger
from broker.ledger.sources import DatabaseSource
from broker.ledger.verify import Report, verify
from broker.limits.breaker_store import SqlBreakers
from broker.limits.treasury import Extra
from broker.model import Operator, Role, Session
from broker.outcome import Problem, ProblemKind
from broker.settings import Settings
from broker.store.base import Committer, Reader
from broker.store.contents import SqlContents
from broker.store.database import open_database
from broker.store.outputs import SqlOutputs, open_outputs
from broker.store.reader import SqlReader
from broker.store.schema import migrate
from broker.studies.drill.outside import Outside
from broker.studies.drill.planners import Planner
from connectors.base import Connector
from policies.errors import quote

DRILLER: Final = Operator("ostiary-drill", frozenset({Role.ADMIN}))
"""Starts and ends the sessions of a drill; no operator of the configuration, and no approver."""

SESSION_SECONDS: Final = 3_600
MORE_SESSIONS: Final = 1_000


class DrillError(BrokerError):
    """The drill cannot be held: its folder is in use or cannot be made, or an agent cannot have a session."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """The broker of one drill."""

    built: Assembly
    reader: Reader
    outside: Outside
    ledger: Committer
    clock: Clock

    async def session(self, agent: str) -> Session:
        """Start a session of an agent.

        Raises:
            DrillError: the agent cannot have one.
        """
        started = await self._start(agent)
        if isinstance(started, Problem) and started.kind is ProblemKind.BUDGET_EXCEEDED:
            # The sessions of a drill are more than those an agent may have in a day.
            for account in await self.built.broker.treasury.accounts(agent=agent):
                if account.counter.line.unit is Unit.SESSIONS:
                    await self.built.broker.treasury.grant(
                        account.counter.key, Extra(MORE_SESSIONS), operator=DRILLER, reason="a drill"
                    )
            started = await self._start(agent)
        if isinstance(started, Problem):
            raise DrillError(f"no session for the drill: {started.detail}")
        return started[0]

    async def _start(self, agent: str) -> tuple[Session, str] | Problem:
        return await self.built.sessions.start(DRILLER, agent=agent, ttl_seconds=SESSION_SECONDS, labels={})


@asynccontextmanager
async def open_scratch(
    configuration: Configuration, connectors: Mapping[str, Connector], clock: Clock, folder: Path
) -> AsyncGenerator[Scratch, None]:
    """Open a broker that has the configuration and no outside.

    Args:
        configuration: What to drill.
        connectors: By name; they plan, and never execute.
        clock: Time and entropy.
        folder: An empty folder, or one to be made.

    Raises:
        DrillError: the folder holds something, since a drill must never write to a ledger in use, or cannot be made.
        StoreUnavailableError, LedgerUnavailableError: the store cannot be made.
    """
    settings = _settings(folder)
    await asyncio.to_thread(_prepare, folder)
    outside = Outside()
    async with AsyncExitStack() as stack:
        database = open_database(settings.database)
        stack.callback(database.close)
        await asyncio.to_thread(migrate, database)
        outputs = open_outputs(settings.outputs_database)
        stack.callback(outputs.close)
        ledger, reader = Ledger(database, clock), SqlReader(database)
        ledger.start()
        stack.push_async_callback(ledger.aclose)
        foundation = Foundation(
            settings=settings,
            clock=clock,
            instance_id=fresh_id(clock, "ins"),
            connectors={name: Planner(each) for name, each in connectors.items()},
            load=lambda: configuration,
            apply=lambda _fresh: None,
            reader=reader,
            outputs=SqlOutputs(outputs, clock),
            contents=SqlContents(outputs),
            ledger=ledger,
            book=Book(database),
            failing=SqlBreakers(database),
            leases=outside,
            scrubber=outside,
            keeper=outside,
            encloser=outside,
            keys=outside,
            minted=outside,
            vault=outside,
            transport=outside,
            queue=outside,
        )
        built = assemble(foundation, configuration)
        stack.push_async_callback(built.journal.aclose)
        stack.push_async_callback(built.revoking.aclose)
        yield Scratch(built, reader, outside, ledger, clock)


def audit(folder: Path) -> Report:
    """Verify the ledger a drill left in ``folder``.

    Raises:
        StoreUnavailableError: it cannot be read.
    """
    database = open_database(_settings(folder).database)
    try:
        return verify(DatabaseSource(database))
    finally:
        database.close()


def _prepare(folder: Path) -> None:
    """Make the folder; one that holds anything may hold a ledger in use."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        used = any(folder.iterdir())
    except OSError as error:
        raise DrillError(f"the folder of a drill cannot be made: {type(error).__name__}") from error
    if used:
        raise DrillError(f"the folder of a drill must be empty: {quote(str(folder))}")


def _settings(folder: Path) -> Settings:
    """Return the defaults, whatever the environment says, in a folder of the drill's own."""
    return Settings(data=folder, min_free_bytes=0)
