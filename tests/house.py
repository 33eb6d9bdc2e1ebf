"""A broker without its outside: the real pipeline, services, store and ledger around a connector and a vault of paper.

The paper connector does what a test told it to, counts what it was asked to send, and speaks the real Protocol; the
paper vault lends a lease on one credential and masks one planted secret. Nothing of ours is patched.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from broker.alerts.book import Book
from broker.assembly import Assembly, Foundation, assemble
from broker.config.loader import load_configuration
from broker.config.model import Configuration
from broker.ids import ID_ENTROPY_BYTES, ApprovalId, IntentId
from broker.ledger.log import Ledger
from broker.limits.breaker_store import SqlBreakers
from broker.model import Approval, IntentDraft, IntentRecord, Operator, Session
from broker.outcome import Outcome, Problem
from broker.settings import Settings
from broker.store.base import EventFilter
from broker.store.contents import SqlContents
from broker.store.database import open_database
from broker.store.heartbeats import SqlHeartbeats
from broker.store.outputs import SqlOutputs, open_outputs
from broker.store.reader import SqlReader
from broker.store.schema import migrate
from connectors.base import Access, CallResult, Connection, Connector, JsonObject, Operation, Plan, Transport, Upload
from connectors.errors import InvalidParamsError
from connectors.usage import Estimate
from policies.model import Requirement, ResourceType
from tests.fakes import FakeTransport
from vault.errors import IntegrityError, LeaseRefusal, LeaseRefusedError, SealedError
from vault.model import CredentialInfo, CredentialKind, CredentialRef, Lease, Mint, Revoked, SecretValue, SigningRequest

SECRET = b"correct-horse-battery-staple"
CONNECTION = Connection("paper", "paper", CredentialRef("paper/one"), {})

Deed = Callable[[Plan], Awaitable[CallResult]]


class ManualClock:
    """A clock that stands still until a test moves it; entropy counts, so that runs repeat."""

    def __init__(self, now_ns: int = 1_800_000_000_000_000_000) -> None:
        self.time_ns = now_ns
        self._drawn = itertools.count(1)  # drawing from it is one step, also for threads

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic_ns(self) -> int:
        return self.time_ns

    def entropy(self, size: int) -> bytes:
        drawn = next(self._drawn).to_bytes(ID_ENTROPY_BYTES, "big")
        # A token takes each byte modulo 62, so two counts would make one token.
        return drawn if size == ID_ENTROPY_BYTES else hashlib.shake_128(drawn).digest(size)

    def advance(self, seconds: float) -> None:
        self.time_ns += int(seconds * 1e9)


class NoOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PaperConnector:
    """Serves ``paper:Read``, ``Write``, ``Destroy`` and ``Reveal`` on ``sheets/{name}``; does the deed it was given."""

    name = "paper"
    services = frozenset({"paper"})
    connection_model = NoOptions
    resource_types = (ResourceType("paper/sheet", "sheets/{name}", ("paper:*",), words={"name": "a"}),)

    def __init__(self) -> None:
        self.sent: list[Plan] = []
        self.deed: Deed = self.plain
        self.edition = 1
        self.spares: list[tuple[str, str]] = []
        self.estimate = Estimate()
        rows = [("Read", Access.READ, True), ("Write", Access.WRITE, False), ("Destroy", Access.DESTROY, False)]
        rows.append(("Reveal", Access.SECRET, True))
        schema = {"type": "object", "additionalProperties": False, "properties": {"name": {"type": "string"}}}
        self.operations = {
            f"paper:{verb}": Operation(f"paper:{verb}", access, once, verb, ("sheets/{name}",), schema, {"name": "a"})
            for verb, access, once in rows
        }

    def plan(self, action: str, params: JsonObject, connection: Connection) -> Plan:
        operation, name, said = self.operations[action], params.get("name"), params.get("body", {})
        if not isinstance(name, str) or not {"name"} <= params.keys() <= {"name", "body", "token"}:
            raise InvalidParamsError("expected `name`", fix="send a name")
        upload = Upload(said["upload"]["bytes"], said["upload"].get("sha256", "")) if said else None
        plan = Plan(
            "paper", action, connection.name, connection.credential,
            {"name": name, "edition": self.edition, "params": params},
            (Requirement(action, f"sheets/{name}"),), operation.access, operation.idempotent, f"{action} {name}",
            upload=upload, fresh=("token",), estimate=self.estimate,
        )  # fmt: skip
        spares = (replace(plan, host=host, requirements=(Requirement(action, sheet),)) for host, sheet in self.spares)
        return replace(plan, fallbacks=tuple(spares))

    async def plain(self, plan: Plan) -> CallResult:
        return CallResult({"name": plan.call["name"]}, upstream_request_id="up-1")

    async def execute(self, plan: Plan, connection: Connection, lease: Lease, transport: Transport) -> CallResult:
        self.sent.append(plan)
        return await self.deed(plan)


class PaperLease:
    info = CredentialInfo(CredentialRef("paper/one"), CredentialKind.BEARER, 1, ("paper",), "", 0)

    security_token = None

    async def sign_aws(self, request: SigningRequest) -> str:
        raise LeaseRefusedError("a bearer credential does not sign", LeaseRefusal.KIND)

    def header(self) -> SecretValue:
        return SecretValue(b"Bearer " + SECRET)

    @property
    def ssh_public_key(self) -> bytes:
        raise LeaseRefusedError("a bearer credential has no public key", LeaseRefusal.KIND)

    async def sign_ssh(self, data: bytes, flags: int) -> bytes:
        raise LeaseRefusedError("a bearer credential does not sign", LeaseRefusal.KIND)


class PaperVault:
    """Lends leases and masks `SECRET`, unless it is sealed."""

    def __init__(self) -> None:
        self.sealed = False
        self.unenclosed = ""
        self.open = 0
        self.kept: dict[str, dict[str, str]] = {}
        self.lent: list[tuple[Mint | None, str]] = []
        self.tokens: dict[str, Revoked] = {}

    @asynccontextmanager
    async def lease(
        self, credential: CredentialRef, *, host: str, purpose: str, mint: Mint | None = None, holder: str = ""
    ) -> AsyncGenerator[Lease, None]:
        if self.sealed:
            raise SealedError("the vault is sealed")
        self.open += 1
        self.lent.append((mint, holder))
        try:
            yield PaperLease()
        finally:
            self.open -= 1

    async def scrub(self, data: bytes) -> tuple[bytes, int]:
        if self.sealed:
            raise SealedError("the vault is sealed")
        return data.replace(SECRET, b"*" * len(SECRET)), data.count(SECRET)

    def scanner(self) -> PaperScanner:
        return PaperScanner(self)

    async def keep(self, name: str, values: Mapping[str, str]) -> CredentialRef:
        if self.sealed:
            raise SealedError("the vault is sealed")
        self.kept[name] = dict(values)
        return CredentialRef(f"sealed/{name}")

    async def derive(self, label: str, subject: str) -> SecretValue:
        if self.sealed:
            raise SealedError("the vault is sealed")
        return SecretValue(hashlib.sha256(f"{label}\0{subject}".encode()).digest())

    async def enclose(self, name: str, part: str, index: int, plain: bytes) -> bytes:
        if self.sealed or part == self.unenclosed:
            raise SealedError("the vault is sealed")
        return f"{name}/{part}/{index}|".encode() + plain[::-1]

    async def disclose(self, name: str, part: str, index: int, sealed: bytes) -> bytes:
        if self.sealed:
            raise SealedError("the vault is sealed")
        place, found, plain = sealed.partition(b"|")
        if not found or place != f"{name}/{part}/{index}".encode():
            raise IntegrityError("a sealed blob does not authenticate")
        return plain[::-1]

    async def revoke(self, session: str) -> Revoked:
        if self.sealed:
            raise SealedError("the vault is sealed")
        return self.tokens.pop(session, Revoked(0, 0))

    async def health(self) -> bool | str:
        return not self.sealed or "sealed"


class PaperScanner:
    def __init__(self, vault: PaperVault) -> None:
        self._vault = vault
        self._held = b""
        self.hits = 0

    async def feed(self, chunk: bytes) -> bytes:
        clean, hits = await self._vault.scrub(self._held + chunk)
        self.hits += hits
        keep = len(SECRET) - 1
        self._held = clean[-keep:]
        return clean[: len(clean) - len(self._held)]

    async def finish(self) -> bytes:
        return self._held


class PaperQueue:
    """Remembers what was sent; a test runs it."""

    def __init__(self) -> None:
        self.sent: list[tuple[IntentId, int]] = []
        self.posted: list[tuple[str, int]] = []
        self.up = True

    async def send(self, intent_id: IntentId, fence: int) -> bool:
        from broker.errors import QueueUnavailableError

        if not self.up:
            raise QueueUnavailableError("down")
        self.sent.append((intent_id, fence))
        return True

    async def post(self, delivery_id: str, attempt: int) -> bool:
        from broker.errors import QueueUnavailableError

        if not self.up:
            raise QueueUnavailableError("down")
        self.posted.append((delivery_id, attempt))
        return True

    async def alive(self) -> bool:
        return self.up


@dataclass
class House:
    """Everything a test looks at."""

    built: Assembly
    clock: ManualClock
    connector: PaperConnector
    vault: PaperVault
    queue: PaperQueue
    ledger: Ledger
    reader: SqlReader
    outputs: SqlOutputs
    contents: SqlContents
    heartbeats: SqlHeartbeats
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.broker, self.policies = self.built.broker, self.built.policies
        self.sessions, self.approvals = self.built.sessions, self.built.approvals
        self.journal, self.reconciler, self.places = self.built.journal, self.built.reconciler, self.built.places

    def operator(self, name: str) -> Operator:
        return self.policies().operators[name]

    async def session(self, agent: str = "scribe", owner: str = "olivia", ttl_seconds: int = 3600) -> Session:
        started = await self.sessions.start(self.operator(owner), agent=agent, ttl_seconds=ttl_seconds, labels={})
        assert not isinstance(started, Problem)
        self.tokens[started[0].id] = started[1]
        return started[0]

    async def ask(self, session: Session, verb: str, name: str = "free", **draft: Any) -> Outcome:
        return await self.broker.submit(session, IntentDraft(f"paper:{verb}", {"name": name}, **draft), wait_seconds=0)

    async def approve(self, approval_id: str, by: str = "alice") -> Approval | Problem:
        return await self.approvals.decide(ApprovalId(approval_id), self.operator(by), approve=True, reason="")

    async def work(self) -> list[Outcome | None]:
        """Run what the queue holds, as the worker would."""
        jobs, self.queue.sent = self.queue.sent, []
        return [await self.broker.resume(*job) for job in jobs]

    async def record(self, intent_id: str) -> IntentRecord:
        found = await self.reader.intent(IntentId(intent_id))
        assert found is not None
        return found

    async def event_types(self, **wanted: Any) -> list[str]:
        from broker.ledger.events import parse_event

        return [parse_event(each.body).type for each in await self.reader.events(EventFilter(**wanted))]


OSTIARY_YAML = """\
version: 1
projects:
  desk: {connections: [paper]}
  bare: {connections: []}
