"""Steps of a change as ready SQL: built with SQLAlchemy Core once per shape, then run on the driver directly.

Every value is checked before it reaches the writer, because one bad value in a batch would cost everybody in it: text
without NUL and lone surrogates (PostgreSQL refuses them), integers of 64 bits, no NULL where none may stand, no more
text in an indexed column than an index row holds. So what can go wrong in the writer is the database itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Table, Text, bindparam, exists, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.expression import ClauseElement, ColumnElement

from broker.errors import BrokerError
from broker.store.base import Accrue, Insert, Require, Reserve, Row, Step, Update
from broker.store.database import Kind
from broker.store.tables import budgets, metadata

MAX_INDEXED_BYTES: Final = 1024
"""Bytes of text in an indexed column; PostgreSQL's limit for a whole index row is 2704 (a third of a page)."""

_SHORT: Final = 256
"""Characters of an ASCII text that fits every column."""

_INT64: Final = 1 << 63


class UnwritableError(BrokerError):
    """A change holds something no database of ours can store; it was refused before anything was written."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One step, ready to run.

    Args:
        sql: In the driver's own parameter style.
        parameters: In order.
        reads: True when the step only looks; it must find exactly one row.
        exact: True when the database itself makes sure that at most one row is touched.
        budget: Key of the budget that is exceeded when it touches none; empty for other steps.
    """

    sql: str
    parameters: tuple[Any, ...]
    reads: bool
    exact: bool
    budget: str = ""


