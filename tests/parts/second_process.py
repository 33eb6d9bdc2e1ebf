"""Another process of the same Ostiary, for tests on paper parts: its own ledger, journal and services, one database.

It can die: from one moment on it records nothing more, as a process that was killed with -9 in the middle of its work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from broker.alerts.book import Book
from broker.assembly import Foundation, assemble
from broker.config.loader import load_configuration
from broker.config.model import Configuration
from broker.ledger.log import Ledger
from broker.limits.breaker_store import SqlBreakers
from broker.store.database import open_database
from broker.store.reader import SqlReader
from connectors.base import Connector
from tests.fakes import FakeTransport
from tests.house import House, PaperVault
from vault.model import CredentialRef, Lease, Mint


class SteppedVault(PaperVault):
    """Lends leases; ``at_lease`` runs before one is lent, which is after the `executing` event and before the call."""

    def __init__(self, process: SecondProcess) -> None:
        super().__init__()
        self._process = process

    @asynccontextmanager
    async def lease(
        self, credential: CredentialRef, *, host: str, purpose: str, mint: Mint | None = None, holder: str = ""
    ) -> AsyncGenerator[Lease, None]:
        if self._process.dies_before_calls:
            await self._process.die()
        async with super().lease(credential, host=host, purpose=purpose) as lease:
            yield lease


class SecondProcess:
    """See the module's docstring.

    Args:
        house: Whose database, clock, connector and queue it shares.
        name: Its instance id.
    """

    def __init__(self, house: House, name: str) -> None:
        self.name = name
        self.dead = asyncio.Event()
        self.dies_before_calls = False
        settings = house.broker.settings
        connectors: dict[str, Connector] = {"paper": house.connector}

        def load() -> Configuration:
            return load_configuration(settings.config_dir, connectors)

        self._house = house
        self._database = open_database(settings.database)
        self.ledger = Ledger(self._database, house.clock)
        self.ledger.start()
        vault = SteppedVault(self)
        self.built = assemble(
            Foundation(
                settings=settings, clock=house.clock, instance_id=name, connectors=connectors, load=load,
                apply=lambda _fresh: None, reader=SqlReader(self._database), outputs=house.outputs,
                contents=house.contents, ledger=self.ledger, book=Book(self._database),
                failing=SqlBreakers(self._database), leases=vault, scrubber=vault, keeper=vault, encloser=vault,
                keys=vault, minted=vault, vault=vault, transport=FakeTransport(), queue=house.queue,
            ),
            load(),
        )  # fmt: skip
        self.broker = self.built.broker
        self.approvals = self.built.approvals

    async def beat(self) -> None:
        """Say that it lives."""
        await self._house.heartbeats.beat(self.name, self._house.clock.now_ns())

    async def die(self) -> None:
        """Record nothing more and never come back; the caller's task is to be cancelled."""
        await self.ledger.aclose()
        self.dead.set()
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        """Close what it holds; idempotent."""
        await self.built.journal.aclose()
        await self.ledger.aclose()
        self._database.close()
