"""How the services are put together, whatever they stand on: wiring hands in the real parts, tests hand in others.

What follows from people's acts is tied here: a kill cuts what runs and voids what waits, a yes goes to the queue.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from broker.alerts.book import Book
from broker.alerts.service import Alerts
from broker.approvals.service import Approvals
from broker.calls import RunningCalls
from broker.catalog import Catalog
from broker.clock import Clock
from broker.config.model import Configuration
from broker.contents.service import Contents
from broker.contents.service import Parts as ContentsParts
from broker.decision_point import DecisionPoint
from broker.errors import QueueUnavailableError
from broker.execution import Executor
from broker.halting import Halting
from broker.halting import Parts as HaltingParts
from broker.ids import SessionId
from broker.inspection import Inspections
from broker.intents import Journal
from broker.limits.admission import Admission
from broker.limits.breaker import Breakers
from broker.limits.breaker_store import SqlBreakers
from broker.limits.budgets import Budgets
from broker.limits.gcra import SharedRates
from broker.limits.halts import Halts
from broker.limits.rates import RequestRates
from broker.limits.service import Limits
from broker.limits.throttle import Throttle
from broker.metrics import Metrics
from broker.model import Approval
from broker.performing import Performer
from broker.pipeline import Parts, Pipeline
from broker.ports import Deriver, Encloser, Keeper, Leases, Minted, Recorder, VaultHealth, WorkQueue
from broker.reconciler import Reconciler
from broker.redaction import Redactor, Scrubber
from broker.revoking import Revoking
from broker.service import Broker, Policies, Services
from broker.sessions import Sessions
from broker.settings import Settings
from broker.settling import Settling
from broker.store.base import Outputs, Reader
from broker.store.contents import SqlContents
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
        reader, outputs, contents, ledger, book, failing: The store.
        leases, scrubber, keeper, encloser, keys, minted, vault: The vault, as its users see it.
        transport: The way out.
        queue: The way to the workers.
        rates: What several processes meter together; None for one process alone.
    """

    settings: Settings
    clock: Clock
    instance_id: str
    connectors: Mapping[str, Connector]
    load: Callable[[], Configuration]
    apply: Callable[[Configuration], None]
    reader: Reader
    outputs: Outputs
    contents: SqlContents
    ledger: Recorder
    book: Book
    failing: SqlBreakers
    leases: Leases
    scrubber: Scrubber
    keeper: Keeper
    encloser: Encloser
    keys: Deriver
    minted: Minted
    vault: VaultHealth
    transport: Transport
    queue: WorkQueue
    rates: SharedRates | None = None


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
    halting: Halting
    breakers: Breakers
    throttle: Throttle
    budgets: Budgets
    contents: Contents


def assemble(base: Foundation, configuration: Configuration) -> Assembly:
    """Put the services together on a foundation.

    Args:
        base: What they stand on.
        configuration: The first one.
    """
    policies = Policies(configuration)
    bounds = _bounds(base, policies)
    execution = _execution(base, policies)
    people = _people(base, policies, bounds)
    pipeline = _pipeline(base, people, bounds, execution)
    return Assembly(
        _broker(base, people, bounds, execution, pipeline),
        policies,
        execution.journal,
        bounds.calls,
        people.sessions,
        people.approvals,
        bounds.limits,
        bounds.places,
        _reconciler(base, execution.journal, people.approvals, policies),
        people.revoking,
        people.halting,
        bounds.breakers,
        bounds.throttle,
        bounds.budgets,
        execution.contents,
    )


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What bounds intents, and what cuts them."""

    calls: RunningCalls
    halts: Halts
    breakers: Breakers
    throttle: Throttle
    places: Admission
    budgets: Budgets

    @property
    def limits(self) -> Limits:
        """All of them, in the order in which they are asked."""
        return Limits(
            halts=self.halts,
            breakers=self.breakers,
            throttle=self.throttle,
            places=self.places,
            budgets=self.budgets,
        )


@dataclass(frozen=True, slots=True)
class _People:
    """The services of people's acts."""

    sessions: Sessions
    approvals: Approvals
    revoking: Revoking
    halting: Halting


@dataclass(frozen=True, slots=True)
class _Execution:
    """The services of one execution."""

    policies: Policies
    journal: Journal
    catalog: Catalog
    inspections: Inspections
    decision_point: DecisionPoint
    waiting: Waiting
    contents: Contents


