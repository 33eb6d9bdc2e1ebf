"""The composition root: the only place that names concrete classes and turns Settings into a running broker.

`open_broker` opens everything in the order in which it is needed and closes it in the reverse order, whatever happens.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from broker.alerts.book import Book
from broker.assembly import Assembly, Foundation, assemble
from broker.clock import Clock, SystemClock, fresh_id
from broker.config.alerting import ChannelKind
from broker.config.loader import load_configuration, load_files
from broker.config.model import Configuration
from broker.errors import BrokerError, ConfigError
from broker.execution import STREAM_SECONDS
from broker.ledger.checkpoint import Checkpointer
from broker.ledger.log import Ledger
from broker.limits.breaker_store import SqlBreakers
from broker.limits.gcra_redis import RENEW_SECONDS, RedisRates
from broker.loops import ConfigurationWatch, KillWatch, Loop, RotationWatch, running
from broker.queue import Queue
from broker.service import Broker, acceptance, refusal
from broker.settings import Settings
from broker.store.contents import SqlContents
from broker.store.database import Database, open_database
from broker.store.heartbeats import SqlHeartbeats
from broker.store.outputs import SqlOutputs, open_outputs
from broker.store.reader import SqlReader
from broker.store.schema import migrate
from connectors.base import Warmable
from connectors.guard import AddressGuard, endpoint_of
from connectors.registry import Premises, build_connectors
from connectors.transport import HttpTransport, Limits, Timeouts
from vault.client import VaultClient
from vault.errors import VaultError
from vault.model import VaultState

if TYPE_CHECKING:
    from broker.alerts.courier import Courier

log = structlog.get_logger(__name__)

CHECKPOINT_ORIGIN: Final = "ostiary/ledger"

ALERT_SECONDS: Final = 1.0
"""Between two looks at what people should know, and at what is to be sent."""
HEALTH_SECONDS: Final = 5.0
"""Between two looks at the checks of this process."""
ALERT_TIMEOUTS: Final = Timeouts(connect=5.0, answer=10.0, read=10.0, total=15.0)
"""Of a webhook; another message waits meanwhile."""

CONTENTS_SECONDS: Final = 60.0
"""Between two looks at prompts and answers that have had their time; it is counted in days."""

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
    contents: SqlContents
    heartbeats: SqlHeartbeats
    ledger: Ledger


class _Machine:
    """What a process has of its machine: the connectors, and how a folder becomes a configuration of them.

    Args:
        settings: How it runs.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.guard = AddressGuard(allow_private=settings.allow_private_upstreams)
        self.connectors = build_connectors(Premises(self.guard, settings.data / "connectors"))

    def load(self) -> Configuration:
        """Read the configuration folder."""
        return load_configuration(self.settings.config_dir, self.connectors)

    def again(self, files: Mapping[str, bytes]) -> Configuration:
        """Make the configuration of files that were accepted before."""
        return load_files(files, self.settings.config_dir, self.connectors)

    def apply(self, fresh: Configuration) -> None:
        """Let the addresses be connected to that a configuration names."""
        self.guard.replace_allowed(_endpoints(fresh))

    async def warm(self, configuration: Configuration) -> None:
        """Read what the connectors that are in use need before they can plan."""
        for name in {each.connector for each in configuration.connections.values()}:
            connector = self.connectors[name]
            if isinstance(connector, Warmable):
                await asyncio.to_thread(connector.warm)


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
    machine = _Machine(settings)
    async with AsyncExitStack() as stack:
        stores = await _open_stores(settings, clock, stack)
        configuration = await _first_configuration(stores, clock, machine, accepts=background)
        machine.apply(configuration)
        await machine.warm(configuration)
        vault = BrokerVault(VaultClient(settings.vault_socket))
        stack.push_async_callback(vault.client.close)
        foundation = _foundation(machine, clock, stores, vault, stack)
        built = assemble(foundation, configuration)
        for part in (built.journal, built.revoking, built.halting, built.throttle, built.breakers, built.contents):
            stack.push_async_callback(part.aclose)
        await stores.heartbeats.beat(foundation.instance_id, clock.now_ns())
        stack.push_async_callback(_leave, stores.heartbeats, foundation.instance_id)
        watch = ConfigurationWatch(stores.reader, built.policies, machine.again, machine.apply)
        loops = _loops(foundation, built, stores)
        # Before anything is begun: what is stopped is known.
        await built.halting.learn()
        await built.breakers.learn()
        if background:
            loops += _house_keeping(foundation, built, watch, _checkpointer(settings, stores, vault), vault)
            loops += _alerting(foundation, built, stores, vault)
        await stack.enter_async_context(running(loops))
        yield built.broker


@asynccontextmanager
async def open_courier(settings: Settings, *, clock: Clock | None = None) -> AsyncGenerator[Courier, None]:
    """Open what brings alerts to channels, for a worker's short-lived process.

    Args:
        settings: How it runs.
        clock: Time and entropy; the machine's own when not given.

    Raises:
        ConfigError: the configuration in force cannot be used.
        StoreUnavailableError, LedgerUnavailableError: the database cannot be opened, or is not sound.
    """
    # What only a worker's process needs, and not the memory of every api.
    from broker.alerts.channels.log import LogSender
    from broker.alerts.channels.push import PushSender
    from broker.alerts.channels.webhook import WebhookSender
    from broker.alerts.courier import Courier

    clock = clock or SystemClock()
    machine = _Machine(settings)
    async with AsyncExitStack() as stack:
        stores = await _open_stores(settings, clock, stack)
        channels = (await _first_configuration(stores, clock, machine, accepts=False)).channels
        # The operator wrote these addresses, so they may be private, as those of connections may.
        machine.guard.replace_allowed([endpoint_of(each.url) for each in channels.values() if each.url])
        transport = HttpTransport(
            machine.guard, timeouts=ALERT_TIMEOUTS, limits=Limits(body_bytes=64 << 10, connections=4)
        )
        stack.push_async_callback(transport.aclose)
        yield Courier(
            book=Book(stores.database),
            committer=stores.ledger,
            clock=clock,
            channels=lambda: channels,
            senders={
                ChannelKind.LOG: LogSender(),
                ChannelKind.APPRISE: PushSender(),
                ChannelKind.WEBHOOK: WebhookSender(transport),
            },
            base_url=settings.public_url,
        )


