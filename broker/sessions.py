"""Sessions: started by operators, authenticated from tokens, killed for ever.

A token is stored as its SHA-256 only. An authenticated session is remembered for `CACHE_SECONDS`, less than the second
within which a kill must work everywhere; a kill in this process forgets it at once, and the row step `session_lives`
keeps a killed session from beginning anything even in that window.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from broker.canonical import canonical_bytes
from broker.clock import NS_PER_SECOND, Clock, fresh_id
from broker.config.model import Configuration
from broker.errors import ConflictError
from broker.ids import (
    TOKEN_ENTROPY_BYTES,
    SessionId,
    TokenHash,
    hash_token,
    make_token,
    token_kind,
)
from broker.model import JsonObject, Operator, Session
from broker.outcome import Problem, ProblemKind
from broker.store.base import Change, Committer, Event, EventType, Insert, Reader, Update, new_event

CACHE_SECONDS: Final = 0.5
MAX_CACHED: Final = 10_000
"""Entries; over it the cache is emptied, which costs one look-up per session."""

MAX_TTL_SECONDS: Final = 7 * 86_400

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
    """

    def __init__(
        self,
        reader: Reader,
        committer: Committer,
        clock: Clock,
        configuration: Callable[[], Configuration],
        on_killed: Callable[[SessionId], Awaitable[None]],
    ) -> None:
        self._reader = reader
        self._committer = committer
        self._clock = clock
        self._configuration = configuration
        self._on_killed = on_killed
        self._cache: dict[TokenHash, tuple[int, Session]] = {}

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

    async def check(self, session: Session) -> Problem | None:
        """Tell why a session read earlier may not act now; None when it may."""
        current = await self._reader.session(session.id)
        return _refusal(current, self._clock.now_ns()) if current else _UNKNOWN_TOKEN

    async def start(
        self, operator: Operator, *, agent: str, ttl_seconds: int, labels: dict[str, str]
    ) -> tuple[Session, str] | Problem:
        """Start a session and return it with its token, which is shown this once.

        Args:
            operator: Who starts it; becomes its owner and can never approve for it.
            agent: Name of a configured agent.
            ttl_seconds: 1 to `MAX_TTL_SECONDS`.
            labels: Shown in replay.

        Raises:
            LedgerUnavailableError: nothing was started.
        """
        known = self._configuration().agents.get(agent)
        if known is None:
            return Problem(ProblemKind.NOT_FOUND, f"no agent `{agent[:80]}` in ostiary.yaml", fix="ostiary agent list")
        if not 1 <= ttl_seconds <= MAX_TTL_SECONDS:
            return Problem(ProblemKind.INVALID_PARAMS, f"ttl must be between 1 and {MAX_TTL_SECONDS} seconds")
        now_ns = self._clock.now_ns()
        token = make_token("s", self._clock.entropy(TOKEN_ENTROPY_BYTES))
        session = Session(
            SessionId(fresh_id(self._clock, "ses")),
            agent,
            known.project,
            operator.name,
            now_ns,
            now_ns + ttl_seconds * NS_PER_SECOND,
            labels=dict(labels),
        )
        row = {
            "id": session.id,
            "token_hash": hash_token(token),
            "agent": session.agent,
            "project": session.project,
            "owner": session.owner,
            "created_at_ns": session.created_at_ns,
            "expires_at_ns": session.expires_at_ns,
            "killed_at_ns": 0,
            "labels": canonical_bytes(session.labels),
        }
        data = {"expires_at_ns": session.expires_at_ns, "labels": session.labels}
        event = self._event(EventType.SESSION_STARTED, session, operator.name, data)
        await self._committer.commit(Change(event, (Insert("sessions", row),)))
        return session, token

    async def kill(self, session_id: SessionId, operator: Operator) -> bool:
        """Kill a session; False when there is none or it was killed before.

        Raises:
            LedgerUnavailableError: the kill is not durable.
        """
        session = await self._reader.session(session_id)
        if session is None or session.killed_at_ns:
            return False
        step = Update("sessions", {"id": session_id, "killed_at_ns": 0}, {"killed_at_ns": self._clock.now_ns()})
        event = self._event(EventType.SESSION_KILLED, session, operator.name, {})
        try:
            await self._committer.commit(Change(event, (step,)))
        except ConflictError:
            return False
        self.forget(session_id)
        await self._on_killed(session_id)
        return True

    def forget(self, session_id: SessionId) -> None:
        """Drop what is remembered of a session, so that its next request looks it up."""
        for token_hash in [key for key, (_, held) in self._cache.items() if held.id == session_id]:
            self._cache.pop(token_hash, None)

    async def _operator(self, token_hash: TokenHash) -> Operator | Problem:
        name = await self._reader.operator_by_token(token_hash, self._clock.now_ns())
        known = self._configuration().operators.get(name) if name else None
        return known or replace(_UNKNOWN_TOKEN, fix="ask for `ostiary operator token NAME`")

    async def _session(self, token_hash: TokenHash) -> Session | Problem:
        until, session = self._cache.get(token_hash, (0, None))
        if session is None or self._clock.monotonic_ns() >= until:
            session = await self._reader.session_by_token(token_hash)
            if session is None:
                return _UNKNOWN_TOKEN
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            self._cache[token_hash] = (self._clock.monotonic_ns() + int(CACHE_SECONDS * NS_PER_SECOND), session)
        return _refusal(session, self._clock.now_ns()) or session

    def _event(self, kind: EventType, session: Session, operator: str, data: JsonObject) -> Event:
        about = {"agent": session.agent, "project": session.project, "session_id": session.id}
        return new_event(self._clock, kind, data, operator=operator, **about)


def _refusal(session: Session, now_ns: int) -> Problem | None:
    if session.alive(now_ns):
        return None
    ended = "was killed" if session.killed_at_ns else "has expired"
    return Problem(
        ProblemKind.SESSION_EXPIRED, f"the session {ended}", fix="ask an operator for `ostiary session start`"
    )
