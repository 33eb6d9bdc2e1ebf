"""First schema. Its tables are written out here: what `broker.store.tables` says today came with later revisions."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, LargeBinary, Text

revision = "0001"
down_revision = None

_OPEN = sa.text("state IN ('pending_approval', 'approved', 'executing')")


def upgrade() -> None:
    _ledger()
    _people()
    _intents()
    _approvals()
    _processes()
    # On SQLite result bodies live in a file of their own (broker.store.outputs makes it).
    if op.get_bind().dialect.name == "postgresql":
        op.create_table("outputs", _key("intent_id"), _number_key("idx"), _int("at_ns"), _blob("chunk"))
        op.create_index("outputs_at", "outputs", ["at_ns"])


def _ledger() -> None:
    copies = ("type", "agent", "project", "session_id", "intent_id", "action", "operator")
    op.create_table("events", _number_key("seq"), _int("at_ns"), *map(_text, copies), _blob("body"), _blob("leaf"))
    op.create_index("events_session", "events", ["session_id", "seq"])
    op.create_index("events_agent_action", "events", ["agent", "action", "seq"])
    op.create_index("events_action", "events", ["action", "seq"])
    op.create_index("events_type", "events", ["type", "seq"])
    op.create_index("events_at", "events", ["at_ns"])
    head = op.create_table("ledger_head", _number_key("id"), _int("size"), _blob("frontier"))
    op.create_table("checkpoints", _number_key("size"), _int("at_ns"), _blob("note"), _blob("frontier"))
    op.bulk_insert(head, [{"id": 1, "size": 0, "frontier": b""}])


def _people() -> None:
    op.create_table(
        "sessions",
        _key("id"),
        Column("token_hash", Text, nullable=False, unique=True),
        *map(_text, ("agent", "project", "owner")),
        *map(_int, ("created_at_ns", "expires_at_ns", "killed_at_ns")),
        _blob("labels"),
    )
    op.create_index("sessions_killed", "sessions", ["killed_at_ns"])
    op.create_table(
        "operator_tokens", _key("token_hash"), _text("operator"), _int("created_at_ns"), _int("expires_at_ns")
    )


def _intents() -> None:
    op.create_table(
        "intents",
        _key("id"),
        *map(_text, ("session_id", "agent", "project", "action")),
        _blob("resources"),
        *map(_text, ("request_digest", "plan_digest", "state")),
        *map(_int, ("version", "fence")),
        *map(_text, ("owner", "access")),
        Column("idempotency_key", Text, nullable=True),
        _text("approval_id"),
        *map(_int, ("created_at_ns", "updated_at_ns")),
        *map(_blob, ("result", "problem")),
        Column("output_bytes", BigInteger, nullable=False, server_default="-1"),
        _text("output_media_type"),
    )
    op.create_index("intents_key", "intents", ["session_id", "idempotency_key"], unique=True)
    op.create_index("intents_open", "intents", ["state", "updated_at_ns"], sqlite_where=_OPEN, postgresql_where=_OPEN)


def _approvals() -> None:
    op.create_table(
        "approvals",
        _key("id"),
        *map(_text, ("intent_id", "session_id", "agent", "project", "owner", "action")),
        _blob("resources"),
        *map(_text, ("summary", "plan_digest", "policy_version", "rule", "channel", "reason")),
        _blob("draft"),
        _text("state"),
        *map(_int, ("version", "created_at_ns", "expires_at_ns")),
        _text("decided_by"),
        _int("decided_at_ns"),
        _text("decision_reason"),
    )
    op.create_index("approvals_state", "approvals", ["state", "expires_at_ns"])
    op.create_index("approvals_session", "approvals", ["session_id"])


def _processes() -> None:
    op.create_table("configurations", _key("id"), _text("version"), _int("at_ns"), _blob("files"))
    op.create_table("instances", _key("id"), _int("beat_at_ns"))


def _key(name: str) -> Column[Any]:
    return Column(name, Text, primary_key=True)


def _number_key(name: str) -> Column[Any]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def _text(name: str) -> Column[Any]:
    return Column(name, Text, nullable=False, server_default="")


def _int(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _blob(name: str) -> Column[Any]:
    return Column(name, LargeBinary, nullable=False)
