"""What is stopped, in one process and in several over one store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from broker.calls import RunningCalls
from broker.clock import NS_PER_SECOND
from broker.errors import ConflictError, StoreUnavailableError
from broker.ids import SessionId
from broker.ledger.events import parse_event
from broker.limits.halts import TRIES, Halts
from broker.model import Halt, HaltKind, HaltScope, Session
from broker.outcome import Problem, ProblemKind
from broker.store.base import Change, EventFilter, EventType, Position, new_event
from broker.store.database import open_database
from broker.store.reader import SqlReader
from tests.house import House

pytestmark = pytest.mark.req("S2")

SCRIBE = Session(SessionId("ses_1"), "scribe", "desk", "olivia", 0, 1 << 62)
CHILD = replace(SCRIBE, id=SessionId("ses_2"), parent_id="ses_1", root_id="ses_1", depth=1)
OF_SCRIBE = frozenset({"agent:scribe", "project:desk", "connection:paper"})
PAUPER = Session(SessionId("ses_3"), "pauper", "bare", "olivia", 0, 1 << 62)

KILLS = [
    (HaltScope.AGENT, "scribe"),
    (HaltScope.PROJECT, "desk"),
    (HaltScope.CONNECTION, "paper"),
    (HaltScope.CONNECTOR, "paper"),
    (HaltScope.EVERYTHING, ""),
]


def process(house: House, reader: SqlReader | None = None) -> tuple[Halts, RunningCalls]:
    """Halts as another process over the same store has them."""
    calls = RunningCalls()
    reader = reader or house.reader
    return Halts(reader, house.ledger, clock=house.clock, configuration=house.policies, calls=calls), calls


async def killed(halts: Halts, scope: HaltScope, name: str) -> Halt:
    halt = await halts.kill(scope, name, operator="olivia", reason="it ran away")
    assert isinstance(halt, Halt)
    halts.hold(halt)
    return halt


async def run(calls: RunningCalls, session_id: SessionId, scopes: frozenset[str]) -> bool:
    """Run a call that never ends by itself; return whether it was cut."""
    try:
        async with calls.bounded(session_id, 60, scopes) as call:
            await asyncio.Event().wait()
    except TimeoutError:
        return call.killed
    raise AssertionError


def kind_of(answer: object) -> ProblemKind | None:
    return answer.kind if isinstance(answer, Problem) else None


async def told(house: House) -> list[tuple[str, dict[str, Any]]]:
    events = [parse_event(each.body) for each in await house.reader.events(EventFilter())]
    return [(each.type, each.data) for each in events if each.type.startswith("halt.")]


@pytest.mark.parametrize(("scope", "name"), KILLS)
async def test_a_kill_refuses_its_scope_and_says_who_when_and_why(house: House, scope: HaltScope, name: str) -> None:
    halts, _ = process(house)
    assert halts.refusal(SCRIBE, "paper") is None
    halt = await killed(halts, scope, name)
    house.clock.advance(60)
    refused = halts.refusal(SCRIBE, "paper")
    assert refused is not None
    assert (refused.kind, refused.reason, refused.retry_after_seconds) == (ProblemKind.HALTED, "it ran away", 0)
    assert refused.extra["halt"] == {
        "id": halt.id, "scope": scope.value, "name": name, "kind": "kill", "since": "2027-01-15T08:00:00.000Z"
    }  # fmt: skip
    assert "`olivia`" in refused.detail
    assert name in refused.detail
    assert "ostiary resume" in refused.fix
    assert halts.refusal(CHILD, "paper") == refused
    assert kind_of(halts.refusal(PAUPER, "other")) is (ProblemKind.HALTED if name == "" else None)


@pytest.mark.parametrize(("scope", "name"), KILLS)
async def test_a_kill_of_whom_a_session_would_be_lets_none_start(house: House, scope: HaltScope, name: str) -> None:
    halts, _ = process(house)
    assert halts.refuses_start("scribe", "desk") is None
    await killed(halts, scope, name)
    through_it_only = scope in (HaltScope.CONNECTION, HaltScope.CONNECTOR)
    assert kind_of(halts.refuses_start("scribe", "desk")) is (None if through_it_only else ProblemKind.HALTED)
    assert kind_of(halts.refuses_start("pauper", "bare")) is (ProblemKind.HALTED if name == "" else None)
    assert kind_of(await halts.overtook(SCRIBE)) is (None if through_it_only else ProblemKind.HALTED)


@pytest.mark.parametrize(("scope", "name"), KILLS)
async def test_from_a_kill_on_no_call_of_its_scope_runs_until_it_is_lifted(
    house: House, scope: HaltScope, name: str
) -> None:
    halts, calls = process(house)
    one, other = (
        asyncio.create_task(run(calls, each.id, scopes))
        for each, scopes in ((SCRIBE, OF_SCRIBE), (PAUPER, frozenset[str]()))
    )
    await asyncio.sleep(0)
    halt = await halts.kill(scope, name, operator="olivia", reason="it ran away")
    assert isinstance(halt, Halt)
    assert not one.done()
    everything = scope is HaltScope.EVERYTHING
    assert halts.hold(halt) == 1 + everything
    assert await one
    assert await run(calls, SCRIBE.id, OF_SCRIBE)
    await asyncio.sleep(0)
    assert other.done() == everything
    assert isinstance(await halts.lift(halt, operator="olivia", reason="mended"), Halt)
    async with calls.bounded(SCRIBE.id, 60, OF_SCRIBE) as after:
        await asyncio.sleep(0)
    assert not after.killed
    other.cancel()


async def test_a_kill_is_told_on_the_ledger_from_its_beginning_to_its_end(house: House) -> None:
    halts, _ = process(house)
    halt = await killed(halts, HaltScope.AGENT, "scribe")
    assert await halts.reported(halt, {"calls": 3})
    assert not await halts.reported(halt, {"calls": 4})
    lifted = await halts.lift(halt, operator="alice", reason="mended")
    assert isinstance(lifted, Halt)
    assert (lifted.active, lifted.lifted_by, lifted.lift_reason) == (False, "alice", "mended")
    about = {"halt": halt.id, "scope": "agent", "name": "scribe", "kind": "kill", "reason": "it ran away"}
    assert await told(house) == [
        ("halt.started", about),
        ("halt.reported", {**about, "report": {"calls": 3}}),
        ("halt.lifted", {**about, "lift_reason": "mended"}),
    ]
    started = parse_event((await house.reader.events(EventFilter(agent="scribe")))[0].body)
    assert started.operator == "olivia"
    stored = await house.reader.halt(halt.id)
    assert stored == replace(lifted, reported_at_ns=house.clock.now_ns())


async def test_a_second_kill_of_the_same_is_refused_and_changes_nothing(house: House) -> None:
    halts, _ = process(house)
    halt = await killed(halts, HaltScope.AGENT, "scribe")
    again = await halts.kill(HaltScope.AGENT, "scribe", operator="alice", reason="me too")
    assert kind_of(again) is ProblemKind.HALT_CONFLICT
    assert await house.reader.halts() == [halt]
    assert isinstance(await halts.kill(HaltScope.AGENT, "stranger", operator="alice", reason="that one too"), Halt)


async def test_of_many_kills_at_once_one_holds(house: House) -> None:
    several = [process(house)[0] for _ in range(4)] * 3
    answers = await asyncio.gather(
        *(each.kill(HaltScope.PROJECT, "desk", operator="olivia", reason="stop") for each in several)
    )
    assert sum(isinstance(each, Halt) for each in answers) == 1
    assert {kind_of(each) for each in answers} == {None, ProblemKind.HALT_CONFLICT}
    assert len(await house.reader.halts(active=True)) == 1


async def test_of_many_lifts_at_once_one_counts(house: House) -> None:
    halts, _ = process(house)
    halt = await killed(halts, HaltScope.EVERYTHING, "")
    answers = await asyncio.gather(*(halts.lift(halt, operator="olivia", reason="mended") for _ in range(5)))
    assert sum(isinstance(each, Halt) for each in answers) == 1
    assert [kind for kind, _ in await told(house)] == ["halt.started", "halt.lifted"]


async def test_other_processes_learn_of_it_when_they_look_and_of_its_end_too(house: House) -> None:
    here, (there, calls) = process(house)[0], process(house)
    halt = await killed(here, HaltScope.AGENT, "scribe")
    assert there.refusal(SCRIBE, "paper") is None
    async with calls.bounded(SCRIBE.id, 60, frozenset({"agent:scribe"})) as running:
        assert await there.poll() == [halt]
        assert running.killed
    assert kind_of(there.refusal(SCRIBE, "paper")) is ProblemKind.HALTED
    await here.lift(halt, operator="olivia", reason="mended")
    assert here.refusal(SCRIBE, "paper") is None
    assert await there.poll() == []
    assert there.refusal(SCRIBE, "paper") is None


async def test_a_start_that_a_kill_elsewhere_overtook_is_noticed(house: House) -> None:
    here, there = process(house)[0], process(house)[0]
    await here.pause("project", "desk", reason="the month is spent", until_ns=0)
    assert await there.overtook(SCRIBE) is None
    await killed(here, HaltScope.AGENT, "scribe")
    assert kind_of(await there.overtook(SCRIBE)) is ProblemKind.HALTED
    assert await there.overtook(PAUPER) is None


async def test_a_connection_that_is_added_later_is_stopped_with_its_connector(house: House) -> None:
    halts, calls = process(house)
    await killed(halts, HaltScope.CONNECTOR, "paper")
    config = house.broker.settings.config_dir / "ostiary.yaml"
    fresh = config.read_text() + "  another: {connector: paper, credential: paper/two}\n"
    config.write_text(fresh.replace("connections: [paper]", "connections: [paper, another]"))
    assert await house.broker.reload() == []
    assert kind_of(halts.refusal(SCRIBE, "another")) is ProblemKind.HALTED
    assert halts.refusal(SCRIBE, "gone") is None
    await halts.poll()
    async with calls.bounded(SCRIBE.id, 60, frozenset({"connection:another"})) as call:
        assert call.killed


class Interrupted(SqlReader):
    """A reader that lets something happen between a read of halts and who asked for it."""

    meanwhile: Callable[[], Awaitable[object]] | None = None
    away = False

    async def halts(self, *, active: bool = False, limit: int = 1_000) -> list[Halt]:
        if self.away:
            raise StoreUnavailableError("away")
        found = await super().halts(active=active, limit=limit)
        act, self.meanwhile = self.meanwhile, None
        if act is not None:
            await act()
        return found


@pytest.fixture
def interrupted(house: House) -> Any:
    database = open_database(house.broker.settings.database)
    yield Interrupted(database)
    database.close()


async def test_a_look_that_began_before_a_kill_does_not_undo_it(house: House, interrupted: Interrupted) -> None:
    halts, _ = process(house, interrupted)
    interrupted.meanwhile = lambda: killed(halts, HaltScope.AGENT, "scribe")
    assert len(await halts.poll()) == 1
    assert kind_of(halts.refusal(SCRIBE, "paper")) is ProblemKind.HALTED


async def test_what_is_known_goes_on_to_hold_while_the_store_is_away(house: House, interrupted: Interrupted) -> None:
    halts, _ = process(house, interrupted)
    await killed(halts, HaltScope.AGENT, "scribe")
    interrupted.away = True
    with pytest.raises(StoreUnavailableError):
        await halts.poll()
    with pytest.raises(StoreUnavailableError):
        await halts.overtook(SCRIBE)
    assert kind_of(halts.refusal(SCRIBE, "paper")) is ProblemKind.HALTED


class Losing:
    """A ledger on which somebody else is always first."""

    def submit(self, change: Change, *, patient: bool = False) -> asyncio.Future[Position]:
        raise NotImplementedError

    async def commit(self, change: Change) -> Position:
        raise ConflictError("somebody else was first")


async def test_one_that_always_comes_second_gives_up(house: House) -> None:
    calls = RunningCalls()
    halts = Halts(house.reader, Losing(), clock=house.clock, configuration=house.policies, calls=calls)
    answer = await halts.kill(HaltScope.AGENT, "scribe", operator="olivia", reason="stop")
    assert kind_of(answer) is ProblemKind.HALT_CONFLICT
    await halts.pause("agent", "scribe", reason="spent", until_ns=0)
    assert halts.refusal(SCRIBE, "paper") is None
    assert TRIES > 1


@pytest.mark.req("L1")
async def test_a_pause_refuses_until_its_end_and_cuts_nothing(house: House) -> None:
    halts, calls = process(house)
    until_ns = house.clock.now_ns() + 90 * NS_PER_SECOND
    async with calls.bounded(SCRIBE.id, 60, frozenset({"agent:scribe"})) as running:
        await halts.pause("agent", "scribe", reason="max_tokens_per_day is spent", until_ns=until_ns)
        await halts.poll()
        async with calls.bounded(SCRIBE.id, 60, frozenset({"agent:scribe"})) as another:
            assert (running.killed, another.killed) == (False, False)
    house.clock.advance(0.5)
    refused = halts.refusal(SCRIBE, "paper")
    assert refused is not None
    assert (refused.kind, refused.retry_after_seconds) == (ProblemKind.HALTED, 90)
    assert (refused.reason, refused.extra["halt"]["until"]) == (
        "max_tokens_per_day is spent", "2027-01-15T08:01:30.000Z"
    )  # fmt: skip
    assert kind_of(halts.refuses_start("scribe", "desk")) is ProblemKind.HALTED
    house.clock.advance(89.5)
    assert halts.refusal(SCRIBE, "paper") is None
    await halts.expire()
    assert await halts.poll() == []
    events = await told(house)
    assert [kind for kind, _ in events] == ["halt.started", "halt.lifted"]
    assert (events[0][1]["kind"], events[0][1]["ends_at_ns"]) == ("pause", until_ns)


@pytest.mark.req("L1")
async def test_a_pause_of_a_session_holds_its_family_and_no_other(house: House) -> None:
    halts, _ = process(house)
    await halts.pause("session", SCRIBE.family_id, reason="max_tokens_per_session is spent", until_ns=0)
    for session in (SCRIBE, CHILD):
        refused = halts.refusal(session, "paper")
        assert refused is not None
        assert (refused.retry_after_seconds, "until" in refused.extra["halt"]) == (0, False)
    assert halts.refusal(replace(SCRIBE, id=SessionId("ses_9")), "paper") is None
    (event,) = await house.reader.events(EventFilter(session_id=SCRIBE.id))
    assert parse_event(event.body).type == "halt.started"


@pytest.mark.req("L1")
async def test_many_who_pause_the_same_at_once_make_one_pause(house: House) -> None:
    several = [process(house)[0] for _ in range(3)] * 4
    await asyncio.gather(*(each.pause("agent", "scribe", reason="spent", until_ns=0) for each in several))
    assert len(await house.reader.halts()) == 1
    for each in several:
        assert kind_of(each.refusal(SCRIBE, "paper")) is ProblemKind.HALTED


@pytest.mark.req("L1")
async def test_a_pause_that_is_over_makes_way_for_the_next(house: House) -> None:
    halts, other = process(house)[0], process(house)[0]
    for each in (halts, other):
        until_ns = house.clock.now_ns() + NS_PER_SECOND
        await each.pause("agent", "scribe", reason="spent", until_ns=until_ns)
        house.clock.advance(2)
    await halts.pause("agent", "scribe", reason="spent again", until_ns=0)
    refused = halts.refusal(SCRIBE, "paper")
    assert refused is not None
    assert refused.reason == "spent again"
    assert [each.active for each in await house.reader.halts()] == [True, False, False]


@pytest.mark.req("L1")
async def test_a_kill_takes_the_place_of_a_pause_and_a_pause_never_that_of_a_kill(house: House) -> None:
    halts, _ = process(house)
    await halts.pause("agent", "scribe", reason="spent", until_ns=house.clock.now_ns() + NS_PER_SECOND)
    halt = await killed(halts, HaltScope.AGENT, "scribe")
    await halts.pause("agent", "scribe", reason="spent", until_ns=0)
    await process(house)[0].pause("agent", "scribe", reason="spent", until_ns=0)
    house.clock.advance(2)
    await halts.expire()
    assert await halts.poll() == [halt]
    assert [each.kind for each in await house.reader.halts()] == [HaltKind.KILL, HaltKind.PAUSE]
    started = [data for kind, data in await told(house) if kind == "halt.started"]
    assert started[1]["instead_of"] == (await house.reader.halts())[1].id


async def test_halts_are_listed_newest_first_and_those_that_hold_alone(house: House) -> None:
    halts, _ = process(house)
    made = []
    for scope, name in KILLS:
        house.clock.advance(1)
        made.append(await killed(halts, scope, name))
    await halts.lift(made[1], operator="olivia", reason="mended")
    assert [each.id for each in await house.reader.halts()] == [each.id for each in reversed(made)]
    assert [each.id for each in await house.reader.halts(active=True, limit=2)] == [made[4].id, made[3].id]
    assert await house.reader.halt(made[0].id) == made[0]
    event = new_event(house.clock, EventType.HALT_STARTED, {})
    assert await house.reader.halt(type(made[0].id)(event.id)) is None
