"""Where a ledger to be verified comes from: a database, or an export of one.

An export is NDJSON: a header with the size and frontier of the head, then every event in order, and each checkpoint
right behind the last event it covers. Bytes are base64, so that what is hashed travels untouched.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import orjson
from sqlalchemy import Connection, bindparam, select

from broker.errors import StoreUnavailableError
from broker.ledger.events import COLUMNS
from broker.store.database import Database, wrapped
from broker.store.tables import checkpoints, events, ledger_head

FORMAT: Final = "ostiary-ledger-export/1"

_CHUNK: Final = 2_000
_MAX_LINE_BYTES: Final = 256 << 20
"""A longer line is refused before it is read whole; an event is some hundred bytes."""

_EVENTS: Final = (
    select(events.c.seq, events.c.body, events.c.leaf, *(events.c[name] for name in COLUMNS))
    .where(events.c.seq > bindparam("after"))
    .order_by(events.c.seq)
    .limit(_CHUNK)
)
_NOTES: Final = (
    select(checkpoints.c.size, checkpoints.c.note)
    .where(checkpoints.c.size > bindparam("after"))
    .order_by(checkpoints.c.size)
    .limit(_CHUNK)
)


class MalformedExportError(ValueError):
    """The file is no export, or not a whole one."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event as found.

    Args:
        seq: Its number by the place it was found in.
        body: Its bytes.
        leaf: The leaf hash stored with it.
        columns: The copies in the table's columns, in the order of `COLUMNS`; None in an export.
    """

    seq: int
    body: bytes
    leaf: bytes
    columns: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class NoteRecord:
    """One stored checkpoint: the size it is filed under and its note."""

    size: int
    note: bytes


Record = EventRecord | NoteRecord


class OpenSource(Protocol):
    """A ledger at one moment."""

    @property
    def head(self) -> tuple[int, bytes] | None:
        """Size and frontier as the ledger states them; None when it states none."""

    def records(self) -> Iterator[Record]:
        """Events in order, each checkpoint behind the last event it covers; too large checkpoints come last."""


class Source(Protocol):
    """Something to verify."""

    @property
    def name(self) -> str:
        """What to call it to people, and under which name to remember what was seen of it."""

    def open(self) -> AbstractContextManager[OpenSource]:
        """Open it for one pass.

        Raises:
            StoreUnavailableError: it cannot be read.
            MalformedExportError: it is no export.
        """


class DatabaseSource:
    """The live database, as of one moment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def name(self) -> str:
        """The database's URL without its password."""
        return self._database.name

    @contextlib.contextmanager
    def open(self) -> Generator[OpenSource]:
        """Open a snapshot."""
        with wrapped(), self._database.snapshot() as connection:
            yield _Snapshot(connection)


class _Snapshot:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # First statement of the transaction: from here on the snapshot stands still.
        row = connection.execute(
            select(ledger_head.c.size, ledger_head.c.frontier).where(ledger_head.c.id == 1)
        ).first()
        self.head = None if row is None else (int(row.size), bytes(row.frontier))

    def records(self) -> Iterator[Record]:
        notes = self._notes()
        note = next(notes, None)
        for event in self._events():
            while note is not None and note.size < event.seq:
                yield note
                note = next(notes, None)
            yield event
        while note is not None:
            yield note
            note = next(notes, None)

    def _events(self) -> Iterator[EventRecord]:
        after = 0
        while rows := self._connection.execute(_EVENTS, {"after": after}).all():
            for seq, body, leaf, *columns in rows:
                yield EventRecord(seq, bytes(body), bytes(leaf), tuple(columns))
            after = rows[-1].seq

    def _notes(self) -> Iterator[NoteRecord]:
        after = -1
        while rows := self._connection.execute(_NOTES, {"after": after}).all():
            for size, note in rows:
                yield NoteRecord(size, bytes(note))
            after = rows[-1].size


class ExportSource:
    """An export file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """The file's absolute path."""
        return f"file:{self._path.absolute()}"

    @contextlib.contextmanager
    def open(self) -> Generator[OpenSource]:
        """Open the file and read its header."""
        with wrapped(), self._path.open("rb") as file:
            yield _OpenExport(file)


class _OpenExport:
    def __init__(self, file: Any) -> None:  # noqa: ANN401 - a binary file
        self._file = file
        header = self._line(1)
        if header is None or header.get("format") != FORMAT:
            raise MalformedExportError(f"line 1 is no header of `{FORMAT}`")
        try:
            self.head = (int(header["size"]), _unbase64(header["frontier"]))
        except (KeyError, TypeError, ValueError):
            raise MalformedExportError("the header is malformed") from None

    def records(self) -> Iterator[Record]:
        number = 2
        while (line := self._line(number)) is not None:
            yield _record(line, number)
            number += 1

    def _line(self, number: int) -> dict[str, Any] | None:
        text = self._file.readline(_MAX_LINE_BYTES)
        if not text:
            return None
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict) or not text.endswith(b"\n"):
            raise MalformedExportError(f"line {number} is no whole record of an export")
        return found


def write_export(database: Database, path: Path) -> int:
    """Write the whole ledger to ``path`` (mode 0600), all or nothing; return the number of events.

    Raises:
        StoreUnavailableError: the database cannot be read or the file not written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with wrapped(), DatabaseSource(database).open() as source:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                count = _write(source, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _write(source: OpenSource, file: Any) -> int:  # noqa: ANN401 - a binary file
    if source.head is None:
        raise StoreUnavailableError("the ledger has no head")
    size, frontier = source.head
    file.write(orjson.dumps({"format": FORMAT, "size": size, "frontier": _base64(frontier)}) + b"\n")
    count = 0
    for record in source.records():
        if isinstance(record, EventRecord):
            count += 1
            line = {"seq": record.seq, "body": _base64(record.body), "leaf": record.leaf.hex()}
        else:
            line = {"checkpoint": record.size, "note": _base64(record.note)}
        file.write(orjson.dumps(line) + b"\n")
    return count


def _record(line: dict[str, Any], number: int) -> Record:
    try:
        if "checkpoint" in line:
            return NoteRecord(int(line["checkpoint"]), _unbase64(line["note"]))
        return EventRecord(int(line["seq"]), _unbase64(line["body"]), bytes.fromhex(line["leaf"]))
    except (KeyError, TypeError, ValueError):
        raise MalformedExportError(f"line {number} is no record of an export") from None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
