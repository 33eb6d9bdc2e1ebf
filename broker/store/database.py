"""One open database: its engine, its identity on disk, and the threads that use it.

Connections are in autocommit mode and transactions are spelled out (``BEGIN IMMEDIATE`` on SQLite), because the
drivers' implicit ones start too late to take the write lock. A SQLite file is remembered by device and inode: a file
that was unlinked or replaced under us would take every write and lose it, so it is refused instead.

Open a database after a fork, never before: neither SQLite nor libpq survives one.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from broker.errors import StoreUnavailableError

T = TypeVar("T")

FileIdentity = tuple[int, int]
"""Device and inode."""

BUSY_SECONDS: Final = 10.0
"""How long a writer waits for SQLite's one write lock before it gives up."""

_POLL_SECONDS: Final = 0.0003
"""Pause between two tries for the lock; SQLite's own back-off (1 ms to 100 ms) starves a writer next to a busy one."""

_READERS: Final = 4
"""Threads for reads; more only wait for the interpreter's lock."""

_CONNECT_SECONDS: Final = 5
"""How long a connection to PostgreSQL may take."""

_FILE_MODE: Final = 0o600

_STATEMENT_MILLISECONDS: Final = 30_000
"""Longest statement on PostgreSQL; a lock held by a stuck host must not hold everybody for ever."""


