"""What the ledger and the store promise, on every database they run on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import uvloop

from broker.clock import SystemClock
from broker.errors import ConflictError, LedgerUnavailableError, StoreUnavailableError
from broker.ids import IntentId, SessionId, TokenHash
from broker.ledger.events import parse_event
from broker.ledger.log import Ledger
from broker.ledger.merkle import leaf_hash
from broker.ledger.sources import DatabaseSource
from broker.ledger.verify import verify
from broker.model import ApprovalState
from broker.store.base import EventFilter, EventType, Insert, Minted, Require, Update
from broker.store.database import Database, open_database
from broker.store.reader import SqlReader
from broker.store.rows import (
    insert_approval,
    insert_intent,
    move_approval,
    session_lives,
    session_mints,
    session_values,
    use_of,
)
from broker.store.schema import migrate
from broker.store.statements import UnwritableError
from policies.model import UseLimit
from tests.parts.ledgers import approval, beat, change, fill, intent, running, session, set_beat


async def test_a_change_and_its_event_are_there_after_commit(database: Database) -> None:
    record = intent(result={"a": 1}, idempotency_key="k")
    async with running(database) as ledger:
        place = await ledger.commit(change(insert_intent(record), intent_id=record.id))
    reader = SqlReader(database)
    assert await reader.intent(record.id) == record
    (stored,) = await reader.events(EventFilter(intent_id=record.id))
    assert (stored.seq, stored.leaf.hex()) == (place.seq, place.leaf) == (1, leaf_hash(stored.body).hex())
    assert parse_event(stored.body).intent_id == record.id


@pytest.mark.req("H3")
async def test_an_approval_consumed_by_many_at_once_has_one_winner_and_one_event(database: Database) -> None:
    asked = approval(state=ApprovalState.APPROVED)
    async with running(database) as one, running(database) as two:
        await one.commit(change(insert_approval(asked)))
        tries = [
            ledger.commit(change(move_approval(asked, ApprovalState.CONSUMED), kind=EventType.INTENT_EXECUTING))
            for _ in range(20)
            for ledger in (one, two)
        ]
        answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert sum(isinstance(answer, ConflictError) for answer in answers) == 39
    assert len(await SqlReader(database).events(EventFilter())) == 2


async def test_a_change_that_loses_its_last_step_leaves_none_of_its_steps_and_no_event(database: Database) -> None:
    async with running(database) as ledger:
        await ledger.commit(change(beat("a", 1)))
        with pytest.raises(ConflictError):
            await ledger.commit(change(beat("b", 2), set_beat("a", 1, 5), set_beat("a", 99, 6)))
        await ledger.commit(change(beat("c", 3)))
    reader = SqlReader(database)
    assert await reader.live_instances(0) == {"a", "c"}
    assert await reader.live_instances(2) == {"c"}
    assert [row.seq for row in await reader.events(EventFilter())] == [1, 2]


async def test_losers_and_winners_of_one_batch_do_not_touch_each_other(database: Database) -> None:
    async with running(database) as ledger:
        changes = [
            change(beat(f"n{number}", number), set_beat(f"n{number}", number if number % 3 else -1, 1000 + number))
            for number in range(1, 61)
        ]
        answers = await asyncio.gather(*map(ledger.commit, changes), return_exceptions=True)
    lost = [number for number, answer in enumerate(answers, start=1) if isinstance(answer, ConflictError)]
    assert lost == [number for number in range(1, 61) if number % 3 == 0]
    assert await SqlReader(database).live_instances(1000) == {f"n{number}" for number in range(1, 61) if number % 3}
    report = verify(DatabaseSource(database))
    assert (report.ok, report.events) == (True, 40)


async def test_an_existing_key_loses_the_insert_and_keeps_its_row(database: Database) -> None:
    async with running(database) as ledger:
        await ledger.commit(change(insert_intent(intent(idempotency_key="k"))))
        for again in (intent(owner="thief"), intent("int_2", idempotency_key="k")):
            with pytest.raises(ConflictError):
                await ledger.commit(change(insert_intent(again)))
        await ledger.commit(change(insert_intent(intent("int_3"))))
        await ledger.commit(change(insert_intent(intent("int_4"))))
    reader = SqlReader(database)
    found = await reader.intent(IntentId("int_1"))
    assert found is not None
    assert found.owner == ""
    assert await reader.intent_by_key(SessionId("ses_1"), "k") == found
    assert len(await reader.events(EventFilter())) == 3


async def test_an_update_that_would_double_a_key_loses_alone(database: Database) -> None:
    async with running(database) as ledger:
        for name in ("one", "two"):
            row = session_values(session(f"ses_{name}"), TokenHash(name))
            await ledger.commit(change(Insert("sessions", row)))
        thief = change(Update("sessions", {"id": "ses_one"}, {"token_hash": "two"}))
        answers = await asyncio.gather(
            ledger.commit(change(beat("a"))),
            ledger.commit(thief),
            ledger.commit(change(beat("b"))),
            return_exceptions=True,
        )
        assert [type(answer).__name__ for answer in answers] == ["Position", "ConflictError", "Position"]
        assert ledger.ready
    assert await SqlReader(database).live_instances(0) == {"a", "b"}


async def test_an_update_of_two_rows_is_undone(database: Database) -> None:
    async with running(database) as ledger:
        await fill(ledger, 1)
        await ledger.commit(change(beat("a", 5), beat("b", 5)))
        with pytest.raises(ConflictError, match="touched 2 rows"):
            await ledger.commit(change(Update("instances", {"beat_at_ns": 5}, {"beat_at_ns": 9})))
        with pytest.raises(ConflictError, match="touched 2 rows"):
            await ledger.commit(change(Require("instances", {"beat_at_ns": 5})))
    assert await SqlReader(database).live_instances(6) == set()


@pytest.mark.req("S2")
async def test_nothing_starts_in_a_session_that_was_killed_meanwhile(database: Database) -> None:
    async with running(database) as ledger:
        await ledger.commit(change(Insert("sessions", session_values(session(), TokenHash("t")))))
        await ledger.commit(change(session_lives(SessionId("ses_1")), insert_intent(intent("int_1"))))
        await ledger.commit(change(Update("sessions", {"id": "ses_1", "killed_at_ns": 0}, {"killed_at_ns": 50})))
        with pytest.raises(ConflictError):
            await ledger.commit(change(session_lives(SessionId("ses_1")), insert_intent(intent("int_2"))))
    reader = SqlReader(database)
    assert await reader.intent(IntentId("int_2")) is None
    assert await reader.killed_sessions(0) == await reader.killed_sessions(50) == ["ses_1"]
    assert await reader.killed_sessions(51) == []


@pytest.mark.req("P1")
async def test_of_many_that_take_the_last_use_of_a_rule_one_gets_it(database: Database) -> None:
    reader = SqlReader(database)
    async with running(database) as one, running(database) as two:
        for used in range(3):
            limit = UseLimit("key", "once", used, 3)
            tries = [ledger.commit(change(use_of(limit))) for _ in range(10) for ledger in (one, two)]
            answers = await asyncio.gather(*tries, return_exceptions=True)
            assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
            assert await reader.rule_uses(["key", "other"]) == {"key": used + 1}
    assert await reader.rule_uses([]) == {}


@pytest.mark.req("S1")
async def test_of_sessions_handed_out_at_once_one_is_and_the_others_must_count_again(database: Database) -> None:
    async with running(database) as one, running(database) as two:
        await one.commit(change(Insert("sessions", session_values(session("ses_0"), TokenHash("t")))))
        tries = []
        for number in range(1, 11):
            child = session(f"ses_{number}", parent_id="ses_0", root_id="ses_0", depth=1)
            insert = Insert("sessions", session_values(child, TokenHash(child.id)))
            tries.append((one, two)[number % 2].commit(change(session_mints("ses_0", 0), insert)))
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
        assert await SqlReader(database).minted_below(SessionId("ses_0"), 1) == Minted(1, 1)
        await one.commit(change(Update("sessions", {"id": "ses_0"}, {"killed_at_ns": 50})))
        with pytest.raises(ConflictError):
            await two.commit(change(session_mints("ses_0", 1)))


async def test_none_in_a_condition_means_null_and_an_empty_key_is_null(database: Database) -> None:
    async with running(database) as ledger:
        await ledger.commit(change(insert_intent(intent())))
        await ledger.commit(change(Update("intents", {"id": "int_1", "idempotency_key": None}, {"owner": "me"})))
        with pytest.raises(ConflictError):
            await ledger.commit(change(Update("intents", {"id": "int_1", "idempotency_key": ""}, {"owner": "you"})))
    found = await SqlReader(database).intent(IntentId("int_1"))
    assert found is not None
    assert found.owner == "me"


@pytest.mark.req("O2")
@pytest.mark.parametrize(
    ("steps", "fields"),
    [
        ((beat("nul\0"),), {}),
        ((beat("half \ud800"),), {}),
        ((beat("x" * 1025),), {}),
        ((beat("é" * 600),), {}),
        ((beat("big", 1 << 63),), {}),
        ((beat("bool", at_ns=True),), {}),
        ((beat("none", None),), {}),  # type: ignore[arg-type]
        ((beat("text", "1"),), {}),  # type: ignore[arg-type]
        ((Insert("instances", {"id": 7}),), {}),
        ((Insert("instances", {"beat_at_ns": 1}),), {}),
        ((Insert("instances", {"id": "a", "evil": 1}),), {}),
        ((Insert("passwords", {"id": "a"}),), {}),
        ((Insert("ledger_head", {"id": 1, "frontier": "text"}),), {}),
        ((Update("instances", {}, {"beat_at_ns": 1}),), {}),
        ((), {"action": "s3:\0"}),
        ((), {"agent": "\udc80"}),
        ((), {"data": {"x": float("nan")}}),
        ((), {"data": {"x": "\ud800"}}),
        ((), {"data": {"x": 1 << 64}}),
    ],
)
async def test_what_no_database_can_store_is_refused_before_it_is_queued(
    database: Database, steps: tuple[Insert, ...], fields: dict[str, object]
) -> None:
    async with running(database) as ledger:
        good = asyncio.gather(*(ledger.commit(change(beat(f"n{number}"))) for number in range(3)))
        with pytest.raises(UnwritableError):
            await ledger.commit(change(*steps, **fields))
        assert [place.seq for place in await good] == [1, 2, 3]
        assert ledger.ready


async def test_text_of_every_script_comes_back_as_it_went_in(database: Database) -> None:
    text = "häß \u202e 🜚 \\ ' \" % %s ? \x01"
    async with running(database) as ledger:
        await ledger.commit(change(beat(text), agent=text, data={text: [text, "\0"]}))
    reader = SqlReader(database)
    (stored,) = await reader.events(EventFilter(agent=text))
    assert parse_event(stored.body).data == {text: [text, "\0"]}
    assert await reader.live_instances(0) == {text}


async def test_changes_of_one_batch_see_each_other_in_order(database: Database) -> None:
    async with running(database) as ledger:
        steps = [beat("a", 0), *(set_beat("a", number, number + 1) for number in range(30))]
        places = await asyncio.gather(*(ledger.commit(change(step)) for step in steps))
    assert [place.seq for place in places] == list(range(1, 32))


async def test_a_caller_that_is_cancelled_does_not_take_its_change_back(database: Database) -> None:
    async with running(database) as ledger:
        task = asyncio.create_task(ledger.commit(change(beat("a"))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await ledger.commit(change(beat("b")))
    assert await SqlReader(database).live_instances(0) == {"a", "b"}


async def test_a_closed_ledger_has_written_what_it_was_given_and_takes_no_more(database: Database) -> None:
    ledger = Ledger(database, SystemClock())
    with pytest.raises(LedgerUnavailableError, match="not started"):
        await ledger.commit(change(beat("early")))
    ledger.start()
    tasks = [asyncio.create_task(ledger.commit(change(beat(f"n{number}")))) for number in range(40)]
    await asyncio.sleep(0)
    await ledger.aclose()
    await ledger.aclose()
    assert sorted(place.seq for place in await asyncio.gather(*tasks)) == list(range(1, 41))
    assert (ledger.ready, ledger.reason) == (False, "the ledger is closed")
    with pytest.raises(LedgerUnavailableError, match="closed"):
        await ledger.commit(change(beat("late")))


def test_several_event_loops_share_one_ledger(database: Database) -> None:
    ledger = Ledger(database, SystemClock())
    ledger.start()
    seqs: list[int] = []

    async def work(name: str) -> None:
        changes = [change(beat(f"{name}{number}")) for number in range(50)]
        seqs.extend(place.seq for place in await asyncio.gather(*map(ledger.commit, changes)))

    threads = [
        threading.Thread(target=lambda: uvloop.run(work("u"))),
        threading.Thread(target=lambda: asyncio.run(work("a"))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(ledger.aclose())
    assert sorted(seqs) == list(range(1, 101))


def test_a_loop_that_is_closed_before_its_answer_comes_hurts_nobody(database: Database) -> None:
    ledger = Ledger(database, SystemClock())
    ledger.start()

    async def leave() -> None:
        task = asyncio.get_running_loop().create_task(ledger.commit(change(beat("a"))))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    place = asyncio.run(ledger.commit(change(beat("b"))))
    asyncio.run(ledger.aclose())
    assert place.seq == 2


APPENDER = """
import asyncio, sys
from broker.store.database import open_database
from tests.parts.ledgers import beat, change, running
async def main(url, name, count):
    database = open_database(url)
    async with running(database) as ledger:
        for start in range(0, count, 10):
            await asyncio.gather(*(ledger.commit(change(beat(f"{name}-{n}"))) for n in range(start, start + 10)))
    database.close()
asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@pytest.mark.req("E1")
async def test_several_processes_append_to_one_sound_ledger(database: Database, database_url: str) -> None:
    arguments = [sys.executable, "-W", "error", "-c", APPENDER, database_url]
    processes = [
        subprocess.Popen([*arguments, f"p{number}", "60"], cwd=Path.cwd())  # noqa: ASYNC220 - the loop has no other work
        for number in range(3)
    ]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    report = verify(DatabaseSource(database))
    assert (report.ok, report.events) == (True, 180)
    assert len(await SqlReader(database).live_instances(0)) == 180


async def test_migrating_by_many_at_once_and_again_is_safe(database_url: str) -> None:
    databases = [open_database(database_url) for _ in range(4)]
    await asyncio.gather(*(asyncio.to_thread(migrate, each) for each in databases))
    migrate(databases[0])
    async with running(databases[1]) as ledger:
        assert (await ledger.commit(change())).seq == 1
    for each in databases:
        each.close()


async def test_a_ledger_without_its_tables_does_not_start(database_url: str) -> None:
    database = open_database(database_url)
    with pytest.raises(LedgerUnavailableError, match="cannot be opened"):
        Ledger(database, SystemClock()).start()
    with pytest.raises(StoreUnavailableError):
        await SqlReader(database).intent(IntentId("int_1"))
    database.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        await SqlReader(database).intent(IntentId("int_1"))
