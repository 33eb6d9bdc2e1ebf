"""Signing the ledger's head now and then, and refusing to when it contradicts what was signed before.

A database owner can rewrite rows, hashes and head so that they fit each other; a signature over an older head is what
the rewrite does not fit. So before a new head is signed, every event since the last signed one is hashed again from
its bytes on top of the tree that was signed, and the result must be the head.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Row, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from broker.clock import Clock, SystemClock
from broker.errors import BrokerError
from broker.ledger.merkle import Frontier, leaf_hash
from broker.ledger.note import Checkpoint, MalformedNoteError, make_checkpoint, parse_checkpoint, verifier_key
from broker.store.database import Database, Kind, wrapped
from broker.store.tables import checkpoints, events, ledger_head

_CHUNK: Final = 500
"""Events hashed in one go; the interpreter's lock is held for a few milliseconds at most."""

_HEAD: Final = select(ledger_head.c.size, ledger_head.c.frontier).where(ledger_head.c.id == 1)
_LAST: Final = select(checkpoints.c.note, checkpoints.c.frontier).order_by(checkpoints.c.size.desc()).limit(1)
_BODIES: Final = (
    select(events.c.seq, events.c.body)
    .where(events.c.seq > bindparam("after"), events.c.seq <= bindparam("upto"))
    .order_by(events.c.seq)
    .limit(_CHUNK)
)


class ContradictionError(BrokerError):
    """The ledger is not what was signed before: somebody changed it. Nothing more is signed until people looked."""


class NoteSigner(Protocol):
    """Holds the ledger's Ed25519 key; builds the signed text itself, so that it signs nothing else."""

    async def sign_note(self, size: int, root: bytes, origin: str) -> bytes:
        """Return the signature over the checkpoint of these parts; refuses one that takes an earlier one back."""

    async def public_key(self) -> bytes:
        """Return the public key, 32 bytes."""


class Checkpointer:
    """Signs the head of the ledger when it has grown.

    Args:
        database: The ledger's.
        signer: The vault.
        origin: Name of this ledger in its checkpoints; without spaces and ``+``.
        clock: Stamps the checkpoints.
        key_file: Where to leave the public key for `ostiary audit verify`, when it is not there yet.
    """

    def __init__(
        self,
        database: Database,
        signer: NoteSigner,
        origin: str,
        *,
        clock: Clock | None = None,
        key_file: Path | None = None,
    ) -> None:
        self._database = database
        self._signer = signer
        self._origin = origin
        self._clock = clock or SystemClock()
        self._key_file = key_file
        self._tree: Frontier | None = None
        self._signed_size = 0

    async def checkpoint(self) -> Checkpoint | None:
        """Sign and store the head; None when nothing was added since the last time.

        Raises:
            ContradictionError: the ledger is not what was signed before.
            StoreUnavailableError: the database failed.
            Exception: whatever the signer raises when it cannot or will not sign.
        """
        key = await self._signer.public_key()
        if self._tree is None:
            self._tree = await self._resume(key)
            self._signed_size = self._tree.size
        head = await self._database.read(_head)
        if head.size == self._signed_size:
            return None
        tree = self._tree.copy()
        while tree.size < head.size:
            await self._database.read(lambda connection: _extend(connection, tree, head.size))
        if tree.size != head.size or tree.to_bytes() != head.to_bytes():
            raise ContradictionError(
                f"the head of {head.size} events does not follow from the {self._signed_size} events signed before"
            )
        signature = await self._signer.sign_note(head.size, head.root(), self._origin)
        made = make_checkpoint(self._origin, head.size, head.root(), public_key=key, signature=signature)
        if not made.signed_by(key):
            raise ContradictionError("the signer's signature does not fit its own key")
        await self._store(made, tree)
        self._tree, self._signed_size = tree, tree.size
        if self._key_file is not None:
            await asyncio.to_thread(_leave_key, self._key_file, verifier_key(self._origin, key))
        return made

    async def _resume(self, key: bytes) -> Frontier:
        """Return the tree of the last checkpoint, after looking at its signature."""
        row = await self._database.read(lambda connection: connection.execute(_LAST).first())
        return Frontier() if row is None else self._believed(row, key)

    def _believed(self, row: Row[Any, Any], key: bytes) -> Frontier:
        try:
            last = parse_checkpoint(bytes(row.note))
            tree = Frontier(last.size, bytes(row.frontier))
        except (MalformedNoteError, ValueError) as error:
            raise ContradictionError(f"the last checkpoint is damaged: {error}") from None
        if tree.root() != last.root or last.origin != self._origin or not last.signed_by(key):
            raise ContradictionError("the last checkpoint was not signed by this ledger's key")
        return tree

    async def _store(self, made: Checkpoint, tree: Frontier) -> None:
        row = {"size": made.size, "at_ns": self._clock.now_ns(), "note": made.note, "frontier": tree.to_bytes()}
        make = sqlite.insert if self._database.kind is Kind.SQLITE else postgresql.insert
        # Another process may have signed the same head; its note is the same, as Ed25519 has no randomness.
        statement = make(checkpoints).values(row).on_conflict_do_nothing()
        await self._database.write(lambda connection: connection.execute(statement))


def _head(connection: Connection) -> Frontier:
    row = connection.execute(_HEAD).first()
    try:
        return Frontier() if row is None else Frontier(row.size, bytes(row.frontier))
    except ValueError as error:
        raise ContradictionError(f"the ledger's head is damaged: {error}") from None


def _extend(connection: Connection, tree: Frontier, upto: int) -> None:
    """Add the next chunk of events to ``tree``, hashed from their bytes."""
    before = tree.size
    for seq, body in connection.execute(_BODIES, {"after": tree.size, "upto": upto}):
        if seq != tree.size + 1:
            break
        tree.append(leaf_hash(bytes(body)))
    if tree.size == before:
        raise ContradictionError(f"event {before + 1} is missing")


def _leave_key(path: Path, text: str) -> None:
    with wrapped(), contextlib.suppress(FileExistsError):
        # Exclusive: a key that is there was there first, and `audit verify` compares with what it has seen.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
