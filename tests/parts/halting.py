"""The kill switch for tests on paper parts: stopping, letting go on, and a process that dies while it stops."""

from __future__ import annotations

import asyncio
from typing import Any

from broker.approvals.service import Approvals
from broker.calls import RunningCalls
from broker.errors import LedgerUnavailableError
from broker.halting import FINISH_AFTER_SECONDS, Halting, Parts, Stopped
from broker.limits.halts import Halts
from broker.model import Halt, HaltScope, IntentDraft, Session
from broker.outcome import Outcome, Problem, ProblemKind
from broker.revoking import Revoking
from broker.sessions import Sessions
from broker.store.base import Change, Committer, Position
from connectors.base import CallResult, Plan
from tests.house import House

FOR_SESSIONS = [(HaltScope.AGENT, "scribe"), (HaltScope.PROJECT, "desk"), (HaltScope.EVERYTHING, "")]
FOR_CONNECTIONS = [(HaltScope.CONNECTION, "paper"), (HaltScope.CONNECTOR, "paper")]
OVER = {ProblemKind.HALTED, ProblemKind.SESSION_EXPIRED}
READ = IntentDraft("paper:Read", {"name": "free"})


class Hanging:
    """A deed that never ends by itself, and how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.arrived = asyncio.Event()

    async def __call__(self, plan: Plan) -> CallResult:
        self.begun += 1
        self.arrived.set()
        await asyncio.Event().wait()
        raise AssertionError


async def kill(house: House, scope: HaltScope, name: str, **more: Any) -> Stopped:
    stopped = await house.built.halting.kill(
        scope, name, operator=house.operator("alice"), reason="it ran away", **more
    )
    assert isinstance(stopped, Stopped), stopped
    return stopped


async def lift(house: House, halt: Halt) -> Halt:
    lifted = await house.built.halting.lift(halt.id, operator=house.operator("olivia"), reason="mended")
    assert isinstance(lifted, Halt), lifted
    return lifted


def told(stopped: Stopped) -> dict[str, Any]:
    assert stopped.report is not None
    return stopped.report.to_json()


def kind_of(answer: object) -> ProblemKind | None:
    problem = answer.problem if isinstance(answer, Outcome) else answer
    return problem.kind if isinstance(problem, Problem) else None


async def child_of(house: House, parent: Session) -> Session:
    started = await house.sessions.start_child(parent, scope=["paper:Read on sheets/a"], ttl_seconds=60, labels={})
    assert not isinstance(started, Problem)
    return started[0]


async def living(house: House) -> list[Session]:
    return await house.reader.living_sessions(HaltScope.EVERYTHING, "", house.clock.now_ns())


async def finished(house: House) -> None:
    """Let this process look until it may finish what another did not, and wait for that."""
    await house.built.halting.look()
    house.clock.advance(FINISH_AFTER_SECONDS)
    await house.built.halting.look()
    await house.built.halting.aclose()
    await house.built.revoking.aclose()


class Dying:
    """A ledger of a process that is killed after so many changes: it records nothing more."""

    def __init__(self, ledger: Committer, changes: int) -> None:
        self._ledger = ledger
        self._left = changes

    def submit(self, change: Change, *, patient: bool = False) -> asyncio.Future[Position]:
        raise NotImplementedError

    async def commit(self, change: Change) -> Position:
        if self._left == 0:
            raise LedgerUnavailableError("killed")
        self._left -= 1
        return await self._ledger.commit(change)


def doomed(house: House, changes: int, **patience: float) -> Halting:
    """The kill switch of a process that dies after so many changes."""
    ledger = Dying(house.ledger, changes)
    halts = Halts(
        house.reader, ledger, clock=house.clock, configuration=house.policies, calls=RunningCalls()
    )  # fmt: skip
    return Halting(
        Parts(
            house.reader,
            ledger,
            house.clock,
            house.policies,
            halts,
            Sessions(house.reader, ledger, house.clock, house.policies, _nothing, gate=halts),
            Approvals(house.reader, ledger, house.clock, house.policies, _nothing),
            Revoking(house.vault, ledger, house.clock),
        ),
        **patience,
    )


async def _nothing(_about: object) -> None:
    pass
