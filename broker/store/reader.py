"""Reads in SQL: every row a service or a door asks for, in the broker's words.

Statements are built once. Lists are read by key and limit, never by offset, so that a long ledger stays quick.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import Connection, Row, Select, and_, bindparam, literal, select

from broker.ids import ApprovalId, HaltId, IntentId, SessionId, TokenHash
from broker.model import Approval, ApprovalState, Halt, HaltScope, IntentRecord, IntentState, Session
from broker.store.base import BudgetRow, EventFilter, Minted, StoredEvent
from broker.store.database import Database
from broker.store.families import KILLED, LIVING_BELOW, UNKILLED_FAMILY, session_where
from broker.store.halts import ACTIVE, HALTS, halt_of, living_in, open_in
from broker.store.rows import approval_of, intent_of, session_of
from broker.store.spending import sums_of
from broker.store.statements import is_storable
from broker.store.tables import (
    approvals,
    budgets,
    configurations,
    events,
    halts,
    instances,
    intents,
    operator_tokens,
    rule_uses,
    sessions,
)
from broker.usage import Spent, UsageFilter

T = TypeVar("T")

_MAX_ROWS: Final = 10_000
"""Most rows of one answer, whatever limit was asked for."""

_EVENT_TEXTS: Final = ("session_id", "agent", "project", "action", "type", "intent_id")

_SESSION_BY_TOKEN: Final = session_where(sessions.c.token_hash == bindparam("token_hash"))
_SESSION: Final = session_where(sessions.c.id == bindparam("id"))
_OPERATOR: Final = select(operator_tokens.c.operator).where(
    operator_tokens.c.token_hash == bindparam("token_hash"), operator_tokens.c.expires_at_ns > bindparam("now_ns")
)
_RUNNING: Final = (
    select(budgets)
    .where(budgets.c.ends_at_ns > bindparam("now_ns"), budgets.c.key > bindparam("after_key"))
    .order_by(budgets.c.key)
)
_INTENT: Final = select(intents).where(intents.c.id == bindparam("id"))
_INTENT_BY_KEY: Final = select(intents).where(
    intents.c.session_id == bindparam("session_id"), intents.c.idempotency_key == bindparam("key")
)
_APPROVAL: Final = select(approvals).where(approvals.c.id == bindparam("id"))
_APPROVALS: Final = select(
    *(column for column in approvals.c if column.name != "preview"), literal("").label("preview")
)
"""Of many at once; their previews are the bulk of them, and who looks at many shows none."""
_OVERDUE: Final = _APPROVALS.where(
    approvals.c.state.in_((ApprovalState.PENDING.value, ApprovalState.APPROVED.value)),
    approvals.c.expires_at_ns <= bindparam("now_ns"),
).order_by(approvals.c.expires_at_ns)
_HALT: Final = select(halts).where(halts.c.id == bindparam("id"))
_CONFIGURATION: Final = select(configurations.c.files).order_by(configurations.c.id.desc()).limit(1)
_LIVE: Final = select(instances.c.id).where(instances.c.beat_at_ns >= bindparam("since_ns"))


class SqlReader:
    """Implements `broker.store.base.Reader` on SQLite and PostgreSQL.

    Args:
        database: Migrated; its threads do the reading.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def session_by_token(self, token_hash: TokenHash) -> Session | None:
        """Return the session a token belongs to, however it stands."""
        return await self._one(_SESSION_BY_TOKEN, session_of, token_hash=token_hash)

    async def operator_by_token(self, token_hash: TokenHash, now_ns: int) -> str | None:
        """Return the name of the operator the unexpired token belongs to."""
        return await self._one(_OPERATOR, lambda row: str(row.operator), token_hash=token_hash, now_ns=now_ns)

    async def session(self, session_id: SessionId) -> Session | None:
        """Return a session; it is killed, too, when one above it is."""
        return await self._one(_SESSION, session_of, id=session_id)

    async def killed_sessions(self, since_ns: int) -> list[SessionId]:
        """Return the sessions killed at or after ``since_ns``, with all that are below them, oldest first."""
        return await self._all(KILLED, lambda row: SessionId(row.id), since_ns=since_ns)

    async def unkilled_family(self, session_id: SessionId) -> list[SessionId]:
        """Return a session and all that are below it, as far as their own rows do not say killed; itself first."""
        return await self._all(UNKILLED_FAMILY, lambda row: SessionId(row.id), id=session_id)

    async def minted_below(self, root_id: SessionId, now_ns: int) -> Minted:
        """Return how many sessions were handed out below one that an operator started."""
        found = await self._one(LIVING_BELOW, lambda row: Minted(row.minted, row.living), id=root_id, now_ns=now_ns)
        return found or Minted(0, 0)

    async def rule_uses(self, keys: Collection[str]) -> dict[str, int]:
        """Return how often rules were used, by key; one that never was is not in it."""
        wanted = select(rule_uses).where(rule_uses.c.key.in_(list(keys)))
        return dict(await self._all(wanted, lambda row: (str(row.key), int(row.uses))))

    async def budgets(self, keys: Collection[str]) -> dict[str, BudgetRow]:
        """Return what was counted against budgets, by key; one that nothing was ever drawn on is not in it."""
        wanted = [key for key in keys if is_storable(key)]
        rows = await self._all(select(budgets).where(budgets.c.key.in_(wanted)), _budget)
        return {row.key: row for row in rows}

    async def running_budgets(self, now_ns: int, after_key: str = "", limit: int = 1_000) -> list[BudgetRow]:
        """Return budgets whose period is not over, in order of their keys, from behind ``after_key``."""
        return await self._all(_limited(_RUNNING, limit), _budget, now_ns=now_ns, after_key=after_key)

    async def intent(self, intent_id: IntentId) -> IntentRecord | None:
        """Return an intent."""
        return await self._one(_INTENT, intent_of, id=intent_id)

    async def intent_by_key(self, session_id: SessionId, idempotency_key: str) -> IntentRecord | None:
        """Return the intent a session made with a key."""
        return await self._one(_INTENT_BY_KEY, intent_of, session_id=session_id, key=idempotency_key)

    async def intents(
        self, states: tuple[IntentState, ...], session_id: str = "", limit: int = 500, *, since_ns: int = 0
    ) -> list[IntentRecord]:
        """Return intents in one of ``states``, oldest update first; of one session, or updated since, when given."""
        wanted = select(intents).where(intents.c.state.in_([state.value for state in states]))
        if session_id:
            wanted = wanted.where(intents.c.session_id == session_id)
        if since_ns:
            wanted = wanted.where(intents.c.updated_at_ns >= since_ns)
        return await self._all(_limited(wanted.order_by(intents.c.updated_at_ns, intents.c.id), limit), intent_of)

    async def approval(self, approval_id: ApprovalId) -> Approval | None:
        """Return an approval."""
        return await self._one(_APPROVAL, approval_of, id=approval_id)

    async def approvals(
        self, states: tuple[ApprovalState, ...], *, project: str = "", session_id: str = "", limit: int = 100
    ) -> list[Approval]:
        """Return approvals in one of ``states`` (empty: any), newest first, without their previews."""
        wanted = _APPROVALS
        if states:
            wanted = wanted.where(approvals.c.state.in_([state.value for state in states]))
        if project:
            wanted = wanted.where(approvals.c.project == project)
        if session_id:
            wanted = wanted.where(approvals.c.session_id == session_id)
        newest_first = wanted.order_by(approvals.c.created_at_ns.desc(), approvals.c.id.desc())
        return await self._all(_limited(newest_first, limit), approval_of)

    async def overdue_approvals(self, now_ns: int, limit: int = 100) -> list[Approval]:
        """Return PENDING or APPROVED approvals whose time is over, most overdue first, without their previews."""
        return await self._all(_limited(_OVERDUE, limit), approval_of, now_ns=now_ns)

    async def halts(self, *, active: bool = False, limit: int = 1_000) -> list[Halt]:
        """Return halts, newest first; only those that were not lifted, when ``active``."""
        return await self._all(_limited(ACTIVE if active else HALTS, limit), halt_of)

    async def halt(self, halt_id: HaltId) -> Halt | None:
        """Return a halt."""
        return await self._one(_HALT, halt_of, id=halt_id)

    async def living_sessions(self, scope: HaltScope, name: str, now_ns: int, limit: int = 500) -> list[Session]:
        """Return sessions of a scope that are neither killed nor over, those above before those below."""
        if not is_storable(name):
            return []
        return await self._all(_limited(living_in(scope, name, now_ns), limit), session_of)

    async def open_approvals(
        self, scope: HaltScope, name: str, *, after_id: str = "", limit: int = 500
    ) -> list[Approval]:
        """Return PENDING or APPROVED approvals of a scope behind ``after_id``, by id, without their previews."""
        if not is_storable(name):
            return []
        wanted = open_in(_APPROVALS.where(approvals.c.id > after_id), scope, name)
        return await self._all(_limited(wanted, limit), approval_of)

    async def events(self, wanted: EventFilter) -> list[StoredEvent]:
        """Return ledger records as stored."""
        if not _storable(getattr(wanted, name) for name in _EVENT_TEXTS):
            return []
        return await self._all(_filtered(wanted), _stored)

    async def usage(self, wanted: UsageFilter) -> list[tuple[tuple[object, ...], Spent]]:
        """Return sums of what calls came to, each with the values it is split by."""
        return await self._database.read(lambda connection: sums_of(connection, wanted))

    async def newest_configuration(self) -> dict[str, bytes] | None:
        """Files of the configuration that was accepted last; None before the first."""
        found = await self._database.read(lambda connection: connection.execute(_CONFIGURATION).scalar())
        return None if found is None else {name: text.encode() for name, text in orjson.loads(found).items()}

    async def live_instances(self, since_ns: int) -> set[str]:
        """Return the ids of the instances whose heartbeat is at or after ``since_ns``."""
        return set(await self._all(_LIVE, lambda row: str(row.id), since_ns=since_ns))

    async def _one(self, wanted: Select[Any], make: Callable[[Row[Any]], T], **values: object) -> T | None:
        def work(connection: Connection) -> T | None:
            row = connection.execute(wanted, values).first()
            return None if row is None else make(row)

        return await self._database.read(work) if _storable(values.values()) else None

    async def _all(self, wanted: Select[Any], make: Callable[[Row[Any]], T], **values: object) -> list[T]:
        return await self._database.read(lambda connection: [make(row) for row in connection.execute(wanted, values)])


