"""The query behind `broker.usage`: sums of ``usage_hours``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, func, select

from broker.errors import BrokerError
from broker.store.statements import is_storable
from broker.store.tables import usage_hours
from broker.usage import COLUMNS, MAX_ROWS, Spent, UsageFilter

_SUMS = tuple(Spent.__dataclass_fields__)


class TooManyRowsError(BrokerError):
    """The answer has more rows than are given; the question is to be narrowed."""


def sums_of(
    connection: Connection, wanted: UsageFilter, *, max_rows: int = MAX_ROWS
) -> list[tuple[tuple[object, ...], Spent]]:
    """Return the sums a filter names, each with the values it is split by.

    Raises:
        TooManyRowsError: there are more than ``max_rows``.
    """
    texts = (wanted.project, wanted.agent, wanted.model, *wanted.sessions)
    if not all(map(is_storable, texts)):
        return []
    found = connection.execute(_query(wanted, max_rows)).fetchall()
    if len(found) > max_rows:
        raise TooManyRowsError(f"the answer has more than {max_rows} rows")
    size = len(wanted.by)
    # PostgreSQL sums integers to decimals.
    return [(tuple(row[:size]), Spent(*(int(each) for each in row[size:]))) for row in found if row[size] is not None]


def _query(wanted: UsageFilter, max_rows: int) -> Select[Any]:
    column = usage_hours.c
    split = [column[COLUMNS[each]] for each in wanted.by]
    query = select(*split, *(func.sum(column[name]) for name in _SUMS)).where(column.hour_ns >= wanted.since_ns)
    if wanted.until_ns:
        query = query.where(column.hour_ns < wanted.until_ns)
    for name in ("project", "agent", "model"):
        if getattr(wanted, name):
            query = query.where(column[name] == getattr(wanted, name))
    if wanted.sessions:
        query = query.where(column.session_id.in_(wanted.sessions))
    return query.group_by(*split).limit(max_rows + 1) if split else query
