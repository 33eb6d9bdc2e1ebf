"""The composition root: the only place that names concrete classes and turns Settings into a running broker.

`open_broker` opens everything in the order in which it is needed and closes it in the reverse order, whatever happens.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from broker.assembly import Assembly, Foundation, assemble
from broker.clock import Clock, SystemClock, fresh_id
from broker.config.loader import load_configuration, load_files
from broker.config.model import Configuration
from broker.errors import BrokerError, ConfigError
from broker.execution import STREAM_SECONDS
from broker.ledger.checkpoint import Checkpointer
from broker.ledger.log import Ledger
from broker.loops import ConfigurationWatch, KillWatch, Loop, RotationWatch, running
from broker.queue import Queue
from broker.service import Broker, acceptance, refusal
from broker.settings import Settings
from broker.store.database import Database, open_database
from broker.store.heartbeats import SqlHeartbeats
from broker.store.outputs import SqlOutputs, open_outputs
from broker.store.reader import SqlReader
from broker.store.schema import migrate
from connectors.guard import AddressGuard, endpoint_of
from connectors.registry import Premises, build_connectors
from connectors.transport import HttpTransport, Limits, Timeouts
from vault.client import VaultClient
from vault.errors import VaultError
from vault.model import VaultState

log = structlog.get_logger(__name__)

CHECKPOINT_ORIGIN: Final = "ostiary/ledger"

ROTATIONS_SECONDS: Final = 60.0
"""Between two looks at what the vault does by itself with keys of AWS; its steps are minutes and hours apart."""


class BrokerVault:
    """The vault's client as the broker needs it, with its health and the ledger's signature."""

    def __init__(self, client: VaultClient) -> None:
        self.client = client

    async def health(self) -> bool | str:
        """Return True when the vault is unsealed, or what it is instead and, where it is known, why."""
        try:
            status = await self.client.status()
        except VaultError:
            return "unreachable"
        if status.state is VaultState.UNSEALED:
            return True
        return f"{status.state.value}: {status.reason}" if status.reason else status.state.value


@dataclass(frozen=True, slots=True)
class _Stores:
    """The database, as its several users see it."""

    database: Database
    reader: SqlReader
    outputs: SqlOutputs
    heartbeats: SqlHeartbeats
    ledger: Ledger


@asynccontextmanager
async def open_broker(
    settings: Settings, *, clock: Clock | None = None, background: bool = False
) -> AsyncGenerator[Broker, None]:
    """Open a broker in this process and event loop.

    Args:
        settings: How it runs.
        clock: Time and entropy; the machine's own when not given.
        background: Also run the reconciler and sign checkpoints here: the API does, a worker's short-lived process
            does not.

    Raises:
        ConfigError: the configuration folder is wrong.
        StoreUnavailableError: the database cannot be opened or migrated.
        LedgerUnavailableError: the ledger is not sound.
    """
    clock = clock or SystemClock()
    guard = AddressGuard(allow_private=settings.allow_private_upstreams)
    connectors = build_connectors(Premises(guard, settings.data / "connectors"))

    def load() -> Configuration:
        return load_configuration(settings.config_dir, connectors)

    def apply(fresh: Configuration) -> None:
        guard.replace_allowed(_endpoints(fresh))

    def again(files: Mapping[str, bytes]) -> Configuration:
        return load_files(files, settings.config_dir, connectors)

    async with AsyncExitStack() as stack:
        stores = await _open_stores(settings, clock, stack)
        configuration = await _first_configuration(stores, clock, load, again, accepts=background)
        apply(configuration)
        vault = BrokerVault(VaultClient(settings.vault_socket))
        stack.push_async_callback(vault.client.close)
        transport = _transport(settings, guard)
        stack.push_async_callback(transport.aclose)
        queue = Queue(settings.redis, job_timeout_seconds=settings.job_timeout_seconds)
        stack.callback(queue.close)
        instance = fresh_id(clock, "ins")
        foundation = Foundation(
            settings=settings,
            clock=clock,
            instance_id=instance,
            connectors=connectors,
            load=load,
            apply=apply,
            reader=stores.reader,
            outputs=stores.outputs,
            ledger=stores.ledger,
            leases=vault.client,
            scrubber=vault.client,
            keeper=vault.client,
            keys=vault.client,
            minted=vault.client,
            vault=vault,
            transport=transport,
            queue=queue,
        )
        built = assemble(foundation, configuration)
        stack.push_async_callback(built.journal.aclose)
        stack.push_async_callback(built.revoking.aclose)
        await stores.heartbeats.beat(instance, clock.now_ns())
        stack.push_async_callback(_leave, stores.heartbeats, instance)
        watch = ConfigurationWatch(stores.reader, built.policies, again, apply)
        loops = _loops(foundation, built, stores)
        if background:
            loops += _house_keeping(foundation, built, watch, _checkpointer(settings, stores, vault), vault)
        await stack.enter_async_context(running(loops))
        yield built.broker


async def _open_stores(settings: Settings, clock: Clock, stack: AsyncExitStack) -> _Stores:
    """Open and migrate the store, then the database of result bodies; on PostgreSQL they are the same server's."""
    database = open_database(settings.database)
    stack.callback(database.close)
    await asyncio.to_thread(migrate, database)
    outputs = open_outputs(settings.outputs_database)
    stack.callback(outputs.close)
    ledger = Ledger(database, clock, min_free_bytes=settings.min_free_bytes)
    ledger.start()
    stack.push_async_callback(ledger.aclose)
    return _Stores(database, SqlReader(database), SqlOutputs(outputs, clock), SqlHeartbeats(database), ledger)


