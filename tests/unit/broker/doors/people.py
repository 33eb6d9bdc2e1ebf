"""Sessions, approvals and the kill switch of the in-memory broker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from broker.clock import NS_PER_SECOND
from broker.halting import Report, Stopped
from broker.ids import ApprovalId, HaltId, IntentId, SessionId, hash_token, token_kind
from broker.model import Approval, ApprovalState, Halt, HaltKind, HaltScope, IntentState, Operator, Session
from broker.outcome import Problem, ProblemKind
from policies.model import Assurance

if TYPE_CHECKING:
    from tests.unit.broker.doors.world import World


class FakeSessions:
    def __init__(self, world: World) -> None:
        self._world = world

    async def authenticate(self, unverified_token: str) -> Session | Operator | Problem:
        self._world.asked += 1
        if token_kind(unverified_token) is None:
            return Problem(ProblemKind.UNAUTHENTICATED, "the token is malformed or mistyped")
        found = self._world.tokens.get(hash_token(unverified_token))
        if found is None:
            return Problem(ProblemKind.UNAUTHENTICATED, "the token is not known here")
        if isinstance(found, Operator):
            return found
        return await self.authenticate_id(SessionId(found))

    async def authenticate_id(self, session_id: SessionId) -> Session | Problem:
        session = self._world.sessions_by_id.get(session_id)
        if session is None:
            return Problem(ProblemKind.UNAUTHENTICATED, "the session is not known here")
        if not session.alive(self._world.clock.now_ns()):
            return Problem(ProblemKind.SESSION_EXPIRED, "the session is over")
        return session

    async def start(
        self, operator: Operator, *, agent: str, ttl_seconds: int, labels: dict[str, str], scope: Sequence[str] = ()
    ) -> tuple[Session, str] | Problem:
        world = self._world
        if agent not in world.config.agents:
            return Problem(ProblemKind.NOT_FOUND, "no such agent")
        now = world.clock.now_ns()
        session = Session(
            SessionId(world.new_id("ses")),
            agent,
            world.config.agents[agent].project,
            operator.name,
            now,
            now + ttl_seconds * NS_PER_SECOND,
            labels=dict(labels),
            scopes=(tuple(scope),) if scope else (),
        )
        return self._begin(session, operator.name)

    async def start_child(
        self, parent: Session, *, scope: Sequence[str], ttl_seconds: int, labels: dict[str, str]
    ) -> tuple[Session, str] | Problem:
        world = self._world
        if any(rule.startswith("*") for rule in scope):
            return Problem(ProblemKind.SCOPE_TOO_WIDE, "the scope is too wide", extra={"witness": {"action": "x:Y"}})
        now = world.clock.now_ns()
        child = replace(
            parent,
            id=SessionId(world.new_id("ses")),
            created_at_ns=now,
            expires_at_ns=min(now + ttl_seconds * NS_PER_SECOND, parent.expires_at_ns),
            scopes=(*parent.scopes, tuple(scope)),
            parent_id=parent.id,
            root_id=parent.family_id,
            depth=parent.depth + 1,
            added_labels=dict(labels),
        )
        return self._begin(child, parent.actor)

    def _begin(self, session: Session, by: str) -> tuple[Session, str]:
        world = self._world
        token = world.new_token("s")
        world.sessions_by_id[session.id] = session
        world.tokens[hash_token(token)] = session.id
        world.tell("session.started", session, operator=by)
        return session, token

    async def kill(self, session_id: SessionId, operator: Operator) -> bool:
        session = self._world.sessions_by_id.get(session_id)
        if session is None or session.killed_at_ns:
            return False
        self._world.sessions_by_id[session_id] = replace(session, killed_at_ns=self._world.clock.now_ns())
        self._world.tell("session.killed", session, operator=operator.name)
        return True


class FakeApprovals:
    def __init__(self, world: World) -> None:
        self._world = world

    async def decide(
        self,
        approval_id: ApprovalId,
        operator: Operator,
        *,
        approve: bool,
        reason: str,
        assurance: Assurance = Assurance.CHAT,
    ) -> Approval | Problem:
        world = self._world
        world.assurances.append(assurance)
        found = world.approvals_by_id.get(approval_id)
        if found is None:
            return Problem(ProblemKind.NOT_FOUND, "there is no such approval")
        if found.owner == operator.name:
            return Problem(ProblemKind.FORBIDDEN, "nobody approves their own request")
        if not approve and not reason:
            return Problem(ProblemKind.INVALID_PARAMS, "a rejection needs a reason")
        if found.state is not ApprovalState.PENDING:
            return Problem(ProblemKind.APPROVAL_CONFLICT, f"the approval is {found.state.value} already")
        if world.clock.now_ns() >= found.expires_at_ns:
            return Problem(ProblemKind.APPROVAL_EXPIRED, "the time is over")
        state = ApprovalState.APPROVED if approve else ApprovalState.REJECTED
        decided = replace(
            found,
            state=state,
            decided_by=operator.name,
            decided_at_ns=world.clock.now_ns(),
            decision_reason=reason,
        )
        world.approvals_by_id[approval_id] = decided
        outcome = world.outcomes[IntentId(found.intent_id)][1]
        problem = None if approve else Problem(ProblemKind.APPROVAL_REJECTED, "a person said no", reason=reason)
        ended = IntentState.SUCCEEDED if approve else IntentState.REJECTED
        world.outcomes[found.intent_id] = (found.session_id, replace(outcome, state=ended, problem=problem))
        return decided


class FakeHalting:
    """Halts the names of the world's configuration; what is called ``slow`` is still being carried out."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def kill(
        self, scope: HaltScope, name: str, *, operator: Operator, reason: str, force: bool = False
    ) -> Stopped | Problem:
        world = self._world
        known = {*world.config.agents, *world.config.projects, *world.config.connections, "slow", "aws", ""}
        if name not in known and not force:
            return Problem(ProblemKind.NOT_FOUND, "no such name", fix="did you mean `reader`?")
        if any(each.active and (each.scope, each.name) == (scope, name) for each in world.halts.values()):
            return Problem(ProblemKind.HALT_CONFLICT, "it was stopped already")
        now = world.clock.now_ns()
        halt = Halt(HaltId(world.new_id("hlt")), scope, name, HaltKind.KILL, reason, operator.name, now)
        world.halts[halt.id] = halt
        report = Report(calls=1, sessions=["ses_a"] * 3, approvals=["apr_a"], queued=["int_a"], revoked=2)
        return Stopped(halt, None if name == "slow" else report)

    async def lift(self, halt_id: HaltId, *, operator: Operator, reason: str) -> Halt | Problem:
        world = self._world
        halt = world.halts.get(halt_id)
        if halt is None:
            return Problem(ProblemKind.NOT_FOUND, "there is no such halt")
        if not halt.active:
            return Problem(ProblemKind.HALT_CONFLICT, "it was lifted already")
        now = world.clock.now_ns()
        lifted = replace(halt, active=False, lifted_by=operator.name, lift_reason=reason, lifted_at_ns=now)
        world.halts[halt_id] = lifted
        return lifted
