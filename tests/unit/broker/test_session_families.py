"""Sessions that sessions hand out: narrower, no longer, and dead with what is above them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from broker.errors import ConflictError, StoreUnavailableError
from broker.ids import SessionId
from broker.ledger.events import parse_event
from broker.model import MAX_DEPTH, IntentState, Session
from broker.outcome import Problem, ProblemKind
from broker.sessions import MAX_FAMILY, MAX_LABELS, MAX_TTL_SECONDS, Sessions
from broker.store.base import Change, EventFilter, Minted, Position
from broker.store.database import open_database
from broker.store.reader import SqlReader
from tests.house import House
from tests.parts.second_process import SecondProcess

READ_A = "paper:Read on sheets/a"
READ_B = "paper:Read on sheets/b"


async def handed_out(house: House, parent: Session, *scope: str, **more: Any) -> Session | Problem:
    wanted = {"scope": scope or (READ_A,), "ttl_seconds": 60, "labels": {}, **more}
    answer = await house.sessions.start_child(parent, **wanted)
    if isinstance(answer, Problem):
        return answer
    house.tokens[answer[0].id] = answer[1]
    return answer[0]


async def child_of(house: House, parent: Session, *scope: str, **more: Any) -> Session:
    child = await handed_out(house, parent, *scope, **more)
    assert isinstance(child, Session), child
    return child


async def kind_of(house: House, parent: Session, *scope: str, **more: Any) -> ProblemKind | None:
    answer = await handed_out(house, parent, *scope, **more)
    return answer.kind if isinstance(answer, Problem) else None


async def is_dead(house: House, session: Session) -> bool:
    house.sessions.forget(session.id)
    answer = await house.sessions.authenticate(house.tokens[session.id])
    return isinstance(answer, Problem) and answer.kind is ProblemKind.SESSION_EXPIRED


async def scoped(house: House, *scope: str) -> Session:
    started = await house.sessions.start(
        house.operator("olivia"), agent="scribe", ttl_seconds=3600, labels={}, scope=scope
    )
    assert not isinstance(started, Problem)
    house.tokens[started[0].id] = started[1]
    return started[0]


@pytest.fixture
async def second(house: House) -> AsyncIterator[SecondProcess]:
    """Another process on the same database."""
    process = SecondProcess(house, "ins_second")
    yield process
    await process.aclose()


@pytest.mark.req("S1")
async def test_a_session_hands_out_one_of_the_same_agent_that_ends_with_it(house: House) -> None:
    parent = await house.session(ttl_seconds=100)
    short, long = await child_of(house, parent), await child_of(house, parent, ttl_seconds=MAX_TTL_SECONDS)
    assert (short.agent, short.project, short.owner) == (parent.agent, parent.project, parent.owner)
    assert (short.parent_id, short.root_id, short.depth) == (parent.id, parent.id, 1)
    assert short.expires_at_ns - short.created_at_ns == 60 * 10**9
    assert long.expires_at_ns == parent.expires_at_ns
    assert await house.sessions.authenticate(house.tokens[short.id]) == short
    [event] = [parse_event(each.body) for each in await house.reader.events(EventFilter(session_id=short.id))]
    assert (event.type, event.operator) == ("session.started", "agent:scribe")
    assert (event.data["parent_id"], event.data["scope"]) == (parent.id, [READ_A])


@pytest.mark.req("S1")
async def test_every_scope_above_a_session_holds_it_too(house: House) -> None:
    top = await scoped(house, READ_A, READ_B, "paper:Write on sheets/free")
    middle = await child_of(house, top, READ_A, READ_B)
    low = await child_of(house, middle, READ_A)
    assert low.scopes == ((READ_A, READ_B, "paper:Write on sheets/free"), (READ_A, READ_B), (READ_A,))
    allowed = {
        session.id: [
            (await house.ask(session, verb, name)).state is IntentState.SUCCEEDED
            for verb, name in (("Read", "a"), ("Read", "b"), ("Write", "free"), ("Read", "c"))
        ]
        for session in (top, middle, low)
    }
    assert allowed == {
        top.id: [True, True, True, False], middle.id: [True, True, False, False], low.id: [True, False, False, False],
    }  # fmt: skip


@pytest.mark.req("S1")
@pytest.mark.parametrize(
    "scope",
    ["paper:Read on sheets/*", "paper:Write on sheets/other", "paper:Destroy on sheets/a", "paper:* on sheets/a"],
)
async def test_what_the_agent_may_not_do_is_not_handed_out(house: House, scope: str) -> None:
    parent = await house.session()
    answer = await handed_out(house, parent, READ_A, scope)
    assert isinstance(answer, Problem)
    assert answer.kind is ProblemKind.SCOPE_TOO_WIDE
    witness = answer.extra["witness"]
    verb, name = witness["action"].removeprefix("paper:"), witness["resource"].removeprefix("sheets/")
    assert (await house.ask(parent, verb, name)).state is IntentState.DENIED
    assert (await house.reader.minted_below(parent.id, house.clock.now_ns())).ever == 0


@pytest.mark.req("S1")
async def test_a_gate_may_be_handed_out_and_stays_a_gate(house: House) -> None:
    child = await child_of(house, await house.session(), "paper:Write on sheets/gated")
    assert (await house.ask(child, "Write", "gated")).state is IntentState.PENDING_APPROVAL


@pytest.mark.req("S1")
async def test_a_session_hands_out_no_more_than_its_own_scope(house: House) -> None:
    parent = await scoped(house, READ_A)
    assert await kind_of(house, parent, READ_B) is ProblemKind.SCOPE_TOO_WIDE
    assert await kind_of(house, parent, READ_A, "deny paper:Write on **") is None


@pytest.mark.parametrize("scope", [(), ("paper:Read sheets/a",), (READ_A, "paper:Read")])
async def test_a_scope_that_cannot_be_read_is_refused_with_its_place(house: House, scope: tuple[str, ...]) -> None:
    parent = await house.session()
    answer = await house.sessions.start_child(parent, scope=scope, ttl_seconds=60, labels={})
    assert isinstance(answer, Problem)
    assert answer.kind is ProblemKind.INVALID_PARAMS
    assert answer.fix
    assert [each["line"] for each in answer.extra.get("errors", [])] == ([len(scope)] if scope else [])
    by_operator = await house.sessions.start(
        house.operator("olivia"), agent="scribe", ttl_seconds=60, labels={}, scope=scope
    )
    assert isinstance(by_operator, Problem) == bool(scope)


async def test_a_child_has_a_bounded_life_and_a_bounded_depth(house: House) -> None:
    session = await house.session()
    for ttl in (0, MAX_TTL_SECONDS + 1):
        assert await kind_of(house, session, ttl_seconds=ttl) is ProblemKind.INVALID_PARAMS
    for _ in range(MAX_DEPTH):
        session = await child_of(house, session)
    assert await kind_of(house, session) is ProblemKind.FORBIDDEN


@pytest.mark.req("S1")
async def test_labels_are_inherited_added_to_and_never_given_again(house: House) -> None:
    answer = await house.sessions.start(
        house.operator("olivia"), agent="scribe", ttl_seconds=60, labels={"branch": "feature/x"}
    )
    assert not isinstance(answer, Problem)
    child = await child_of(house, answer[0], labels={"part": "lint"})
    low = await child_of(house, child, labels={"step": "2"})
    # What an agent adds is for people: a rule that looks at a label trusts the operator who gave it.
    assert low.labels == {"branch": "feature/x"}
    assert low.added_labels == {"part": "lint", "step": "2"}
    for name in ("branch", "part"):
        assert await kind_of(house, child, labels={name: "main"}) is ProblemKind.INVALID_PARAMS
    more = {f"l{number}": "x" for number in range(MAX_LABELS - 2)}
    assert await kind_of(house, child, labels={**more, "last": "x"}) is ProblemKind.INVALID_PARAMS
    assert await kind_of(house, child, labels=more) is None


@pytest.mark.req("S2")
async def test_a_session_that_is_over_hands_out_nothing(house: House) -> None:
    killed, expired = await house.session(), await house.session(ttl_seconds=5)
    elsewhere = Sessions(house.reader, house.ledger, house.clock, house.policies, nothing)
    await elsewhere.kill(killed.id, house.operator("olivia"))
    house.clock.advance(5)
    for session in (killed, expired):
        assert await kind_of(house, session) is ProblemKind.SESSION_EXPIRED


async def test_a_session_nobody_knows_hands_out_nothing(house: House) -> None:
    ghost = Session(SessionId("ses_none"), "scribe", "desk", "olivia", 0, 1 << 62)
    assert await kind_of(house, ghost) is ProblemKind.UNAUTHENTICATED


@pytest.mark.req("S1")
async def test_a_family_is_bounded_however_many_are_asked_for_at_once(house: House, second: SecondProcess) -> None:
    top = await house.session()
    middle = await child_of(house, top)
    parties = [(house.sessions, top), (second.built.sessions, middle)]
    asked = [
        sessions.start_child(parent, scope=[READ_A], ttl_seconds=60, labels={})
        for _ in range(MAX_FAMILY // 2 + 5)
        for sessions, parent in parties
    ]
    answers = await asyncio.gather(*asked)
    problems = [answer.kind for answer in answers if isinstance(answer, Problem)]
    assert len(answers) - len(problems) == MAX_FAMILY - 1
    assert set(problems) == {ProblemKind.TOO_BUSY}
    await house.sessions.kill(middle.id, house.operator("olivia"))
    assert await kind_of(house, top) is None


@pytest.mark.req("S1")
async def test_the_last_place_of_a_family_is_given_once(house: House) -> None:
    top = await house.session()
    for _ in range(MAX_FAMILY - 1):
        await child_of(house, top)
    others: list[Session] = []

    async def meanwhile() -> None:
        if not others:
            others.append(await child_of(house, top))

    with racing(house, meanwhile) as sessions:
        answer = await sessions.start_child(top, scope=[READ_A], ttl_seconds=60, labels={})
    assert isinstance(answer, Problem)
    assert answer.kind is ProblemKind.TOO_BUSY
    assert (await house.reader.minted_below(top.id, house.clock.now_ns())).living == MAX_FAMILY


@pytest.mark.req("S2")
async def test_a_parent_killed_at_the_last_moment_hands_out_nothing(house: House) -> None:
    parent = await child_of(house, await house.session())

    async def meanwhile() -> None:
        await house.sessions.kill(parent.id, house.operator("olivia"))

    with racing(house, meanwhile) as sessions:
        answer = await sessions.start_child(parent, scope=[READ_A], ttl_seconds=60, labels={})
    assert isinstance(answer, Problem)
    assert answer.kind is ProblemKind.SESSION_EXPIRED


async def test_who_always_loses_against_the_others_is_told_to_wait(house: House) -> None:
    parent = await house.session()
    unlucky = Sessions(house.reader, Losing(), house.clock, house.policies, nothing)
    answer = await unlucky.start_child(parent, scope=[READ_A], ttl_seconds=60, labels={})
    assert isinstance(answer, Problem)
    assert (answer.kind, answer.retry_after_seconds) == (ProblemKind.TOO_BUSY, 1)


@pytest.mark.req("S2")
async def test_a_kill_ends_all_that_is_below_and_nothing_above_or_beside(house: House) -> None:
    top = await house.session()
    beside, middle = await child_of(house, top), await child_of(house, top, "paper:Write on sheets/gated")
    low = await child_of(house, middle, "paper:Write on sheets/gated")
    parked = await house.ask(low, "Write", "gated")
    assert await house.sessions.kill(middle.id, house.operator("olivia"))
    assert [await is_dead(house, each) for each in (top, beside, middle, low)] == [False, False, True, True]
    assert (await house.record(parked.intent_id)).state is IntentState.CANCELLED
    assert not await house.sessions.kill(low.id, house.operator("olivia"))
    [event] = [parse_event(each.body) for each in await house.reader.events(EventFilter(type="session.killed"))]
    assert (event.session_id, event.data) == (middle.id, {"below": [low.id]})
    assert (await house.ask(low, "Write", "gated")).state is IntentState.REFUSED


@pytest.mark.req("S2")
async def test_a_kill_here_works_at_once_for_all_below(house: House) -> None:
    top = await house.session()
    low = await child_of(house, await child_of(house, top))
    assert isinstance(await house.sessions.authenticate(house.tokens[low.id]), Session)
    await house.sessions.kill(top.id, house.operator("olivia"))
    assert isinstance(await house.sessions.authenticate(house.tokens[low.id]), Problem)


@pytest.mark.req("S2")
async def test_a_kill_in_one_process_is_noticed_for_all_below_in_the_others(
    house: House, second: SecondProcess
) -> None:
    top = await house.session()
    low = await child_of(house, await child_of(house, top))
    assert isinstance(await house.sessions.authenticate(house.tokens[low.id]), Session)
    await second.built.sessions.kill(top.id, house.operator("olivia"))
    assert set(await house.reader.killed_sessions(0)) >= {top.id, low.id}
    house.clock.advance(0.5)
    assert isinstance(await house.sessions.authenticate(house.tokens[low.id]), Problem)


@pytest.mark.req("S2")
async def test_a_session_handed_out_while_its_parent_is_killed_does_not_survive(house: House) -> None:
    parent = await house.session()
    born: list[Session] = []

    async def meanwhile() -> None:
        if not born:
            born.append(await child_of(house, parent))

    with racing(house, meanwhile) as sessions:
        assert await sessions.kill(parent.id, house.operator("olivia"))
    [child] = born
    assert await is_dead(house, child)
    assert await house.reader.unkilled_family(parent.id) == []
    killed = [parse_event(each.body) for each in await house.reader.events(EventFilter(type="session.killed"))]
    assert [each.session_id for each in killed] == [parent.id, child.id]


@pytest.mark.req("S2")
async def test_a_killer_that_dies_at_the_worst_moment_leaves_nobody_alive(house: House) -> None:
    parent = await house.session()
    born: list[Session] = []

    async def meanwhile() -> None:
        if born:
            raise StoreUnavailableError("gone")
        born.append(await child_of(house, parent, "paper:Write on sheets/gated"))

    with racing(house, meanwhile) as sessions, pytest.raises(StoreUnavailableError):
        await sessions.kill(parent.id, house.operator("olivia"))
    [child] = born
    assert await house.reader.unkilled_family(parent.id) == [child.id]
    assert await is_dead(house, child)
    assert await house.sessions.check(child) is not None
    assert await kind_of(house, child, "paper:Write on sheets/gated") is ProblemKind.SESSION_EXPIRED
    assert set(await house.reader.killed_sessions(0)) == {parent.id, child.id}


@pytest.mark.req("S2")
async def test_of_kills_and_sessions_handed_out_at_once_no_session_survives(
    house: House, second: SecondProcess
) -> None:
    for _ in range(15):
        top = await house.session()
        middle = await child_of(house, top)
        works: list[Awaitable[object]] = [
            each.start_child(parent, scope=[READ_A], ttl_seconds=60, labels={})
            for parent in (top, middle)
            for each in (house.sessions, second.built.sessions)
        ]
        works.insert(2, second.built.sessions.kill(middle.id, house.operator("olivia")))
        works.insert(4, house.sessions.kill(top.id, house.operator("olivia")))
        await asyncio.gather(*works)
        assert await house.reader.unkilled_family(top.id) == []


class Losing:
    """A ledger on which somebody else is always first."""

    def submit(self, change: Change, *, patient: bool = False) -> asyncio.Future[Position]:
        raise NotImplementedError

    async def commit(self, change: Change) -> Position:
        raise ConflictError("somebody else was first")


class Racing(SqlReader):
    """A reader that lets something happen between a look at a family and what is done about it."""

    meanwhile: Callable[[], Awaitable[None]]

    async def minted_below(self, root_id: SessionId, now_ns: int) -> Minted:
        found = await super().minted_below(root_id, now_ns)
        await self.meanwhile()
        return found

    async def unkilled_family(self, session_id: SessionId) -> list[SessionId]:
        found = await super().unkilled_family(session_id)
        if found:
            await self.meanwhile()
        return found


@contextlib.contextmanager
def racing(house: House, meanwhile: Callable[[], Awaitable[None]]) -> Iterator[Sessions]:
    """Give a sessions service whose looks at a family are followed by ``meanwhile``."""
    database = open_database(house.broker.settings.database)
    reader = Racing(database)
    reader.meanwhile = meanwhile
    yield Sessions(reader, house.ledger, house.clock, house.policies, nothing)
    database.close()


async def nothing(session_id: SessionId) -> None:
    pass
