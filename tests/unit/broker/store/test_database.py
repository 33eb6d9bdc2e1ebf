"""Opening databases, and what is refused."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import inspect

from broker.errors import StoreUnavailableError
from broker.store.database import Database, Kind, begin_immediate, open_database
from broker.store.outputs import open_outputs
from broker.store.schema import REVISION, migrate
from broker.store.tables import metadata, output_metadata


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///x?mode=ro",
        "mysql://u:hunter2@h/d",
        "",
        "no url hunter2",
        "oracle://h",
    ],
)
def test_what_names_no_usable_database_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"database|SQLite") as caught:
        open_database(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg"])
def test_every_spelling_of_postgresql_gets_the_same_driver_and_hides_its_password(scheme: str) -> None:
    database = open_database(f"{scheme}://user:hunter2@db.example:6543/ostiary?sslmode=require")
    assert database.kind is Kind.POSTGRESQL
    assert database.engine.dialect.driver == "psycopg"
    assert database.name == "postgresql+psycopg://user:***@db.example:6543/ostiary?sslmode=require"
    database.check_file()
    database.close()


def test_a_sqlite_file_is_tuned_for_durability(sqlite_database: Database) -> None:
    with sqlite_database.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "wal_autocheckpoint")
        }
    assert found == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0, "wal_autocheckpoint": 1000,
    }  # fmt: skip


def test_result_bodies_have_a_file_of_their_own_that_may_forget_its_last_moment(tmp_path: Path) -> None:
    database = open_outputs(f"sqlite:///{tmp_path / 'deep' / 'folder' / 'outputs.sqlite3'}")
    with database.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
        assert inspect(connection).get_table_names() == ["contents", "outputs"]
    assert stat.S_IMODE((tmp_path / "deep" / "folder").stat().st_mode) == 0o700
    database.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"nothing like a database" * 100)
    for opening in (open_database, open_outputs):
        with pytest.raises(StoreUnavailableError):
            opening(f"sqlite:///{path}")


def test_a_database_that_cannot_be_made_ready_for_bodies_is_closed_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "outputs.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE VIEW outputs_at AS SELECT 1")
    connection.close()
    with pytest.raises(StoreUnavailableError):
        open_outputs(f"sqlite:///{path}")


def test_migrations_make_exactly_the_tables_the_queries_name(database: Database) -> None:
    wanted = {table.name: table for table in metadata.tables.values()}
    if database.kind is Kind.POSTGRESQL:
        wanted |= {table.name: table for table in output_metadata.tables.values()}
    with database.connect() as connection:
        inspector = inspect(connection)
        assert set(inspector.get_table_names()) == {*wanted, "alembic_version"}
        for name, table in wanted.items():
            assert {column["name"] for column in inspector.get_columns(name)} == set(table.columns.keys())
            indexes = {index["name"] for index in inspector.get_indexes(name)}
            assert {index.name for index in table.indexes} <= indexes


def test_the_newest_revision_is_the_one_the_program_knows() -> None:
    from alembic.script import ScriptDirectory

    from broker.store import schema

    assert ScriptDirectory(str(schema._MIGRATIONS)).get_heads() == [REVISION]


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE VIEW events_at AS SELECT 1")
    with pytest.raises(StoreUnavailableError):
        migrate(database)
    with database.connect() as connection:
        assert inspect(connection).get_table_names() == []
    database.close()


async def test_a_transaction_that_raises_changes_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:  # noqa: PT012 - the block is the matter
        connection.exec_driver_sql("UPDATE ledger_head SET size = 9")
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        await database.write(lambda _: 1 // 0)
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT size FROM ledger_head").scalar() == 0


def test_a_snapshot_stands_still(database: Database) -> None:
    with database.snapshot() as still:
        assert still.exec_driver_sql("SELECT size FROM ledger_head").scalar() == 0
        with database.transaction() as connection:
            connection.exec_driver_sql("UPDATE ledger_head SET size = 9")
        assert still.exec_driver_sql("SELECT size FROM ledger_head").scalar() == 0
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT size FROM ledger_head").scalar() == 9


def test_the_write_lock_is_waited_for_so_long_and_no_longer(sqlite_database: Database) -> None:
    assert sqlite_database.path is not None
    holder = sqlite3.connect(sqlite_database.path, isolation_level=None, timeout=0)
    other = sqlite3.connect(sqlite_database.path, isolation_level=None, timeout=0)
    holder.execute("BEGIN IMMEDIATE")
    tries = 0

    def begin() -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            holder.execute("ROLLBACK")
        other.execute("BEGIN IMMEDIATE")

    begin_immediate(begin)
    assert tries == 3
    with pytest.raises(sqlite3.OperationalError):
        begin_immediate(lambda: holder.execute("BEGIN IMMEDIATE"), wait_seconds=0)
    with pytest.raises(sqlite3.OperationalError):
        begin_immediate(lambda: holder.execute("NO SQL"))
    holder.close()
    other.close()
