"""Stopping: how a kill of an agent, a project, a connection or everything is carried out, and lifted.

    1 record   the halt is durable with its event: from here on it holds, whoever dies
    2 shut     this process refuses and cuts; every other does at its next look, within half a second
    3 end      every living session of the scope is over for good, those above before those below them
    4 void     approvals that wait, and approved intents that were not begun; the message about one in the queue is
               void with it, as a worker asks whether the intent still is approved
    5 revoke   what was minted for those sessions is taken back; this process waits a moment for what came of it
    6 report   what was stopped is on the ledger, and the halt is marked as carried out

3 to 6 change nothing where they are done already, so they may be done twice and by several processes. A halt that is
not marked is carried out by whoever looks next: the row is the truth. A halt of a connection ends no session.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from broker.approvals.service import Approvals
from broker.clock import NS_PER_SECOND, Clock
from broker.config.model import Configuration
from broker.errors import ConflictError
from broker.ids import HaltId, SessionId
from broker.limits.halts import Halts, subject_of
from broker.model import ApprovalState, Halt, HaltKind, HaltScope, JsonObject, Operator, Session
from broker.outcome import Problem, ProblemKind
from broker.revoking import Revoking
from broker.sessions import Sessions
from broker.store.base import Change, Committer, EventFilter, EventType, Reader, Update, new_event
from broker.store.statements import is_storable
from policies.errors import did_you_mean, quote

log = structlog.get_logger(__name__)

MAX_REASON: Final = 2_000
"""Characters of a reason."""

MAX_NAME: Final = 200
"""Characters of a name."""

MAX_NAMED: Final = 100
"""Names of one sort in a report; all are counted."""

ENDED_AT_ONCE: Final = 500
"""Sessions that are ended beside each other, each by a change of its own; together they take few flushes."""

ANSWER_SECONDS: Final = 20.0
"""How long who kills waits for the report; the kill itself goes on."""

REVOKE_SECONDS: Final = 2.0
"""How long a report waits for upstreams to take tokens back; the vault goes on without it."""

FINISH_AFTER_SECONDS: Final = 1.0
"""How long a halt may stay unmarked before a process that did not begin it carries it out."""

OVERLAP_SECONDS: Final = 5
"""How far the clock of another host may be behind that of who killed."""

CLOSE_SECONDS: Final = 2.0
"""How long a process that ends waits for what it carries out; others finish it."""


@dataclass(slots=True)
class Report:
    """What a kill stopped.

    Args:
        calls: How many calls were cut in the process that killed; the others cut theirs by themselves.
        sessions, approvals, queued: Ids of sessions that were ended, of approvals that waited for people, and of
            approved intents that were not begun.
        revoked, failed, pending: Tokens taken back, tokens that could not be, and sessions of which the vault has not
            said yet.
        stages_ms: How long each stage took, milliseconds.
        resumed: It was carried out, or finished, by a process that did not begin it; earlier parts are on the ledger.
    """

    calls: int = 0
    sessions: list[str] = field(default_factory=list)
    approvals: list[str] = field(default_factory=list)
    queued: list[str] = field(default_factory=list)
    revoked: int = 0
    failed: int = 0
    pending: int = 0
    stages_ms: dict[str, int] = field(default_factory=dict)
    resumed: bool = False

    def to_json(self) -> JsonObject:
        """Return it as it is on the ledger and in answers."""
        return {
            "calls": self.calls,
            "sessions": _counted(self.sessions),
            "approvals": _counted(self.approvals),
            "queued": _counted(self.queued),
            "tokens": {"revoked": self.revoked, "failed": self.failed, "pending": self.pending},
            "stages_ms": dict(self.stages_ms),
            "resumed": self.resumed,
        }


@dataclass(frozen=True, slots=True)
class Stopped:
    """A kill that holds.

    Args:
        halt: What is stopped.
        report: What that stopped; None while it is still being carried out.
    """

    halt: Halt
    report: Report | None


@dataclass(frozen=True, slots=True)
class Parts:
    """What stopping needs; see the classes themselves."""

    reader: Reader
    committer: Committer
    clock: Clock
    configuration: Callable[[], Configuration]
    halts: Halts
    sessions: Sessions
    approvals: Approvals
    revoking: Revoking


class Halting:
    """Stops, and lets go on.

    Args:
        parts: What it needs.
        answer_seconds, revoke_seconds, close_seconds: How long who kills, a report, and `aclose` wait.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        revoke_seconds: float = REVOKE_SECONDS,
        close_seconds: float = CLOSE_SECONDS,
    ) -> None:
        self._parts = parts
        self._answer_seconds = answer_seconds
        self._revoke_seconds = revoke_seconds
        self._close_seconds = close_seconds
        self._running: dict[HaltId, asyncio.Task[Report | None]] = {}
        self._seen: dict[HaltId, int] = {}

    async def kill(
        self, scope: HaltScope, name: str, *, operator: Operator, reason: str, force: bool = False
    ) -> Stopped | Problem:
        """Stop an agent, a project, a connection, all of a connector, or everything, until people lift it.

        Args:
            scope: What; a session is ended by `Sessions.kill` instead.
            name: Its name, empty for everything.
            operator: Who does it; the door has looked at their roles.
            reason: Their words, 1 to `MAX_REASON` characters.
            force: Take a name that only the ledger knows; for connections, any name.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: nothing is stopped, or it cannot be told whether it is.
        """
        refused = _bad_reason(reason) or await self._unknown(scope, name, force=force)
        if refused:
            return refused
        halt = await self._parts.halts.kill(scope, name, operator=operator.name, reason=reason)  # 1 record
        if isinstance(halt, Problem):
            return halt
        report = Report(calls=self._parts.halts.hold(halt))  # 2 shut
        task = self._begin(halt, report)
        await asyncio.wait((task,), timeout=self._answer_seconds)
        return Stopped(halt, task.result() if task.done() and not task.cancelled() else None)

    async def lift(self, halt_id: HaltId, *, operator: Operator, reason: str) -> Halt | Problem:
        """Let what was stopped go on; sessions that were ended stay so.

        Args:
            halt_id: Which halt.
            operator: Who does it; the door has looked at their roles.
            reason: Their words, 1 to `MAX_REASON` characters.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: it goes on to hold.
        """
        halt = await self._parts.reader.halt(halt_id)
        refused = _bad_reason(reason) or (None if halt else Problem(ProblemKind.NOT_FOUND, "there is no such halt"))
        if refused or halt is None:
            return refused or _lifted(halt_id)
        if not halt.active:
            return _lifted(halt_id)
        if halt.kind is HaltKind.KILL:
            await self._finish(halt)
        return await self._parts.halts.lift(halt, operator=operator.name, reason=reason)

    async def learn(self) -> None:
        """Take up what holds: before a process begins anything.

        Raises:
            StoreUnavailableError: it cannot be told what holds.
        """
        await self._parts.halts.poll()

    async def look(self) -> None:
        """Take up what holds, end pauses whose time is over, and see that every kill is carried out.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: done at the next look; what was known goes on to hold.
        """
        found = await self._parts.halts.poll()
        unmarked = [halt for halt in found if halt.kind is HaltKind.KILL and not halt.reported_at_ns]
        now_ns = self._parts.clock.monotonic_ns()
        self._seen = {halt.id: self._seen.get(halt.id, now_ns) for halt in unmarked}
        for halt in unmarked:
            late = now_ns - self._seen[halt.id] >= FINISH_AFTER_SECONDS * NS_PER_SECOND
            if late and halt.id not in self._running:
                self._begin(halt, Report(resumed=True))
        await self._parts.halts.expire()

    async def aclose(self) -> None:
        """Wait a moment for what is carried out, and end it."""
        tasks = list(self._running.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._close_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _begin(self, halt: Halt, report: Report) -> asyncio.Task[Report | None]:
        """Carry a kill out in a task of its own: who asked may go away meanwhile, and the next look must not wait."""
        task = asyncio.create_task(self._carry_out(halt, report))
        self._running[halt.id] = task
        task.add_done_callback(lambda _: self._running.pop(halt.id, None))
        return task

    async def _carry_out(self, halt: Halt, report: Report) -> Report | None:
        try:
            await self._stop(halt, report)
            await self._parts.halts.reported(halt, report.to_json())  # 6 report
        except Exception as error:  # noqa: BLE001 - leads to a log line and another try at the next look
            log.warning("kill_not_carried_out", halt=halt.id, error=type(error).__name__)
            return None
        return report

    async def _finish(self, halt: Halt) -> None:
        """Carry out what is left of a kill before it is lifted: nothing begun under it may live on."""
        under_way = self._running.get(halt.id)
        if under_way is not None:
            await asyncio.wait((under_way,))
        report = Report(resumed=True)
        # Also when it is marked: what was begun in the half second before a process knew of it ends here.
        await self._stop(halt, report)
        if not halt.reported_at_ns:
            await self._parts.halts.reported(halt, report.to_json())

    async def _stop(self, halt: Halt, report: Report) -> None:
        async with self._stage(report, "end"):  # 3 end
            ended = await self._end_sessions(halt)
            report.sessions += [each.id for each in ended]
        async with self._stage(report, "void"):  # 4 void
            await self._void(halt, report)
        async with self._stage(report, "revoke"):  # 5 revoke
            session_ids = {each.id for each in ended}
            if report.resumed:
                # Whoever ended the others may have died before it told the vault, which takes each token back once.
                since_ns = halt.started_at_ns - OVERLAP_SECONDS * NS_PER_SECOND
                session_ids.update(await self._parts.reader.killed_sessions(since_ns))
            await self._revoke(session_ids, report)

    async def _end_sessions(self, halt: Halt) -> list[Session]:
        parts, ended = self._parts, list[Session]()
        while living := await parts.reader.living_sessions(
            halt.scope, halt.name, parts.clock.now_ns(), limit=ENDED_AT_ONCE
        ):
            changes = [self._ending(each, halt) for each in living]
            results = await asyncio.gather(*map(parts.committer.commit, changes), return_exceptions=True)
            for result in results:
                # Somebody else who ended one first did what is wanted.
                if isinstance(result, BaseException) and not isinstance(result, ConflictError):
                    raise result
            parts.sessions.forget(*(each.id for each in living))
            ended += living
        return ended

    def _ending(self, session: Session, halt: Halt) -> Change:
        about = {"agent": session.agent, "project": session.project, "session_id": session.id}
        event = new_event(
            self._parts.clock, EventType.SESSION_KILLED, {"halt": halt.id}, operator=halt.started_by, **about
        )
        return Change(
            event, (Update("sessions", {"id": session.id, "killed_at_ns": 0}, {"killed_at_ns": event.at_ns}),)
        )

    async def _void(self, halt: Halt, report: Report) -> None:
        told = f"{subject_of(halt)} was stopped by {quote(halt.started_by)}: {halt.reason}"
        connections = self._parts.halts.connections_of(halt)
        scopes = [(HaltScope.CONNECTION, name) for name in connections] or [(halt.scope, halt.name)]
        for scope, name in scopes:
            voided = await self._parts.approvals.void(scope, name, told)
            report.approvals += [each.id for each in voided if each.state is ApprovalState.PENDING]
            report.queued += [each.intent_id for each in voided if each.state is ApprovalState.APPROVED]

    async def _revoke(self, session_ids: Collection[SessionId], report: Report) -> None:
        tasks = [self._parts.revoking.begin(each) for each in session_ids]
        if not tasks:
            return
        done, late = await asyncio.wait(tasks, timeout=self._revoke_seconds)
        said = [task.result() for task in done if not task.cancelled()]
        report.revoked = sum(each.revoked for each in said if each)
        report.failed = sum(each.failed for each in said if each)
        report.pending = len(late) + sum(each is None for each in said)

    @asynccontextmanager
    async def _stage(self, report: Report, name: str) -> AsyncGenerator[None, None]:
        begun_ns = self._parts.clock.monotonic_ns()
        yield
        report.stages_ms[name] = (self._parts.clock.monotonic_ns() - begun_ns) // 1_000_000

    async def _unknown(self, scope: HaltScope, name: str, *, force: bool) -> Problem | None:
        """Tell that there is nothing of this name to stop."""
        if scope is HaltScope.SESSION:
            fix = "ostiary kill session ID"
            return Problem(ProblemKind.INVALID_PARAMS, "a session is not halted but ended for good", fix=fix)
        if (scope is HaltScope.EVERYTHING) == bool(name):
            detail = "everything has no name" if name else f"a halt of a {scope.value} needs its name"
            return Problem(ProblemKind.INVALID_PARAMS, detail)
        known = self._names(scope)
        if scope is HaltScope.EVERYTHING or name in known or (force and await self._on_ledger(scope, name)):
            return None
        detail = f"no {scope.value} {quote(name[:80])} in ostiary.yaml"
        fix = did_you_mean(name, known) or "to stop one that only the ledger knows, say `force`"
        return Problem(ProblemKind.NOT_FOUND, detail, fix=fix)

    def _names(self, scope: HaltScope) -> set[str]:
        """Return what the configuration knows of a scope."""
        configuration = self._parts.configuration()
        match scope:
            case HaltScope.AGENT:
                return set(configuration.agents)
            case HaltScope.PROJECT:
                return set(configuration.projects)
            case HaltScope.CONNECTION:
                return set(configuration.connections)
            case HaltScope.CONNECTOR:
                return {each.connector for each in configuration.connections.values()}
            case HaltScope.SESSION | HaltScope.EVERYTHING:
                return set()

    async def _on_ledger(self, scope: HaltScope, name: str) -> bool:
        """Tell whether the ledger knows a name; it is not kept by connection, so of those every one counts."""
        if not is_storable(name) or len(name) > MAX_NAME:
            return False
        match scope:
            case HaltScope.AGENT:
                wanted = EventFilter(agent=name, limit=1)
            case HaltScope.PROJECT:
                wanted = EventFilter(project=name, limit=1)
            case _:
                return True
        return bool(await self._parts.reader.events(wanted))


def _bad_reason(reason: str) -> Problem | None:
    if not reason.strip():
        return Problem(ProblemKind.INVALID_PARAMS, "a reason is needed", fix="say why, for those who read the ledger")
    if not is_storable(reason):
        return Problem(ProblemKind.INVALID_PARAMS, "the reason holds NUL or half a character")
    if len(reason) > MAX_REASON:
        return Problem(ProblemKind.INVALID_PARAMS, f"the reason is longer than {MAX_REASON} characters")
    return None


def _lifted(halt_id: HaltId) -> Problem:
    return Problem(ProblemKind.HALT_CONFLICT, f"the halt `{halt_id}` was lifted already")


def _counted(names: list[str]) -> JsonObject:
    return {"count": len(names), "names": names[:MAX_NAMED]}
