"""Budgets against a model: two processes on one store, calls at once, crashes, grants, new periods."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from broker.config.limits import Mode, Period
from broker.config.model import Configuration
from broker.holds import NOTHING, Unit, used
from broker.limits.budgets import Grant
from broker.model import IntentRecord, Session
from broker.outcome import Problem, ProblemKind
from broker.store.database import Synchronous, open_database
from broker.store.schema import migrate
from connectors.base import Plan
from connectors.usage import Usage
from tests.house import ManualClock
from tests.unit.broker.limits.spending import (
    NOON_NS,
    Till,
    amounts,
    asking,
    budget,
    call,
    calls,
    came_to,
    configured,
    money,
    opened,
    till,
    tokens,
)

SESSIONS = (opened("ses_1"), opened("ses_2", root_id="ses_1", parent_id="ses_1", depth=1), opened("ses_3"))
MODES = st.sampled_from(list(Mode))
CALLS = st.tuples(st.sampled_from(SESSIONS), st.integers(0, 300), st.integers(0, 6_000))


@dataclass(frozen=True)
class Under:
    """A call under way: what it holds, and what it was allowed to come to."""

    record: IntentRecord
    plan: Plan

    @property
    def most(self) -> Usage:
        return came_to(self.plan.estimate.input_tokens, self.plan.estimate.output_tokens)

    def excess(self, key: str) -> int:
        """What it may come to beyond what it holds of a budget."""
        for line_key, unit, amount in self.record.hold["lines"]:
            if line_key == key:
                return used(Unit(unit), self.most) - int(amount)
        return 0


@cache
def migrated() -> bytes:
    """Return a database with its tables and nothing else; a migration costs more than all the steps of an example."""
    with tempfile.TemporaryDirectory(prefix="ostiary-budgets-") as folder:
        path = Path(folder) / "empty.sqlite3"
        database = open_database(f"sqlite:///{path}")
        migrate(database)
        database.close()
        return path.read_bytes()


class BudgetMachine(RuleBasedStateMachine):
    """Two tills over one SQLite file. `used`, `reserved` and `extra` are what the rows must say."""

    def __init__(self) -> None:
        super().__init__()
        self.stack, self.runner = contextlib.AsyncExitStack(), asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="ostiary-budgets-"))
        self.tills: list[Till] = []
        self.under: list[Under] = []
        self.used: dict[str, int] = defaultdict(int)
        self.extra: dict[str, int] = defaultdict(int)
        self.bounds: dict[str, int] = {}

    @initialize(agent=MODES, project=MODES)
    def open(self, agent: Mode, project: Mode) -> None:
        own = asking(tokens(9_000), tokens(7_000, Period.SESSION), mode=agent, thresholds=(50,))
        shared = budget(money(0.000_2, Period.HOUR), calls(6, period=Period.HOUR), mode=project, zone="Europe/Berlin")
        self.modes = {"agent": agent, "session": agent, "project": project}
        self.caps = {line.name: line.cap for line in (*own.lines, *shared.lines)}
        clock = ManualClock(NOON_NS)
        path = self.folder / "one.sqlite3"
        path.write_bytes(migrated())
        for _ in range(2):
            self.tills.append(self.runner.run(self._till(path, configured(own, shared), clock)))

    @rule(which=st.integers(0, 1), asked=CALLS, agreed=st.booleans())
    def begin(self, which: int, asked: tuple[Session, int, int], agreed: bool) -> None:
        session, plan = asked[0], call(*asked[1:])
        answer = self.runner.run(self.tills[which].begin(session, plan))
        if isinstance(answer, Grant) and agreed:
            grant, answer = answer, self.runner.run(self.tills[1 - which].begin(session, plan, answer))
            if isinstance(answer, IntentRecord):
                self.extra[grant.key] += grant.extra
            else:
                # Nobody came between: what a yes gives is enough, and only another budget can be short.
                assert isinstance(answer, Problem)
                assert answer.kind is ProblemKind.BUDGET_EXCEEDED
                assert answer.reason != grant.name
        self._begun(answer, plan)

    @rule(asked=st.lists(CALLS, min_size=2, max_size=8))
    def begin_at_once(self, asked: list[tuple[Session, int, int]]) -> None:
        async def run() -> list[IntentRecord | Problem | Grant]:
            tries = [self.tills[number % 2].begin(each[0], call(*each[1:])) for number, each in enumerate(asked)]
            return list(await asyncio.gather(*tries))

        for answer, each in zip(self.runner.run(run()), asked, strict=True):
            self._begun(answer, call(*each[1:]))

    @precondition(lambda self: self.under)
    @rule(which=st.integers(0, 1), number=st.integers(0, 99), read=st.floats(0, 1), written=st.floats(0, 1))
    def settle(self, which: int, number: int, read: float, written: float) -> None:
        ended = self.under.pop(number % len(self.under))
        most = ended.most
        usage = came_to(int(most.input_tokens * read), int(most.output_tokens * written))
        self.tills[which].budgets.learn(SESSIONS[0], usage)
        self._end(which, ended, usage)

    @precondition(lambda self: self.under)
    @rule(which=st.integers(0, 1), number=st.integers(0, 99), sent=st.booleans())
    def crash(self, which: int, number: int, sent: bool) -> None:
        """A process dies and another settles what it held; or it is known that nothing was sent."""
        self._end(which, self.under.pop(number % len(self.under)), None if sent else NOTHING)

    @rule(minutes=st.sampled_from([1, 61, 12 * 60]))
    def wait(self, minutes: int) -> None:
        for each in {id(each.clock): each.clock for each in self.tills}.values():
            each.advance(minutes * 60)

    @invariant()
    def rows_are_those_of_the_model(self) -> None:
        if not self.tills:
            return
        rows, reserved = self.runner.run(self.tills[0].rows()), self._reserved()
        keys = rows.keys() | reserved.keys() | self.used.keys()
        for key in keys:
            row = rows[key]
            assert (row.used, row.reserved, row.extra) == (self.used[key], reserved[key], self.extra[key]), key
            over = row.used + row.reserved - self.caps[key.split("/")[2]] - row.extra
            strict = self.modes[key.split("/")[0]] is Mode.STRICT
            assert over <= (0 if strict else max(0, self.bounds.get(key, 0))), key

    def teardown(self) -> None:
        for ended in self.under if self.tills else ():
            self._end(0, ended, None)
        self.under = []
        self.rows_are_those_of_the_model()
        self.runner.run(self.stack.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)

    async def _till(self, path: Path, configuration: Configuration, clock: ManualClock) -> Till:
        database = open_database(f"sqlite:///{path}", synchronous=Synchronous.NORMAL)
        self.stack.callback(database.close)
        made = await self.stack.enter_async_context(till(database))
        return replace(made, configuration=configuration, clock=clock)

    def _begun(self, answer: IntentRecord | Problem | Grant, plan: Plan) -> None:
        if not isinstance(answer, IntentRecord):
            return
        self.under.append(Under(answer, plan))
        # Whatever is used beyond the cap from here on, until the next reservation fits, comes from these calls.
        for key in amounts(answer):
            self.bounds[key] = sum(each.excess(key) for each in self.under)
            assert self.under[-1].excess(key) == 0 or self.modes[key.split("/")[0]] is Mode.ADAPTIVE

    def _end(self, which: int, ended: Under, usage: Usage | None) -> None:
        self.runner.run(self.tills[which].end(ended.record, usage))
        for key, unit, amount in ended.record.hold["lines"]:
            self.used[key] += int(amount) if usage is None else used(Unit(unit), usage)

    def _reserved(self) -> dict[str, int]:
        found: dict[str, int] = defaultdict(int)
        for each in self.under:
            for key, amount in amounts(each.record).items():
                found[key] += amount
        return found


BudgetMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
TestBudgets = pytest.mark.req("L1")(BudgetMachine.TestCase)