def _bounds(base: Foundation, policies: Policies) -> _Bounds:
    calls = RunningCalls()
    halts = Halts(base.reader, base.ledger, clock=base.clock, configuration=policies, calls=calls)
    return _Bounds(
        calls,
        halts,
        Breakers(base.failing, base.ledger, base.clock),
        Throttle(policies, base.clock, base.rates),
        Admission(base.settings.max_concurrent_intents, base.settings.max_concurrent_per_session),
        Budgets(base.reader, base.clock, policies, halts.pause),
    )


def _execution(base: Foundation, policies: Policies) -> _Execution:
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
    return _Execution(
        policies,
        Journal(base.ledger, base.clock, base.instance_id),
        catalog,
        Inspections(catalog, base.scrubber),
        decision_point,
        waiting,
        _contents(base, policies),
    )


def _broker(base: Foundation, people: _People, bounds: _Bounds, execution: _Execution, pipeline: Pipeline) -> Broker:
    policies = execution.policies
    return Broker(
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
            sessions=people.sessions,
            approvals=people.approvals,
            alerts=Alerts(base.book, base.ledger, base.queue, clock=base.clock, channels=lambda: policies().channels),
            halting=people.halting,
            breakers=bounds.breakers,
            contents=execution.contents,
            catalog=execution.catalog,
            decision_point=execution.decision_point,
            pipeline=pipeline,
            waiting=execution.waiting,
            keys=base.keys,
            metrics=Metrics(in_flight=lambda: bounds.places.in_use, ledger_ready=lambda: base.ledger.ready),
            budget_status=bounds.budgets.status,
            degraded=lambda: bounds.throttle.degraded,
        )
    )


def _contents(base: Foundation, policies: Policies) -> Contents:
    return Contents(
        ContentsParts(
            store=base.contents,
            outputs=base.outputs,
            encloser=base.encloser,
            scrubber=base.scrubber,
            reader=base.reader,
            committer=base.ledger,
            clock=base.clock,
            configuration=policies,
        )
    )


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


def _pipeline(base: Foundation, people: _People, bounds: _Bounds, execution: _Execution) -> Pipeline:
    redactor = Redactor(
        base.scrubber,
        base.outputs,
        inline_bytes=base.settings.inline_output_bytes,
        max_bytes=base.settings.max_output_bytes,
    )
    executor = Executor(
        calls=bounds.calls,
        leases=base.leases,
        transport=base.transport,
        redactor=redactor,
        keeper=base.keeper,
        outputs=base.outputs,
        contents=execution.contents,
        timeout_seconds=base.settings.upstream_timeout_seconds,
    )
    limits = bounds.limits
    return Pipeline(
        Parts(
            sessions=people.sessions,
            catalog=execution.catalog,
            inspections=execution.inspections,
            decision_point=execution.decision_point,
            limits=limits,
            approvals=people.approvals,
            waiting=execution.waiting,
            journal=execution.journal,
            performer=Performer(execution.journal, executor, people.approvals, limits),
            reader=base.reader,
            accepting=lambda: base.ledger.ready,
        )
    )


def _people(base: Foundation, policies: Policies, bounds: _Bounds) -> _People:
    """Make the services of people's acts, and tie what follows from those."""
    revoking = Revoking(base.minted, base.ledger, base.clock)

    async def on_killed(session_id: SessionId) -> None:
        bounds.calls.cut(session_id)
        revoking.begin(session_id)
        await approvals.cancel_session(session_id)

    async def on_approved(approval: Approval) -> None:
        record = await base.reader.intent(approval.intent_id)
        if record is not None:
            with contextlib.suppress(QueueUnavailableError):  # the reconciler sends it again
                await base.queue.send(record.id, record.fence)

    approvals = Approvals(base.reader, base.ledger, base.clock, policies, on_approved)
    sessions = Sessions(
        base.reader, base.ledger, base.clock, policies, on_killed, gate=bounds.halts, count=bounds.budgets
    )
    halting = Halting(
        HaltingParts(base.reader, base.ledger, base.clock, policies, bounds.halts, sessions, approvals, revoking)
    )
    return _People(sessions, approvals, revoking, halting)
