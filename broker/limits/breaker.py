"""The circuit breakers of one process: a loop that only fails is stopped before it costs. States and rules: `runs`.

    refusal  before a call    in memory; when nothing fails anywhere it costs a look at an empty table
    feed     after a call     in memory
    look     every half second, in every process: tells the others what failed here, learns what failed there, and
             writes down what opened, once for all of them, with its event

So a breaker that opens here refuses here at once, and everywhere within a second. What failed in several processes is
summed by then, too: a loop that is spread over processes gets a few calls more, no loop gets away. A half-open breaker
lets one call at a time through in each process. One that opened and was closed by a success before anybody looked has
refused for less than a second and leaves no event.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from broker.clock import NS_PER_SECOND, Clock
from broker.errors import ConflictError, LedgerUnavailableError, StoreUnavailableError
from broker.limits.breaker_store import SqlBreakers, opening, resetting
from broker.limits.failures import failure_of
from broker.limits.runs import (
    FORGET_SECONDS,
    IDENTICAL,
    LONGEST_SECONDS,
    PROBE_SECONDS,
    News,
    Standing,
    Tally,
    connection_key,
    merged,
    open_seconds,
    session_key,
)
from broker.model import Operator, Session
from broker.outcome import Problem, ProblemKind
from broker.store.base import Change, Committer, EventType, Step, new_event
from broker.store.statements import is_storable
from connectors.base import Plan

MAX_RUNS: Final = 10_000
"""Breakers with failures that one process remembers; beyond that the one that began longest ago is forgotten."""
OVERLAP_SECONDS: Final = 5
"""Changes are read again for this long, so that one committed late or by another host's clock is not missed."""
KEEP_SECONDS: Final = 7 * 86_400
"""How long a breaker that nothing happens to is stored."""
EXPIRE_SECONDS: Final = 3_600
"""Between two looks at what need not be stored any more."""
MAX_REASON_CHARS: Final = 2_000
_DIGEST_CHARS: Final = 32
"""Of the digest of a request; 128 bits tell requests apart."""


@dataclass(slots=True)
class _Run:
    """A breaker as this process knows it; what is counted twice nowhere.

    Args:
        known: As it is stored, with an opening that is not stored yet.
        telling: What is being told at this moment.
        news: What is not told yet.
        shut_until_ns, probing_until_ns: On the monotonic clock: it refuses all until then; all but one.
        stored: Whether others can know of it.
        unsent: Whether its last opening is to be written down.
    """

    known: Standing
    telling: News = field(default_factory=News)
    news: News = field(default_factory=News)
    shut_until_ns: int = 0
    probing_until_ns: int = 0
    stored: bool = False
    unsent: bool = False

    @property
    def tally(self) -> Tally:
        """All failures in a row."""
        return self.known.tally.plus(self.telling.tally).plus(self.news.tally)

    @property
    def standing(self) -> Standing:
        """All that is known."""
        return replace(self.known, tally=self.tally, updated_at_ns=max(self.known.updated_at_ns, self.news.at_ns))

    def closes(self, now_ns: int) -> None:
        """Take note of a success."""
        self.known = Standing(self.known.key, reset_at_ns=self.known.reset_at_ns)
        self.telling, self.news = News(), News(success_at_ns=now_ns)
        self.shut_until_ns = self.probing_until_ns = 0
        self.unsent = False

    def opens(self, now_ns: int, monotonic_ns: int) -> None:
        """Open once more."""
        self.known = self.known.opened(now_ns)
        self.shut_until_ns = monotonic_ns + open_seconds(self.known.openings) * NS_PER_SECOND
        self.probing_until_ns = 0
        self.unsent = True

    def told(self, now_ns: int) -> None:
        """Take note that the others know."""
        self.known = replace(merged(self.known, self.telling, now_ns), openings=self.known.openings)
        self.telling, self.stored = News(), True


