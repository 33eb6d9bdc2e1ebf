"""The journal when the ledger is away: what is owed is written when it comes back, once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog.testing
from sqlalchemy import text

from broker.errors import ConflictError, LedgerUnavailableError
from broker.intents import MAX_OWED, Conclusion, Journal
from broker.ledger.log import Ledger
from broker.model import IntentRecord, IntentState
from broker.outcome import Problem, ProblemKind
from broker.store.base import Change, EventType, Position
from broker.store.database import Database, open_database
from connectors.base import CallResult, Plan
from tests.house import House, open_house
from tests.parts.ledgers import intent


class Switch:
    """Takes the ledger's head away and puts it back, as a database does that fails for a while."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def off(self) -> None:
        with self._database.transaction() as connection:
            connection.execute(text("ALTER TABLE ledger_head RENAME TO away"))

    def on(self) -> None:
        with self._database.transaction() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO ledger_head"))


@pytest.fixture
async def switched(tmp_path: Path) -> AsyncIterator[tuple[House, Switch]]:
    async with open_house(tmp_path) as house:
        database = open_database(house.broker.settings.database)
        yield house, Switch(database)
        database.close()


async def executing(house: House) -> IntentRecord:
    """Return an intent that is under way."""
    session = await house.session()
    record = intent(
        house.journal.new_id(), session_id=session.id, state=IntentState.EXECUTING, version=0, access="write"
    )
    attempt = house.journal.attempt(record, {})
    await attempt.__aenter__()
    return attempt.record


async def settled(house: House, intent_id: str, state: IntentState) -> None:
    async with asyncio.timeout(30):
        while (await house.record(intent_id)).state is not state:  # noqa: ASYNC110 - nothing tells of a row
            await asyncio.sleep(0.01)


@pytest.mark.req("E1")
async def test_an_outcome_the_ledger_refused_is_written_when_it_comes_back(switched: tuple[House, Switch]) -> None:
    house, switch = switched

    async def fail_the_ledger(plan: Plan) -> CallResult:
        switch.off()
        return CallResult({"name": "precious"})

    house.connector.deed = fail_the_ledger
    outcome = await house.ask(await house.session(), "Write")
    assert (outcome.state, outcome.problem and outcome.problem.kind) == (
        IntentState.UNKNOWN, ProblemKind.LEDGER_UNAVAILABLE,
    )  # fmt: skip
    assert "precious" not in str(outcome)
    assert (await house.record(outcome.intent_id)).state is IntentState.EXECUTING
    switch.on()
    await settled(house, outcome.intent_id, IntentState.SUCCEEDED)
    assert await house.event_types(intent_id=outcome.intent_id) == ["intent.executing", "intent.succeeded"]
    assert len(house.connector.sent) == 1


async def test_a_read_the_ledger_refused_is_refused_and_nothing_of_it_is_shown(switched: tuple[House, Switch]) -> None:
    house, switch = switched

    async def fail_the_ledger(plan: Plan) -> CallResult:
        await asyncio.sleep(0.05)
        switch.off()
        return CallResult({"name": "precious"})

    house.connector.deed = fail_the_ledger
    outcome = await house.ask(await house.session(), "Read")
    assert (outcome.state, outcome.result) == (IntentState.REFUSED, {})
    switch.on()


async def test_an_owed_outcome_somebody_else_recorded_first_is_dropped(switched: tuple[House, Switch]) -> None:
    house, switch = switched
    record = await executing(house)
    switch.off()
    first = False
    with structlog.testing.capture_logs() as logs:
        with pytest.raises(LedgerUnavailableError):
            await house.journal.conclude(record, Conclusion(IntentState.SUCCEEDED))
        switch.on()
        await house.ledger.probe()
        # On a machine that sleeps here for half a second the owed one is first; then this one loses.
        with contextlib.suppress(ConflictError):
            await house.journal.close_lost(record)
            first = True
        async with asyncio.timeout(30):
            while house.journal._owed:  # noqa: ASYNC110 - they end by themselves
                await asyncio.sleep(0.01)
    end = "intent.unknown" if first else "intent.succeeded"
    assert await house.event_types(intent_id=record.id) == ["intent.executing", end]
    assert [each["event"] for each in logs].count("outcome_was_recorded_before") == int(first)


async def test_a_loser_of_the_race_for_the_outcome_changes_nothing(house: House) -> None:
    record = await executing(house)
    await house.journal.conclude(record, Conclusion(IntentState.SUCCEEDED, result={"a": 1}))
    with pytest.raises(ConflictError):
        await house.journal.close_lost(record)
    assert await house.event_types(intent_id=record.id) == ["intent.executing", "intent.succeeded"]


