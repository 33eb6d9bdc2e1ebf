"""The ledger's own connection: one per writer thread, the driver's cursor with no layer between.

    begin      take the write lock (SQLite) or open a transaction (PostgreSQL)
    commit     durable when it returns, and still in the file that was opened
    rollback   best effort; after a fault the connection is closed instead

A batch of the ledger is a handful of statements and one disk flush; SQLAlchemy's execution layer would cost more than
the statements themselves, so only their text comes from it (`broker.store.statements`).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import psycopg

from broker.errors import StoreUnavailableError
from broker.store.database import (
    Database,
    FileIdentity,
    Kind,
    ReplacedError,
    begin_immediate,
    identity_of,
    tune_sqlite,
)

FAULTY_STATEMENTS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    psycopg.IntegrityError,
    psycopg.DataError,
    psycopg.ProgrammingError,
)
"""Errors that tell of a statement and its values; every other one tells of the database."""

UNIQUE_BROKEN = (sqlite3.IntegrityError, psycopg.IntegrityError)
"""An update would have made a second row with the same key."""


class WriteConnection(Protocol):
    """A transaction at a time on one connection, used by one thread."""

    def begin(self) -> None:
        """Open a write transaction."""

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement; return the number of rows it touched."""

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once per row of parameters."""

    def query(self, sql: str, parameters: Sequence[Any] = (), *, limit: int = 1) -> list[tuple[Any, ...]]:
        """Run a statement; return at most ``limit`` rows."""

    def commit(self) -> None:
        """Make the transaction durable."""

    def rollback(self) -> None:
        """Undo the transaction; never raises."""

    def close(self) -> None:
        """Close the connection; never raises."""


def open_connection(database: Database) -> WriteConnection:
    """Open a connection for a writer thread; it may be made in another thread than the one that uses it.

    Raises:
        StoreUnavailableError, sqlite3.Error, psycopg.Error, OSError: it cannot be opened.
    """
    return SqliteConnection(database) if database.kind is Kind.SQLITE else PostgresConnection(database)


class SqliteConnection:
    """A connection to a SQLite file that notices when the file, or its write-ahead log, is swapped."""

    def __init__(self, database: Database) -> None:
        if database.path is None:
            raise StoreUnavailableError("the database is no file")
        database.check_file()
        self._database = database
        self._log_path = Path(f"{database.path}-wal")
        self._log_identity: FileIdentity | None = None
        # mode=rw: a file that vanished since must not come back empty.
        self._connection = sqlite3.connect(
            f"{database.path.as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=0
        )
        try:
            tune_sqlite(self._connection, database.synchronous)
            self._cursor = self._connection.cursor()
        except sqlite3.Error:
            self._connection.close()
            raise

    def begin(self) -> None:
        """Take the write lock.

        Raises:
            ReplacedError: the file was unlinked or replaced.
            sqlite3.Error: the lock was not to be had, or the file cannot be used.
        """
        self._check_files()
        begin_immediate(lambda: self._cursor.execute("BEGIN IMMEDIATE"))
        if self._log_identity is None:
            self._log_identity = identity_of(self._log_path)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement; return the number of rows it touched."""
        return self._cursor.execute(sql, parameters).rowcount

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once per row of parameters."""
        self._cursor.executemany(sql, rows)

    def query(self, sql: str, parameters: Sequence[Any] = (), *, limit: int = 1) -> list[tuple[Any, ...]]:
        """Run a statement; return at most ``limit`` rows."""
        found = self._cursor.execute(sql, parameters).fetchmany(limit)
        # An unfinished statement would keep the transaction open.
        self._cursor.fetchall()
        return found

    def commit(self) -> None:
        """Commit and flush.

        Raises:
            ReplacedError: the flush went into a file nobody will open again; nothing may be acknowledged.
        """
        self._cursor.execute("COMMIT")
        self._check_files()

    def rollback(self) -> None:
        """Undo the transaction; SQLite has done so itself after some faults."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.rollback()

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _check_files(self) -> None:
        self._database.check_file()
        # While we are connected nobody may delete the log; gone, its commits would die with this process.
        if self._log_identity is not None and identity_of(self._log_path) != self._log_identity:
            raise ReplacedError(f"the write-ahead log `{self._log_path}` was removed or replaced while it was open")


class PostgresConnection:
    """A connection to PostgreSQL."""

    def __init__(self, database: Database) -> None:
        _, arguments = database.engine.dialect.create_connect_args(database.url)
        self._connection = psycopg.connect(
            **arguments, autocommit=True, connect_timeout=5, application_name="ostiary-ledger"
        )
        try:
            self._cursor = self._connection.cursor()
            self._cursor.execute("SET statement_timeout = 30000")
            # A role or server may have it off for speed; an acknowledged event must be on disk. Stronger stays.
            if self.query("SHOW synchronous_commit") == [("off",)]:
                self._cursor.execute("SET synchronous_commit = on")
        except psycopg.Error:
            self._connection.close()
            raise

    def begin(self) -> None:
        """Open a transaction that sees each statement's newest rows, whatever the role's default is."""
        self._cursor.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement; return the number of rows it touched."""
        return self._cursor.execute(sql.encode(), parameters).rowcount

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once per row of parameters."""
        self._cursor.executemany(sql.encode(), rows)

    def query(self, sql: str, parameters: Sequence[Any] = (), *, limit: int = 1) -> list[tuple[Any, ...]]:
        """Run a statement; return at most ``limit`` rows."""
        return self._cursor.execute(sql.encode(), parameters).fetchmany(limit)

    def commit(self) -> None:
        """Commit.

        Raises:
            StoreUnavailableError: the server says it rolled back instead, which it does without an error.
        """
        self._cursor.execute("COMMIT")
        if self._cursor.statusmessage != "COMMIT":
            raise StoreUnavailableError("the database rolled the transaction back")

    def rollback(self) -> None:
        """Undo the transaction."""
        with contextlib.suppress(psycopg.Error):
            self._cursor.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(psycopg.Error):
            self._connection.close()
