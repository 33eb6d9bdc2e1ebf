"""What reads, result bodies and heartbeats promise, on every database they run on."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from broker.clock import SystemClock
from broker.errors import ConflictError
from broker.ids import IntentId, SessionId, TokenHash
from broker.model import ApprovalState, IntentState, Session
from broker.store.base import EventFilter, EventType, Insert, Minted, Update
from broker.store.database import Database
from broker.store.heartbeats import SqlHeartbeats
from broker.store.outputs import SqlOutputs, open_outputs
from broker.store.reader import SqlReader
from broker.store.rows import (
    insert_approval,
    insert_intent,
    move_approval,
    move_intent,
    session_mints,
    session_values,
)
from policies.model import Assurance
from tests.parts.ledgers import approval, change, event, intent, running, session

FAR_NS = 10**9


def chain(*names: str) -> list[Session]:
    """Sessions each of which was handed out by the one before it."""
    above = ["", *names]
    roots = ["", *[names[0]] * len(names)]
    return [
        session(name, parent_id=above[depth], root_id=roots[depth], depth=depth) for depth, name in enumerate(names)
    ]


async def test_sessions_are_found_by_token_and_id(database: Database) -> None:
    known = session()
    async with running(database) as ledger:
        await ledger.commit(change(Insert("sessions", session_values(known, TokenHash("t")))))
        row = {"token_hash": "o", "operator": "olivia", "created_at_ns": 1, "expires_at_ns": 100}
        await ledger.commit(change(Insert("operator_tokens", row)))
    reader = SqlReader(database)
    assert await reader.session_by_token(TokenHash("t")) == await reader.session(known.id) == known
    assert await reader.session_by_token(TokenHash("u")) is None
    assert await reader.session_by_token(TokenHash("t\0")) is None
    assert await reader.operator_by_token(TokenHash("o"), 99) == "olivia"
    assert await reader.operator_by_token(TokenHash("o"), 100) is None


async def test_what_a_session_was_handed_out_with_comes_back(database: Database) -> None:
    known = session(
        scopes=(("git:read on repos/*",), ("git:read on repos/a/*", "deny git:read on repos/a/b")),
        parent_id="ses_0", root_id="ses_00", depth=2, added_labels={"part": "lint"},
    )  # fmt: skip
    async with running(database) as ledger:
        await ledger.commit(change(Insert("sessions", session_values(known, TokenHash("t")))))
    assert await SqlReader(database).session(known.id) == known


@pytest.mark.req("S2")
@pytest.mark.parametrize("killed", ["ses_0", "ses_1", "ses_2", "ses_3"])
async def test_a_session_is_dead_as_soon_as_one_above_it_is(database: Database, killed: str) -> None:
    family = chain("ses_0", "ses_1", "ses_2", "ses_3")
    async with running(database) as ledger:
        for each in (*family, session("ses_9")):
            await ledger.commit(change(Insert("sessions", session_values(each, TokenHash(each.id)))))
        await ledger.commit(change(Update("sessions", {"id": killed}, {"killed_at_ns": 50})))
    reader = SqlReader(database)
    dead = [each.id for each in family if each.id >= killed]
    for each in (*family, session("ses_9")):
        for found in (await reader.session(each.id), await reader.session_by_token(TokenHash(each.id))):
            assert found is not None
            assert found.killed_at_ns == (50 if each.id in dead else 0)
    assert await reader.killed_sessions(0) == await reader.killed_sessions(50) == dead
    assert await reader.killed_sessions(51) == []
    assert await reader.unkilled_family(family[0].id) == [each.id for each in family if each.id != killed]


async def test_a_family_is_listed_from_the_top_and_counted_without_it(database: Database) -> None:
    top = session("ses_5", expires_at_ns=100)
    below = [
        session(name, parent_id=above, root_id="ses_5", depth=depth, expires_at_ns=end)
        for name, above, depth, end in (
            ("ses_3", "ses_5", 1, 100), ("ses_4", "ses_3", 2, 100), ("ses_6", "ses_5", 1, 30), ("ses_1", "ses_6", 2, 30)
        )
    ]  # fmt: skip
    reader = SqlReader(database)
    async with running(database) as ledger:
        for each in (top, *below):
            await ledger.commit(change(Insert("sessions", session_values(each, TokenHash(each.id)))))
        await ledger.commit(change(session_mints(top.id, 0)))
        assert await reader.unkilled_family(top.id) == ["ses_5", "ses_3", "ses_6", "ses_1", "ses_4"]
        assert await reader.unkilled_family(SessionId("ses_3")) == ["ses_3", "ses_4"]
        assert await reader.minted_below(top.id, 29) == Minted(1, 4)
        assert await reader.minted_below(top.id, 30) == Minted(1, 2)
        await ledger.commit(change(Update("sessions", {"id": "ses_4"}, {"killed_at_ns": 5})))
    assert await reader.minted_below(top.id, 29) == Minted(1, 3)
    assert await reader.minted_below(SessionId("ses_none"), 29) == Minted(0, 0)


async def test_terms_and_facts_of_an_approval_come_back(database: Database) -> None:
    asked = approval(
        approvers=("alice", "bob"), assurance=Assurance.PASSKEY, context={"source_ip": "10.0.0.1", "session.x": "\0"}
    )
    async with running(database) as ledger:
        await ledger.commit(change(insert_approval(asked)))
    assert await SqlReader(database).approval(asked.id) == asked


async def test_the_preview_of_an_approval_comes_back_alone_and_not_among_many(database: Database) -> None:
    asked = approval(connection="code", preview={"kind": "git.push", "refs": [{"ref": "a\0\x1b"}]})
    async with running(database) as ledger:
        await ledger.commit(change(insert_approval(asked)))
    reader = SqlReader(database)
    assert await reader.approval(asked.id) == asked
    without = replace(asked, preview={})
    assert await reader.approvals(()) == await reader.overdue_approvals(FAR_NS) == [without]


async def test_intents_are_listed_by_state_oldest_change_first(database: Database) -> None:
    records = [intent(f"int_{number}", updated_at_ns=100 - number) for number in range(5)]
    records[4] = replace(records[4], state=IntentState.SUCCEEDED, session_id=SessionId("ses_2"))
    async with running(database) as ledger:
        for record in records:
            await ledger.commit(change(insert_intent(record)))
        moved = move_intent(records[0], IntentState.EXECUTING, 500, fence=1, owner="me", problem={"x": 1})
        await ledger.commit(change(moved))
        with pytest.raises(ConflictError):
            await ledger.commit(change(moved))
    reader = SqlReader(database)
    waiting = await reader.intents((IntentState.PENDING_APPROVAL,))
    assert [record.id for record in waiting] == ["int_3", "int_2", "int_1"]
    assert [record.id for record in await reader.intents((IntentState.PENDING_APPROVAL,), limit=1)] == ["int_3"]
    assert [record.id for record in await reader.intents(tuple(IntentState), "ses_2")] == ["int_4"]
    assert await reader.intents(()) == []
    first = await reader.intent(IntentId("int_0"))
    assert first == replace(
        records[0], state=IntentState.EXECUTING, version=2, fence=1, owner="me", problem={"x": 1}, updated_at_ns=500
    )


async def test_approvals_are_listed_newest_first_and_overdue_ones_by_their_end(database: Database) -> None:
    asked = [approval(f"apr_{number}", created_at_ns=number, expires_at_ns=50 - number) for number in range(4)]
    asked[3] = replace(asked[3], project="other", session_id=SessionId("ses_9"), state=ApprovalState.REJECTED)
    async with running(database) as ledger:
        for each in asked:
            await ledger.commit(change(insert_approval(each)))
        await ledger.commit(change(move_approval(asked[0], ApprovalState.APPROVED, decided_by="alice")))
    reader = SqlReader(database)
    assert [each.id for each in await reader.approvals(())] == ["apr_3", "apr_2", "apr_1", "apr_0"]
    assert [each.id for each in await reader.approvals((ApprovalState.PENDING,), limit=1)] == ["apr_2"]
    assert [each.id for each in await reader.approvals((), project="other")] == ["apr_3"]
    assert [each.id for each in await reader.approvals((), session_id="ses_1")] == ["apr_2", "apr_1", "apr_0"]
    assert [each.id for each in await reader.overdue_approvals(49)] == ["apr_2", "apr_1"]
    assert [each.id for each in await reader.overdue_approvals(FAR_NS, limit=2)] == ["apr_2", "apr_1"]
    assert await reader.approval(asked[0].id) == replace(
        asked[0], state=ApprovalState.APPROVED, version=2, decided_by="alice"
    )


@pytest.mark.req("E1")
async def test_events_are_filtered_and_paged_by_number(database: Database) -> None:
    async with running(database) as ledger:
        for number in range(1, 11):
            fields = {"agent": f"a{number % 2}", "intent_id": f"int_{number}", "session_id": f"ses_{number % 5}"}
            await ledger.commit(change(number=number, **fields))
        await ledger.commit(change(number=11, kind=EventType.INTENT_DENIED, action="s3:DeleteObject", project="p"))
    reader = SqlReader(database)
    at = event(number=0).at_ns

    async def seqs(**wanted: object) -> list[int]:
        return [row.seq for row in await reader.events(EventFilter(**wanted))]  # type: ignore[arg-type]

    assert await seqs(agent="a1") == [1, 3, 5, 7, 9]
    assert await seqs(agent="a1", newest_first=True, limit=2) == [9, 7]
    assert await seqs(agent="a1", after_seq=3, before_seq=9) == [5, 7]
    assert await seqs(session_id="ses_2") == [2, 7]
    assert await seqs(intent_id="int_4") == [4]
    assert await seqs(type="intent.denied") == await seqs(action="s3:DeleteObject") == await seqs(project="p") == [11]
    assert await seqs(since_ns=at + 3, until_ns=at + 6) == [3, 4, 5]
    assert await seqs(limit=0) == await seqs(limit=-5) == []
    assert await seqs(agent="nul\0") == await seqs(agent="\ud800") == []


async def test_heartbeats_come_move_and_go(database: Database) -> None:
    beats, reader = SqlHeartbeats(database), SqlReader(database)
    await beats.beat("a", 1)
    await beats.beat("b", 1)
    await beats.beat("a", 5)
    assert await reader.live_instances(1) == {"a", "b"}
    assert await reader.live_instances(5) == {"a"}
    await beats.leave("a")
    await beats.leave("a")
    assert await reader.live_instances(0) == {"b"}


async def test_outputs_come_back_in_order_and_end_with_their_time(database: Database, tmp_path: Path) -> None:
    url = (
        f"sqlite:///{tmp_path / 'outputs.sqlite3'}"
        if database.path
        else database.url.render_as_string(hide_password=False)
    )
    opened, again = open_outputs(url), open_outputs(url)
    clock = SteppingClock()
    outputs = SqlOutputs(opened, clock)
    big = secrets.token_bytes(1 << 20)
    for index, chunk in enumerate((b"one", b"", big)):
        await outputs.append(IntentId("int_1"), index, chunk)
    await outputs.append(IntentId("int_2"), 0, b"other")
    assert [chunk async for chunk in SqlOutputs(again, clock).read(IntentId("int_1"))] == [b"one", b"", big]
    with pytest.raises(ConflictError):
        await outputs.append(IntentId("int_1"), 1, b"forged")
    assert await outputs.expire(3) == 0, "a body that is still being written is kept whole"
    assert await outputs.expire(4) == 1
    assert [chunk async for chunk in outputs.read(IntentId("int_1"))] == []
    await outputs.discard(IntentId("int_2"))
    assert [chunk async for chunk in outputs.read(IntentId("int_2"))] == []
    opened.close()
    again.close()


class SteppingClock(SystemClock):
    """One nanosecond later at every look."""

    def __init__(self) -> None:
        self._now_ns = 0

    def now_ns(self) -> int:
        self._now_ns += 1
        return self._now_ns
