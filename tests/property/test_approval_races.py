"""Races for one approval: two processes' services, each in a thread and event loop of its own, on one SQLite file."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice, permutations
from pathlib import Path
from typing import Any

import pytest

from broker.ids import ApprovalId
from broker.ledger.sources import DatabaseSource
from broker.ledger.verify import verify
from broker.model import Approval, ApprovalState, Session
from broker.store.database import open_database
from tests.house import SCRIBE_YAML, House, open_house, write_policy
from tests.parts.second_process import SecondProcess

ROUNDS = 200
DENY = SCRIBE_YAML + "  - deny paper:Write on sheets/gated\n"
WORDS = {
    "approve": ("approval.approved", ApprovalState.APPROVED),
    "reject": ("approval.rejected", ApprovalState.REJECTED),
    "expire": ("approval.expired", ApprovalState.EXPIRED),
    "kill": ("approval.cancelled", ApprovalState.CANCELLED),
}


class Runners:
    """Two threads with an event loop each; `race` lets both begin at the same moment."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2)
        self._barrier = threading.Barrier(2)
        self._local = threading.local()

    def race(self, *works: Callable[[], Coroutine[Any, Any, Any]]) -> list[Any]:
        futures: list[Future[Any]] = [self._pool.submit(self._run, work) for work in works]
        return [future.result(timeout=60) for future in futures]

    def close(self) -> None:
        self.race(self._stop, self._stop)
        self._pool.shutdown()

    def _run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        if not hasattr(self._local, "runner"):
            self._local.runner = asyncio.Runner()
        self._barrier.wait(60)
        if work == self._stop:
            return self._local.runner.close()
        return self._local.runner.run(work())

    async def _stop(self) -> None:
        """Mark the end of a thread's loop; never awaited."""


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[tuple[House, SecondProcess, SecondProcess, Runners]]:
    async with open_house(tmp_path) as house:
        one, two, runners = SecondProcess(house, "ins_one"), SecondProcess(house, "ins_two"), Runners()
        yield house, one, two, runners
        await asyncio.to_thread(runners.close)
        await one.aclose()
        await two.aclose()


def deed(process: SecondProcess, house: House, word: str, asked: Approval, session: Session) -> Any:
    """Return the act of one party as a coroutine."""
    match word:
        case "approve":
            return process.approvals.decide(asked.id, house.operator("alice"), approve=True, reason="")
        case "reject":
            return process.approvals.decide(asked.id, house.operator("bob"), approve=False, reason="no")
        case "expire":
            return process.approvals.end(asked, ApprovalState.EXPIRED, "late")
        case _:
            return process.built.sessions.kill(session.id, house.operator("olivia"))


@pytest.mark.req("H3")
async def test_of_two_processes_that_decide_at_once_one_wins_in_every_round(scene: Any) -> None:
    house, one, two, runners = scene
    wins: Counter[str] = Counter()
    for words in islice(cycle(permutations(WORDS, 2)), ROUNDS):
        session = await house.session()
        parked = await house.ask(session, "Write", "gated")
        asked = await house.reader.approval(ApprovalId(parked.approval_id))
        parties = zip((one, two), words, strict=True)
        works = [partial(deed, process, house, word, asked, session) for process, word in parties]
        await asyncio.to_thread(runners.race, *works)
        ends = [each for each in await house.event_types(intent_id=parked.intent_id) if each.startswith("approval.")]
        final = await house.reader.approval(asked.id)
        intent = await house.record(parked.intent_id)
        assert final.state.value == intent.state.value
        said = [word for word, (event, state) in WORDS.items() if ends[-1] == event and final.state is state]
        assert said
        assert said[0] in words
        # A kill comes after a yes as well: it voids what was granted and not begun.
        assert len(ends) == 1 or ends == ["approval.approved", "approval.cancelled"]
        assert final.version == 1 + len(ends)
        wins[said[0]] += 1
    assert set(wins) == set(WORDS), wins
    await verified(house)


@pytest.mark.req("H4")
@pytest.mark.req("S2")
async def test_two_executors_and_a_kill_or_a_new_policy_at_once_act_at_most_once_in_every_round(scene: Any) -> None:
    house, one, two, runners = scene
    states: Counter[str] = Counter()
    for number in range(ROUNDS // 4):
        session = await house.session()
        parked = await house.ask(session, "Write", "gated")
        await house.approve(parked.approval_id)
        (job,), house.queue.sent = house.queue.sent, []
        house.connector.sent.clear()

        third = ("nothing", "kill", "deny")[number % 3]
        write_policy(house.broker.settings.data, DENY if third == "deny" else SCRIBE_YAML)

        async def both(job: Any = job, session: Session = session, third: str = third, at: int = number % 2) -> None:
            works = [two.broker.resume(*job), two.broker.resume(*job)]
            if third == "kill":
                works.insert(at, two.built.sessions.kill(session.id, house.operator("olivia")))
            elif third == "deny":
                works.insert(at, two.broker.reload())
            await asyncio.gather(*works)
            await two.broker.reload()

        await asyncio.to_thread(runners.race, partial(one.broker.resume, *job), both)
        record, approval = await house.record(parked.intent_id), await house.reader.approval(parked.approval_id)
        assert len(house.connector.sent) <= 1
        assert (record.state.value, approval.state.value, len(house.connector.sent)) in {
            ("succeeded", "consumed", 1), ("unknown", "consumed", 1), ("cancelled", "cancelled", 0),
            ("refused", "cancelled", 0), ("denied", "cancelled", 0),
        }  # fmt: skip
        states[record.state.value] += 1
    assert states["succeeded"] >= ROUNDS // 12
    await verified(house)


async def verified(house: House) -> None:
    database = open_database(house.broker.settings.database)
    report = await asyncio.to_thread(verify, DatabaseSource(database))
    database.close()
    assert report.ok, report.problem
