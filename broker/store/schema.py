"""Bringing a database to the newest schema, by Alembic, whoever else tries at the same time."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect

from broker.store.database import Database, Kind, wrapped

REVISION: Final = "0006"
"""Newest revision in ``migrations/versions``; a database that has it is left alone, without loading Alembic."""

_MIGRATION_LOCK: Final = 0x6F7374696172
"""Advisory lock at which migrations of one PostgreSQL database queue up; the bytes of "ostiar"."""

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def migrate(database: Database) -> None:
    """Create or upgrade every table; several processes may do so at once.

    Raises:
        StoreUnavailableError: the database failed; it is as it was before.
    """
    with wrapped():
        with database.connect() as connection:
            if _revision(connection) == REVISION:
                return
        with database.transaction() as connection:
            if database.kind is Kind.POSTGRESQL:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            # Somebody else may have been first while we waited for the lock.
            if _revision(connection) != REVISION:
                _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def _upgrade(connection: Connection, revision: str = REVISION) -> None:
    # Most processes find a migrated database, and Alembic takes longer to import than the look at it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