def _foundation(
    machine: _Machine, clock: Clock, stores: _Stores, vault: BrokerVault, stack: AsyncExitStack
) -> Foundation:
    """Return what the services stand on; what is opened for it is closed with ``stack``."""
    settings = machine.settings
    transport = _transport(settings, machine.guard)
    stack.push_async_callback(transport.aclose)
    queue = Queue(settings.redis, job_timeout_seconds=settings.job_timeout_seconds)
    stack.callback(queue.close)
    rates = RedisRates(settings.redis)
    stack.push_async_callback(rates.aclose)
    return Foundation(
        settings=settings,
        clock=clock,
        instance_id=fresh_id(clock, "ins"),
        connectors=machine.connectors,
        load=machine.load,
        apply=machine.apply,
        reader=stores.reader,
        outputs=stores.outputs,
        contents=stores.contents,
        ledger=stores.ledger,
        book=Book(stores.database),
        failing=SqlBreakers(stores.database),
        rates=rates,
        leases=vault.client,
        scrubber=vault.client,
        keeper=vault.client,
        encloser=vault.client,
        keys=vault.client,
        minted=vault.client,
        vault=vault,
        transport=transport,
        queue=queue,
    )


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
    return _Stores(
        database,
        SqlReader(database),
        SqlOutputs(outputs, clock),
        SqlContents(outputs),
        SqlHeartbeats(database),
        ledger,
    )


async def _first_configuration(stores: _Stores, clock: Clock, machine: _Machine, *, accepts: bool) -> Configuration:
    """Return the configuration to begin with.

    The API takes the folder and makes it the one in force. A worker decides with what is in force, not with what
    somebody is editing; and so does an API that comes back while the folder is faulty.
    """
    kept = await stores.reader.newest_configuration()
    if kept is not None and not accepts:
        return await asyncio.to_thread(machine.again, kept)
    try:
        fresh = await asyncio.to_thread(machine.load)
    except ConfigError as error:
        if kept is None:
            raise
        log.warning("configuration_refused", findings=len(error.findings))
        await stores.ledger.commit(refusal(clock, error.findings))
        return await asyncio.to_thread(machine.again, kept)
    if accepts and fresh.files != kept:
        await stores.ledger.commit(acceptance(clock, fresh))
    return fresh


def _transport(settings: Settings, guard: AddressGuard) -> HttpTransport:
    seconds = settings.upstream_timeout_seconds
    return HttpTransport(
        guard,
        timeouts=Timeouts(connect=min(10.0, seconds), answer=seconds, read=seconds, total=STREAM_SECONDS),
        # As many as there may be intents: all of them may go to one upstream.
        limits=Limits(
            body_bytes=settings.max_output_bytes,
            connections=settings.max_concurrent_intents,
            connections_per_host=settings.max_concurrent_intents,
        ),
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
        Loop("halts", built.halting.look, settings.kill_poll_seconds),
        Loop("breakers", built.breakers.look, settings.kill_poll_seconds),
        Loop("places", built.throttle.renew, RENEW_SECONDS),
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
        Loop("contents", built.contents.expire, CONTENTS_SECONDS),
    ]


def _alerting(base: Foundation, built: Assembly, stores: _Stores, vault: BrokerVault) -> list[Loop]:
    """Return what an API does about alerts; see `broker/alerts`. A worker's processes need none of it in memory."""
    from broker.alerts.dispatch import Dispatcher
    from broker.alerts.health import HealthWatch
    from broker.alerts.places import Places
    from broker.alerts.rotations import OverdueWatch
    from broker.alerts.routing import Router
    from broker.alerts.watch import AlertWatch
    from broker.limits.thresholds import Thresholds

    clock, ledger, policies = base.clock, base.ledger, built.policies
    watch = AlertWatch(
        reader=base.reader,
        committer=ledger,
        places=Places(stores.database),
        configuration=policies,
        clock=clock,
        owner=base.instance_id,
    )
    health = HealthWatch(built.broker.readiness, ledger, clock)
    overdue = OverdueWatch(vault.client.list, lambda: policies().alerting, ledger, clock)
    router = Router(base.book, lambda: policies().alerting, clock)
    dispatcher = Dispatcher(base.book, base.queue, ledger, clock)
    thresholds = Thresholds(base.reader, ledger, clock, policies, built.budgets.take_refusals)
    return [
        Loop("thresholds", thresholds.look, ALERT_SECONDS),
        Loop("alert_watch", watch.look, ALERT_SECONDS),
        Loop("alert_router", router.round, ALERT_SECONDS),
        Loop("alert_dispatcher", dispatcher.round, ALERT_SECONDS),
        Loop("health", health.look, HEALTH_SECONDS),
        Loop("overdue", overdue.look, ROTATIONS_SECONDS),
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
