"""Parts of the in-memory broker: clock, connectors, configuration, reads and outputs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from broker.canonical import canonical_bytes
from broker.clock import NS_PER_SECOND
from broker.errors import StoreUnavailableError
from broker.ids import (
    ApprovalId,
    HaltId,
    IntentId,
    SessionId,
    TokenHash,
)
from broker.model import Approval, ApprovalState, Halt, HaltScope, IntentRecord, IntentState, Operator, Session
from broker.store.base import BudgetRow, EventFilter, Minted, StoredEvent
from broker.usage import Spent, UsageFilter
from connectors.base import Connection, Operation
from policies.model import ResourceType

if TYPE_CHECKING:
    from tests.unit.broker.doors.world import World

START_NS = 1_800_000_000 * NS_PER_SECOND
CANARY = "AKIA-CANARY-SECRET"


class FakeClock:
    """A clock that stands until it is moved, and entropy that counts."""

    def __init__(self) -> None:
        self.at_ns = START_NS
        self.drawn = 0

    def now_ns(self) -> int:
        return self.at_ns

    def monotonic_ns(self) -> int:
        return self.at_ns

    def entropy(self, size: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(size, "big")


class NoOptions(BaseModel):
    pass


@dataclass
class FakeConnector:
    name: str
    services: frozenset[str]
    operations: Mapping[str, Operation]
    connection_model: type[BaseModel] = NoOptions
    resource_types: tuple[ResourceType, ...] = ()

    def plan(self, action: str, params: dict[str, Any], connection: Connection) -> Any:
        raise NotImplementedError

    async def execute(self, plan: Any, connection: Any, lease: Any, transport: Any) -> Any:
        raise NotImplementedError


@dataclass
class FakeProject:
    connections: tuple[str, ...]


@dataclass
class FakeAgent:
    project: str


@dataclass
class FakeConfiguration:
    projects: dict[str, FakeProject]
    connections: dict[str, Connection]
    agents: dict[str, FakeAgent]
    operators: dict[str, Operator]


class FakeReader:
    """The reads the doors make, over the world's dictionaries."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.spent: list[tuple[tuple[object, ...], Spent]] = []
        self.usage_asked = UsageFilter()

    def _check(self) -> None:
        if self._world.store_away:
            raise StoreUnavailableError(CANARY)

    async def session_by_token(self, token_hash: TokenHash) -> Session | None:
        return None

    async def operator_by_token(self, token_hash: TokenHash, now_ns: int) -> str | None:
        return None

    async def session(self, session_id: SessionId) -> Session | None:
        self._check()
        return self._world.sessions_by_id.get(session_id)

    async def killed_sessions(self, since_ns: int) -> list[SessionId]:
        return []

    async def unkilled_family(self, session_id: SessionId) -> list[SessionId]:
        return []

    async def minted_below(self, root_id: SessionId, now_ns: int) -> Minted:
        return Minted(0, 0)

    async def rule_uses(self, keys: Collection[str]) -> dict[str, int]:
        return {}

    async def budgets(self, keys: Collection[str]) -> dict[str, BudgetRow]:
        return {}

    async def running_budgets(self, now_ns: int, after_key: str = "", limit: int = 1_000) -> list[BudgetRow]:
        return []

    async def usage(self, wanted: UsageFilter) -> list[tuple[tuple[object, ...], Spent]]:
        self._check()
        self.usage_asked = wanted
        return self.spent

    async def intent(self, intent_id: IntentId) -> IntentRecord | None:
        return None

    async def intent_by_key(self, session_id: SessionId, idempotency_key: str) -> IntentRecord | None:
        return None

    async def intents(
        self, states: tuple[IntentState, ...], session_id: str = "", limit: int = 500, *, since_ns: int = 0
    ) -> list[IntentRecord]:
        return []

    async def approval(self, approval_id: ApprovalId) -> Approval | None:
        self._check()
        return self._world.approvals_by_id.get(approval_id)

    async def approvals(
        self, states: tuple[ApprovalState, ...], *, project: str = "", session_id: str = "", limit: int = 100
    ) -> list[Approval]:
        self._check()
        return [
            item
            for item in self._world.approvals_by_id.values()
            if (not states or item.state in states)
            and project in ("", item.project)
            and session_id in ("", item.session_id)
        ][:limit]

    async def overdue_approvals(self, now_ns: int, limit: int = 100) -> list[Approval]:
        return []

    async def halts(self, *, active: bool = False, limit: int = 1_000) -> list[Halt]:
        self._check()
        newest_first = list(self._world.halts.values())[::-1]
        return [each for each in newest_first if each.active or not active][:limit]

    async def halt(self, halt_id: HaltId) -> Halt | None:
        return self._world.halts.get(halt_id)

    async def living_sessions(self, scope: HaltScope, name: str, now_ns: int, limit: int = 500) -> list[Session]:
        return []

    async def open_approvals(
        self, scope: HaltScope, name: str, *, after_id: str = "", limit: int = 500
    ) -> list[Approval]:
        return []

    async def events(self, wanted: EventFilter) -> list[StoredEvent]:
        self._check()
        found = [
            StoredEvent(seq, canonical_bytes(event), bytes([seq % 256]) * 32)
            for seq, event in enumerate(self._world.events, 1)
            if wanted.session_id in ("", event["session_id"])
            and wanted.agent in ("", event["agent"])
            and wanted.project in ("", event["project"])
            and wanted.action in ("", event["action"])
            and wanted.type in ("", event["type"])
            and wanted.intent_id in ("", event["intent_id"])
            and seq > wanted.after_seq
            and (not wanted.before_seq or seq < wanted.before_seq)
            and event["at_ns"] >= wanted.since_ns
            and (not wanted.until_ns or event["at_ns"] < wanted.until_ns)
        ]
        return (found[::-1] if wanted.newest_first else found)[: wanted.limit]

    async def newest_configuration(self) -> dict[str, bytes] | None:
        return None

    async def live_instances(self, since_ns: int) -> set[str]:
        return set()


class FakeOutputs:
    """Chunks by intent; counts how many were read and whether reading was ended."""

    def __init__(self) -> None:
        self.chunks: dict[str, list[bytes]] = {}
        self.read_chunks = 0
        self.closed = 0
        self.cut_after = 1 << 30

    async def append(self, intent_id: IntentId, index: int, chunk: bytes) -> None:
        self.chunks.setdefault(intent_id, []).append(chunk)

    async def discard(self, intent_id: IntentId) -> None:
        self.chunks.pop(intent_id, None)

    async def read(self, intent_id: IntentId) -> AsyncGenerator[bytes, None]:
        try:
            for chunk in self.chunks.get(intent_id, [])[: self.cut_after]:
                self.read_chunks += 1
                yield chunk
        finally:
            self.closed += 1

    async def expire(self, before_ns: int) -> int:
        return 0
