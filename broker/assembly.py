"""How the services are put together, whatever they stand on: wiring hands in the real parts, tests hand in others.

What follows from people's acts is tied here: a kill cuts what runs and voids what waits, a yes goes to the queue.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from broker.approvals.service import Approvals
from broker.calls import RunningCalls
from broker.catalog import Catalog
from broker.clock import Clock
from broker.config.model import Configuration
from broker.decision_point import DecisionPoint
from broker.errors import QueueUnavailableError
from broker.execution import Executor
from broker.ids import SessionId
from broker.inspection import Inspections
from broker.intents import Journal
from broker.limits.admission import Admission
from broker.limits.breaker import Breakers
from broker.limits.budgets import Budgets
from broker.limits.halts import Halts
from broker.limits.rates import RequestRates
from broker.limits.service import Limits
from broker.limits.throttle import Throttle
from broker.metrics import Metrics
from broker.model import Approval
from broker.performing import Performer
from broker.pipeline import Parts, Pipeline
from broker.ports import Deriver, Keeper, Leases, Minted, Recorder, VaultHealth, WorkQueue
from broker.reconciler import Reconciler
from broker.redaction import Redactor, Scrubber
from broker.revoking import Revoking
from broker.service import Broker, Policies, Services
from broker.sessions import Sessions
from broker.settings import Settings
from broker.settling import Settling
from broker.store.base import Outputs, Reader
from broker.waiting import Waiting
from connectors.base import Connector, Transport


@dataclass(frozen=True, slots=True)
class Foundation:
    """What the services stand on.

    Args:
        settings: How this process runs.
        clock: Time and entropy.
        instance_id: Name of this process, the owner of what it executes.
        connectors: By name.
        load: Reads and validates the configuration folder; raises ConfigError.
        apply: Tells what depends on the configuration of a new one.
        reader, outputs, ledger: The store.
        leases, scrubber, keeper, keys, minted, vault: The vault, as its users see it.
        transport: The way out.
        queue: The way to the workers.
    """

    settings: Settings
    clock: Clock
    instance_id: str
    connectors: Mapping[str, Connector]
    load: Callable[[], Configuration]
    apply: Callable[[Configuration], None]
    reader: Reader
    outputs: Outputs
    ledger: Recorder
    leases: Leases
    scrubber: Scrubber
    keeper: Keeper
    keys: Deriver
    minted: Minted
    vault: VaultHealth
    transport: Transport
    queue: WorkQueue


@dataclass(frozen=True, slots=True)
class Assembly:
    """The services, put together."""

    broker: Broker
    policies: Policies
    journal: Journal
    calls: RunningCalls
    sessions: Sessions
    approvals: Approvals
    limits: Limits
    places: Admission
    reconciler: Reconciler
    revoking: Revoking


def assemble(base: Foundation, configuration: Configuration) -> Assembly:
    """Put the services together on a foundation.

    Args:
        base: What they stand on.
        configuration: The first one.
    """
    policies, calls = Policies(configuration), RunningCalls()
    journal = Journal(base.ledger, base.clock, base.instance_id)
    sessions, approvals, revoking = _people(base, policies, calls)
    places = Admission(base.settings.max_concurrent_intents, base.settings.max_concurrent_per_session)
    limits = Limits(
        halts=Halts(),
        breakers=Breakers(),
        throttle=Throttle(),
        places=places,
        budgets=Budgets(),
    )
    reconciler = _reconciler(base, journal, approvals, policies)
    catalog = Catalog(base.connectors, policies)
    decision_point = DecisionPoint(
        policy_of=policies.of,
        configuration=policies,
        reader=base.reader,
        rate_class=RequestRates(base.clock).note,
        now_ns=base.clock.now_ns,
    )
    waiting = Waiting(
        reader=base.reader,
        committer=base.ledger,
        clock=base.clock,
        catalog=catalog,
        outputs=base.outputs,
        max_bytes=base.settings.max_output_bytes,
    )
    execution = Assembled(journal, calls, limits, catalog, Inspections(catalog, base.scrubber), decision_point, waiting)
    pipeline = _pipeline(base, sessions, approvals, execution)
    broker = Broker(
        Services(
            settings=base.settings,
            clock=base.clock,
            policies=policies,
            load=base.load,
            apply=base.apply,
            connectors=base.connectors,
            reader=base.reader,
            outputs=base.outputs,
            ledger=base.ledger,
            vault=base.vault,
            queue=base.queue,
            sessions=sessions,
            approvals=approvals,
            catalog=catalog,
            decision_point=decision_point,
            pipeline=pipeline,
            waiting=execution.waiting,
            keys=base.keys,
            metrics=Metrics(in_flight=lambda: limits.in_use, ledger_ready=lambda: base.ledger.ready),
        )
    )
    return Assembly(broker, policies, journal, calls, sessions, approvals, limits, places, reconciler, revoking)


@dataclass(frozen=True, slots=True)
class Assembled:
    """The services of one execution."""

    journal: Journal
    calls: RunningCalls
    limits: Limits
    catalog: Catalog
    inspections: Inspections
    decision_point: DecisionPoint
    waiting: Waiting


def _reconciler(base: Foundation, journal: Journal, approvals: Approvals, policies: Policies) -> Reconciler:
    settling = Settling(
        reader=base.reader,
        journal=journal,
        clock=base.clock,
        configuration=policies,
        connectors=base.connectors,
        leases=base.leases,
        transport=base.transport,
        scrubber=base.scrubber,
    )
    return Reconciler(
        reader=base.reader,
        outputs=base.outputs,
        journal=journal,
        approvals=approvals,
        queue=base.queue,
        settling=settling,
        clock=base.clock,
        instance_ttl_seconds=base.settings.instance_ttl_seconds,
        output_ttl_seconds=base.settings.output_ttl_seconds,
    )


def _pipeline(base: Foundation, sessions: Sessions, approvals: Approvals, execution: Assembled) -> Pipeline:
    redactor = Redactor(
        base.scrubber,
        base.outputs,
        inline_bytes=base.settings.inline_output_bytes,
        max_bytes=base.settings.max_output_bytes,
    )
    executor = Executor(
        calls=execution.calls,
        leases=base.leases,
        transport=base.transport,
        redactor=redactor,
        keeper=base.keeper,
        outputs=base.outputs,
        timeout_seconds=base.settings.upstream_timeout_seconds,
    )
    return Pipeline(
        Parts(
            sessions=sessions,
            catalog=execution.catalog,
            inspections=execution.inspections,
            decision_point=execution.decision_point,
            limits=execution.limits,
            approvals=approvals,
            waiting=execution.waiting,
            journal=execution.journal,
            performer=Performer(execution.journal, executor, approvals, execution.limits),
            reader=base.reader,
            accepting=lambda: base.ledger.ready,
        )
    )


def _people(base: Foundation, policies: Policies, calls: RunningCalls) -> tuple[Sessions, Approvals, Revoking]:
    """Make the services of people's acts, and tie what follows from those."""
    revoking = Revoking(base.minted, base.ledger, base.clock)

    async def on_killed(session_id: SessionId) -> None:
        calls.cut(session_id)
        revoking.begin(session_id)
        await approvals.cancel_session(session_id)

    async def on_approved(approval: Approval) -> None:
        record = await base.reader.intent(approval.intent_id)
        if record is not None:
            with contextlib.suppress(QueueUnavailableError):  # the reconciler sends it again
                await base.queue.send(record.id, record.fence)

    approvals = Approvals(base.reader, base.ledger, base.clock, policies, on_approved)
    return Sessions(base.reader, base.ledger, base.clock, policies, on_killed), approvals, revoking
