"""The running broker as its doors and its worker see it: submit, resume, reload, readiness.

No rule stands here; every method hands on to the service whose noun it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from broker.access_keys import LABEL, secret_access_key
from broker.alerts.service import Alerts
from broker.approvals.service import Approvals
from broker.canonical import canonical_bytes
from broker.catalog import Catalog
from broker.clock import NS_PER_SECOND, Clock, fresh_id
from broker.config.loader import load_files
from broker.config.model import Configuration
from broker.contents.service import Contents
from broker.decision_point import DecisionPoint, Explained, Question
from broker.errors import ConfigError, ConflictError, Finding, StoreUnavailableError
from broker.exchange import Exchange
from broker.facts import context_of, facts_of
from broker.halting import Halting
from broker.ids import ApprovalId, IntentId, SessionId
from broker.limits.breaker import Breakers
from broker.limits.budgets import BudgetStatus
from broker.limits.treasury import Treasury
from broker.metrics import Metrics
from broker.model import ApprovalState, IntentDraft, IntentState, JsonObject, Session
from broker.outcome import Outcome, Problem
from broker.pipeline import Pipeline
from broker.ports import Deriver, Recorder, VaultHealth, WorkQueue
from broker.scopes import policy_of
from broker.sessions import Sessions
from broker.settings import Settings
from broker.store.base import Change, EventType, Insert, Outputs, Reader, new_event
from broker.verdicts import outcome_of
from broker.waiting import Waiting
from connectors.base import Access, Connector
from policies.digest import policy_version
from policies.engine import CompiledPolicy, compile_policy
from policies.errors import PolicyError
from policies.language.actions import canonical_action
from policies.layers import LayeredPolicy, compile_layers
from policies.model import NO_USES, AccessRequest, Effect, Layer, PolicySet, Requirement
from vault.model import SecretValue

POLL_SECONDS: Final = 0.1
"""Pause between two looks at an intent somebody waits for."""

MAX_SCOPED: Final = 4_096
"""Compiled scopes that are remembered; over it all are forgotten, and the next decision of each compiles it again."""

_OPEN: Final = (IntentState.PENDING_APPROVAL, IntentState.APPROVED, IntentState.EXECUTING)


class Policies:
    """The configuration in force: one reference, swapped whole, so that a decision sees the old or the new, never both.

    Args:
        configuration: The first one.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.current = configuration
        self._scoped: dict[tuple[str, str, tuple[tuple[str, ...], ...]], LayeredPolicy] = {}

    def __call__(self) -> Configuration:
        """Return the configuration in force."""
        return self.current

    def of(self, session: Session) -> LayeredPolicy:
        """Return what decides for a session: the layers of its agent and its scopes; without an agent: nothing."""
        configuration = self.current
        layered = configuration.layers.get(session.agent)
        if layered is None:
            return compile_layers(session.agent, ())
        if not session.scopes:
            return layered
        key = (configuration.version, session.agent, session.scopes)
        found = self._scoped.get(key)
        if found is None:
            if len(self._scoped) >= MAX_SCOPED:
                self._scoped.clear()
            scopes = [_scope(session.agent, each, configuration) for each in session.scopes]
            found = self._scoped[key] = compile_layers(session.agent, (*layered.layers, *scopes))
        return found


def _scope(agent: str, rules: tuple[str, ...], configuration: Configuration) -> CompiledPolicy:
    """Return a scope as a layer; one that is no policy any more, because an action is gone, allows nothing."""
    try:
        return compile_policy(policy_of(rules, agent, configuration.catalogue))
    except PolicyError:
        return compile_policy(PolicySet(agent, (), policy_version(agent, ()), Layer.SESSION))


def acceptance(clock: Clock, configuration: Configuration) -> Change:
    """Return the change that makes a configuration the one in force for every process."""
    row = {
        "id": fresh_id(clock, "cfg"),
        "version": configuration.version,
        "at_ns": clock.now_ns(),
        "files": canonical_bytes({name: data.decode() for name, data in configuration.files.items()}),
    }
    event = new_event(clock, EventType.POLICY_LOADED, {"version": configuration.version})
    return Change(event, (Insert("configurations", row),))


def refusal(clock: Clock, findings: list[Finding]) -> Change:
    """Return the change that tells of a configuration that was not taken."""
    return Change(new_event(clock, EventType.POLICY_REFUSED, {"findings": [str(each) for each in findings]}))


async def no_budgets(_session: Session) -> Sequence[BudgetStatus]:
    """Return the budgets of a broker that has none."""
    return ()


