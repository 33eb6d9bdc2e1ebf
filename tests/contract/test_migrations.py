"""What an upgrade promises, on every database: old rows keep their meaning, and the schema is that of a fresh one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import inspect

from broker.ids import ApprovalId, SessionId, TokenHash
from broker.model import ApprovalState
from broker.store import schema
from broker.store.base import EventFilter, Minted
from broker.store.database import Database, Kind, open_database
from broker.store.reader import SqlReader
from broker.store.rows import move_approval
from broker.store.schema import REVISION, migrate
from broker.store.tables import metadata, output_metadata
from policies.model import Assurance
from tests.parts.ledgers import change, running

OLD_SESSION = (
    "INSERT INTO sessions (id, token_hash, agent, project, owner, created_at_ns, expires_at_ns, labels)"
    " VALUES ('ses_old', 'hash', 'ci', 'acme', 'olivia', 1, 900, {labels})"
)
OLD_APPROVAL = (
    "INSERT INTO approvals (id, intent_id, resources, draft, state, version, expires_at_ns)"
    " VALUES ('apr_old', 'int_old', {resources}, {draft}, 'pending', 1, 900)"
)
OLD_INSTANCE = "INSERT INTO instances (id, beat_at_ns) VALUES ('ins_old', 7)"


@pytest.fixture
def old_database(database_url: str) -> Iterator[Database]:
    """A database as the first release left it, with rows."""
    opened = open_database(database_url)
    with opened.transaction() as connection:
        schema._upgrade(connection, "0001")
        for statement in (OLD_SESSION, OLD_APPROVAL, OLD_INSTANCE):
            connection.exec_driver_sql(statement.format(**blobs(opened.kind)))
    yield opened
    opened.close()


def blobs(kind: Kind) -> dict[str, str]:
    texts = {"labels": b'{"run":"7"}', "resources": b'["r"]', "draft": b"{}"}
    form = "x'{}'" if kind is Kind.SQLITE else "decode('{}', 'hex')"
    return {name: form.format(data.hex()) for name, data in texts.items()}


def shape(database: Database) -> dict[str, Any]:
    """Everything a schema says: columns in order with type, default and null, keys and indexes."""
    with database.connect() as connection:
        inspector = inspect(connection)
        return {
            name: (
                [(each["name"], str(each["type"]), each["nullable"], each["default"]) for each in columns],
                inspector.get_pk_constraint(name)["constrained_columns"],
                sorted(tuple(each["column_names"]) for each in inspector.get_unique_constraints(name)),
                sorted(
                    (str(each["name"]), tuple(each["column_names"]), bool(each["unique"]), str(condition(each)))
                    for each in inspector.get_indexes(name)
                ),
            )
            for name in inspector.get_table_names()
            for columns in [inspector.get_columns(name)]
            if name != "alembic_version"
        }


def condition(index: Any) -> object:
    options = index.get("dialect_options", {})
    return options.get("sqlite_where", options.get("postgresql_where", ""))


def drop_everything(database: Database) -> None:
    with database.transaction() as connection:
        for name in inspect(connection).get_table_names():
            connection.exec_driver_sql(f"DROP TABLE {name}")


async def test_rows_of_the_first_release_keep_their_meaning(old_database: Database) -> None:
    migrate(old_database)
    reader = SqlReader(old_database)
    session = await reader.session(SessionId("ses_old"))
    assert session is not None
    assert (session.labels, session.scopes, session.parent_id, session.depth) == ({"run": "7"}, (), "", 0)
    assert (session.killed_at_ns, session.added_labels) == (0, {})
    assert await reader.session_by_token(TokenHash("hash")) == session
    assert await reader.minted_below(session.id, 1) == Minted(0, 0)
    asked = await reader.approval(ApprovalId("apr_old"))
    assert asked is not None
    assert (asked.resources, asked.approvers, asked.assurance, asked.context) == (("r",), (), Assurance.CHAT, {})
    assert (asked.connection, asked.preview) == ("", {})
    assert await reader.live_instances(7) == {"ins_old"}
    async with running(old_database) as ledger:
        await ledger.commit(change(move_approval(asked, ApprovalState.APPROVED)))
    assert len(await reader.events(EventFilter())) == 1


def test_an_upgraded_schema_is_that_of_a_fresh_database(old_database: Database) -> None:
    assert "rule_uses" not in shape(old_database)
    migrate(old_database)
    upgraded = shape(old_database)
    drop_everything(old_database)
    migrate(old_database)
    assert shape(old_database) == upgraded


def test_the_migrated_schema_is_the_one_the_program_names(old_database: Database) -> None:
    migrate(old_database)
    migrated = shape(old_database)
    drop_everything(old_database)
    with old_database.transaction() as connection:
        metadata.create_all(connection)
        if old_database.kind is Kind.POSTGRESQL:
            output_metadata.create_all(connection)
    assert shape(old_database) == migrated


def test_an_upgrade_is_done_once(old_database: Database) -> None:
    for _ in range(2):
        migrate(old_database)
    with old_database.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == REVISION
