"""The kill switch: what people, or a budget, stopped, known in every process within a second.

The rows are the truth; each process keeps those that hold in memory, reads them anew every half second, and learns of
its own at once. A kill is more than a refusal: from the moment a process knows of one, no call of its scope runs there
(`broker.calls.RunningCalls.shut`). A pause refuses what is new and leaves what runs alone.

    kill    people; holds until they lift it; takes the place of a pause
    pause   a budget; holds until a moment, or until people lift it

What else a kill stops (sessions, approvals, minted tokens) is the business of `broker.halting`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from broker.calls import EVERYTHING, RunningCalls
from broker.clock import NS_PER_SECOND, Clock, fresh_id, rfc3339
from broker.config.model import Configuration
from broker.errors import ConflictError
from broker.ids import HaltId
from broker.model import Halt, HaltKind, HaltScope, JsonObject, Session, halt_key
from broker.outcome import Problem, ProblemKind
from broker.store.base import Change, Committer, Event, EventType, Insert, Reader, Step, Update, new_event
from broker.store.halts import halt_values
from policies.errors import quote

TRIES: Final = 8
"""How often a halt that lost against another of the same scope is begun again."""

_ALL: Final = halt_key(HaltScope.EVERYTHING, "")

_ABOUT: Final = {HaltScope.AGENT: "agent", HaltScope.PROJECT: "project", HaltScope.SESSION: "session_id"}
"""What an event is about, by the scope of its halt."""


class Halts:
    """Knows what is stopped; implements `broker.ports.StartGate`.

    Args:
        reader: Where halts are read.
        committer: Where they are written.
        clock: Time and entropy.
        configuration: Returns the configuration in force: which connections a connector has.
        calls: The calls of this process, shut where a kill holds.
    """

    def __init__(
        self,
        reader: Reader,
        committer: Committer,
        *,
        clock: Clock,
        configuration: Callable[[], Configuration],
        calls: RunningCalls,
    ) -> None:
        self._reader = reader
        self._committer = committer
        self._clock = clock
        self._configuration = configuration
        self._calls = calls
        self._held: dict[str, Halt] = {}
        self._caught: dict[HaltId, int] = {}
        self._changes = 0
        self._polling = asyncio.Lock()

    def refusal(self, session: Session, connection: str) -> Problem | None:
        """Tell why nothing of a session may go on now; None when it may.

        Args:
            session: Whose.
            connection: Name of the connection it would go through.
        """
        if not self._held:
            return None
        keys = (
            _ALL,
            halt_key(HaltScope.PROJECT, session.project),
            halt_key(HaltScope.AGENT, session.agent),
            halt_key(HaltScope.SESSION, session.family_id),
            halt_key(HaltScope.CONNECTION, connection),
            halt_key(HaltScope.CONNECTOR, self._connector_of(connection)),
        )
        return self._first(keys)

    def refuses_start(self, agent: str, project: str) -> Problem | None:
        """Tell why no session of an agent may be started now; None when one may."""
        if not self._held:
            return None
        return self._first((_ALL, halt_key(HaltScope.PROJECT, project), halt_key(HaltScope.AGENT, agent)))

    async def overtook(self, session: Session) -> Problem | None:
        """Tell that a kill came while a session was started, as the database knows; None when none did.

        Raises:
            StoreUnavailableError: it cannot be told.
        """
        await self.poll()
        keys = (_ALL, halt_key(HaltScope.PROJECT, session.project), halt_key(HaltScope.AGENT, session.agent))
        kills = (self._held[key] for key in keys if key in self._held and self._held[key].kind is HaltKind.KILL)
        return next((self._told(halt) for halt in kills), None)

    async def poll(self) -> list[Halt]:
        """Take up what the database says and return what holds, newest first.

        Raises:
            StoreUnavailableError: what was known goes on to hold.
        """
        # One at a time, and again when something was begun or lifted here meanwhile: nothing old replaces what is new.
        async with self._polling:
            while True:
                before = self._changes
                found = await self._reader.halts(active=True)
                if before == self._changes:
                    break
            self._take(found)
        return found

    async def kill(self, scope: HaltScope, name: str, *, operator: str, reason: str) -> Halt | Problem:
        """Make a kill durable, in the place of a pause if there is one; nothing is stopped yet, see `hold`.

        Args:
            scope: What is stopped.
            name: Its name, empty for everything.
            operator: Name of who does it.
            reason: Their words.

        Returns:
            The kill; or the problem that one holds already.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: it is not durable.
        """
        for _ in range(TRIES):
            held = await self._holding(scope, name)
            if held is not None and held.kind is HaltKind.KILL:
                return _held_already(held)
            halt = self._new(scope, name, HaltKind.KILL, reason=reason, started_by=operator)
            if await self._begin(halt, held):
                return halt
        return Problem(ProblemKind.HALT_CONFLICT, "others stop or lift the same at this moment", fix="try it again")

    async def pause(self, scope: str, name: str, *, reason: str, until_ns: int) -> None:
        """Let nothing new of a scope begin until a moment; does nothing when it is stopped already.

        Args:
            scope: A value of `HaltScope`.
            name: Of an agent, a project or a connection; for a session the id of its family.
            reason: What stopped it and why, for people and agents.
            until_ns: Nanoseconds since the epoch, UTC; 0 for not before people lift it.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: it is not durable, and nothing is refused.
        """
        wanted = HaltScope(scope)
        for _ in range(TRIES):
            known = self._held.get(halt_key(wanted, name))
            held = known or await self._holding(wanted, name)
            if held is not None and held.holds(self._clock.now_ns()):
                return
            halt = replace(self._new(wanted, name, HaltKind.PAUSE, reason=reason), ends_at_ns=until_ns)
            if await self._begin(halt, held):
                self.hold(halt)
                return
            # Somebody was first: what is known here is not what holds.
            await self.poll()

    async def reported(self, halt: Halt, report: JsonObject) -> bool:
        """Note that all that a kill stops was stopped; False when another process did.

        Raises:
            LedgerUnavailableError: it is not durable.
        """
        event = self._event(EventType.HALT_REPORTED, halt, {"report": report}, halt.started_by)
        step = Update("halts", {"id": halt.id, "reported_at_ns": 0}, {"reported_at_ns": event.at_ns})
        return await self._won(Change(event, (step,)))

    async def lift(self, halt: Halt, *, operator: str, reason: str) -> Halt | Problem:
        """Let go on what was stopped.

        Args:
            halt: What holds.
            operator: Name of who does it; empty for time.
            reason: Their words.

        Returns:
            The halt as it is now; or the problem that it holds no longer.

        Raises:
            LedgerUnavailableError: it is not durable; it goes on to hold.
        """
        step, lifted = self._lifting(halt, operator, reason)
        event = self._event(EventType.HALT_LIFTED, halt, {"lift_reason": reason}, operator)
        if not await self._won(Change(event, (step,))):
            return Problem(ProblemKind.HALT_CONFLICT, f"the halt of {subject_of(halt)} was lifted already")
        self._take(each for each in self._held.values() if each.id != halt.id)
        return lifted

    async def expire(self) -> None:
        """Lift every pause whose time is over.

        Raises:
            LedgerUnavailableError: tried again at the next look.
        """
        now_ns = self._clock.now_ns()
        for halt in [each for each in self._held.values() if not each.holds(now_ns)]:
            await self.lift(halt, operator="", reason="its time is over")

    def hold(self, halt: Halt) -> int:
        """Stop in this process what a durable halt stops; return how many calls were cut for it."""
        self._take((*(each for each in self._held.values() if each.key != halt.key), halt))
        return self._caught.get(halt.id, 0)

    def connections_of(self, halt: Halt) -> tuple[str, ...]:
        """Return the connections that a halt of a connection, or of a connector, stops; none for another."""
        if halt.scope is HaltScope.CONNECTION:
            return (halt.name,)
        if halt.scope is not HaltScope.CONNECTOR:
            return ()
        return tuple(name for name, each in self._configuration().connections.items() if each.connector == halt.name)

    def _take(self, halts: Iterable[Halt]) -> None:
        """Make ``halts`` what this process knows; refusals and calls change in one step."""
        self._changes += 1
        self._held = {halt.key: halt for halt in halts}
        kills = [halt for halt in self._held.values() if halt.kind is HaltKind.KILL]
        cut = self._calls.shut(frozenset(scope for halt in kills for scope in self._call_scopes(halt)))
        self._caught = {halt.id: self._caught.get(halt.id, cut) for halt in kills}

    def _call_scopes(self, halt: Halt) -> tuple[str, ...]:
        """Return the scopes of `RunningCalls` that a kill shuts."""
        if halt.scope is HaltScope.EVERYTHING:
            return (EVERYTHING,)
        return tuple(f"connection:{name}" for name in self.connections_of(halt)) or (halt.key,)

    def _connector_of(self, connection: str) -> str:
        known = self._configuration().connections.get(connection)
        return known.connector if known else ""

    def _first(self, keys: Iterable[str]) -> Problem | None:
        now_ns = self._clock.now_ns()
        found = (self._held[key] for key in keys if key in self._held)
        return next((self._told(halt) for halt in found if halt.holds(now_ns)), None)

    async def _holding(self, scope: HaltScope, name: str) -> Halt | None:
        """Return the halt of one scope and name whose row is active, whatever its time."""
        found = await self._reader.halts(active=True)
        return next((halt for halt in found if (halt.scope, halt.name) == (scope, name)), None)

    async def _begin(self, halt: Halt, instead_of: Halt | None) -> bool:
        """Write a halt, in the place of another when there is one; False when somebody else was first."""
        steps: list[Step] = []
        more: JsonObject = {}
        if instead_of is not None:
            steps.append(self._lifting(instead_of, halt.started_by, f"{halt.id} took its place")[0])
            more = {"instead_of": instead_of.id}
        if halt.ends_at_ns:
            more["ends_at_ns"] = halt.ends_at_ns
        steps.append(Insert("halts", halt_values(halt)))
        event = self._event(EventType.HALT_STARTED, halt, more, halt.started_by)
        return await self._won(Change(event, tuple(steps)))

    async def _won(self, change: Change) -> bool:
        try:
            await self._committer.commit(change)
        except ConflictError:
            return False
        return True

    def _lifting(self, halt: Halt, operator: str, reason: str) -> tuple[Update, Halt]:
        told: JsonObject = {"lifted_by": operator, "lift_reason": reason, "lifted_at_ns": self._clock.now_ns()}
        step = Update("halts", {"id": halt.id, "active": halt.key}, {"active": None, **told})
        return step, replace(halt, active=False, **told)

    def _new(self, scope: HaltScope, name: str, kind: HaltKind, *, reason: str, started_by: str = "") -> Halt:
        halt_id = HaltId(fresh_id(self._clock, "hlt"))
        return Halt(halt_id, scope, name, kind, reason, started_by, self._clock.now_ns())

    def _event(self, kind: EventType, halt: Halt, more: JsonObject, operator: str) -> Event:
        about = {_ABOUT[halt.scope]: halt.name} if halt.scope in _ABOUT else {}
        data = {"halt": halt.id, "scope": halt.scope.value, "name": halt.name, "kind": halt.kind.value}
        return new_event(self._clock, kind, {**data, "reason": halt.reason, **more}, operator=operator, **about)

    def _told(self, halt: Halt) -> Problem:
        """Return what an agent learns of a halt."""
        since, paused = rfc3339(halt.started_at_ns), halt.kind is HaltKind.PAUSE
        told: JsonObject = {"id": halt.id, "scope": halt.scope.value, "name": halt.name, "kind": halt.kind.value}
        told["since"] = since
        wait = 0
        if halt.ends_at_ns:
            told["until"] = rfc3339(halt.ends_at_ns)
            wait = max(1, -(-(halt.ends_at_ns - self._clock.now_ns()) // NS_PER_SECOND))
        until = f" until {told['until']}" if halt.ends_at_ns else ""
        detail = (
            f"{subject_of(halt)} is paused{until}, since {since}"
            if paused
            else f"{subject_of(halt)} was stopped by {quote(halt.started_by)} at {since}"
        )
        return Problem(
            ProblemKind.HALTED,
            detail,
            reason=halt.reason,
            fix=f"only an operator lifts it{' before that' if until else ''}: {_resume(halt)}",
            retry_after_seconds=wait,
            extra={"halt": told},
        )


def _resume(halt: Halt) -> str:
    """Return the command that lifts a halt."""
    match halt.scope:
        case HaltScope.EVERYTHING:
            words = "everything"
        case HaltScope.CONNECTION:
            words = f"connector {halt.name}"
        case HaltScope.CONNECTOR:
            words = f"connector {halt.name} --all"
        case HaltScope.AGENT | HaltScope.PROJECT | HaltScope.SESSION:
            words = f"{halt.scope.value} {halt.name}"
    return f"`ostiary resume {words} --reason …`"


def _held_already(halt: Halt) -> Problem:
    who = quote(halt.started_by)
    return Problem(
        ProblemKind.HALT_CONFLICT,
        f"{subject_of(halt)} was stopped by {who} at {rfc3339(halt.started_at_ns)} already",
        reason=halt.reason,
        fix=f"to let it go on: {_resume(halt)}",
        extra={"halt": {"id": halt.id}},
    )


def subject_of(halt: Halt) -> str:
    """Return what a halt stops, in words: ``the agent `x` ``."""
    if halt.scope is HaltScope.EVERYTHING:
        return "everything"
    return f"the {halt.scope.value} {quote(halt.name)}"
