"""Rows of halts and back, and the queries over what a halt stops: living sessions and open approvals of its scope."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, Table, false, select, true

from broker.ids import HaltId
from broker.model import ApprovalState, Halt, HaltKind, HaltScope
from broker.store.families import session_where
from broker.store.tables import approvals, halts, sessions

HALTS: Final = select(halts).order_by(halts.c.started_at_ns.desc(), halts.c.id.desc())
"""Newest first."""

ACTIVE: Final = HALTS.where(halts.c.active.is_not(None))
"""Those that were not lifted, newest first."""


def halt_values(halt: Halt) -> dict[str, Any]:
    """Return the row of a new halt."""
    return {
        "id": halt.id,
        "active": halt.key,
        "scope": halt.scope,
        "name": halt.name,
        "kind": halt.kind,
        "reason": halt.reason,
        "started_by": halt.started_by,
        "started_at_ns": halt.started_at_ns,
        "ends_at_ns": halt.ends_at_ns,
    }


def halt_of(row: Row[Any]) -> Halt:
    """Return the halt in a row."""
    return Halt(
        id=HaltId(row.id),
        scope=HaltScope(row.scope),
        name=row.name,
        kind=HaltKind(row.kind),
        reason=row.reason,
        started_by=row.started_by,
        started_at_ns=row.started_at_ns,
        ends_at_ns=row.ends_at_ns,
        reported_at_ns=row.reported_at_ns,
        lifted_by=row.lifted_by,
        lift_reason=row.lift_reason,
        lifted_at_ns=row.lifted_at_ns,
        active=row.active is not None,
    )


def living_in(scope: HaltScope, name: str, now_ns: int) -> Select[Any]:
    """Return the query of the sessions of a scope whose rows do not say killed and whose time is not over.

    Those above come before those below them, so that a family that is killed in this order has no new members.
    """
    lives = (sessions.c.killed_at_ns == 0) & (sessions.c.expires_at_ns > now_ns)
    return session_where(lives & _within(sessions, scope, name)).order_by(sessions.c.depth, sessions.c.id)


def open_in(wanted: Select[Any], scope: HaltScope, name: str) -> Select[Any]:
    """Return ``wanted``, a query of approvals, cut to those of a scope that are open, oldest first."""
    states = (ApprovalState.PENDING.value, ApprovalState.APPROVED.value)
    return wanted.where(approvals.c.state.in_(states), _within(approvals, scope, name)).order_by(approvals.c.id)


def _within(table: Table, scope: HaltScope, name: str) -> ColumnElement[bool]:
    """Return the condition that a row is of a scope; a table that does not know a scope has nothing of it."""
    if scope is HaltScope.EVERYTHING:
        return true()
    column = table.c.get(scope.value)
    return false() if column is None else column == name