class Kind(StrEnum):
    """Which SQL the database speaks."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class Synchronous(StrEnum):
    """When SQLite waits for the disk: at every commit, or only at checkpoints of its write-ahead log."""

    FULL = "FULL"
    NORMAL = "NORMAL"


class ReplacedError(StoreUnavailableError):
    """The database file on disk is no longer the one that was opened."""


class Database:
    """An open database; made by `open_database`, shared by the reader, the ledger and everything beside them.

    Args:
        url: Complete URL with driver.
        engine: Engine in autocommit mode.
        path: File of a SQLite database, None for PostgreSQL.
        identity: Of that file when it was opened.
        synchronous: As asked for; PostgreSQL has its own settings.
    """

    def __init__(
        self, url: URL, engine: Engine, *, path: Path | None, identity: FileIdentity | None, synchronous: Synchronous
    ) -> None:
        self.url = url
        self.engine = engine
        self.path = path
        self.kind = Kind.SQLITE if path is not None else Kind.POSTGRESQL
        self.synchronous = synchronous
        self._identity = identity
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        # One thread, so that writers of this process queue up here instead of fighting for SQLite's lock.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-write")

    @property
    def name(self) -> str:
        """The database's URL without its password."""
        return self.url.render_as_string(hide_password=True)

    def check_file(self) -> None:
        """Make sure that the file on disk is the one that was opened; does nothing for PostgreSQL.

        Raises:
            ReplacedError: it was unlinked, renamed or replaced.
        """
        if self.path is not None and identity_of(self.path) != self._identity:
            raise ReplacedError(f"the database file `{self.path}` was removed or replaced while it was open")

    def connect(self) -> Connection:
        """Return a pooled connection in autocommit mode; the caller closes it."""
        self.check_file()
        return self.engine.connect()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a write transaction: committed at the end, rolled back when the block raises."""
        with self.connect() as connection:
            if self.kind is Kind.SQLITE:
                begin_immediate(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"))
            else:
                connection.exec_driver_sql("BEGIN")
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                # The error that brought us here is the one to tell; the pool resets the connection in any case.
                with contextlib.suppress(SQLAlchemyError):
                    connection.exec_driver_sql("ROLLBACK")
                raise

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Open a read transaction whose every statement sees the same moment."""
        with self.connect() as connection:
            if self.kind is Kind.SQLITE:
                connection.exec_driver_sql("BEGIN")
            else:
                connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield connection
            finally:
                with contextlib.suppress(SQLAlchemyError):
                    connection.exec_driver_sql("ROLLBACK")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` with a connection in one of the reading threads.

        Raises:
            StoreUnavailableError: the database cannot be read.
        """

        def run() -> T:
            with wrapped(), self.connect() as connection:
                return work(connection)

        return await self._submit(self._readers, run)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a write transaction in the writing thread; not for anything the ledger tells of.

        Raises:
            StoreUnavailableError: the database cannot be written.
        """

        def run() -> T:
            with wrapped(), self.transaction() as connection:
                return work(connection)

        return await self._submit(self._writer, run)

    def close(self) -> None:
        """Wait for the threads and close every connection."""
        self._readers.shutdown()
        self._writer.shutdown()
        self.engine.dispose()

    async def _submit(self, pool: ThreadPoolExecutor, run: Callable[[], T]) -> T:
        try:
            future = asyncio.get_running_loop().run_in_executor(pool, run)
        except RuntimeError as error:
            raise StoreUnavailableError("the database is closed") from error
        return await future


@contextlib.contextmanager
def wrapped() -> Iterator[None]:
    """Turn every error of SQLAlchemy, the drivers' and the disk's into StoreUnavailableError."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise StoreUnavailableError(f"the database failed: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of its text; later lines may hold values of rows."""
    cause = getattr(error, "orig", None) or error
    text = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {text[0]}" if text else type(cause).__name__


def identity_of(path: Path) -> FileIdentity | None:
    """Return device and inode of the file at ``path``, None when there is none."""
    try:
        found = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - on the hot path
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino)


def begin_immediate(begin: Callable[[], object], *, wait_seconds: float = BUSY_SECONDS) -> None:
    """Call ``begin`` until it gets SQLite's write lock.

    Raises:
        sqlite3.OperationalError, sqlalchemy.exc.OperationalError: not within ``wait_seconds``, or another fault.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            begin()
        except (sqlite3.OperationalError, SQLAlchemyError) as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
        else:
            return


def open_database(url: str, *, synchronous: Synchronous = Synchronous.FULL) -> Database:
    """Open the database at ``url`` and make the file of a SQLite one when it is not there (mode 0600).

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/name`` (``postgres://`` and a driver are understood).
        synchronous: When SQLite waits for the disk.

    Raises:
        ValueError: the URL names no database Ostiary can use.
        StoreUnavailableError: the file cannot be made or is no database.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == Kind.POSTGRESQL:
        return Database(parsed, _postgres_engine(parsed), path=None, identity=None, synchronous=synchronous)
    path = Path(parsed.database or "").absolute()
    with wrapped():
        identity = _create_file(path)
    engine = create_engine(
        parsed.set(database=str(path)),
        isolation_level="AUTOCOMMIT",
        connect_args={"check_same_thread": False, "timeout": 0},
        pool_size=_READERS + 1,
    )
    event.listen(engine, "connect", lambda connection, _: tune_sqlite(connection, synchronous))
    database = Database(parsed, engine, path=path, identity=identity, synchronous=synchronous)
    try:
        with wrapped(), database.connect() as connection:
            # Stored in the file; several processes may come at once and only one may switch.
            begin_immediate(lambda: connection.exec_driver_sql("PRAGMA journal_mode=WAL"))
    except StoreUnavailableError:
        database.close()
        raise
    return database


def tune_sqlite(connection: Any, synchronous: Synchronous) -> None:  # noqa: ANN401 - a driver's connection
    """Set what SQLite forgets with each connection."""
    for pragma in (
        f"synchronous={synchronous.value}",
        "foreign_keys=ON",
        "busy_timeout=5000",
        # A planted database file must not run functions of its schema or crash us with malformed cells.
        "trusted_schema=OFF",
        "cell_size_check=ON",
        # Without it SQLite keeps a huge write-ahead log for ever (measured: 1 GB in 4 s without checkpoints).
        "wal_autocheckpoint=1000",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        # The text may hold a password: it is not repeated.
        raise ValueError("the database URL cannot be read") from None
    backend = parsed.drivername.partition("+")[0]
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ValueError(f"expected a sqlite or postgresql database, found `{parsed.drivername}`")
    if not parsed.database or parsed.database == ":memory:" or parsed.query:
        raise ValueError("a SQLite URL needs a file and takes no options")
    return parsed.set(drivername="sqlite+pysqlite")


def _postgres_engine(url: URL) -> Engine:
    options = f"-c statement_timeout={_STATEMENT_MILLISECONDS}"
    return create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": _CONNECT_SECONDS, "options": options, "application_name": "ostiary"},
        pool_size=_READERS + 1,
        pool_pre_ping=True,
    )


def _create_file(path: Path) -> FileIdentity:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # An existing file is never opened here: closing any descriptor of it drops every POSIX lock this process holds on
    # it, SQLite's included, and another process could then delete a write-ahead log that is in use.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "the database is no regular file")
    if stat.S_IMODE(found.st_mode) != _FILE_MODE:
        path.chmod(_FILE_MODE, follow_symlinks=True)
    return (found.st_dev, found.st_ino)


def _is_busy(error: BaseException) -> bool:
    cause = getattr(error, "orig", None) or error
    return isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