def _filtered(wanted: EventFilter) -> Select[Any]:
    column = events.c
    equal = [column[name] == value for name in _EVENT_TEXTS if (value := getattr(wanted, name))]
    bounds = [
        bound
        for given, bound in (
            (wanted.since_ns, column.at_ns >= wanted.since_ns),
            (wanted.until_ns, column.at_ns < wanted.until_ns),
            (wanted.after_seq, column.seq > wanted.after_seq),
            (wanted.before_seq, column.seq < wanted.before_seq),
        )
        if given
    ]
    order = column.seq.desc() if wanted.newest_first else column.seq
    found = select(column.seq, column.body, column.leaf).where(and_(True, *equal, *bounds))  # noqa: FBT003 - SQL
    return _limited(found.order_by(order), wanted.limit)


def _budget(row: Row[Any]) -> BudgetRow:
    return BudgetRow(row.key, row.used, row.reserved, row.extra, row.alerted, row.ends_at_ns)


def _stored(row: Row[Any]) -> StoredEvent:
    return StoredEvent(row.seq, bytes(row.body), bytes(row.leaf))


def _limited(wanted: Select[Any], limit: int) -> Select[Any]:
    return wanted.limit(max(0, min(limit, _MAX_ROWS)))


def _storable(values: Iterable[object]) -> bool:
    """Tell whether stored text could equal every text in ``values``, which may come from anybody."""
    # The drivers raise at NUL and at lone surrogates, while the answer is simply that there is no such row.
    return all(not isinstance(value, str) or is_storable(value) for value in values)