class Breakers:
    """Stops loops that only fail.

    Args:
        store: What the processes tell each other.
        committer: The ledger.
        clock: Time and entropy.
    """

    def __init__(self, store: SqlBreakers, committer: Committer, clock: Clock) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._runs: dict[str, _Run] = {}
        self._looking = asyncio.Lock()
        self._since_ns = clock.now_ns() - (FORGET_SECONDS + LONGEST_SECONDS) * NS_PER_SECOND
        self._expire_ns = 0

    def refusal(self, session: Session, plan: Plan, digest: str) -> Problem | None:
        """Tell that a breaker is open; None when the call may be tried, as the one call where it is half-open."""
        del digest
        if not self._runs:
            return None
        now_ns = self._clock.monotonic_ns()
        opened = [run for run in self._of(session, plan) if run.known.openings]
        for run in opened:
            left_ns = max(run.shut_until_ns, run.probing_until_ns) - now_ns
            if left_ns > 0:
                return _refused(run, -(-left_ns // NS_PER_SECOND))
        for run in opened:
            run.probing_until_ns = now_ns + PROBE_SECONDS * NS_PER_SECOND
        return None

    def feed(self, session: Session, plan: Plan, digest: str, problem: Problem | None) -> tuple[Step, ...]:
        """Learn what became of a call.

        Returns:
            Nothing to write with its outcome: what others should know is told by `look`, so that no count of a breaker
            can cost an outcome.
        """
        if problem is None:
            if self._runs:
                self._succeeded(session, plan)
            return ()
        failure = failure_of(problem)
        if failure is None or not failure.upstream:
            for run in self._of(session, plan):
                run.probing_until_ns = 0  # it told nothing of the upstream: the next one may try
        if failure is None:
            return ()
        about = Tally(
            int(failure.upstream), {digest[:_DIGEST_CHARS]: 1}, failure.status, session.agent, session.project
        )
        self._failed(session_key(session.family_id), about)
        if failure.upstream:
            key = connection_key(plan.connection, plan.credential)
            self._failed(key, Tally(1, {session.family_id: 1}, failure.status))
        return ()

    async def learn(self) -> None:
        """Learn what failed before this process began; writes nothing.

        Raises:
            StoreUnavailableError: it cannot be read.
        """
        async with self._looking:
            await self._exchange()

    async def look(self) -> None:
        """Look once.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: to be tried again; nothing is lost.
        """
        async with self._looking:
            await self._exchange()
            await self._record()
            await self._forget()

    async def aclose(self) -> None:
        """Tell the others what they do not know yet; a worker's process is over before the next look."""
        with contextlib.suppress(StoreUnavailableError, LedgerUnavailableError):  # then it costs a few calls
            await self.look()

    async def reset(self, key: str, operator: Operator, reason: str) -> Standing | Problem:
        """Close a breaker and forget its failures, everywhere within a second.

        Args:
            key: Of the breaker, as `standings` shows it.
            operator: Who does it.
            reason: Their words, for the ledger.

        Returns:
            How it stands now; or the problem, when there is no such breaker or no reason.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: it stands as before.
        """
        if not reason.strip() or len(reason) > MAX_REASON_CHARS or not is_storable(reason):
            return Problem(ProblemKind.INVALID_PARAMS, f"a reset needs a reason, at most {MAX_REASON_CHARS} characters")
        async with self._looking:
            await self._exchange()
            run = self._runs.get(key)
            unknown = Problem(ProblemKind.NOT_FOUND, "no such breaker has failures", fix="list them all")
            if run is None or not run.stored:
                return unknown
            before, at_ns = run.standing, max(self._clock.now_ns(), run.known.reset_at_ns + 1)
            told = {**_told(before), "reason": reason}
            event = new_event(self._clock, EventType.BREAKER_RESET, told, operator=operator.name, **_about(before))
            try:
                await self._committer.commit(Change(event, (resetting(before, at_ns),)))
            except ConflictError:
                return unknown
            self._runs.pop(key, None)
            return Standing(key, updated_at_ns=at_ns, reset_at_ns=at_ns)

    def standings(self) -> list[Standing]:
        """Return every breaker that has failures, here or elsewhere, by key."""
        return sorted((run.standing for run in self._runs.values() if not run.standing.idle), key=lambda each: each.key)

    def _of(self, session: Session, plan: Plan) -> Iterator[_Run]:
        keys = (session_key(session.family_id), connection_key(plan.connection, plan.credential))
        return (run for key in keys if (run := self._runs.get(key)) is not None)

    def _succeeded(self, session: Session, plan: Plan) -> None:
        for run in list(self._of(session, plan)):
            if run.stored or run.telling.at_ns:
                run.closes(self._clock.now_ns())
            else:
                del self._runs[run.known.key]

    def _failed(self, key: str, about: Tally) -> None:
        run = self._runs.get(key)
        if run is None:
            if len(self._runs) >= MAX_RUNS:
                del self._runs[next(iter(self._runs))]
            run = self._runs[key] = _Run(Standing(key))
        now_ns, monotonic_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        run.news = run.news.plus(News(about, failed_at_ns=now_ns))
        tally = run.tally
        if not run.known.openings:
            opens = tally.trips(key)
        else:
            # What was under way when it opened says nothing new; afterwards one failure is enough.
            tried = about.failures > 0 or max(tally.parts.get(part, 0) for part in about.parts) >= IDENTICAL
            opens = tried and monotonic_ns >= run.shut_until_ns
        if opens:
            run.opens(now_ns, monotonic_ns)

    async def _exchange(self) -> None:
        """Tell the others what happened here, and learn what happened there."""
        now_ns = self._clock.now_ns()
        telling = [run for run in self._runs.values() if run.news.at_ns]
        for run in telling:
            run.telling, run.news = run.news, News()
        if telling:
            try:
                await self._store.tell({run.known.key: run.telling for run in telling}, now_ns)
            except StoreUnavailableError:
                for run in telling:
                    run.news, run.telling = run.telling.plus(run.news), News()
                raise
        for run in telling:
            run.told(now_ns)
        overlap_ns = OVERLAP_SECONDS * NS_PER_SECOND
        for standing in await self._store.read(self._since_ns - overlap_ns, self._runs.keys()):
            self._adopt(standing, now_ns)
        self._since_ns = now_ns

    def _adopt(self, standing: Standing, now_ns: int) -> None:
        """Take over what is stored of a breaker."""
        run = self._runs.get(standing.key)
        if run is None:
            if standing.idle or standing.forgotten(now_ns):
                return
            run = self._runs[standing.key] = _Run(Standing(standing.key))
        run.stored = True
        if standing.reset_at_ns > run.known.reset_at_ns:
            run.unsent = False
            if run.news.at_ns <= standing.reset_at_ns:
                run.news = News()
        if run.news.success_at_ns:
            return  # which the others do not know yet
        before, monotonic_ns = run.known, self._clock.monotonic_ns()
        if run.unsent and standing.openings < before.openings:
            run.known = replace(before, tally=standing.tally, reset_at_ns=standing.reset_at_ns)
        else:
            run.known, run.unsent = standing, False
            if (standing.openings, standing.open_until_ns) != (before.openings, before.open_until_ns):
                left_ns = min(standing.open_until_ns - now_ns, LONGEST_SECONDS * NS_PER_SECOND)
                run.shut_until_ns, run.probing_until_ns = monotonic_ns + left_ns, 0
        if not run.known.openings and run.tally.trips(standing.key):
            run.opens(now_ns, monotonic_ns)
        if run.standing.idle:
            del self._runs[standing.key]

    async def _record(self) -> None:
        """Write down what opened here; where another process was quicker, its word counts."""
        for run in [run for run in self._runs.values() if run.unsent and run.stored]:
            opened = run.standing
            event = new_event(self._clock, EventType.BREAKER_OPENED, _told(opened), **_about(opened))
            try:
                await self._committer.commit(Change(event, (opening(opened),)))
            except ConflictError:
                run.unsent = False  # the next look takes over what is there
            else:
                run.unsent = run.unsent and run.known.openings != opened.openings

    async def _forget(self) -> None:
        now_ns = self._clock.now_ns()
        for key, run in list(self._runs.items()):
            if not run.news.at_ns and not run.unsent and run.known.forgotten(now_ns):
                del self._runs[key]
        if now_ns >= self._expire_ns:
            self._expire_ns = now_ns + EXPIRE_SECONDS * NS_PER_SECOND
            await self._store.expire(now_ns - KEEP_SECONDS * NS_PER_SECOND)


def _refused(run: _Run, seconds: int) -> Problem:
    standing = run.standing
    kind, name = standing.key.split("/")[:2]
    whose = "the calls of this session" if kind == "session" else f"the calls to `{name}`"
    return Problem(
        ProblemKind.BREAKER_OPEN,
        f"{whose} failed again and again, the last one with `{standing.tally.status}`",
        reason="circuit breaker",
        fix="find out why first; one call is tried when the time is over, or when an operator resets the breaker",
        retry_after_seconds=seconds,
        # The name of the credential is no business of the agent.
        extra={"breaker": f"{kind}/{name}", "last_status": standing.tally.status, "openings": standing.openings},
    )


def _told(standing: Standing) -> dict[str, str | int]:
    return {
        "breaker": standing.key,
        "openings": standing.openings,
        "failures": standing.tally.failures,
        "most_identical": max(standing.tally.parts.values(), default=0) if standing.tally.agent else 0,
        "last_status": standing.tally.status,
        "open_seconds": open_seconds(standing.openings) if standing.openings else 0,
    }


def _about(standing: Standing) -> dict[str, str]:
    kind, _, name = standing.key.partition("/")
    session_id = name if kind == "session" else ""
    return {"session_id": session_id, "agent": standing.tally.agent, "project": standing.tally.project}
