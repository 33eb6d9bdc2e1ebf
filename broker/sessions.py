"""Sessions: started by operators, handed out by sessions, authenticated from tokens, killed for ever.

A token is stored as its SHA-256 only. An authenticated session is remembered for `CACHE_SECONDS`, less than the second
within which a kill must work everywhere; a kill in this process forgets it at once, and the row step `session_lives`
keeps a killed session from beginning anything even in that window.

A session may hand out a narrower one: same agent, project and owner, an end and a scope within its own. That the scope
is within is looked at here, once, to say so early; what holds it there is that every scope above it decides too, each
time. A family is killed from any of its members downwards, in one transaction. A session that was handed out at that
very moment is dead all the same: whether one above it was killed is read with its row.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from broker.clock import NS_PER_SECOND, Clock, fresh_id
from broker.config.model import Configuration
from broker.errors import BudgetExceededError, ConflictError
from broker.ids import (
    TOKEN_ENTROPY_BYTES,
    SessionId,
    TokenHash,
    hash_token,
    make_token,
    token_kind,
)
from broker.model import MAX_DEPTH, JsonObject, Operator, Session
from broker.outcome import Problem, ProblemKind
from broker.ports import StartCount, StartGate
from broker.scopes import faults_of, too_wide
from broker.store.base import Change, Committer, Event, EventType, Insert, Minted, Reader, Step, Update, new_event
from broker.store.rows import session_lives, session_mints, session_values
from policies.errors import quote

CACHE_SECONDS: Final = 0.5
MAX_CACHED: Final = 10_000
"""Entries; over it the cache is emptied, which costs one look-up per session."""

MAX_TTL_SECONDS: Final = 7 * 86_400

MAX_FAMILY: Final = 100
"""Living sessions below one that an operator started; a kill ends them all in one transaction."""

MAX_LABELS: Final = 16
"""Labels of a session, those it has from its parent included."""

MINT_TRIES: Final = 8
"""How often a session that lost against another of its family is begun again before its agent is told to wait."""

_UNKNOWN_TOKEN: Final = Problem(
    ProblemKind.UNAUTHENTICATED, "the token is not known here", fix="ask an operator for `ostiary session start`"
)


class Sessions:
    """Mints, authenticates and kills sessions.

    Args:
        reader: Where sessions are looked up.
        committer: Where they are changed.
        clock: Time and entropy.
        configuration: Returns the configuration in force.
        on_killed: Called after a kill is durable, to cut and void what the session has under way in this process.
        gate: What keeps sessions from being started; None for nothing.
        count: Counts the sessions operators start; None to let them start any number. Sessions handed out by sessions
            are not counted: `MAX_FAMILY` bounds them, and what they do is counted with their family.
    """

    def __init__(  # noqa: PLR0913 - what it reads and writes, and what stands at its beginnings and ends
        self,
        reader: Reader,
        committer: Committer,
        clock: Clock,
        configuration: Callable[[], Configuration],
        on_killed: Callable[[SessionId], Awaitable[None]],
        *,
        gate: StartGate | None = None,
        count: StartCount | None = None,
    ) -> None:
        self._reader = reader
        self._committer = committer
        self._clock = clock
        self._configuration = configuration
        self._on_killed = on_killed
        self._gate = gate
        self._count = count
        self._cache: dict[TokenHash, tuple[int, Session]] = {}
        self._minting = asyncio.Lock()

    async def authenticate(self, unverified_token: str) -> Session | Operator | Problem:
        """Return who holds the token, or the problem with it.

        Raises:
            StoreUnavailableError: the token could not be looked up.
        """
        kind = token_kind(unverified_token)
        if kind is None:
            return Problem(ProblemKind.UNAUTHENTICATED, "the token is malformed or mistyped")
        token_hash = hash_token(unverified_token)
        return await (self._operator(token_hash) if kind == "o" else self._session(token_hash))

    async def authenticate_id(self, session_id: SessionId) -> Session | Problem:
        """Return the living session of an id whose holder has proved it in another way than by its token.

        Raises:
            StoreUnavailableError: it could not be looked up.
        """
        return await self._remembered(TokenHash(session_id), lambda: self._reader.session(session_id))

    async def check(self, session: Session) -> Problem | None:
        """Tell why a session read earlier may not act now; None when it may."""
        current = await self._reader.session(session.id)
        return _refusal(current, self._clock.now_ns()) if current else _UNKNOWN_TOKEN

    async def start(
        self, operator: Operator, *, agent: str, ttl_seconds: int, labels: dict[str, str], scope: Sequence[str] = ()
    ) -> tuple[Session, str] | Problem:
        """Start a session and return it with its token, which is shown this once.

        Args:
            operator: Who starts it; becomes its owner and can never approve for it.
            agent: Name of a configured agent.
            ttl_seconds: 1 to `MAX_TTL_SECONDS`.
            labels: Shown in replay.
            scope: Rules it is held to beside the policy of its agent; empty for that policy alone.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: nobody was given a session.
        """
        configuration = self._configuration()
        known = configuration.agents.get(agent)
        if known is None:
            return Problem(ProblemKind.NOT_FOUND, f"no agent `{agent[:80]}` in ostiary.yaml", fix="ostiary agent list")
        refused = self._halted(agent, known.project) or _bad_ttl(ttl_seconds) or faults_of(scope, configuration)
        if refused:
            return refused
        now_ns = self._clock.now_ns()
        session = Session(
            SessionId(fresh_id(self._clock, "ses")),
            agent,
            known.project,
            operator.name,
            now_ns,
            now_ns + ttl_seconds * NS_PER_SECOND,
            labels=dict(labels),
            scopes=(tuple(scope),) if scope else (),
        )
        if self._count is None:
            return await self._begin(session, operator.name)
        try:
            return await self._begin(session, operator.name, self._count.starting(session))
        except BudgetExceededError as error:
            return await self._count.not_started(session, error.key)

    async def start_child(
        self, parent: Session, *, scope: Sequence[str], ttl_seconds: int, labels: dict[str, str]
    ) -> tuple[Session, str] | Problem:
        """Hand out a session that may do no more than ``parent``, with its token, which is shown this once.

        Args:
            parent: Who hands it out, as authenticated.
            scope: Rules it is held to beside all that ``parent`` is held to; at least one, none of them wider.
            ttl_seconds: 1 to `MAX_TTL_SECONDS`; it ends with ``parent`` at the latest.
            labels: Added to those of ``parent``, none of which can be given again. No policy looks at them: who hands a
                session out could open with one what is closed to itself.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: nothing was started.
        """
        refused = self._halted(parent.agent, parent.project) or _bad_ttl(ttl_seconds) or _bad_child(parent, labels)
        refused = refused or await self._bad_scope(parent, scope)
        if refused:
            return refused
        # One at a time here; against other processes there is the count in the row of the family.
        async with self._minting:
            for _ in range(MINT_TRIES):
                minted = await self._room_below(parent)
                if isinstance(minted, Problem):
                    return minted
                guards = (session_lives(parent.id), session_mints(parent.family_id, minted.ever))
                with contextlib.suppress(ConflictError):
                    return await self._begin(self._below(parent, scope, ttl_seconds, labels), parent.actor, guards)
        return Problem(
            ProblemKind.TOO_BUSY, "others of the same family are started at this moment", retry_after_seconds=1
        )

    async def kill(self, session_id: SessionId, operator: Operator) -> bool:
        """Kill a session and all that are below it; False when there is none or it was killed before.

        Raises:
            StoreUnavailableError: it cannot be told whether all of them are dead; those of the ledger's event are.
            LedgerUnavailableError: the kill is not durable.
        """
        session = await self._reader.session(session_id)
        if session is None or session.killed_at_ns:
            return False
        killed: list[SessionId] = []
        # Until none is left: one may have been handed out since the last look, but none after its parent was killed.
        while family := await self._reader.unkilled_family(session_id):
            try:
                await self._committer.commit(self._killing(session, family, operator.name))
            except ConflictError:
                continue  # somebody else killed one of them first
            killed += family
            self._forget(family)
            # Shielded: what follows from a kill is not left half done when whoever killed is gone, or was cut by it.
            await asyncio.shield(asyncio.gather(*map(self._on_killed, family)))
        return session_id in killed

    def forget(self, *session_ids: SessionId) -> None:
        """Drop what is remembered of sessions, so that their next requests look them up."""
        self._forget(frozenset(session_ids))

    def _forget(self, session_ids: Collection[SessionId]) -> None:
        for token_hash in [key for key, (_, held) in self._cache.items() if held.id in session_ids]:
            self._cache.pop(token_hash, None)

    async def _operator(self, token_hash: TokenHash) -> Operator | Problem:
        name = await self._reader.operator_by_token(token_hash, self._clock.now_ns())
        known = self._configuration().operators.get(name) if name else None
        return known or replace(_UNKNOWN_TOKEN, fix="ask for `ostiary operator token NAME`")

    async def _session(self, token_hash: TokenHash) -> Session | Problem:
        return await self._remembered(token_hash, lambda: self._reader.session_by_token(token_hash))

    async def _remembered(self, key: TokenHash, look_up: Callable[[], Awaitable[Session | None]]) -> Session | Problem:
        until, session = self._cache.get(key, (0, None))
        if session is None or self._clock.monotonic_ns() >= until:
            session = await look_up()
            if session is None:
                return _UNKNOWN_TOKEN
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            self._cache[key] = (self._clock.monotonic_ns() + int(CACHE_SECONDS * NS_PER_SECOND), session)
        return _refusal(session, self._clock.now_ns()) or session

    async def _bad_scope(self, parent: Session, scope: Sequence[str]) -> Problem | None:
        configuration = self._configuration()
        if not scope:
            return Problem(
                ProblemKind.INVALID_PARAMS,
                "a session that is handed out needs a scope",
                fix="name what it is for, as `git:read on repos/acme/*`",
            )
        # In a thread: against a policy of many rules this takes milliseconds, and others are waiting.
        return faults_of(scope, configuration) or await asyncio.to_thread(too_wide, scope, parent, configuration)

    async def _room_below(self, parent: Session) -> Minted | Problem:
        """Return how many sessions the family of ``parent`` has, or why it can have no more."""
        now_ns = self._clock.now_ns()
        # As it is now: the one that was authenticated may be half a second old.
        current = await self._reader.session(parent.id)
        ended = _refusal(current, now_ns) if current else _UNKNOWN_TOKEN
        minted = await self._reader.minted_below(parent.family_id, now_ns)
        return ended or (minted if minted.living < MAX_FAMILY else _full(parent))

    def _below(self, parent: Session, scope: Sequence[str], ttl_seconds: int, labels: dict[str, str]) -> Session:
        now_ns = self._clock.now_ns()
        return replace(
            parent,
            id=SessionId(fresh_id(self._clock, "ses")),
            created_at_ns=now_ns,
            expires_at_ns=min(now_ns + ttl_seconds * NS_PER_SECOND, parent.expires_at_ns),
            scopes=(*parent.scopes, tuple(scope)),
            parent_id=parent.id,
            root_id=parent.family_id,
            depth=parent.depth + 1,
            added_labels={**labels, **parent.added_labels},
        )

    def _halted(self, agent: str, project: str) -> Problem | None:
        return self._gate.refuses_start(agent, project) if self._gate else None

    async def _begin(self, session: Session, by: str, guards: tuple[Step, ...] = ()) -> tuple[Session, str] | Problem:
        token = make_token("s", self._clock.entropy(TOKEN_ENTROPY_BYTES))
        data: JsonObject = {"expires_at_ns": session.expires_at_ns, "labels": session.labels}
        if session.scopes:
            data["scope"] = list(session.scopes[-1])
        if session.parent_id:
            data |= {"parent_id": session.parent_id, "added_labels": session.added_labels}
        insert = Insert("sessions", session_values(session, hash_token(token)))
        event = self._event(EventType.SESSION_STARTED, session, by, data)
        await self._committer.commit(Change(event, (*guards, insert)))
        # A kill looks for sessions once it is durable, and this for kills once the session is: one sees the other.
        overtaken = await self._gate.overtook(session) if self._gate else None
        if overtaken is not None:
            with contextlib.suppress(ConflictError):  # the kill found it first
                await self._committer.commit(self._killing(session, [session.id], ""))
            return overtaken
        return session, token

    def _killing(self, session: Session, family: Sequence[SessionId], by: str) -> Change:
        """Return the change that kills ``family``; its event is about the first of it."""
        now_ns = self._clock.now_ns()
        first, *others = family
        steps = tuple(Update("sessions", {"id": each, "killed_at_ns": 0}, {"killed_at_ns": now_ns}) for each in family)
        data: JsonObject = {"below": others} if others else {}
        return Change(self._event(EventType.SESSION_KILLED, replace(session, id=first), by, data), steps)

    def _event(self, kind: EventType, session: Session, operator: str, data: JsonObject) -> Event:
        about = {"agent": session.agent, "project": session.project, "session_id": session.id}
        return new_event(self._clock, kind, data, operator=operator, **about)


def _bad_ttl(ttl_seconds: int) -> Problem | None:
    if 1 <= ttl_seconds <= MAX_TTL_SECONDS:
        return None
    return Problem(ProblemKind.INVALID_PARAMS, f"ttl must be between 1 and {MAX_TTL_SECONDS} seconds")


def _bad_child(parent: Session, labels: dict[str, str]) -> Problem | None:
    """Tell what keeps ``parent`` from handing out a session with ``labels``."""
    if parent.depth >= MAX_DEPTH:
        detail = f"this session is {parent.depth} below the one an operator started and cannot hand out another"
        return Problem(ProblemKind.FORBIDDEN, detail, fix="ask the session above it")
    given = {**parent.labels, **parent.added_labels}
    changed = sorted(labels.keys() & given.keys())
    if changed:
        names = ", ".join(map(quote, changed))
        return Problem(ProblemKind.INVALID_PARAMS, f"the session has these labels from its parent: {names}")
    if len(given) + len(labels) > MAX_LABELS:
        return Problem(ProblemKind.INVALID_PARAMS, f"more than {MAX_LABELS} labels, those of the parent included")
    return None


def _full(parent: Session) -> Problem:
    return Problem(
        ProblemKind.TOO_BUSY,
        f"{MAX_FAMILY} sessions below `{parent.family_id}` are alive already",
        reason="limit of a family of sessions",
        fix="end one of them, or let one expire",
        retry_after_seconds=60,
    )


def _refusal(session: Session, now_ns: int) -> Problem | None:
    if session.alive(now_ns):
        return None
    ended = "was killed" if session.killed_at_ns else "has expired"
    return Problem(
        ProblemKind.SESSION_EXPIRED, f"the session {ended}", fix="ask an operator for `ostiary session start`"
    )
