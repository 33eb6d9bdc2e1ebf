"""What was minted for a session goes with it, and the ledger says what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from broker.errors import LedgerUnavailableError
from broker.ids import SessionId
from broker.ledger.events import parse_event
from broker.loops import KillWatch
from broker.revoking import MAX_TOLD, Revoking
from broker.sessions import Sessions
from broker.store.base import EventFilter
from tests.house import House
from vault.errors import VaultUnavailableError
from vault.model import Revoked

SESSION = SessionId("ses_1")


@dataclass
class PaperMinted:
    """Says what became of tokens, when it is let."""

    came: Revoked = field(default_factory=lambda: Revoked(0, 0))
    fault: Exception | None = None
    gate: asyncio.Event | None = None
    asked: list[str] = field(default_factory=list)

    async def revoke(self, session: str) -> Revoked:
        self.asked.append(session)
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return self.came


async def told(house: House) -> list[tuple[str, Any]]:
    await house.built.revoking.aclose()
    events = await house.reader.events(EventFilter(type="session.tokens_revoked"))
    return [(event.session_id, event.data) for event in (parse_event(each.body) for each in events)]


@pytest.mark.req("S2")
async def test_a_kill_takes_back_the_tokens_of_all_it_kills_and_the_ledger_counts_them(house: House) -> None:
    session = await house.session()
    other = await house.session()
    house.vault.tokens = {session.id: Revoked(2, 1), other.id: Revoked(1, 0)}
    assert await house.sessions.kill(session.id, house.operator("olivia"))
    assert await told(house) == [(session.id, {"revoked": 2, "failed": 1})]
    assert house.vault.tokens == {other.id: Revoked(1, 0)}


@pytest.mark.req("S2")
async def test_a_kill_in_another_process_takes_back_what_was_minted_here(house: House) -> None:
    async def nothing(_session_id: object) -> None:
        pass

    session = await house.session()
    watch = KillWatch(house.reader, house.sessions, house.built.calls, house.built.revoking, house.clock)
    elsewhere = Sessions(house.reader, house.ledger, house.clock, house.policies, nothing)
    assert await elsewhere.kill(session.id, house.operator("olivia"))
    house.vault.tokens = {session.id: Revoked(1, 0)}
    await watch.look()
    await watch.look()
    assert await told(house) == [(session.id, {"revoked": 1, "failed": 0})]


async def test_a_vault_that_is_away_is_told_again_and_one_that_has_nothing_is_not(house: House) -> None:
    minted = PaperMinted(fault=VaultUnavailableError("away"))
    revoking = Revoking(minted, house.ledger, house.clock)
    for _ in range(2):
        revoking.begin(SESSION)
        await revoking.aclose()
    minted.fault = None
    for _ in range(2):
        revoking.begin(SESSION)
        await revoking.aclose()
    assert minted.asked == [SESSION] * 3
    assert await told(house) == []


async def test_an_upstream_that_is_slow_holds_nothing_up(house: House) -> None:
    minted = PaperMinted(gate=asyncio.Event())
    revoking = Revoking(minted, house.ledger, house.clock, close_seconds=0.001)
    for number in range(MAX_TOLD + 1):
        revoking.begin(SessionId(f"ses_{number}"))
    revoking.begin(SessionId(f"ses_{MAX_TOLD}"))
    await asyncio.sleep(0)
    assert len(minted.asked) == MAX_TOLD + 1
    await revoking.aclose()
    await revoking.aclose()


async def test_a_ledger_that_cannot_be_written_does_not_end_it(house: House) -> None:
    class Full:
        async def commit(self, change: object) -> None:
            raise LedgerUnavailableError("full")

    minted = PaperMinted(Revoked(1, 0))
    revoking = Revoking(minted, Full(), house.clock)  # type: ignore[arg-type]  # commit is all it uses
    revoking.begin(SESSION)
    await revoking.aclose()
    assert minted.asked == [SESSION]
