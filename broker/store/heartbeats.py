"""Signs of life of the processes that execute; the reconciler takes over from those that stopped."""

from __future__ import annotations

from sqlalchemy import Connection, delete
from sqlalchemy.dialects import postgresql, sqlite

from broker.store.database import Database, Kind
from broker.store.tables import instances


class SqlHeartbeats:
    """Implements `broker.store.base.Heartbeats` on SQLite and PostgreSQL.

    Args:
        database: Migrated.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, instance_id: str, now_ns: int) -> None:
        """Say that ``instance_id`` lives at ``now_ns``."""
        row = {"id": instance_id, "beat_at_ns": now_ns}

        def work(connection: Connection) -> None:
            make = sqlite.insert if self._database.kind is Kind.SQLITE else postgresql.insert
            connection.execute(
                make(instances).values(row).on_conflict_do_update(index_elements=[instances.c.id], set_=row)
            )

        await self._database.write(work)

    async def leave(self, instance_id: str) -> None:
        """Say that ``instance_id`` ends."""
        gone = delete(instances).where(instances.c.id == instance_id)
        await self._database.write(lambda connection: connection.execute(gone))
