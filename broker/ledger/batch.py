"""One transaction for many changes: each applied whole or not at all, every event numbered and hashed.

    1 begin            the write lock of the database: one appender at a time, in any number of processes
    2 read the head    size and frontier; never from memory, as another process may have appended
    3 apply            each change's steps; one that loses is undone alone and the others go on
    4 append           the events of the changes that won, in order
    5 set the head     compare-and-set on its size
    6 commit           durable; only then does anybody hear of it

Any fault undoes all of it, and the next batch starts from the head as it then is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, select, update

from broker.errors import BrokerError, BudgetExceededError, ConflictError, LedgerUnavailableError
from broker.ledger.events import COLUMNS, Draft, draft
from broker.ledger.merkle import Frontier, leaf_hash
from broker.store.base import Change, Position
from broker.store.connection import FAULTY_STATEMENTS, UNIQUE_BROKEN, WriteConnection
from broker.store.database import Kind
from broker.store.statements import Statement, Statements, UnwritableError, compiled, dialect_of, insert_text
from broker.store.tables import events, ledger_head

Answer = Position | BrokerError
"""Where a change's event stands, or why the change was not applied."""

_HEAD_ID: Final = 1


class DamagedError(LedgerUnavailableError):
    """The ledger is not the one it was: it went back, or its head does not fit its size. People must look at it."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A change, checked and rendered; nothing in it can fail but the database.

    Args:
        draft: Its event.
        statements: Its steps.
        guarded: True when a step that loses leaves something to undo.
    """

    draft: Draft
    statements: tuple[Statement, ...]
    guarded: bool


class _StatementFault(Exception):  # noqa: N818 - a signal inside this module
    """A step broke its statement and with it the transaction."""

    def __init__(self, index: int, answer: BrokerError) -> None:
        super().__init__(index)
        self.index = index
        self.answer = answer


