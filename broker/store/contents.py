"""Prompts and answers that are kept, in sealed pieces, until their time is over.

They are no part of the ledger and stand beside the bodies of results (`broker.store.outputs`). The store sees neither
text nor key: pieces come sealed, and what binds them to their place is in the seal.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from broker.errors import ConflictError
from broker.ids import IntentId
from broker.store.database import Database
from broker.store.tables import contents

EXPIRED_AT_ONCE: Final = 50
"""Intents whose contents go in one transaction; each has a hundred pieces at most."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One sealed piece.

    Args:
        intent_id: What it is of.
        part: Which part of that.
        idx: Which piece of the part, from 0.
        expires_at_ns: When its time is over.
        sealed: As the vault enclosed it.
    """

    intent_id: IntentId
    part: str
    idx: int
    expires_at_ns: int
    sealed: bytes


class SqlContents:
    """Keeps pieces on SQLite and PostgreSQL.

    Args:
        database: From `broker.store.outputs.open_outputs`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, piece: Piece) -> None:
        """Keep a piece.

        Raises:
            ConflictError: there is one at its place; what is kept is never replaced.
            StoreUnavailableError: the database failed.
        """

        def work(connection: Connection) -> None:
            try:
                connection.execute(insert(contents), asdict(piece))
            except IntegrityError:
                raise ConflictError(f"piece {piece.idx} of `{piece.intent_id}` is there already") from None

        await self._database.write(work)

    async def read(self, intent_id: IntentId, part: str, idx: int, now_ns: int) -> bytes | None:
        """Return a sealed piece; None when there is none, or its time is over.

        Raises:
            StoreUnavailableError: the database failed.
        """
        wanted = select(contents.c.sealed).where(
            contents.c.intent_id == intent_id,
            contents.c.part == part,
            contents.c.idx == idx,
            contents.c.expires_at_ns > now_ns,
        )
        found = await self._database.read(lambda connection: connection.execute(wanted).scalar())
        return None if found is None else bytes(found)

    async def discard(self, intent_id: IntentId) -> None:
        """Drop all that is kept of an intent; fine when nothing is.

        Raises:
            StoreUnavailableError: the database failed.
        """
        gone = delete(contents).where(contents.c.intent_id == intent_id)
        await self._database.write(lambda connection: connection.execute(gone))

    async def expire(self, now_ns: int) -> int:
        """Drop what has had its time, of `EXPIRED_AT_ONCE` intents at most; return of how many.

        Raises:
            StoreUnavailableError: the database failed.
        """
        over = contents.c.expires_at_ns <= now_ns
        some = select(contents.c.intent_id).where(over).distinct().limit(EXPIRED_AT_ONCE)

        def work(connection: Connection) -> int:
            names = list(connection.execute(some).scalars())
            if names:
                connection.execute(delete(contents).where(over, contents.c.intent_id.in_(names)))
            return len(names)

        return await self._database.write(work)
