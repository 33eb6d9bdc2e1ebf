"""What the doors need of the broker: the shapes `broker.wiring.Broker` fills and the tests' fake fills too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry

from broker.alerts.book import Delivery
from broker.alerts.model import AlertRow
from broker.clock import Clock
from broker.config.model import Configuration
from broker.contents.capture import ContentPart
from broker.contents.service import Kept
from broker.decision_point import Explained
from broker.exchange import Exchange
from broker.halting import Stopped
from broker.ids import ApprovalId, HaltId, IntentId, SessionId
from broker.limits.budgets import BudgetStatus
from broker.limits.runs import Standing
from broker.limits.treasury import Account, Extra
from broker.model import Approval, Halt, HaltScope, IntentDraft, JsonObject, Operator, Session
from broker.outcome import Outcome, Problem
from broker.settings import Settings
from broker.store.base import Outputs, Reader
from connectors.base import Connection, Connector
from policies.layers import LayeredPolicy
from policies.model import Assurance
from vault.model import SecretValue


class SessionsPort(Protocol):
    """Starts, knows and ends sessions."""

    async def authenticate(self, unverified_token: str) -> Session | Operator | Problem:
        """Return who the token belongs to, or why it is not accepted."""

    async def authenticate_id(self, session_id: SessionId) -> Session | Problem:
        """Return the living session of an id whose holder has proved it otherwise, or why it may not act."""

    async def start(
        self, operator: Operator, *, agent: str, ttl_seconds: int, labels: dict[str, str], scope: Sequence[str] = ()
    ) -> tuple[Session, str] | Problem:
        """Start a session of ``agent`` and return it with its token, which is shown once."""

    async def start_child(
        self, parent: Session, *, scope: Sequence[str], ttl_seconds: int, labels: dict[str, str]
    ) -> tuple[Session, str] | Problem:
        """Hand out a session that may do no more than ``parent``, with its token, which is shown once."""

    async def kill(self, session_id: SessionId, operator: Operator) -> bool:
        """End a session and all below it; False when there is none of that id."""


class ApprovalsPort(Protocol):
    """Takes people's decisions."""

    async def decide(
        self,
        approval_id: ApprovalId,
        operator: Operator,
        *,
        approve: bool,
        reason: str,
        assurance: Assurance = Assurance.CHAT,
    ) -> Approval | Problem:
        """Record a decision; who may decide what is judged there, the door says how surely it knows who decides."""


class HaltingPort(Protocol):
    """Stops, and lets go on."""

    async def kill(
        self, scope: HaltScope, name: str, *, operator: Operator, reason: str, force: bool = False
    ) -> Stopped | Problem:
        """Stop something until people lift it; the door has looked at the operator's roles."""

    async def lift(self, halt_id: HaltId, *, operator: Operator, reason: str) -> Halt | Problem:
        """Let what was stopped go on."""


class BreakersPort(Protocol):
    """Knows the circuit breakers, and closes them."""

    def standings(self) -> Sequence[Standing]:
        """Return every breaker that has failures."""

    async def reset(self, key: str, operator: Operator, reason: str) -> Standing | Problem:
        """Close a breaker and forget its failures; the door has looked at the operator's roles."""


class TreasuryPort(Protocol):
    """Knows how budgets stand, and grants more of them."""

    async def accounts(self, *, agent: str = "", project: str = "") -> Sequence[Account]:
        """Return the budgets of agents and projects, by key, without those of single sessions."""

    async def of_session(self, session: Session) -> Sequence[Account]:
        """Return all budgets that count what a session does, by key."""

    async def grant(self, key: str, extra: Extra, *, operator: Operator, reason: str) -> Account | Problem:
        """Grant more of a budget in its running period; the door has looked at the operator's roles."""


class ContentsPort(Protocol):
    """Reads prompts and answers that were kept."""

    async def read(self, intent_id: IntentId, operator: Operator, wanted: Collection[ContentPart]) -> Kept | Problem:
        """Return parts of what is kept of an intent, once it is on the ledger; the door has looked at the roles."""


