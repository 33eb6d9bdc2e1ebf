"""Scopes and families of sessions, terms and facts of approvals, uses of rules."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0002"
down_revision = "0001"

_BELOW_ANOTHER = sa.text("parent_id <> ''")


def upgrade() -> None:
    # Columns of a constant default cost no rewrite of the table on either database, whatever it holds.
    for column in (_text("scopes"), _text("parent_id"), _text("root_id"), _int("depth"), _text("added_labels")):
        op.add_column("sessions", column)
    op.add_column("sessions", _int("minted"))
    op.create_index(
        "sessions_parent", "sessions", ["parent_id"], sqlite_where=_BELOW_ANOTHER, postgresql_where=_BELOW_ANOTHER
    )
    for name in ("approvers", "assurance", "context"):
        op.add_column("approvals", _text(name))
    op.create_table("rule_uses", Column("key", Text, primary_key=True), _int("uses"))


def _text(name: str) -> Column[Any]:
    return Column(name, Text, nullable=False, server_default="")


def _int(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default="0")
