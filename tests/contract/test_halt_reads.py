"""What a halt stops is found, and two of the same never hold at once, on every database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.errors import ConflictError
from broker.ids import HaltId, TokenHash
from broker.model import ApprovalState, Halt, HaltKind, HaltScope
from broker.store.base import Insert, Update
from broker.store.database import Database
from broker.store.halts import halt_values
from broker.store.reader import SqlReader
from broker.store.rows import insert_approval, session_values
from tests.parts.ledgers import approval, change, running, session

pytestmark = pytest.mark.req("S2")

HALT = Halt(HaltId("hlt_1"), HaltScope.AGENT, "ci-runner", HaltKind.KILL, "it ran away", "olivia", 50)


async def test_the_living_sessions_of_a_scope_come_with_those_above_first(database: Database) -> None:
    family = [
        session("ses_5"),
        session("ses_1", parent_id="ses_5", root_id="ses_5", depth=1),
        session("ses_3", parent_id="ses_1", root_id="ses_5", depth=2),
    ]
    others = [session("ses_2", agent="bot"), session("ses_4", agent="bot", project="web")]
    over = [session("ses_6", expires_at_ns=20), session("ses_7", killed_at_ns=15)]
    async with running(database) as ledger:
        for each in (*family, *others, *over):
            await ledger.commit(change(Insert("sessions", session_values(each, TokenHash(each.id)))))
    reader = SqlReader(database)

    async def living(scope: HaltScope, name: str, limit: int = 500) -> list[str]:
        return [each.id for each in await reader.living_sessions(scope, name, 20, limit)]

    assert await living(HaltScope.AGENT, "ci-runner") == ["ses_5", "ses_1", "ses_3"]
    assert await living(HaltScope.PROJECT, "acme") == ["ses_2", "ses_5", "ses_1", "ses_3"]
    assert await living(HaltScope.EVERYTHING, "") == ["ses_2", "ses_4", "ses_5", "ses_1", "ses_3"]
    assert await living(HaltScope.EVERYTHING, "", limit=2) == ["ses_2", "ses_4"]
    for scope in (HaltScope.CONNECTION, HaltScope.CONNECTOR, HaltScope.SESSION):
        assert await living(scope, "ci-runner") == []
    assert await living(HaltScope.AGENT, "ci-runner\0") == []


async def test_the_open_approvals_of_a_scope_come_page_by_page(database: Database) -> None:
    asked = [
        approval("apr_1", connection="git-main"),
        approval("apr_2", connection="git-main", state=ApprovalState.APPROVED, preview={"kind": "x"}),
        approval("apr_3", agent="bot", connection="aws-main"),
        approval("apr_4", agent="bot", project="web", connection="git-main", state=ApprovalState.CONSUMED),
    ]
    async with running(database) as ledger:
        for each in asked:
            await ledger.commit(change(insert_approval(each)))
    reader = SqlReader(database)

    async def waiting(scope: HaltScope, name: str, after_id: str = "", limit: int = 500) -> list[str]:
        return [each.id for each in await reader.open_approvals(scope, name, after_id=after_id, limit=limit)]

    assert await waiting(HaltScope.AGENT, "ci-runner") == ["apr_1", "apr_2"]
    assert await waiting(HaltScope.PROJECT, "web") == []
    assert await waiting(HaltScope.CONNECTION, "git-main") == ["apr_1", "apr_2"]
    assert await waiting(HaltScope.EVERYTHING, "", limit=2) == ["apr_1", "apr_2"]
    assert await waiting(HaltScope.EVERYTHING, "", after_id="apr_2", limit=2) == ["apr_3"]
    assert await waiting(HaltScope.CONNECTOR, "git-main") == []
    assert await waiting(HaltScope.CONNECTION, "\ud800") == []
    assert (await reader.open_approvals(HaltScope.AGENT, "ci-runner"))[1] == replace(asked[1], preview={})


async def test_one_halt_of_a_scope_and_name_holds_at_a_time(database: Database) -> None:
    reader = SqlReader(database)
    second = replace(HALT, id=HaltId("hlt_2"), started_at_ns=60, kind=HaltKind.PAUSE, ends_at_ns=90)
    async with running(database) as ledger:
        await ledger.commit(change(Insert("halts", halt_values(HALT))))
        with pytest.raises(ConflictError):
            await ledger.commit(change(Insert("halts", halt_values(second))))
        assert await reader.halts() == await reader.halts(active=True) == [HALT]
        lifting = Update("halts", {"id": "hlt_1", "active": HALT.key}, {"active": None, "lifted_at_ns": 70})
        await ledger.commit(change(lifting, Insert("halts", halt_values(second))))
        with pytest.raises(ConflictError):
            await ledger.commit(change(lifting))
        await ledger.commit(change(Update("halts", {"id": "hlt_2", "active": second.key}, {"active": None})))
        await ledger.commit(change(Insert("halts", halt_values(replace(second, id=HaltId("hlt_3"))))))
    lifted = replace(HALT, active=False, lifted_at_ns=70)
    assert [each.id for each in await reader.halts(active=True)] == ["hlt_3"]
    assert await reader.halts(limit=5) == [
        replace(second, id=HaltId("hlt_3")), replace(second, active=False), lifted
    ]  # fmt: skip
    assert await reader.halt(HALT.id) == lifted
    assert await reader.halt(HaltId("hlt_none")) is None
