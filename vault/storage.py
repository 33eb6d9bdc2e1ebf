"""Where sealed rows are kept: names and bytes, changed all or nothing.

The storage is not trusted with secrets or with integrity: rows are sealed, and the sealed manifest says which rows,
with which bytes, make up the vault. It is trusted to keep what it acknowledged.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from vault.errors import StorageError

BUSY_SECONDS: Final = 2.0
"""Longer than a vault takes to stop."""


class Storage(Protocol):
    """Named rows of bytes; one vault at a time."""

    def get(self, name: str) -> bytes | None:
        """Return a row, None when there is none.

        Raises:
            StorageError: it cannot be read.
        """

    def names(self) -> set[str]:
        """Return the names of all rows.

        Raises:
            StorageError: they cannot be read.
        """

    def apply(self, puts: Mapping[str, bytes], deletes: Collection[str] = ()) -> None:
        """Write and delete rows, all or nothing; durable on return.

        Raises:
            StorageError: the change was not acknowledged; it may or may not be there.
        """

    def close(self) -> None:
        """Let go of it; later calls raise StorageError."""


class MemoryStorage:
    """Rows of one process, gone with it: for tests and trials."""

    def __init__(self) -> None:
        self._rows: dict[str, bytes] | None = {}

    def get(self, name: str) -> bytes | None:
        """Return a row, None when there is none."""
        return self._open().get(name)

    def names(self) -> set[str]:
        """Return the names of all rows."""
        return set(self._open())

    def apply(self, puts: Mapping[str, bytes], deletes: Collection[str] = ()) -> None:
        """Write and delete rows."""
        kept = {name: value for name, value in self._open().items() if name not in deletes}
        self._rows = kept | {name: bytes(value) for name, value in puts.items()}

    def close(self) -> None:
        """Forget everything."""
        self._rows = None

    def _open(self) -> dict[str, bytes]:
        if self._rows is None:
            raise StorageError("the storage is closed")
        return self._rows


class SqliteStorage:
    """Rows in one SQLite file of mode 0600, locked to this process for as long as it is open.

    Write-ahead log with ``synchronous=FULL``: an acknowledged change is on the disk. Deleted pages are overwritten and
    the log is emptied after a deletion; copies the file system or a backup made are out of reach.

    Args:
        path: The file; made, with its folder, when missing.
        busy_seconds: How long to wait for a vault that is just stopping to let go of its file.

    Raises:
        StorageError: it cannot be opened, another process holds it, or others may read or write it.
    """

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self._path = path
        self._identity = _make_private(path)
        with _wrapped("open"):
            self._connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
        try:
            self._prepare()
        except StorageError:
            self._connection.close()
            raise

    def get(self, name: str) -> bytes | None:
        """Return a row, None when there is none."""
        with _wrapped("read"):
            row = self._connection.execute("SELECT value FROM rows WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        if not isinstance(row[0], bytes):
            raise StorageError("cannot read the storage: a row is no blob")
        return row[0]

    def names(self) -> set[str]:
        """Return the names of all rows."""
        with _wrapped("read"):
            return {str(row[0]) for row in self._connection.execute("SELECT name FROM rows")}

    def apply(self, puts: Mapping[str, bytes], deletes: Collection[str] = ()) -> None:
        """Write and delete rows in one transaction."""
        self._check_in_place()
        with _wrapped("write"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany("DELETE FROM rows WHERE name = ?", [(name,) for name in deletes])
                self._connection.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", list(puts.items()))
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        if deletes:
            with _wrapped("tidy"):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file and let go of its lock."""
        with _wrapped("close"):
            self._connection.close()

    def _prepare(self) -> None:
        # The order matters: exclusive locking before the first use of the log keeps the index of the log in memory and
        # the lock held until `close`, so a second vault on the same file is refused.
        with _wrapped("open"):
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
                self._connection.execute(f"PRAGMA {pragma}").fetchall()
            self._connection.execute("BEGIN EXCLUSIVE")
            self._connection.execute("CREATE TABLE IF NOT EXISTS rows (name TEXT PRIMARY KEY, value BLOB NOT NULL)")
            self._connection.execute("COMMIT")

    def _check_in_place(self) -> None:
        # A write into a file that was unlinked or replaced would be acknowledged and lost.
        try:
            found = self._path.lstat()
        except OSError:
            raise StorageError("the storage file was removed") from None
        if (found.st_dev, found.st_ino) != self._identity:
            raise StorageError("the storage file was replaced")


@contextmanager
def _wrapped(verb: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        # The name of the result code, not the message: SQLite puts fragments of what it read into some messages.
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        hint = ": another vault process holds it" if name.startswith("SQLITE_BUSY") else ""
        raise StorageError(f"cannot {verb} the storage ({name}){hint}") from None


def _make_private(path: Path) -> tuple[int, int]:
    # Only a missing file is opened here: closing a descriptor of a file SQLite has open would drop its POSIX locks.
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        found = path.lstat()
    except OSError as error:
        raise StorageError(f"cannot open `{path}`: {os.strerror(error.errno or 0).lower()}") from None
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise StorageError(f"`{path}` must be a file of the vault's user with mode 0600")
    return found.st_dev, found.st_ino
