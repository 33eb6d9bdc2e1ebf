"""Bodies of results, in chunks, until somebody fetches them or their time is over.

They are no part of the ledger. On SQLite they live in a file of their own that may lose its last moments in a power
cut (`Synchronous.NORMAL`); on PostgreSQL they are a table next to the others. The table of the SQLite file is made
here, without migrations: a change of its columns gets a new file name, as nothing in it outlives its hour. The prompts
and answers that are kept (`broker.store.contents`) stand in the same file, sealed; their table never changes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from sqlalchemy import Connection, and_, bindparam, delete, distinct, exists, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from broker.clock import NS_PER_SECOND, Clock
from broker.errors import ConflictError, StoreUnavailableError
from broker.ids import IntentId
from broker.store.database import Database, Kind, Synchronous, open_database, wrapped
from broker.store.tables import output_metadata, outputs

WAITING: Final = "inp_"
"""Begins the names of bodies that came in and wait for people (`broker.uploads`)."""
_WAITING_NS: Final = 8 * 86_400 * NS_PER_SECOND
"""They outlive every approval, which waits a week at most."""

_CHUNK: Final = select(outputs.c.idx, outputs.c.chunk).where(
    outputs.c.intent_id == bindparam("intent_id"), outputs.c.idx > bindparam("after")
)


def open_outputs(url: str) -> Database:
    """Open the database of result bodies; the caller closes it.

    On SQLite its table is made when it is not there; on PostgreSQL `broker.store.schema.migrate` has made it.

    Args:
        url: As for `open_database`.

    Raises:
        ValueError: the URL names no database Ostiary can use.
        StoreUnavailableError: the database failed.
    """
    database = open_database(url, synchronous=Synchronous.NORMAL)
    if database.kind is Kind.SQLITE:
        try:
            with wrapped(), database.transaction() as connection:
                output_metadata.create_all(connection)
        except StoreUnavailableError:
            database.close()
            raise
    return database


class SqlOutputs:
    """Implements `broker.store.base.Outputs` on SQLite and PostgreSQL.

    Args:
        database: From `open_outputs`.
        clock: Stamps the chunks.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def append(self, intent_id: IntentId, index: int, chunk: bytes) -> None:
        """Store chunk number ``index`` of a body.

        Raises:
            ConflictError: there is one with this number already; stored bytes are never replaced.
            StoreUnavailableError: the database failed.
        """
        row = {"intent_id": intent_id, "idx": index, "at_ns": self._clock.now_ns(), "chunk": chunk}

        def work(connection: Connection) -> None:
            try:
                connection.execute(insert(outputs), row)
            except IntegrityError:
                raise ConflictError(f"chunk {index} of the output of `{intent_id}` is there already") from None

        await self._database.write(work)

    async def discard(self, intent_id: IntentId) -> None:
        """Drop a body; fine when there is none."""
        gone = delete(outputs).where(outputs.c.intent_id == intent_id)
        await self._database.write(lambda connection: connection.execute(gone))

    async def read(self, intent_id: IntentId) -> AsyncGenerator[bytes, None]:
        """Yield a body chunk by chunk, holding one at a time and no connection in between."""
        after = -1
        while True:
            values = {"intent_id": intent_id, "after": after}
            found = await self._database.read(
                lambda connection, values=values: connection.execute(  # type: ignore[misc]
                    _CHUNK.order_by(outputs.c.idx).limit(1), values
                ).first()
            )
            if found is None:
                return
            after = found.idx
            yield bytes(found.chunk)

    async def expire(self, before_ns: int) -> int:
        """Drop bodies whose newest chunk is older than ``before_ns``; return how many."""
        later = outputs.alias("later")
        waiting = outputs.c.intent_id.startswith(WAITING, autoescape=True)
        old = and_(outputs.c.at_ns < before_ns, or_(~waiting, outputs.c.at_ns < before_ns - _WAITING_NS))
        still_written = exists().where(later.c.intent_id == outputs.c.intent_id, later.c.at_ns >= before_ns)

        def work(connection: Connection) -> int:
            count = select(func.count(distinct(outputs.c.intent_id))).where(old, ~still_written)
            gone = connection.execute(count).scalar_one()
            if gone:
                connection.execute(delete(outputs).where(old, ~still_written))
            return int(gone)

        return await self._database.write(work)
