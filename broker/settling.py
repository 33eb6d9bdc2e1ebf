"""Finding out what became of calls whose outcome is unknown, by reading back.

Unknown is the one outcome that knowledge may still change: nothing is done again, it is only learned what was done. A
connector that can tell says which read would, and what its answer proves; the read is made with the connection's own
credential, and the event says how it was known. What proves nothing leaves the intent unknown, and it is asked again,
less and less often, for an hour.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from broker.canonical import canonical_bytes
from broker.catalog import bare_action
from broker.clock import NS_PER_SECOND, Clock
from broker.config.model import Configuration
from broker.errors import ConflictError
from broker.ids import IntentId
from broker.intents import Journal
from broker.ledger.events import parse_event
from broker.model import IntentRecord, IntentState, JsonObject
from broker.ports import Leases
from broker.redaction import Scrubber
from broker.store.base import EventFilter, EventType, Reader
from connectors.base import Access, Connection, Connector, Transport
from connectors.errors import ConnectorError, InvalidParamsError
from connectors.inspection import Settlement, Settler
from vault.errors import VaultError

log = structlog.get_logger(__name__)

SETTLE_SECONDS: Final = 3_600
"""For how long after its outcome became unknown a call is asked about."""
FIRST_PAUSE_SECONDS: Final = 5
"""Between the first question and the second; each pause is twice the one before."""
MAX_WAITING: Final = 500
"""Unknown outcomes that are looked at in one round, oldest first."""


@dataclass(frozen=True, slots=True)
class _Look:
    """When an intent is asked about again, and after which pause the time after that."""

    at_ns: int
    pause_ns: int


class Settling:
    """Asks about unknown outcomes; see the module's docstring.

    Args:
        reader: Where they are looked up.
        journal: Where it is written what became of them.
        clock: Time.
        configuration: Returns the configuration in force.
        connectors: By name.
        leases: Lends the credential of a read.
        transport: The way out.
        scrubber: Takes secrets out of what comes back.
    """

    def __init__(  # noqa: PLR0913 - a call of its own needs all that a call needs
        self,
        *,
        reader: Reader,
        journal: Journal,
        clock: Clock,
        configuration: Callable[[], Configuration],
        connectors: Mapping[str, Connector],
        leases: Leases,
        transport: Transport,
        scrubber: Scrubber,
    ) -> None:
        self._reader = reader
        self._journal = journal
        self._clock = clock
        self._configuration = configuration
        self._settlers = {
            service: each for each in connectors.values() if isinstance(each, Settler) for service in each.services
        }
        self._leases = leases
        self._transport = transport
        self._scrubber = scrubber
        self._looks: dict[IntentId, _Look] = {}

    async def round(self) -> None:
        """Ask about every unknown outcome whose time has come.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: to be tried again.
        """
        now_ns = self._clock.now_ns()
        since_ns = now_ns - SETTLE_SECONDS * NS_PER_SECOND
        unknown = await self._reader.intents((IntentState.UNKNOWN,), limit=MAX_WAITING, since_ns=since_ns)
        self._looks = {record.id: self._looks[record.id] for record in unknown if record.id in self._looks}
        for record in unknown:
            look = self._looks.get(record.id, _Look(0, FIRST_PAUSE_SECONDS * NS_PER_SECOND))
            if now_ns < look.at_ns:
                continue
            self._looks[record.id] = _Look(now_ns + look.pause_ns, 2 * look.pause_ns)
            settlement = await self._settlement(record)
            if settlement is not None:
                with contextlib.suppress(ConflictError):  # another process was quicker
                    await self._journal.settle(record, settlement)

    async def _settlement(self, record: IntentRecord) -> Settlement | None:
        settler = self._settlers.get(bare_action(record.action).partition(":")[0])
        if settler is None:
            return None
        trace, connection = await self._trace(record)
        if connection is None or connection.connector != settler.name:
            return None
        try:
            found = await self._read_back(settler, record, trace, connection)
        except (ConnectorError, VaultError, TimeoutError) as error:
            log.info("outcome_not_read_back", intent=record.id, error=type(error).__name__)
            return None
        return await self._clean(found) if found else None

    async def _trace(self, record: IntentRecord) -> tuple[JsonObject, Connection | None]:
        """Return what the ledger kept of the call, and the connection it went to."""
        wanted = EventFilter(intent_id=record.id, type=EventType.INTENT_EXECUTING.value, newest_first=True, limit=1)
        for stored in await self._reader.events(wanted):
            data = parse_event(stored.body).data
            if data.get("trace"):
                connection = self._configuration().connections.get(str(data.get("connection", "")))
                return {**data["trace"], "attempt": record.id}, connection
        return {}, None

    async def _read_back(
        self, settler: Settler, record: IntentRecord, trace: JsonObject, connection: Connection
    ) -> Settlement | None:
        plan = settler.look(record.action, trace, connection)
        if plan is None:
            return None
        if plan.access is not Access.READ:
            raise InvalidParamsError("what was to be read back is no read")
        async with self._leases.lease(
            plan.credential, host=plan.host, purpose=record.id, mint=plan.mint, holder=f"{record.agent}/settling"
        ) as lease:
            answer = await settler.execute(plan, connection, lease, self._transport)
        if answer.body is not None:
            await answer.body.aclose()
        return settler.settle(record.action, trace, answer.data)

    async def _clean(self, found: Settlement) -> Settlement:
        _, hits = await self._scrubber.scrub(canonical_bytes({"how": found.how, "data": found.data}))
        return found if not hits else Settlement(found.happened, "read back; the answer held a secret")
