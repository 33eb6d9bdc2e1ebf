"""A kill is carried out to its end by whoever lives, and nothing that begins at that very moment escapes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from broker.errors import LedgerUnavailableError
from broker.halting import FINISH_AFTER_SECONDS, Halting, Stopped
from broker.ids import SessionId, TokenHash
from broker.ledger.events import parse_event
from broker.model import ApprovalState, Halt, HaltScope, IntentState
from broker.outcome import Problem, ProblemKind
from broker.revoking import Revoking
from broker.store.base import Change, EventFilter, EventType, Insert, new_event
from broker.store.rows import session_values
from tests.house import House
from tests.parts.halting import (
    FOR_SESSIONS,
    OVER,
    READ,
    Hanging,
    child_of,
    doomed,
    finished,
    kill,
    kind_of,
    lift,
    living,
    told,
)
from tests.parts.second_process import SecondProcess
from vault.errors import VaultUnavailableError
from vault.model import Revoked

pytestmark = pytest.mark.req("S2")


@pytest.fixture
async def second(house: House) -> AsyncIterator[SecondProcess]:
    """Another process on the same database."""
    process = SecondProcess(house, "ins_second")
    yield process
    await process.built.halting.aclose()
    await process.built.revoking.aclose()
    await process.aclose()


class SlowVault:
    """Says what became of tokens when it is let; of one session never."""

    def __init__(self, away_for: str = "") -> None:
        self._away_for = away_for
        self.says = asyncio.Event()

    async def revoke(self, session: str) -> Revoked:
        if session == self._away_for:
            raise VaultUnavailableError("away")
        await self.says.wait()
        return Revoked(1, 0)


async def test_no_session_that_starts_at_the_moment_of_a_kill_lives_on(house: House, second: SecondProcess) -> None:
    olivia = house.operator("olivia")
    for scope, name in FOR_SESSIONS * 4:
        parent = await house.session()
        starts = [
            each.start(olivia, agent="scribe", ttl_seconds=60, labels={})
            for each in (house.sessions, second.built.sessions) * 3
        ]
        children = [
            each.start_child(parent, scope=["paper:Read on sheets/a"], ttl_seconds=60, labels={})
            for each in (house.sessions, second.built.sessions)
        ]
        works: list[Any] = [*starts, *children]
        works.insert(3, kill(house, scope, name))
        *_, stopped = sorted(await asyncio.gather(*works), key=lambda each: isinstance(each, Stopped))
        assert await living(house) == []
        await lift(house, stopped.halt)
        await second.built.halting.look()
    assert not isinstance(await second.built.sessions.start(olivia, agent="scribe", ttl_seconds=60, labels={}), Problem)


async def test_no_session_starts_in_a_process_that_has_not_heard_of_the_kill(
    house: House, second: SecondProcess
) -> None:
    await kill(house, HaltScope.PROJECT, "desk")
    answer = await second.built.sessions.start(house.operator("olivia"), agent="scribe", ttl_seconds=60, labels={})
    assert kind_of(answer) is ProblemKind.HALTED
    assert await living(house) == []
    assert (await house.event_types())[-2:] == ["session.started", "session.killed"]
    again = await second.built.sessions.start(house.operator("olivia"), agent="scribe", ttl_seconds=60, labels={})
    assert kind_of(again) is ProblemKind.HALTED
    assert (await house.event_types())[-1] == "session.killed"


async def test_another_process_cuts_and_refuses_at_its_next_look(house: House, second: SecondProcess) -> None:
    session = await house.session()
    house.connector.deed = hanging = Hanging()
    reading = asyncio.create_task(second.broker.submit(session, READ, wait_seconds=0))
    await hanging.arrived.wait()
    stopped = await kill(house, HaltScope.CONNECTION, "paper")
    assert told(stopped)["calls"] == 0
    await second.built.halting.learn()
    assert (await reading).state is IntentState.CANCELLED
    assert kind_of(await second.broker.submit(session, READ, wait_seconds=0)) is ProblemKind.HALTED
    await lift(house, stopped.halt)
    await second.built.halting.look()
    house.connector.deed = house.connector.plain
    assert (await second.broker.submit(session, READ, wait_seconds=0)).state is IntentState.SUCCEEDED


CHANGES = 7
"""Of the kill below: its row, two sessions, two approvals, the tokens, the report."""


@pytest.mark.parametrize("changes", range(CHANGES + 1))
async def test_a_kill_whose_process_dies_after_any_step_is_finished_by_another(house: House, changes: int) -> None:
    session = await house.session()
    child = await child_of(house, session)
    house.vault.tokens = {session.id: Revoked(1, 0)}
    parked = [await house.ask(session, "Write", "gated") for _ in range(2)]
    await house.approve(parked[1].approval_id)
    dying = doomed(house, changes)
    if changes == 0:
        with pytest.raises(LedgerUnavailableError):
            await dying.kill(HaltScope.AGENT, "scribe", operator=house.operator("alice"), reason="it ran away")
        assert (await house.reader.halts(), len(await living(house))) == ([], 2)
        return
    stopped = await dying.kill(HaltScope.AGENT, "scribe", operator=house.operator("alice"), reason="it ran away")
    assert isinstance(stopped, Stopped)
    assert (stopped.report is None) == (changes < CHANGES)
    await house.built.halting.look()
    assert kind_of(await house.ask(session, "Read")) in OVER
    await finished(house)
    assert await living(house) == []
    for each in parked:
        assert (await house.record(each.intent_id)).state is IntentState.CANCELLED
        found = await house.reader.approval(each.approval_id)  # type: ignore[arg-type]  # an id as text
        assert found is not None
        assert found.state is ApprovalState.CANCELLED
    types = await house.event_types()
    assert (types.count("halt.reported"), types.count("session.killed")) == (1, 2)
    assert house.vault.tokens == {}
    for each_id in (session.id, child.id):
        assert await house.sessions.check(replace(session, id=each_id)) is not None


async def test_a_kill_under_way_elsewhere_is_left_alone_at_first_and_finished_once(
    house: House, second: SecondProcess
) -> None:
    await house.session()
    await doomed(house, 1).kill(HaltScope.AGENT, "scribe", operator=house.operator("alice"), reason="it ran away")
    both = (house.built.halting, second.built.halting)
    for each in both:
        await each.look()
        await each.aclose()
    assert "session.killed" not in await house.event_types()
    house.clock.advance(FINISH_AFTER_SECONDS)
    await asyncio.gather(*(each.look() for each in both))
    await asyncio.gather(*(each.aclose() for each in both))
    types = await house.event_types()
    assert (types.count("halt.reported"), types.count("session.killed")) == (1, 1)
    (event,) = await house.reader.events(EventFilter(type="halt.reported"))
    assert parse_event(event.body).data["report"]["resumed"]
    await finished(house)
    assert (await house.event_types()).count("halt.reported") == 1


async def test_a_lift_first_finishes_the_kill_and_ends_what_was_begun_beside_it(
    house: House, second: SecondProcess
) -> None:
    session = await house.session()
    stopped = await doomed(house, 1).kill(
        HaltScope.AGENT, "scribe", operator=house.operator("alice"), reason="it ran away"
    )
    assert isinstance(stopped, Stopped)
    await lift(house, stopped.halt)
    assert (await house.event_types())[-3:] == ["session.killed", "halt.reported", "halt.lifted"]
    again = await kill(house, HaltScope.AGENT, "scribe")
    # A process died between the row of a session and its look at what is stopped: nobody has the token.
    ghost = replace(session, id=SessionId("ses_ghost"))
    event = new_event(house.clock, EventType.SESSION_STARTED, {}, session_id=ghost.id)
    await house.ledger.commit(Change(event, (Insert("sessions", session_values(ghost, TokenHash("ghost"))),)))
    await lift(house, again.halt)
    assert await living(house) == []
    assert (await house.event_types()).count("halt.reported") == 2


async def test_what_a_process_parked_that_had_not_heard_of_a_kill_is_void_when_it_is_lifted(
    house: House, second: SecondProcess
) -> None:
    session = await house.session()
    stopped = await kill(house, HaltScope.CONNECTION, "paper")
    draft = replace(READ, action="paper:Write", params={"name": "gated"})
    parked = await second.broker.submit(session, draft, wait_seconds=0)
    assert parked.state is IntentState.PENDING_APPROVAL
    await lift(house, stopped.halt)
    assert (await house.record(parked.intent_id)).state is IntentState.CANCELLED


async def test_a_vault_that_does_not_say_holds_no_report_up(house: House) -> None:
    sessions = [await house.session() for _ in range(2)]
    vault = SlowVault(away_for=sessions[0].id)
    revoking = Revoking(vault, house.ledger, house.clock)
    halting = Halting(replace(doomed(house, 99)._parts, revoking=revoking), revoke_seconds=0.01)
    stopped = await halting.kill(HaltScope.AGENT, "scribe", operator=house.operator("alice"), reason="it ran away")
    assert isinstance(stopped, Stopped)
    assert told(stopped)["tokens"] == {"revoked": 0, "failed": 0, "pending": 2}
    vault.says.set()
    await revoking.aclose()


async def test_who_kills_waits_a_while_and_the_kill_goes_on_without_them(house: House) -> None:
    await house.session()
    vault = SlowVault()
    revoking = Revoking(vault, house.ledger, house.clock)
    parts = replace(doomed(house, 99)._parts, revoking=revoking)
    halting = Halting(parts, answer_seconds=0.01, close_seconds=0.01)
    stopped = await halting.kill(HaltScope.AGENT, "scribe", operator=house.operator("alice"), reason="it ran away")
    assert isinstance(stopped, Stopped)
    assert stopped.report is None
    # This process ends before it is done; the row is there, and another finishes it.
    await halting.aclose()
    vault.says.set()
    await revoking.aclose()
    await finished(house)
    assert (await house.event_types()).count("halt.reported") == 1
    await lift(house, stopped.halt)


async def test_a_lift_waits_for_the_kill_that_is_under_way(house: House) -> None:
    await house.session()
    vault = SlowVault()
    parts = replace(doomed(house, 99)._parts, revoking=Revoking(vault, house.ledger, house.clock))
    halting = Halting(parts, answer_seconds=0.01, revoke_seconds=60)
    stopped = await halting.kill(HaltScope.AGENT, "scribe", operator=house.operator("alice"), reason="it ran away")
    assert isinstance(stopped, Stopped)
    lifting = asyncio.create_task(halting.lift(stopped.halt.id, operator=house.operator("olivia"), reason="mended"))
    under_way = halting._running[stopped.halt.id]
    for _ in range(2):
        await halting.look()
        house.clock.advance(FINISH_AFTER_SECONDS)
    assert halting._running[stopped.halt.id] is under_way
    assert not lifting.done()
    vault.says.set()
    assert isinstance(await lifting, Halt)
    assert [kind for kind in await house.event_types() if kind.startswith("halt.")] == [
        "halt.started", "halt.reported", "halt.lifted"
    ]  # fmt: skip
