"""Queries over families of sessions: one that an operator started, and those handed out below it.

A session is over as soon as one above it is, whatever its own row says: that is read here, so that a session that was
handed out at the very moment its parent was killed is dead, even when nobody lived to mark its row.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Select, bindparam, case, func, select

from broker.model import MAX_DEPTH
from broker.store.tables import sessions

_ABOVE: Final = tuple(sessions.alias(f"above_{level}") for level in range(1, MAX_DEPTH + 1))


def session_where(condition: ColumnElement[bool]) -> Select[Any]:
    """Return the query of the sessions for which ``condition`` holds, each with the kill that ended it."""
    rows = (sessions, *_ABOVE)
    joined: Any = sessions
    for below, above in zip(rows, _ABOVE, strict=False):
        joined = joined.outerjoin(above, above.c.id == below.c.parent_id)
    kills = [(each.c.killed_at_ns > 0, each.c.killed_at_ns) for each in rows]
    return select(sessions, case(*kills, else_=0).label("ended_at_ns")).select_from(joined).where(condition)


def _with_those_below(name: str, top: Select[Any]) -> CTE:
    """Return a recursive table of the sessions of ``top`` (one column, their id) and all that are below them."""
    family = top.cte(name, recursive=True)
    below = sessions.alias(f"{name}_below")
    # The second condition is that of the index; without it neither database could use it.
    children = select(below.c.id).where(below.c.parent_id == family.c.id, below.c.parent_id != "")
    return family.union(children)


_KILLED_SELF: Final = select(sessions.c.id).where(
    # Living sessions have 0 here; without the second condition a look since 0 would name them all.
    sessions.c.killed_at_ns >= bindparam("since_ns"),
    sessions.c.killed_at_ns > 0,
)
_KILLED: Final = _with_those_below("killed", _KILLED_SELF)
_FAMILY: Final = _with_those_below("family", select(sessions.c.id).where(sessions.c.id == bindparam("id")))

KILLED: Final = select(_KILLED.c.id).order_by(_KILLED.c.id)
"""Sessions that were killed since a moment, and all that are below them; ids sort by time."""

UNKILLED_FAMILY: Final = (
    select(sessions.c.id)
    .where(sessions.c.id.in_(select(_FAMILY.c.id)), sessions.c.killed_at_ns == 0)
    .order_by(sessions.c.depth, sessions.c.id)
)
"""A session and all that are below it, as far as their rows do not say killed; itself first."""

_each = sessions.alias("each")
_LIVING: Final = (
    select(func.count())
    .select_from(_each)
    .where(
        _each.c.id.in_(select(_FAMILY.c.id)),
        _each.c.id != bindparam("id"),
        _each.c.killed_at_ns == 0,
        _each.c.expires_at_ns > bindparam("now_ns"),
    )
)

LIVING_BELOW: Final = select(sessions.c.minted, _LIVING.scalar_subquery().label("living")).where(
    sessions.c.id == bindparam("id")
)
"""How many sessions were ever begun below one, and how many of them may act at a moment."""