@dataclass(frozen=True, slots=True)
class Services:
    """What a running broker is made of; see the classes themselves.

    Args:
        budget_status: Tells how the budgets stand that count what a session does.
        degraded: Tells whether what processes meter together cannot be metered together now.
        load: Reads and validates the configuration folder; raises ConfigError.
        apply: Tells what depends on the configuration of a new one.
    """

    settings: Settings
    clock: Clock
    policies: Policies
    load: Callable[[], Configuration]
    apply: Callable[[Configuration], None]
    connectors: Mapping[str, Connector]
    reader: Reader
    outputs: Outputs
    ledger: Recorder
    vault: VaultHealth
    queue: WorkQueue
    sessions: Sessions
    approvals: Approvals
    alerts: Alerts
    halting: Halting
    breakers: Breakers
    contents: Contents
    catalog: Catalog
    decision_point: DecisionPoint
    pipeline: Pipeline
    waiting: Waiting
    keys: Deriver
    metrics: Metrics
    budget_status: Callable[[Session], Awaitable[Sequence[BudgetStatus]]] = no_budgets
    degraded: Callable[[], bool] = bool


class Broker:
    """A running broker, as the doors and the worker see it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.settings = services.settings
        self.clock = services.clock
        self.connectors = services.connectors
        self.reader = services.reader
        self.outputs = services.outputs
        self.sessions = services.sessions
        self.approvals = services.approvals
        self.alerts = services.alerts
        self.halting = services.halting
        self.breakers = services.breakers
        self.treasury = Treasury(services.reader, services.ledger, services.clock, services.policies)
        self.contents = services.contents
        self.metrics = services.metrics.registry

    def configuration(self) -> Configuration:
        """Return the configuration in force."""
        return self._services.policies()

    def in_force(self) -> Configuration:
        """Return the configuration in force."""
        return self._services.policies()

    def draft(self, files: Mapping[str, bytes]) -> Configuration:
        """Return the configuration that files would make; nothing comes into force.

        Args:
            files: Bytes by name, ``ostiary.yaml`` among them.

        Raises:
            ConfigError: they make none.
        """
        return load_files(files, self.settings.config_dir, self.connectors)

    def policy_of(self, session: Session) -> LayeredPolicy:
        """Return all that decides for a session."""
        return self._services.policies.of(session)

    async def submit(
        self,
        session: Session,
        draft: IntentDraft,
        *,
        wait_seconds: float,
        exchange: Exchange | None = None,
        on_parked: Callable[[Outcome], None] | None = None,
    ) -> Outcome:
        """Run an intent; when it is parked, say so, and wait up to ``wait_seconds`` for its end."""
        services = self._services
        started_ns = services.clock.monotonic_ns()
        outcome = await services.pipeline.submit(session, draft, exchange)
        services.metrics.answered(outcome, (services.clock.monotonic_ns() - started_ns) / NS_PER_SECOND)
        if outcome.dry_run:
            return outcome
        came_later = outcome.replayed
        if outcome.state in _OPEN and wait_seconds > 0:
            if on_parked is not None:
                on_parked(outcome)
            outcome = await self.wait(session, IntentId(outcome.intent_id), wait_seconds) or outcome
            came_later = True
        if draft.joins and came_later and outcome.state.terminal:
            await self._fetched(IntentId(outcome.intent_id))
        return outcome

    async def aws_secret(self, session_id: SessionId) -> SecretValue:
        """Return the secret access key of a session; see `broker.access_keys`.

        Raises:
            VaultError: the vault is sealed or gone.
        """
        return secret_access_key(await self._services.keys.derive(LABEL, session_id))

    async def _fetched(self, intent_id: IntentId) -> None:
        record = await self.reader.intent(intent_id)
        if record is not None:
            await self._services.waiting.fetched(record)

    async def explain(
        self, session: Session, draft: IntentDraft, *, facts: JsonObject, now_ns: int = 0
    ) -> Explained | Problem:
        """Explain what would be decided on a draft.

        Args:
            session: Who would ask.
            draft: What would be asked. With a resource and without params it is that one resource, in full or in its
                short form; otherwise what the params address.
            facts: Facts to suppose.
            now_ns: The moment to suppose, nanoseconds since the epoch; 0 for now.

        Raises:
            StoreUnavailableError: uses cannot be counted.
        """
        if draft.resource and not draft.params:
            action = canonical_action(draft.action)
            resource = self.configuration().catalogue.full_name(action, draft.resource)
            asked: tuple[Requirement, ...] = (Requirement(action, resource),)
            secrets = self.configuration().catalogue.returns_secrets(action)
        else:
            await self._services.catalog.ready(draft)
            resolved = self._services.catalog.resolve(session.project, draft)
            if isinstance(resolved, Problem):
                return resolved
            asked = resolved.plan.requirements
            secrets = resolved.plan.access is Access.SECRET
        return await self._services.decision_point.explain(Question(session, draft, asked, facts, now_ns, secrets))

    async def allowed(self, session: Session, action: str, resources: Sequence[str]) -> list[bool]:
        """Tell of each resource whether an action on it would be done, at once or once people said yes.

        Nothing is noted or recorded. There are no params to look at, so a rule that does is not met.

        Args:
            session: Who would ask.
            action: Canonical action.
            resources: In full.

        Raises:
            StoreUnavailableError: uses of rules cannot be counted.
        """
        policy, draft = self.policy_of(session), IntentDraft(action, {})
        uses = await self.reader.rule_uses(policy.limited) if policy.limited else NO_USES
        context = context_of(facts_of(session, draft, ""), session, draft, self.configuration())
        now_ns = self.clock.now_ns()
        requests = (
            AccessRequest(session.agent, session.project, (Requirement(action, each),), context, now_ns, uses)
            for each in resources
        )
        return [policy.decide(each).effect is not Effect.DENY for each in requests]

    async def budget_status(self, session: Session) -> Sequence[BudgetStatus]:
        """Return how the budgets stand that count what a session does.

        Raises:
            StoreUnavailableError: it cannot be read.
        """
        return await self._services.budget_status(session)

    async def outcome(self, session: Session, intent_id: IntentId) -> Outcome | None:
        """Return where an intent of this session stands; None when the session has no such intent.

        Raises:
            StoreUnavailableError: it cannot be read.
        """
        record = await self.reader.intent(intent_id)
        if record is None or record.session_id != session.id:
            return None
        return outcome_of(record)

    async def wait(self, session: Session, intent_id: IntentId, seconds: float) -> Outcome | None:
        """Return the outcome once it is terminal, or where the intent stands after ``seconds``."""
        end_ns = self.clock.monotonic_ns() + int(seconds * NS_PER_SECOND)
        while True:
            outcome = await self.outcome(session, intent_id)
            if outcome is None or outcome.state not in _OPEN or self.clock.monotonic_ns() >= end_ns:
                return outcome
            await asyncio.sleep(POLL_SECONDS)

    async def resume(self, intent_id: IntentId, fence: int) -> Outcome | None:
        """Execute an approved intent; None when it does not wait at this fence (any more).

        Raises:
            StoreUnavailableError, LedgerUnavailableError: nothing was done; the reconciler sends it again.
        """
        record = await self.reader.intent(intent_id)
        if record is None or record.state is not IntentState.APPROVED or record.fence != fence:
            return None
        approval = await self.reader.approval(ApprovalId(record.approval_id))
        session = await self.reader.session(record.session_id)
        if approval is None or session is None or approval.state is not ApprovalState.APPROVED:
            return None
        if self.clock.now_ns() >= approval.expires_at_ns:
            await self.approvals.end(approval, ApprovalState.EXPIRED, "it was not executed in time")
            return None
        with contextlib.suppress(ConflictError):
            return await self._services.pipeline.resume(session, record, approval)
        return None

    async def reload(self) -> list[Finding]:
        """Swap the configuration for what the folder says now; a bad one keeps the old and comes back as findings.

        Raises:
            LedgerUnavailableError: the swap cannot be recorded, so the old one stays.
        """
        services = self._services
        try:
            fresh = await asyncio.to_thread(services.load)
        except ConfigError as error:
            await services.ledger.commit(refusal(self.clock, error.findings))
            return error.findings
        await services.ledger.commit(acceptance(self.clock, fresh))
        services.policies.current = fresh
        services.apply(fresh)
        return []

    async def readiness(self) -> dict[str, bool | str]:
        """Return what is ready: true, or why not."""
        services = self._services
        checks: dict[str, bool | str] = {
            "ledger": services.ledger.ready or services.ledger.reason or "not ready",
            "vault": await services.vault.health(),
            "store": "unreachable",
            "queue": await services.queue.alive() or "degraded: unreachable; approved work waits in the database",
        }
        if services.degraded():
            checks["limits"] = "degraded: Redis is lost, so each process limits rates by itself"
        with contextlib.suppress(StoreUnavailableError):
            await self.reader.live_instances(self.clock.now_ns())
            checks["store"] = True
        return checks
