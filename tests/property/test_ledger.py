"""The ledger against a model of itself, and against every small change somebody could make to it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select, update

from broker.clock import SystemClock
from broker.errors import ConflictError
from broker.ledger.checkpoint import Checkpointer
from broker.ledger.log import Ledger
from broker.ledger.merkle import leaf_hash, tree_root
from broker.ledger.sources import DatabaseSource
from broker.ledger.verify import verify
from broker.store.base import Insert, Position, Require, Update
from broker.store.database import Database, open_database
from broker.store.schema import migrate
from broker.store.tables import checkpoints, events, instances, ledger_head
from tests.parts.ledgers import SeedSigner, beat, change, fill, running, set_beat

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.integers(0, 3)
STEPS = st.one_of(
    st.builds(beat, NAMES, VALUES),
    st.builds(set_beat, NAMES, VALUES, VALUES),
    st.builds(lambda name, value: Require("instances", {"id": name, "beat_at_ns": value}), NAMES, VALUES),
)
CHANGES = st.lists(STEPS, max_size=3).map(tuple)


def expected(rows: dict[str, int], steps: tuple[Any, ...]) -> dict[str, int] | None:
    """Return the rows after a change, None when it loses: the whole meaning of a change, the slow and obvious way."""
    rows = dict(rows)
    for step in steps:
        if isinstance(step, Insert):
            if step.values["id"] in rows:
                return None
            rows[step.values["id"]] = step.values["beat_at_ns"]
            continue
        if rows.get(step.where["id"]) != step.where["beat_at_ns"]:
            return None
        if isinstance(step, Update):
            rows[step.where["id"]] = step.values["beat_at_ns"]
    return rows


class LedgerMachine(RuleBasedStateMachine):
    """Two ledgers on one database, batches of changes, restarts, checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ostiary-ledger-"))
        self.runner = asyncio.Runner()
        self.rows: dict[str, int] = {}
        self.leaves: list[str] = []
        self.signed = 0

    @initialize()
    def open(self) -> None:
        self.databases = [open_database(f"sqlite:///{self.folder / 'l.sqlite3'}") for _ in range(2)]
        migrate(self.databases[0])
        self.ledgers = [self._started(database) for database in self.databases]
        self.checkpointer = Checkpointer(self.databases[0], SeedSigner(), "o")

    @rule(batch=st.lists(CHANGES, min_size=1, max_size=6), which=st.integers(0, 1))
    def commit(self, batch: list[tuple[Any, ...]], which: int) -> None:
        for steps, answer in zip(batch, self._all(which, batch), strict=True):
            after = expected(self.rows, steps)
            if after is None:
                assert isinstance(answer, ConflictError)
            else:
                assert isinstance(answer, Position)
                self.rows = after
                self.leaves.append(answer.leaf)
                assert answer.seq == len(self.leaves)

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        self.runner.run(self.ledgers[which].aclose())
        self.ledgers[which] = self._started(self.databases[which])

    @rule(forget=st.booleans())
    def sign(self, forget: bool) -> None:
        if forget:
            self.checkpointer = Checkpointer(self.databases[1], SeedSigner(), "o")
        made = self.runner.run(self.checkpointer.checkpoint())
        assert (made is None) == (self.signed == len(self.leaves))
        self.signed = len(self.leaves)
        if made is not None:
            assert made.root == tree_root([bytes.fromhex(leaf) for leaf in self.leaves])

    @rule()
    def probe(self) -> None:
        self.runner.run(self.ledgers[0].probe())

    @invariant()
    def rows_and_events_are_those_of_the_model(self) -> None:
        if not hasattr(self, "databases"):
            return
        with self.databases[1].connect() as connection:
            assert {row.id: row.beat_at_ns for row in connection.execute(select(instances))} == self.rows
        report = verify(DatabaseSource(self.databases[1]))
        assert (report.ok, report.events) == (True, len(self.leaves)), report.problem
        assert report.root == tree_root([bytes.fromhex(leaf) for leaf in self.leaves]).hex()

    def teardown(self) -> None:
        for ledger, database in zip(getattr(self, "ledgers", []), getattr(self, "databases", []), strict=True):
            self.runner.run(ledger.aclose())
            database.close()
        self.runner.close()
        shutil.rmtree(self.folder)

    def _started(self, database: Database) -> Ledger:
        ledger = Ledger(database, SystemClock())
        ledger.start()
        return ledger

    def _all(self, which: int, batch: list[tuple[Any, ...]]) -> list[Position | BaseException]:
        async def run() -> list[Position | BaseException]:
            tries = [self.ledgers[which].commit(change(*steps)) for steps in batch]
            return await asyncio.gather(*tries, return_exceptions=True)

        return self.runner.run(run())


LedgerMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestLedger = pytest.mark.req("E1")(LedgerMachine.TestCase)


@pytest.fixture(scope="module")
def signed_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Nine events with checkpoints at 5 and 9."""
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('signed') / 'l.sqlite3'}")
    migrate(database)

    async def build() -> None:
        async with running(database) as ledger:
            for count in (5, 4):
                await fill(ledger, count)
                await Checkpointer(database, SeedSigner(), "o").checkpoint()

    asyncio.run(build())
    yield database
    database.close()


@contextlib.contextmanager
def tampered(database: Database) -> Iterator[Any]:
    """Yield a connection whose changes are undone at the end; the verifier reads through it."""
    with database.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        finally:
            connection.exec_driver_sql("ROLLBACK")


class OneConnection(DatabaseSource):
    """Verifies inside the tamperer's transaction."""

    def __init__(self, database: Database, connection: Any) -> None:
        super().__init__(database)
        self._connection = connection

    @contextlib.contextmanager
    def open(self) -> Iterator[Any]:
        from broker.ledger.sources import _Snapshot

        yield _Snapshot(self._connection)


@pytest.mark.req("E1")
@given(
    seq=st.integers(1, 9),
    column=st.sampled_from([column.name for column in events.columns]),
    position=st.integers(0, 10_000),
    flip=st.integers(1, 255),
    rehash=st.booleans(),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_single_change_to_an_event_goes_unnoticed(
    signed_ledger: Database, seq: int, column: str, position: int, flip: int, rehash: bool
) -> None:
    where = events.c.seq == seq
    with tampered(signed_ledger) as connection:
        before = connection.execute(select(events.c[column]).where(where)).scalar_one()
        after = _changed(before, position, flip)
        values = {column: after}
        if column == "body" and rehash:
            values["leaf"] = leaf_hash(after)
        connection.execute(update(events).where(where).values(values))
        report = verify(OneConnection(signed_ledger, connection))
    assert not report.ok
    assert report.first_bad_seq is not None
    assert report.first_bad_seq <= seq
    assert verify(DatabaseSource(signed_ledger)).ok


def _changed(value: Any, position: int, flip: int) -> Any:
    if isinstance(value, int):
        return value + 1000 + flip
    if isinstance(value, str):
        return value[: position % (len(value) + 1)] + chr(flip) + value[position % (len(value) + 1) :]
    changed = bytearray(value)
    changed[position % len(changed)] ^= flip
    return bytes(changed)


@pytest.mark.req("E1")
@given(
    table=st.sampled_from([ledger_head, checkpoints]), column=st.integers(0, 3), position=st.integers(0, 500),
    flip=st.integers(1, 255),
)  # fmt: skip
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_single_change_to_a_head_or_a_checkpoint_goes_unnoticed(
    signed_ledger: Database, table: Any, column: int, position: int, flip: int
) -> None:
    key = asyncio.run(SeedSigner().public_key())
    names = ["size", "frontier"] if table is ledger_head else ["size", "note"]
    name = names[column % 2]
    with tampered(signed_ledger) as connection:
        before = connection.execute(select(table.c[name]).order_by(table.c.size)).scalars().first()
        after = _changed(before, position, flip)
        connection.execute(update(table).where(table.c[name] == before).values({name: after}))
        report = verify(OneConnection(signed_ledger, connection), public_key=key)
    # Base64 has bits at its end that say nothing; a note that still says the same under the same key is the same.
    assert not report.ok or name == "note"
    if report.ok:
        assert report.root == verify(DatabaseSource(signed_ledger), public_key=key).root