agents:
  scribe: {project: desk}
  stranger: {project: desk}
  pauper: {project: bare}
operators:
  olivia: {roles: [admin, approver]}
  alice: {roles: [approver]}
  bob: {roles: [approver]}
  victor: {roles: [viewer]}
connections:
  paper: {connector: paper, credential: paper/one}
"""

SCRIBE_YAML = """\
version: 1
agent: scribe
policies:
  - paper:Read on sheets/*
  - paper:Write on sheets/free
  - allow: paper:Write on sheets/gated
    requires_approval: true
    approval_timeout: 10m
  - deny paper:* on sheets/forbidden
"""


def write_policy(folder: Path, text: str = SCRIBE_YAML) -> None:
    """Write the configuration folder the house loads; `text` is the scribe's policy."""
    config = folder / "config"
    (config / "policies").mkdir(parents=True, exist_ok=True)
    (config / "ostiary.yaml").write_text(OSTIARY_YAML)
    (config / "policies" / "scribe.yaml").write_text(text)


@asynccontextmanager
async def open_house(
    folder: Path, *, connector: PaperConnector | None = None, **settings: Any
) -> AsyncGenerator[House, None]:
    """Open a broker on paper parts and a real SQLite store in ``folder``; ``settings`` as in `Settings`."""
    chosen = Settings(
        data=folder, **{"inline_output_bytes": 1024, "max_output_bytes": 1 << 20, "min_free_bytes": 0, **settings}
    )
    clock, vault, queue = ManualClock(), PaperVault(), PaperQueue()
    connector = connector or PaperConnector()
    connectors: dict[str, Connector] = {"paper": connector}
    if not chosen.config_dir.exists():
        write_policy(folder)

    def load() -> Configuration:
        return load_configuration(chosen.config_dir, connectors)

    database, outputs_database = open_database(chosen.database), open_outputs(chosen.outputs_database)
    await asyncio.to_thread(migrate, database)
    ledger, reader = Ledger(database, clock), SqlReader(database)
    ledger.start()
    outputs, heartbeats = SqlOutputs(outputs_database, clock), SqlHeartbeats(database)
    contents = SqlContents(outputs_database)
    foundation = Foundation(
        settings=chosen, clock=clock, instance_id="ins_test", connectors=connectors, load=load,
        apply=lambda _fresh: None,
        reader=reader, outputs=outputs, contents=contents, ledger=ledger, book=Book(database),
        failing=SqlBreakers(database),
        leases=vault, scrubber=vault, keeper=vault, encloser=vault, keys=vault, minted=vault, vault=vault,
        transport=FakeTransport(), queue=queue,
    )  # fmt: skip
    built = assemble(foundation, load())
    await heartbeats.beat("ins_test", clock.now_ns())
    try:
        yield House(built, clock, connector, vault, queue, ledger, reader, outputs, contents, heartbeats)
    finally:
        await built.contents.aclose()
        await built.halting.aclose()
        await built.revoking.aclose()
        await built.journal.aclose()
        await ledger.aclose()
        database.close()
        outputs_database.close()