class AlertsPort(Protocol):
    """Lists alerts, and sends one to see whether it arrives."""

    async def newest(self, *, kind: str = "", since_ns: int = 0, limit: int = 100) -> Sequence[AlertRow]:
        """Return alerts, newest first; of one kind, and raised since then, when given."""

    async def get(self, alert_id: str) -> tuple[AlertRow, Sequence[Delivery]] | None:
        """Return an alert and how far it came to each channel; None when there is none of that id."""

    async def test(self, operator: str, *, wait_seconds: float) -> tuple[AlertRow, Sequence[Delivery]]:
        """Send one alert to every declared channel and wait for what becomes of it."""


class ProjectPort(Protocol):
    """What the doors read of a project."""

    @property
    def connections(self) -> Sequence[str]:
        """Names of the connections its agents may use."""


class AgentPort(Protocol):
    """What the doors read of an agent."""

    @property
    def project(self) -> str:
        """Name of its project."""


class ConfigurationPort(Protocol):
    """What the doors read of the configuration."""

    @property
    def agents(self) -> Mapping[str, AgentPort]:
        """Agents by name."""

    @property
    def projects(self) -> Mapping[str, ProjectPort]:
        """Projects by name."""

    @property
    def connections(self) -> Mapping[str, Connection]:
        """Connections by name."""


class BrokerPort(Protocol):
    """The broker as a door sees it."""

    @property
    def settings(self) -> Settings:
        """How this process runs."""

    @property
    def clock(self) -> Clock:
        """Where time and entropy come from."""

    @property
    def sessions(self) -> SessionsPort:
        """The sessions service."""

    @property
    def approvals(self) -> ApprovalsPort:
        """The approvals service."""

    @property
    def halting(self) -> HaltingPort:
        """The kill switch."""

    @property
    def breakers(self) -> BreakersPort:
        """The circuit breakers."""

    @property
    def treasury(self) -> TreasuryPort:
        """Budgets, for people."""

    @property
    def contents(self) -> ContentsPort:
        """Prompts and answers that were kept."""

    @property
    def alerts(self) -> AlertsPort:
        """The alerts service."""

    @property
    def reader(self) -> Reader:
        """Reads of the database."""

    @property
    def outputs(self) -> Outputs:
        """Bodies of results."""

    @property
    def connectors(self) -> Mapping[str, Connector]:
        """Connectors by name."""

    @property
    def metrics(self) -> CollectorRegistry:
        """What ``/metrics`` shows."""

    def configuration(self) -> ConfigurationPort:
        """Return the configuration in force now."""

    async def submit(
        self,
        session: Session,
        draft: IntentDraft,
        *,
        wait_seconds: float,
        exchange: Exchange | None = None,
        on_parked: Callable[[Outcome], None] | None = None,
    ) -> Outcome:
        """Take an intent through the pipeline; wait at most so long for a person.

        Before it waits it says so, with where the intent stands. With an exchange, a small body comes back in
        `Outcome.body`, a large one goes out through the exchange, and an upload comes in through it.
        """

    async def aws_secret(self, session_id: SessionId) -> SecretValue:
        """Return the secret access key of a session; see `broker.access_keys`.

        Raises:
            VaultError: the vault is sealed or gone.
        """

    async def outcome(self, session: Session, intent_id: IntentId) -> Outcome | None:
        """Return where an intent of this session stands; None when the session has no such intent."""

    def in_force(self) -> Configuration:
        """Return the whole configuration in force now."""

    def draft(self, files: Mapping[str, bytes]) -> Configuration:
        """Return the configuration that files would make; nothing comes into force.

        Raises:
            ConfigError: they make none.
        """

    def policy_of(self, session: Session) -> LayeredPolicy:
        """Return all that decides for a session."""

    async def allowed(self, session: Session, action: str, resources: Sequence[str]) -> list[bool]:
        """Tell of each resource whether an action on it would be done, at once or once people said yes.

        Nothing is recorded.

        Raises:
            StoreUnavailableError: uses of rules cannot be counted.
        """

    async def budget_status(self, session: Session) -> Sequence[BudgetStatus]:
        """Return how far the budgets are used that count what a session does.

        Raises:
            StoreUnavailableError: it cannot be read.
        """

    async def explain(
        self, session: Session, draft: IntentDraft, *, facts: JsonObject, now_ns: int = 0
    ) -> Explained | Problem:
        """Explain what would be decided on a draft, with facts and a moment (0: now) that are supposed."""

    async def readiness(self) -> Mapping[str, bool | str]:
        """Return each check's answer: True or ``ok`` is good, anything else is not and a text says why."""