@dataclass(frozen=True, slots=True)
class _Shape:
    sql: str
    order: tuple[tuple[str, str], ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class _ColumnRule:
    check: Callable[[Any], Any]
    plain: type
    nullable: bool
    required: bool


class Statements:
    """Turns steps into statements for one kind of database.

    Args:
        kind: Which SQL to speak.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._dialect = dialect_of(kind)
        self._shapes: dict[tuple[object, ...], _Shape] = {}

    def prepare(self, step: Step) -> Statement:
        """Return the statement of ``step``.

        Raises:
            UnwritableError: unknown table or column, or a value that does not fit.
        """
        if isinstance(step, Reserve):
            return self._reserve(step)
        rules = _RULES.get(step.table)
        if rules is None:
            raise UnwritableError(f"unknown table `{step.table}`")
        if isinstance(step, Accrue):
            return self._accrue(step)
        given: dict[str, Mapping[str, Any]] = {}
        if not isinstance(step, Insert):
            given["where"] = checked(step.table, step.where, nullable=True)
        if not isinstance(step, Require):
            given["set"] = checked(step.table, step.values)
        if isinstance(step, Insert) and not rules.required <= step.values.keys():
            raise UnwritableError(f"a row of `{step.table}` needs {sorted(rules.required - step.values.keys())}")
        shape = self._shape(step)
        values = tuple(given[part][name] for part, name in shape.order)
        return Statement(shape.sql, values, isinstance(step, Require), shape.exact)

    def _accrue(self, step: Accrue) -> Statement:
        table = metadata.tables[step.table]
        if step.key.keys() != {column.name for column in table.primary_key} or not step.add:
            raise UnwritableError(f"counters of `{step.table}` need their whole key and something to add")
        given = {"set": checked(step.table, {**step.key, **step.add})}
        key = (Accrue, step.table, tuple(given["set"]))
        shape = self._shapes.get(key)
        if shape is None:
            row = self._upsert(table).values({name: bindparam(f"set_{name}") for name in given["set"]})
            added = {name: table.c[name] + row.excluded[name] for name in step.add}
            sql, order = compiled(row.on_conflict_do_update(index_elements=list(step.key), set_=added), self._dialect)
            shape = self._shapes[key] = _Shape(sql, _split(order), exact=True)
        return Statement(shape.sql, tuple(given[part][name] for part, name in shape.order), reads=False, exact=True)

    def _reserve(self, step: Reserve) -> Statement:
        if min(step.amount, step.cap) < 0:
            raise UnwritableError("a reservation below zero")
        column = "used" if step.used else "reserved"
        row = checked("budgets", {"key": step.key, column: step.amount, "ends_at_ns": step.ends_at_ns})
        given = {"set": row, "cap": checked("budgets", {"extra": step.cap})}
        key = (Reserve, column)
        shape = self._shapes.get(key)
        if shape is None:
            sql, order = compiled(self._reserving(column), self._dialect)
            shape = self._shapes[key] = _Shape(sql, _split(order), exact=True)
        values = tuple(given[part][name] for part, name in shape.order)
        return Statement(shape.sql, values, reads=False, exact=True, budget=step.key)

    def _reserving(self, column: str) -> ClauseElement:
        """Return the statement that adds to a budget within its cap, or touches no row."""
        amount, cap = bindparam(f"set_{column}", type_=BigInteger), bindparam("cap_extra", type_=BigInteger)
        named = bindparam("set_key", type_=Text)
        # A row that is not there yet has nothing granted; where one is, the second condition decides.
        known = exists().where(budgets.c.key == named)
        fresh = select(named, amount, bindparam("set_ends_at_ns", type_=BigInteger)).where(or_(amount <= cap, known))
        row = self._upsert(budgets).from_select(["key", column, "ends_at_ns"], fresh)
        counted = budgets.c.used + budgets.c.reserved + row.excluded[column]
        reserving: ClauseElement = row.on_conflict_do_update(
            index_elements=["key"],
            set_={column: budgets.c[column] + row.excluded[column]},
            where=counted <= cap + budgets.c.extra,
        )
        return reserving

    def _upsert(self, table: Table) -> Any:  # noqa: ANN401 - of two dialects, whose types have no common one
        return sqlite.insert(table) if self._kind is Kind.SQLITE else postgresql.insert(table)

    def _shape(self, step: Insert | Update | Require) -> _Shape:
        values = () if isinstance(step, Require) else tuple(step.values)
        where = () if isinstance(step, Insert) else tuple((name, value is None) for name, value in step.where.items())
        key = (type(step), step.table, values, where)
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = self._compile(step)
        return shape

    def _compile(self, step: Insert | Update | Require) -> _Shape:
        table = metadata.tables[step.table]
        assigned: dict[str, Any] = (
            {} if isinstance(step, Require) else {name: bindparam(f"set_{name}") for name in step.values}
        )
        if isinstance(step, Insert):
            sql, order = compiled(self._insert(table, assigned), self._dialect)
            return _Shape(sql, _split(order), exact=True)
        if not step.where:
            raise UnwritableError(f"a step on `{step.table}` names no row")
        conditions = [_equals(table.c[name], value) for name, value in step.where.items()]
        if isinstance(step, Require):
            sql, order = compiled(select(*table.primary_key.columns).where(*conditions), self._dialect)
        else:
            sql, order = compiled(update(table).where(*conditions).values(assigned), self._dialect)
        return _Shape(sql, _split(order), exact={column.name for column in table.primary_key} <= step.where.keys())

    def _insert(self, table: Table, assigned: Mapping[str, Any]) -> ClauseElement:
        inserted: ClauseElement = self._upsert(table).values(assigned).on_conflict_do_nothing()
        return inserted


def dialect_of(kind: Kind) -> Dialect:
    """Return a dialect that writes positional parameters as the driver wants them."""
    if kind is Kind.SQLITE:
        return sqlite.dialect(paramstyle="qmark")
    return postgresql.psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy's


def compiled(statement: ClauseElement, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    """Return a statement's text and the names of its parameters in order; every literal must be written into it."""
    done = statement.compile(dialect=dialect)
    return str(done), tuple(getattr(done, "positiontup", None) or ())


def insert_text(table: Table, columns: Sequence[str], kind: Kind) -> str:
    """Return a plain INSERT with one parameter per column, in the order given."""
    statement = insert(table).values({name: bindparam(f"set_{name}") for name in columns})
    sql, order = compiled(statement, dialect_of(kind))
    if order != tuple(f"set_{name}" for name in columns):
        raise UnwritableError(f"columns of `{table.name}` are given out of order")
    return sql


def checked(table: str, row: Row, *, nullable: bool = False) -> dict[str, Any]:
    """Return ``row`` with plain values the database will take.

    Args:
        table: Its table.
        row: Columns and values.
        nullable: Let None stand for "is NULL", as in a condition.

    Raises:
        UnwritableError: names the column, never the value.
    """
    rules = _RULES[table].columns
    plain: dict[str, Any] = {}
    for name, value in row.items():
        rule = rules.get(name)
        if rule is None:
            raise UnwritableError(f"unknown column `{table}.{name}`")
        # Most values are plain: short ASCII texts, integers in range, bytes. They need no closer look.
        kind = type(value)
        if kind is rule.plain:
            if kind is str:
                fits = len(value) <= _SHORT and value.isascii() and "\0" not in value
            else:
                fits = kind is bytes or -_INT64 <= value < _INT64
            if fits:
                plain[name] = value
                continue
        if value is None:
            if not (rule.nullable or nullable):
                raise UnwritableError(f"`{table}.{name}` cannot be empty")
            plain[name] = None
            continue
        try:
            plain[name] = rule.check(value)
        except ValueError as error:
            raise UnwritableError(f"`{table}.{name}` {error}") from None
    return plain


def is_storable(value: str) -> bool:
    """Tell whether every database of ours takes ``value``: no NUL and no lone surrogate in it."""
    if value.isascii():
        return "\0" not in value
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def _equals(column: Column[Any], value: object) -> ColumnElement[bool]:
    # None is only in the shape's key, so a shape made for NULL is used for NULL alone.
    return column.is_(None) if value is None else column == bindparam(f"where_{column.name}")


def _split(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((part, name) for part, _, name in (full.partition("_") for full in names))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expects text, found {type(value).__name__}")  # noqa: TRY004 - wrapped by `checked`
    # A StrEnum is a str to Python but not to every driver.
    plain = value if type(value) is str else str.__str__(value)
    if not is_storable(plain):
        raise ValueError("holds NUL or half a character")
    return plain


def _indexed_text(value: object) -> str:
    plain = _text(value)
    if len(plain) * 4 > MAX_INDEXED_BYTES and len(plain.encode()) > MAX_INDEXED_BYTES:
        raise ValueError(f"is longer than {MAX_INDEXED_BYTES} bytes")
    return plain


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"expects an integer, found {type(value).__name__}")  # noqa: TRY004 - wrapped by `checked`
    if not -_INT64 <= value < _INT64:
        raise ValueError("is an integer of more than 64 bits")
    return int(value)


def _blob(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError(f"expects bytes, found {type(value).__name__}")  # noqa: TRY004 - wrapped by `checked`
    return value


@dataclass(frozen=True, slots=True)
class _TableRules:
    columns: Mapping[str, _ColumnRule]
    required: frozenset[str]


def _rules(table: Table) -> _TableRules:
    indexed = {column.name for index in table.indexes for column in index.columns}
    indexed |= {column.name for column in table.columns if column.primary_key or column.unique}
    columns = {}
    for column in table.columns:
        check: Callable[[Any], Any] = _blob
        plain: type = bytes
        if isinstance(column.type, BigInteger):
            check, plain = _integer, int
        elif isinstance(column.type, Text):
            check, plain = (_indexed_text if column.name in indexed else _text), str
        nullable = bool(column.nullable)
        columns[column.name] = _ColumnRule(check, plain, nullable, not nullable and column.server_default is None)
    return _TableRules(columns, frozenset(name for name, rule in columns.items() if rule.required))


_RULES: Final = {table.name: _rules(table) for table in metadata.tables.values()}