class Batches:
    """Writes batches on the connections it is given and remembers how far the ledger had come.

    Args:
        kind: Which SQL the database speaks.
    """

    def __init__(self, kind: Kind) -> None:
        self._statements = Statements(kind)
        dialect = dialect_of(kind)
        head = select(ledger_head.c.size, ledger_head.c.frontier).where(ledger_head.c.id == bindparam("id"))
        # On PostgreSQL the head's row lock is the queue of all appenders; SQLite has one write lock anyway.
        self._read_head, _ = compiled(head.with_for_update(), dialect)
        self._append = insert_text(events, ("seq", *COLUMNS, "body", "leaf"), kind)
        self._set_head, order = compiled(
            update(ledger_head)
            .where(ledger_head.c.id == bindparam("where_id"), ledger_head.c.size == bindparam("where_size"))
            .values(size=bindparam("set_size"), frontier=bindparam("set_frontier")),
            dialect,
        )
        self._head_order = order
        self._last = Frontier()

    def prepare(self, change: Change) -> Prepared:
        """Check and render ``change``.

        Raises:
            UnwritableError: it holds something the database cannot store.
        """
        statements = tuple(self._statements.prepare(step) for step in change.steps)
        writes = sum(not statement.reads for statement in statements)
        # One exact write at the end either happens or leaves nothing behind: no savepoint to pay for.
        lone = writes == 0 or (writes == 1 and not statements[-1].reads and statements[-1].exact)
        return Prepared(draft(change.event), statements, guarded=not lone)

    def check_head(self, connection: WriteConnection) -> None:
        """Read the head once, to find out at the start whether there is a sound ledger.

        Raises:
            DamagedError: there is none.
        """
        connection.begin()
        try:
            self._last = self._head(connection)
        finally:
            connection.rollback()

    def probe(self, connection: WriteConnection) -> None:
        """Write something and take it back in one durable transaction, to find out whether writing works."""
        connection.begin()
        head = self._head(connection)
        # The same value twice would be optimised away before it reaches the disk.
        self._store_head(connection, head.size, Frontier(head.size + 1, b"\0" * 32 * (head.size + 1).bit_count()))
        self._store_head(connection, head.size + 1, head)
        connection.commit()

    def write(self, connection: WriteConnection, batch: Sequence[Prepared]) -> list[Answer]:
        """Write ``batch`` in one transaction.

        Returns:
            One answer per change, in order.

        Raises:
            Exception: the database failed; nothing is acknowledged and the connection must be closed.
        """
        refused: dict[int, BrokerError] = {}
        while True:
            try:
                return self._attempt(connection, batch, refused)
            except _StatementFault as fault:
                # The transaction is void, so start over without the change that broke it; at most once per change.
                connection.rollback()
                refused[fault.index] = fault.answer

    def _attempt(
        self, connection: WriteConnection, batch: Sequence[Prepared], refused: dict[int, BrokerError]
    ) -> list[Answer]:
        connection.begin()
        tree = self._head(connection)
        size = tree.size
        answers: list[Answer] = []
        rows = []
        for index, change in enumerate(batch):
            answer = refused.get(index) or self._apply(connection, index, change)
            if answer is not None:
                answers.append(answer)
                continue
            seq = tree.size + 1
            body = change.draft.body(seq)
            leaf = leaf_hash(body)
            tree.append(leaf)
            rows.append((seq, *change.draft.columns, body, leaf))
            answers.append(Position(seq, leaf.hex()))
        if not rows:
            connection.rollback()
            return answers
        connection.execute_many(self._append, rows)
        self._store_head(connection, size, tree)
        connection.commit()
        self._last = tree
        return answers

    def _head(self, connection: WriteConnection) -> Frontier:
        found = connection.query(self._read_head, (_HEAD_ID,))
        if not found:
            raise DamagedError("the ledger has no head")
        size, stored = found[0]
        try:
            tree = Frontier(size, bytes(stored))
        except ValueError as error:
            raise DamagedError(f"the ledger's head is damaged: {error}") from None
        last = self._last
        # A restored backup or a replica that lost its newest rows: going on would fork the history.
        if tree.size < last.size or (tree.size == last.size and tree.to_bytes() != last.to_bytes()):
            raise DamagedError(f"the ledger went back: expected at least {last.size} events, found {tree.size}")
        return tree

    def _apply(self, connection: WriteConnection, index: int, change: Prepared) -> BrokerError | None:
        try:
            if not change.guarded:
                return _run(connection, change.statements)
            connection.execute("SAVEPOINT change")
            lost = _run(connection, change.statements)
            if lost is not None:
                connection.execute("ROLLBACK TO SAVEPOINT change")
            connection.execute("RELEASE SAVEPOINT change")
        except UNIQUE_BROKEN:
            raise _StatementFault(index, ConflictError("another row has this key already")) from None
        except FAULTY_STATEMENTS as error:
            raise _StatementFault(index, UnwritableError(f"a step cannot be run: {type(error).__name__}")) from None
        return lost

    def _store_head(self, connection: WriteConnection, old_size: int, tree: Frontier) -> None:
        values = {
            "where_id": _HEAD_ID,
            "where_size": old_size,
            "set_size": tree.size,
            "set_frontier": tree.to_bytes(),
        }
        if connection.execute(self._set_head, tuple(values[name] for name in self._head_order)) != 1:
            raise LedgerUnavailableError("the ledger's head moved inside the transaction")


def _run(connection: WriteConnection, statements: Sequence[Statement]) -> ConflictError | None:
    for number, statement in enumerate(statements, start=1):
        if statement.reads:
            touched = len(connection.query(statement.sql, statement.parameters, limit=2))
        else:
            touched = connection.execute(statement.sql, statement.parameters)
        if touched != 1 and statement.budget:
            return BudgetExceededError(statement.budget)
        if touched != 1:
            return ConflictError(f"step {number} of the change touched {touched} rows, expected 1")
    return None
