"""Approvals as a state machine: whatever people, clocks, queues and crashes do, each intent acts at most once.

Two processes share one SQLite: the house, which takes intents and answers, and an executor that resumes approved work
and can die at any step, to be replaced by a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from broker.ids import ApprovalId
from broker.ledger.events import parse_event
from broker.ledger.sources import DatabaseSource
from broker.ledger.verify import verify
from broker.model import Approval, ApprovalState, IntentRecord, IntentState, Session
from broker.outcome import Outcome
from broker.store.base import EventFilter
from broker.store.database import open_database
from connectors.base import CallResult, Plan
from connectors.errors import NotSentError, OutcomeUnknownError, UpstreamRefusedError
from tests.house import House, open_house, write_policy
from tests.parts.second_process import SecondProcess

POLICIES = {
    "ask": "  - allow: paper:Write on sheets/*\n    requires_approval: true\n    approval_timeout: 10m\n",
    "allow": "  - paper:Write on sheets/*\n",
    "deny": "  - deny paper:Write on sheets/*\n",
}
HEAD = "version: 1\nagent: scribe\npolicies:\n"
TIMEOUT_SECONDS = 600
INSTANCE_TTL_SECONDS = 15

ENDS = ("plain", "refused", "not sent", "unknown", "unknown after", "fault after", "killed after", "die after")
"""How a call upstream ends; ``after`` means that its effect happened."""

AGREE = {
    ApprovalState.PENDING: {IntentState.PENDING_APPROVAL},
    ApprovalState.APPROVED: {IntentState.APPROVED},
    ApprovalState.REJECTED: {IntentState.REJECTED},
    ApprovalState.EXPIRED: {IntentState.EXPIRED},
    ApprovalState.CANCELLED: {IntentState.CANCELLED, IntentState.DENIED, IntentState.REFUSED},
    ApprovalState.CONSUMED: {
        IntentState.EXECUTING, IntentState.SUCCEEDED, IntentState.FAILED, IntentState.UNKNOWN,
    },
}  # fmt: skip


class ApprovalsMachine(RuleBasedStateMachine):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ostiary-approvals-"))
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.effects: Counter[str] = Counter()
        self.parked: list[Outcome] = []
        self.kills: list[asyncio.Future[bool]] = []
        self.states: dict[str, IntentState] = {}
        self.policy = "ask"
        self.end = "plain"
        self.breaches: list[str] = []
        self.executors = self.asked = 0

    @initialize()
    def open(self) -> None:
        write_policy(self.folder, HEAD + POLICIES["ask"])
        self.house: House = self.run(self.stack.enter_async_context(open_house(self.folder)))
        self.house.connector.deed = self.deed
        self.source = DatabaseSource(open_database(self.house.broker.settings.database))
        self.sessions = [self.run(self.house.session()) for _ in range(2)]
        self.executor = self.new_executor()
        for which in (0, 1):
            self.ask(which, "plain")

    @rule(which=st.integers(0, 1), end=st.sampled_from(ENDS[:-1]))
    def ask(self, which: int, end: str) -> None:
        self.end = end
        self.asked += 1
        name = f"s{self.asked}"
        outcome = self.run(self.submitted(self.sessions[which], name))
        if outcome is not None and outcome.approval_id:
            assert (self.policy, outcome.state) == ("ask", IntentState.PENDING_APPROVAL)
            self.parked.append(outcome)

    @rule(at=st.integers(0, 9), by=st.sampled_from(["alice", "alice", "bob", "olivia", "victor"]), yes=st.booleans())
    def answer(self, at: int, by: str, yes: bool) -> None:
        if not self.parked:
            return
        approval = ApprovalId(self.parked[at % len(self.parked)].approval_id)
        before = self.approval(approval)
        self.run(self.house.approvals.decide(approval, self.house.operator(by), approve=yes, reason="because"))
        after = self.approval(approval)
        if by in {"olivia", "victor"} or before.state is not ApprovalState.PENDING:
            assert after == before or after.state is ApprovalState.EXPIRED
        elif self.house.clock.now_ns() >= before.expires_at_ns:
            assert after.state is ApprovalState.EXPIRED
        else:
            assert after.state is not ApprovalState.PENDING

    @rule(
        which=st.integers(0, 1),
        meanwhile=st.sampled_from(["nothing", "nothing", "deny", "allow", "kill", "late", "lost"]),
        end=st.sampled_from(ENDS),
        copies=st.integers(1, 3),
    )
    def ask_and_get_it(self, which: int, meanwhile: str, end: str, copies: int) -> None:
        """Take the long way of a gated intent in one step, with something happening between the yes and the act."""
        self.change_policy("ask")
        self.ask(which, "plain")
        self.answer(len(self.parked) - 1, "alice", yes=True)
        if meanwhile in POLICIES:
            self.change_policy(meanwhile)
        elif meanwhile == "kill":
            self.kill(which)
        elif meanwhile == "late":
            self.time_passes(TIMEOUT_SECONDS)
        elif meanwhile == "lost":
            self.lose_the_queue(up=True)
            self.reconcile()
        self.work(end, copies, early=False)

    @rule(seconds=st.sampled_from([1, INSTANCE_TTL_SECONDS, TIMEOUT_SECONDS // 2, TIMEOUT_SECONDS]))
    def time_passes(self, seconds: int) -> None:
        self.house.clock.advance(seconds)
        self.run(self.house.heartbeats.beat("ins_test", self.house.clock.now_ns()))
        self.run(self.executor.beat())

    @rule(which=st.integers(0, 1))
    def kill(self, which: int) -> None:
        session = self.sessions[which]
        self.run(self.house.sessions.kill(session.id, self.house.operator("olivia")))
        self.sessions[which] = self.run(self.house.session())

    @rule(name=st.sampled_from(["ask", "ask", "ask", "allow", "deny"]))
    def change_policy(self, name: str) -> None:
        self.policy = name
        write_policy(self.folder, HEAD + POLICIES[name])
        for broker in (self.house.broker, self.executor.broker):
            assert self.run(broker.reload()) == []

    @rule(end=st.sampled_from(ENDS), copies=st.integers(1, 3), early=st.booleans())
    def work(self, end: str, copies: int, early: bool) -> None:
        """Deliver every message, some of them several times at once; ``early`` lets the executor die before a call."""
        self.end = end
        self.executor.dies_before_calls = early and end == "die after"
        jobs, self.house.queue.sent = self.house.queue.sent * copies, []
        self.run(self.deliver(jobs))

    @rule(times=st.integers(2, 3))
    def redeliver(self, times: int) -> None:
        self.house.queue.sent *= times

    @rule(up=st.booleans())
    def lose_the_queue(self, up: bool) -> None:
        self.house.queue.sent.clear()
        self.house.queue.up = up

    @rule()
    def reconcile(self) -> None:
        self.run(self.house.reconciler.round())

    @rule()
    def restart_the_executor(self) -> None:
        self.run(self.executor.aclose())
        self.executor = self.new_executor()

    @invariant()
    def every_intent_is_sound(self) -> None:
        if not hasattr(self, "executor"):
            return
        assert self.breaches == []
        for record in self.run(self.house.reader.intents(tuple(IntentState), limit=1000)):
            self.check_intent(record)
        report = verify(self.source)
        assert report.ok, report.problem

    def teardown(self) -> None:
        if hasattr(self, "executor"):
            self.settle()
            self.every_intent_is_sound()
            self.source._database.close()
            self.run(self.executor.aclose())
        self.run(self.stack.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)

    def settle(self) -> None:
        """Nothing more happens but time: every intent comes to its end."""
        self.restart_the_executor()
        self.house.queue.up = True
        for _ in range(3):
            self.time_passes(INSTANCE_TTL_SECONDS + 1)
            self.reconcile()
            self.work("plain", 1, early=False)
        self.time_passes(TIMEOUT_SECONDS)
        self.reconcile()
        records = self.run(self.house.reader.intents(tuple(IntentState), limit=1000))
        assert [each.id for each in records if not each.state.terminal] == []

    def check_intent(self, record: IntentRecord) -> None:
        name, state = record.resources[0].removeprefix("sheets/"), record.state
        count = self.effects[name]
        assert count <= 1, (name, state)
        if state is IntentState.SUCCEEDED:
            assert count == 1
        if count:
            assert state in {IntentState.EXECUTING, IntentState.SUCCEEDED, IntentState.UNKNOWN}
        before = self.states.get(record.id)
        if before is not None and before.terminal:
            assert state is before
        self.states[record.id] = state
        events = [str(parse_event(each.body).type) for each in self.events(record)]
        assert events.count("intent.executing") <= 1
        if record.approval_id:
            approval = self.approval(ApprovalId(record.approval_id))
            assert state in AGREE[approval.state], (approval.state, state)

    async def submitted(self, session: Session, name: str) -> Outcome | None:
        with contextlib.suppress(ZeroDivisionError):
            return await self.house.ask(session, "Write", name)
        return None

    async def deliver(self, jobs: list[Any]) -> None:
        executor = self.executor
        tasks = [asyncio.create_task(executor.broker.resume(*job)) for job in jobs]
        dead = asyncio.create_task(executor.dead.wait())
        running = asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait((running, dead), return_when=asyncio.FIRST_COMPLETED)
        died = executor.dead.is_set()
        dead.cancel()
        if died:
            for task in tasks:
                task.cancel()
            await running
            await executor.aclose()
            self.executor = self.new_executor()
        # The one fault that is let loose comes out; everything else would be a finding.
        wrong = [each for each in await running if isinstance(each, Exception)]
        self.breaches += [repr(each) for each in wrong if not died and not isinstance(each, ZeroDivisionError)]

    async def deed(self, plan: Plan) -> CallResult:
        """Do what the test chose; look, at the moment of the act, whether the act may happen."""
        name = plan.call["name"]
        await self.look(name)
        if self.end == "refused":
            raise UpstreamRefusedError("no", code="No")
        if self.end == "not sent":
            raise NotSentError("no")
        if self.end == "unknown":
            raise OutcomeUnknownError("cut")
        self.effects[name] += 1
        if self.end == "unknown after":
            raise OutcomeUnknownError("cut")
        if self.end == "fault after":
            raise ZeroDivisionError
        if self.end == "killed after":
            # Each in a task of its own, as in a request of its own: the call this runs in is what the kill cuts.
            kill, operator = self.executor.built.sessions.kill, self.house.operator("olivia")
            self.kills += [asyncio.ensure_future(kill(session.id, operator)) for session in self.sessions]
            await asyncio.wait(self.kills)
            # The intent may be the house's own: its kill switch is another process's, found by polling.
        if self.end == "die after":
            await self.executor.die()
        return CallResult({"name": name})

    async def look(self, name: str) -> None:
        records = await self.house.reader.intents((IntentState.EXECUTING,), limit=1000)
        mine = [each for each in records if each.resources == (f"sheets/{name}",)]
        events = [
            parse_event(each.body).type for each in await self.house.reader.events(EventFilter(intent_id=mine[0].id))
        ]
        if len(mine) != 1 or events[-1] != "intent.executing":
            self.breaches.append(f"{name} acts without a durable executing event")
        if self.policy == "deny":
            self.breaches.append(f"{name} acts against a deny")
        session = await self.house.reader.session(mine[0].session_id)
        if (session is None or session.killed_at_ns) and self.end != "killed after":
            self.breaches.append(f"{name} acts for a killed session")
        if mine[0].approval_id:
            approval = await self.house.reader.approval(ApprovalId(mine[0].approval_id))
            now_ns = self.house.clock.now_ns()
            if approval is None or approval.state is not ApprovalState.CONSUMED or now_ns >= approval.expires_at_ns:
                self.breaches.append(f"{name} acts without its approval")

    def new_executor(self) -> SecondProcess:
        self.executors += 1
        return SecondProcess(self.house, f"ins_{self.executors}")

    def events(self, record: IntentRecord) -> list[Any]:
        return list(self.run(self.house.reader.events(EventFilter(intent_id=record.id))))

    def approval(self, approval_id: ApprovalId) -> Approval:
        found = self.run(self.house.reader.approval(approval_id))
        assert isinstance(found, Approval)
        return found

    def run(self, work: Any) -> Any:
        return self.runner.run(self.to_its_end(work))

    async def to_its_end(self, work: Any) -> Any:
        try:
            return await work
        finally:
            kills, self.kills = self.kills, []
            await asyncio.gather(*kills, return_exceptions=True)


TestApprovals = pytest.mark.req("H1")(pytest.mark.req("H4")(ApprovalsMachine.TestCase))
TestApprovals.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
