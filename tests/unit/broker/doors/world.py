"""An in-memory broker with real state behind the doors' ports."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter

from broker.access_keys import secret_access_key
from broker.clock import NS_PER_SECOND
from broker.config.loader import load_files
from broker.config.model import Configuration
from broker.decision_point import DecisionPoint, Explained, Question
from broker.errors import LedgerUnavailableError, StoreUnavailableError
from broker.exchange import Exchange
from broker.ids import (
    ID_ENTROPY_BYTES,
    TOKEN_ENTROPY_BYTES,
    ApprovalId,
    Digest,
    HaltId,
    IdPrefix,
    IntentId,
    SessionId,
    TokenHash,
    TokenKind,
    hash_token,
    make_id,
    make_token,
)
from broker.limits.budgets import BudgetStatus
from broker.limits.runs import Standing
from broker.limits.treasury import Account
from broker.model import Approval, ApprovalState, Halt, IntentDraft, IntentState, Operator, Role, Session
from broker.outcome import Outcome, Problem, ProblemKind
from broker.settings import Settings
from connectors.base import Access, Connection, Operation, UploadStream
from connectors.errors import UploadBrokenError
from policies.engine import compile_policy
from policies.language.loader import load_policy, merge
from policies.layers import LayeredPolicy, compile_layers
from policies.model import Assurance, Layer, Requirement
from tests.unit.broker.config.paper import CONNECTORS, MAIN, POLICY
from tests.unit.broker.doors.alerting import FakeAlerts
from tests.unit.broker.doors.breaking import FakeBreakers
from tests.unit.broker.doors.budgeting import FakeTreasury
from tests.unit.broker.doors.keeping import FakeContents
from tests.unit.broker.doors.parts import (
    CANARY,
    FakeAgent,
    FakeClock,
    FakeConfiguration,
    FakeConnector,
    FakeOutputs,
    FakeProject,
    FakeReader,
)
from tests.unit.broker.doors.people import FakeApprovals, FakeHalting, FakeSessions
from vault.errors import VaultUnavailableError
from vault.model import CredentialRef, SecretValue


@dataclass
class World:
    """The broker. Actions say what happens; see `submit`."""

    settings: Settings
    clock: FakeClock = field(default_factory=FakeClock)
    tokens: dict[TokenHash, Operator | str] = field(default_factory=dict)
    sessions_by_id: dict[SessionId, Session] = field(default_factory=dict)
    approvals_by_id: dict[ApprovalId, Approval] = field(default_factory=dict)
    halts: dict[HaltId, Halt] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    outcomes: dict[IntentId, tuple[str, Outcome]] = field(default_factory=dict)
    keys: dict[tuple[str, str], IntentId] = field(default_factory=dict)
    drafts: list[IntentDraft] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    checks: dict[str, bool | str] = field(default_factory=lambda: {"ledger": True, "vault": True})
    store_away: bool = False
    vault_away: bool = False
    uploads: list[bytes] = field(default_factory=list)
    assurances: list[Assurance] = field(default_factory=list)
    policy: str = "policies:\n  - s3:GetObject on lake/*\n  - deny s3:GetObject on lake/secret/*\n"
    files: dict[str, bytes] = field(
        default_factory=lambda: {"ostiary.yaml": MAIN.encode(), "policies/ci-runner.yaml": POLICY.encode()}
    )
    questions: list[tuple[Session, IntentDraft, dict[str, Any], int]] = field(default_factory=list)
    unlisted: set[str] = field(default_factory=set)
    budgets: list[BudgetStatus] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    budget_looks: int = 0
    asked: int = 0
    looks: int = 0
    before_second_look: Callable[[], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        self.sessions = FakeSessions(self)
        self.approvals = FakeApprovals(self)
        self.alerts = FakeAlerts(self)
        self.halting = FakeHalting(self)
        self.breakers = FakeBreakers(self)
        self.treasury = FakeTreasury(self)
        self.contents = FakeContents()
        self.reader = FakeReader(self)
        self.outputs = FakeOutputs()
        self.metrics = CollectorRegistry()
        Counter("ostiary_test", "A counter.", registry=self.metrics).inc()
        self.connectors = {"aws": _connector("aws", "s3"), "git": _connector("git", "git")}
        self.config = FakeConfiguration(
            projects={"data": FakeProject(("aws-main", "gone")), "web": FakeProject(("git-main",))},
            connections={
                name: Connection(name, connector, CredentialRef(f"{connector}/x"), dict(options))
                for name, connector, options in (
                    ("aws-main", "aws", {"regions": ["eu-central-1", "eu-west-1"]}),
                    ("git-main", "git", {}),
                    ("old", "retired", {}),
                )
            },
            agents={"reader": FakeAgent("data"), "pusher": FakeAgent("web")},
            operators={},
        )
        self.ana = self.operator("ana", Role.ADMIN)
        self.ben = self.operator("ben", Role.APPROVER)
        self.eve = self.operator("eve", Role.VIEWER)
        self.kim = self.operator("kim", Role.KEY_ADMIN)
        self.reader_token = self.session("reader")
        self.pusher_token = self.session("pusher")

    def configuration(self) -> FakeConfiguration:
        return self.config

    def new_id(self, prefix: IdPrefix) -> str:
        at_ms = self.clock.now_ns() // 1_000_000
        return make_id(prefix, at_ms=at_ms, entropy=self.clock.entropy(ID_ENTROPY_BYTES))

    def new_token(self, kind: TokenKind) -> str:
        return make_token(kind, self.clock.entropy(TOKEN_ENTROPY_BYTES))

    def operator(self, name: str, *roles: Role) -> str:
        token = self.new_token("o")
        self.tokens[hash_token(token)] = self.config.operators[name] = Operator(name, frozenset(roles))
        return token

    def session(self, agent: str, owner: str = "ana") -> str:
        now = self.clock.now_ns()
        project = self.config.agents[agent].project
        session = Session(SessionId(self.new_id("ses")), agent, project, owner, now, now + 3600 * NS_PER_SECOND)
        token = self.new_token("s")
        self.sessions_by_id[session.id] = session
        self.tokens[hash_token(token)] = session.id
        return token

    def session_of(self, token: str) -> Session:
        return self.sessions_by_id[SessionId(str(self.tokens[hash_token(token)]))]

    def tell(self, kind: str, session: Session, **more: Any) -> None:
        self.events.append(
            {
                "type": kind,
                "at_ns": self.clock.now_ns(),
                "agent": session.agent,
                "project": session.project,
                "session_id": session.id,
                "intent_id": "",
                "action": "",
                "operator": "",
                "data": {},
                **more,
            }
        )

    async def readiness(self) -> dict[str, bool | str]:
        return self.checks

    async def outcome(self, session: Session, intent_id: IntentId) -> Outcome | None:
        self.looks += 1
        if self.looks == 2 and self.before_second_look is not None:
            await self.before_second_look()
        owner, found = self.outcomes.get(intent_id, ("", None))
        return found if owner == session.id else None

    def in_force(self) -> Configuration:
        return self.draft(self.files)

    def draft(self, files: Mapping[str, bytes]) -> Configuration:
        return load_files(files, Path("config"), CONNECTORS)

    def policy_of(self, session: Session) -> LayeredPolicy:
        loaded = load_policy(self.policy.encode(), file="policies/reader.yaml")
        return compile_layers(session.agent, (compile_policy(merge([loaded], session.agent, Layer.AGENT)),))

    async def allowed(self, session: Session, action: str, resources: Sequence[str]) -> list[bool]:
        return [f"{action} {each}" not in self.unlisted for each in resources]

    async def budget_status(self, session: Session) -> Sequence[BudgetStatus]:
        self.budget_looks += 1
        if self.store_away:
            raise StoreUnavailableError(CANARY)
        return self.budgets

    async def explain(
        self, session: Session, draft: IntentDraft, *, facts: dict[str, Any], now_ns: int = 0
    ) -> Explained | Problem:
        self.questions.append((session, draft, facts, now_ns))
        if draft.action == "s3:Unknown":
            return Problem(ProblemKind.UNKNOWN_ACTION, "no connector serves it")
        names = [draft.resource] if draft.resource else list(draft.params)
        asked = tuple(Requirement(draft.action, name) for name in names)
        point = DecisionPoint(
            policy_of=self.policy_of,
            configuration=self.in_force,
            reader=self.reader,
            rate_class=lambda _session: "",
            now_ns=self.clock.now_ns,
        )
        return await point.explain(Question(session, draft, asked, facts, now_ns))

    async def aws_secret(self, session_id: SessionId) -> SecretValue:
        if self.vault_away:
            raise VaultUnavailableError(CANARY)
        return secret_access_key(SecretValue(hashlib.sha256(session_id.encode()).digest()))

    async def submit(
        self,
        session: Session,
        draft: IntentDraft,
        *,
        wait_seconds: float,
        exchange: Exchange | None = None,
        on_parked: Callable[[Outcome], None] | None = None,
    ) -> Outcome:
        self.drafts.append(draft)
        self.waits.append(wait_seconds)
        known = self.keys.get((session.id, draft.idempotency_key)) if draft.idempotency_key else None
        if known:
            return replace(self.outcomes[known][1], replayed=True)
        outcome = self._run(session, IntentId(self.new_id("int")), draft)
        if outcome.state is IntentState.SUCCEEDED and exchange is not None and exchange.upload is not None:
            outcome = await self._upload(outcome, exchange.upload)
        if not draft.dry_run:
            self.outcomes[IntentId(outcome.intent_id)] = (session.id, outcome)
            if draft.idempotency_key:
                self.keys[session.id, draft.idempotency_key] = IntentId(outcome.intent_id)
        return outcome

    async def _upload(self, outcome: Outcome, upload: UploadStream) -> Outcome:
        taken = b""
        try:
            async for piece in upload:
                taken += piece
        except UploadBrokenError as error:
            problem = Problem(ProblemKind.UPLOAD_BROKEN, str(error))
            return replace(outcome, state=IntentState.FAILED, problem=problem)
        finally:
            self.uploads.append(taken)
        return outcome

    def _run(self, session: Session, intent_id: IntentId, draft: IntentDraft) -> Outcome:
        decision: dict[str, Any] = {"effect": "allow", "reasons": []}
        if draft.dry_run:
            return Outcome(intent_id, IntentState.PENDING_APPROVAL, decision=decision, dry_run=True)
        service, _, operation = draft.action.partition(":")
        if service == "fault":
            if operation == "boom":
                raise RuntimeError(CANARY)
            if operation == "ledger":
                raise LedgerUnavailableError(CANARY)
            kind = ProblemKind(operation)
            problem = Problem(kind, "it did not work", "because", "policies/a.yaml:3 (a)", "do this", 7, {"title": "x"})
            return Outcome(intent_id, IntentState.FAILED, problem=problem)
        if draft.action == "s3:GetObject":
            chunks = [b"0123456789" * 1000] * 20
            self.outputs.chunks[intent_id] = chunks
            size = sum(map(len, chunks))
            return Outcome(
                intent_id, IntentState.SUCCEEDED, {"ETag": "x"}, output_bytes=size, output_media_type="text/csv"
            )
        if draft.action == "s3:Small":
            body = {"encoding": "base64", "data": base64.b64encode(b"tiny").decode()}
            return Outcome(intent_id, IntentState.SUCCEEDED, {"body": body})
        if draft.action == "s3:DeleteObject":
            decision = {"effect": "deny", "reasons": [{"rule": "", "text": "no rule allows it"}]}
            problem = Problem(ProblemKind.DENIED, "policy denies it", "no rule", "default deny", "ask for: `x`")
            return Outcome(intent_id, IntentState.DENIED, problem=problem, decision=decision)
        if draft.action == "git:push":
            approval = self.park(session, intent_id, draft)
            return Outcome(
                intent_id,
                IntentState.PENDING_APPROVAL,
                approval_id=approval.id,
                expires_at_ns=approval.expires_at_ns,
            )
        return Outcome(intent_id, IntentState.SUCCEEDED, {"params": draft.params})

    def park(self, session: Session, intent_id: IntentId, draft: IntentDraft) -> Approval:
        now = self.clock.now_ns()
        approval = Approval(
            ApprovalId(self.new_id("apr")),
            intent_id,
            session.id,
            session.agent,
            session.project,
            session.owner,
            draft.action,
            ("repos/acme/app/branches/main",),
            "push 1 ref to acme/app: refs/heads/main",
            Digest("ab" * 32),
            "v1",
            "policies/pusher.yaml:3 (main)",
            "approvals",
            draft.reason,
            b"DRAFT-BYTES",
            ApprovalState.PENDING,
            1,
            now,
            now + 3600 * NS_PER_SECOND,
            connection="code",
            preview=draft.params,
        )
        self.approvals_by_id[approval.id] = approval
        return approval


def _connector(name: str, service: str) -> FakeConnector:
    operations = {
        f"{service}:{verb}": Operation(
            f"{service}:{verb}",
            Access.READ,
            idempotent=True,
            summary="reads",
            resources=("r/{x}",),
            params_schema={"type": "object"},
            example={"x": "y"},
        )
        for verb in ("Read", "Again")
    }
    return FakeConnector(name, frozenset((service,)), operations)


def make_world(folder: Path) -> World:
    return World(Settings(data=folder, max_request_bytes=100_000))