async def test_only_so_many_outcomes_are_owed_and_the_rest_is_left_to_the_reconciler(house: House) -> None:
    record = await executing(house)
    await house.ledger.aclose()
    with structlog.testing.capture_logs() as logs:
        for _ in range(MAX_OWED + 2):
            with pytest.raises(LedgerUnavailableError):
                await house.journal.conclude(record, Conclusion(IntentState.SUCCEEDED))
    assert len(house.journal._owed) == MAX_OWED
    assert [each["event"] for each in logs] == ["outcome_dropped"] * 2
    await house.journal.aclose()
    assert not [task for task in house.journal._owed if not task.done()]


async def test_an_attempt_that_was_not_entered_cannot_be_concluded(house: House) -> None:
    attempt = house.journal.attempt(intent("int_x"), {})
    with pytest.raises(RuntimeError, match="not entered"):
        await attempt.begun()


@pytest.mark.parametrize(("access", "sent", "state"), [("write", True, "unknown"), ("write", False, "failed"),
    ("read", True, "failed"), ("destroy", True, "unknown"), ("secret", True, "unknown")])  # fmt: skip
async def test_an_attempt_that_is_left_without_a_word_gets_the_outcome_its_place_says(
    house: House, access: str, sent: bool, state: str
) -> None:
    session = await house.session()
    record = intent(
        house.journal.new_id(), session_id=session.id, state=IntentState.EXECUTING, version=0, access=access
    )
    async with house.journal.attempt(record, {}) as attempt:
        if sent:
            attempt.sending()
        assert attempt.may_have_acted is (sent and access != "read")
    assert await house.event_types(intent_id=record.id) == ["intent.executing", f"intent.{state}"]


async def test_what_an_outcome_holds_is_on_the_ledger_as_a_digest_and_a_size(house: House) -> None:
    from broker.ledger.events import parse_event
    from broker.store.base import EventFilter

    record = await executing(house)
    problem = Problem(ProblemKind.UPSTREAM_REFUSED, "no")
    done = await house.journal.conclude(
        record, Conclusion(IntentState.SUCCEEDED, result={"secret": "s"}, problem=problem, output_bytes=7)
    )
    assert replace(done, updated_at_ns=0) == replace(await house.record(record.id), updated_at_ns=0)
    body = (await house.reader.events(EventFilter(intent_id=record.id)))[-1].body
    data = parse_event(body).data
    assert data["output_bytes"] == 7
    assert len(data["result_digest"]) == 64
    assert data["problem"]["kind"] == "upstream-refused"
    assert b'"s"' not in body


class LostAnswer:
    """A ledger whose first answer to an `executing` event is lost on its way, as a database connection can lose one."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lost = False

    def submit(self, change: Change, *, patient: bool = False) -> asyncio.Future[Position]:
        return asyncio.ensure_future(self._answer(change, patient=patient))

    async def commit(self, change: Change) -> Position:
        return await self._ledger.commit(change)

    async def _answer(self, change: Change, *, patient: bool) -> Position:
        position = await self._ledger.submit(change, patient=patient)
        if change.event.type is EventType.INTENT_EXECUTING and not self._lost:
            self._lost = True
            raise LedgerUnavailableError("the connection was lost after the commit")
        return position


@pytest.mark.req("E1")
async def test_a_write_whose_beginning_was_recorded_without_an_answer_is_not_sent_and_does_not_wait_for_ever(
    house: House,
) -> None:
    session = await house.session()
    journal = Journal(LostAnswer(house.ledger), house.clock, "ins_test")
    record = intent(journal.new_id(), session_id=session.id, state=IntentState.EXECUTING, version=0, access="write")
    with pytest.raises(LedgerUnavailableError):
        async with journal.attempt(record, {}):
            raise AssertionError("nothing may be sent")
    await settled(house, record.id, IntentState.FAILED)
    assert await house.event_types(intent_id=record.id) == ["intent.executing", "intent.failed"]
    await journal.aclose()


@pytest.mark.req("E1")
async def test_a_beginning_nobody_waits_for_any_more_gets_its_end(house: House) -> None:
    session = await house.session()
    record = intent(
        house.journal.new_id(), session_id=session.id, state=IntentState.EXECUTING, version=0, access="write"
    )
    entering = asyncio.create_task(house.journal.attempt(record, {}).__aenter__())
    await asyncio.sleep(0)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    told = ["intent.executing", "intent.failed"]
    async with asyncio.timeout(30):
        while await house.event_types(intent_id=record.id) != told:  # noqa: ASYNC110 - nothing tells of a row
            await asyncio.sleep(0.01)
