"""Verifying a whole ledger offline, in one pass and bounded memory.

    1 numbers      no gap, no repeat, every event where its bytes say it is
    2 bytes        the leaf hash is hashed again from the bytes; the stored one must equal it
    3 columns      what queries filter by is what the bytes say
    4 checkpoints  at each one's size the tree has its root, and its signature fits the key
    5 memory       the tree that was seen the last time is contained
    6 head         the tree of all events is the one the ledger works with

The first fault ends the pass. What this cannot show: that an event was written at all, or told the truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from broker.ledger.events import COLUMNS, UnreadableEventError, fields_of
from broker.ledger.merkle import Frontier, leaf_hash
from broker.ledger.note import Checkpoint, MalformedNoteError, parse_checkpoint
from broker.ledger.seen import Seen
from broker.ledger.sources import EventRecord, MalformedExportError, NoteRecord, OpenSource, Record, Source

_KEYS: Final = tuple(COLUMNS)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    Args:
        ok: True when nothing contradicts anything.
        events: Events that were verified, counted from the first.
        problem: What is wrong, empty when nothing is.
        first_bad_seq: First event that is wrong or missing. A checkpoint that does not fit narrows it down to the
            events since the last one that did; then it is the first of these. None when nothing is wrong.
        root: Root of the verified events, hex.
        checkpoints: Checkpoints that fit.
        checkpoint_size: Size of the last of them, 0 when there is none.
        signatures: True when their signatures were verified, False when no public key was known.
        remembered_size: Size of the tree seen the last time, 0 when there is none.
        note: The last checkpoint that fits.
    """

    ok: bool
    events: int
    problem: str
    first_bad_seq: int | None
    root: str
    checkpoints: int
    checkpoint_size: int
    signatures: bool
    remembered_size: int
    note: str = field(default="", repr=False)


class _FaultError(Exception):
    def __init__(self, problem: str, first_bad_seq: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.first_bad_seq = first_bad_seq


def verify(source: Source, *, public_key: bytes | None = None, origin: str = "", seen: Seen | None = None) -> Report:
    """Verify everything in ``source``.

    Args:
        source: What to verify.
        public_key: Key of the checkpoints; None leaves their signatures unverified.
        origin: The origin the checkpoints must carry; empty takes any.
        seen: What was seen the last time.

    Raises:
        StoreUnavailableError: it cannot be read.
    """
    audit = _Pass(public_key, origin, seen)
    try:
        with source.open() as opened:
            audit.run(opened)
    except MalformedExportError as error:
        return audit.report(_FaultError(str(error), audit.tree.size + 1))
    except _FaultError as fault:
        return audit.report(fault)
    return audit.report(None)


class _Pass:
    def __init__(self, public_key: bytes | None, origin: str, seen: Seen | None) -> None:
        self.tree = Frontier()
        self._public_key = public_key
        self._origin = origin
        self._seen = seen
        self._checkpoints = 0
        self._last: Checkpoint | None = None

    def run(self, source: OpenSource) -> None:
        if source.head is None:
            raise _FaultError("the ledger has no head", 1)
        size, frontier = source.head
        self._compare_seen()
        for record in self._counted(source.records(), size):
            if isinstance(record, EventRecord):
                self._event(record)
                self._compare_seen()
            else:
                self._note(record)
        if self.tree.size < size:
            raise _FaultError(
                f"the head speaks of {size} events, event {self.tree.size + 1} is missing", self.tree.size + 1
            )
        if self._seen is not None and self.tree.size < self._seen.size:
            raise _FaultError(
                f"the checkpoint of {self._seen.size} events seen before is not contained: the ledger was cut",
                self.tree.size + 1,
            )
        if self.tree.to_bytes() != frontier:
            raise _FaultError(f"the head is not the tree of the {size} events", self._after_last_good())

    def report(self, fault: _FaultError | None) -> Report:
        return Report(
            ok=fault is None,
            events=self.tree.size,
            problem="" if fault is None else fault.problem,
            first_bad_seq=None if fault is None else fault.first_bad_seq,
            root=self.tree.root().hex(),
            checkpoints=self._checkpoints,
            checkpoint_size=0 if self._last is None else self._last.size,
            signatures=self._public_key is not None,
            remembered_size=0 if self._seen is None else self._seen.size,
            note="" if self._last is None else self._last.note.decode(),
        )

    def _counted(self, records: Iterator[Record], size: int) -> Iterator[Record]:
        """Pass the records on, each event only when it has the next number and the head knows of it."""
        for record in records:
            if isinstance(record, EventRecord):
                expected = self.tree.size + 1
                if record.seq > expected:
                    raise _FaultError(f"event {expected} is missing", expected)
                if record.seq < expected:
                    raise _FaultError(f"event {record.seq} comes again", record.seq)
                if record.seq > size:
                    raise _FaultError(f"the head speaks of {size} events, event {record.seq} is beyond", record.seq)
            yield record

    def _event(self, record: EventRecord) -> None:
        seq = record.seq
        leaf = leaf_hash(record.body)
        if leaf != record.leaf:
            raise _FaultError(f"the leaf hash of event {seq} does not fit its bytes", seq)
        try:
            fields = fields_of(record.body)
        except UnreadableEventError as error:
            raise _FaultError(f"event {seq}: {error}", seq) from None
        if fields["seq"] != seq:
            raise _FaultError(f"event {seq} says in its bytes that it is another one", seq)
        if record.columns is not None:
            for name, value in zip(_KEYS, record.columns, strict=True):
                if fields[name] != value:
                    raise _FaultError(f"column `{name}` of event {seq} is not what its bytes say", seq)
        self.tree.append(leaf)

    def _note(self, record: NoteRecord) -> None:
        size = record.size
        if size > self.tree.size:
            raise _FaultError(f"a checkpoint speaks of {size} events: the ledger was cut", self.tree.size + 1)
        try:
            found = parse_checkpoint(record.note)
        except MalformedNoteError as error:
            raise _FaultError(f"the checkpoint of {size} events is damaged: {error}", self._after_last_good()) from None
        if found.size != size or size != self.tree.size:
            raise _FaultError(f"the checkpoint of {size} events stands in the wrong place", self._after_last_good())
        if found.root != self.tree.root():
            raise _FaultError(
                f"an event up to {size} is not what was signed: the checkpoint of {size} events has another root",
                self._after_last_good(),
            )
        if self._origin and found.origin != self._origin:
            raise _FaultError(f"the checkpoint of {size} events is of another ledger", self._after_last_good())
        if self._public_key is not None and not found.signed_by(self._public_key):
            raise _FaultError(f"the signature of the checkpoint of {size} events does not fit", self._after_last_good())
        self._checkpoints += 1
        self._last = found

    def _compare_seen(self) -> None:
        seen = self._seen
        if seen is not None and seen.size == self.tree.size and seen.root != self.tree.root():
            raise _FaultError(
                f"the checkpoint of {seen.size} events seen before is not contained: the ledger was rewritten",
                self._after_last_good(),
            )

    def _after_last_good(self) -> int:
        return 1 if self._last is None else self._last.size + 1