async def _first_configuration(
    stores: _Stores,
    clock: Clock,
    load: Callable[[], Configuration],
    again: Callable[[Mapping[str, bytes]], Configuration],
    *,
    accepts: bool,
) -> Configuration:
    """Return the configuration to begin with.

    The API takes the folder and makes it the one in force. A worker decides with what is in force, not with what
    somebody is editing; and so does an API that comes back while the folder is faulty.
    """
    kept = await stores.reader.newest_configuration()
    if kept is not None and not accepts:
        return await asyncio.to_thread(again, kept)
    try:
        fresh = await asyncio.to_thread(load)
    except ConfigError as error:
        if kept is None:
            raise
        log.warning("configuration_refused", findings=len(error.findings))
        await stores.ledger.commit(refusal(clock, error.findings))
        return await asyncio.to_thread(again, kept)
    if accepts and fresh.files != kept:
        await stores.ledger.commit(acceptance(clock, fresh))
    return fresh


def _transport(settings: Settings, guard: AddressGuard) -> HttpTransport:
    seconds = settings.upstream_timeout_seconds
    return HttpTransport(
        guard,
        timeouts=Timeouts(connect=min(10.0, seconds), answer=seconds, read=seconds, total=STREAM_SECONDS),
        limits=Limits(body_bytes=settings.max_output_bytes),
    )


def _checkpointer(settings: Settings, stores: _Stores, vault: BrokerVault) -> Checkpointer:
    return Checkpointer(stores.database, vault.client, CHECKPOINT_ORIGIN, key_file=settings.data / "ledger.pub")


def _loops(base: Foundation, built: Assembly, stores: _Stores) -> list[Loop]:
    """Return what runs beside the requests of every process."""
    settings, clock = base.settings, base.clock

    async def beat() -> None:
        await stores.heartbeats.beat(base.instance_id, clock.now_ns())

    kills = KillWatch(stores.reader, built.sessions, built.calls, built.revoking, clock)
    return [
        Loop("heartbeat", beat, settings.instance_ttl_seconds / 3),
        Loop("kills", kills.look, settings.kill_poll_seconds),
    ]


def _house_keeping(
    base: Foundation, built: Assembly, watch: ConfigurationWatch, checkpointer: Checkpointer, vault: BrokerVault
) -> list[Loop]:
    """Return what an API does besides; a worker's short-lived process leaves it to them."""
    settings = base.settings
    rotations = RotationWatch(vault.client.rotations, base.ledger, base.clock)
    return [
        Loop("reconcile", built.reconciler.round, settings.reconcile_seconds),
        Loop("configuration", watch.look, settings.reconcile_seconds),
        Loop("checkpoint", checkpointer.checkpoint, settings.checkpoint_seconds),
        Loop("rotations", rotations.look, ROTATIONS_SECONDS),
    ]


def _endpoints(configuration: Configuration) -> list[str]:
    """Return ``host:port`` of every address an operator wrote: those may be private, as somebody meant them."""
    options = [each.options for each in configuration.connections.values()]
    options += [one for each in options for one in each.get("upstreams", ()) if isinstance(one, dict)]
    written = (each.get(key) for each in options for key in ("endpoint", "url"))
    return [endpoint_of(str(url)) for url in written if url]


async def _leave(heartbeats: SqlHeartbeats, instance: str) -> None:
    with contextlib.suppress(BrokerError):  # it dies of silence then
        await heartbeats.leave(instance)
