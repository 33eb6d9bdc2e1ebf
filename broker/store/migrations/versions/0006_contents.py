"""Prompts and answers that are kept, sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # On SQLite they stand beside result bodies, in a file of its own (broker.store.outputs makes the table).
    if op.get_bind().dialect.name != "postgresql":
        return
    op.create_table(
        "contents",
        sa.Column("intent_id", sa.Text, primary_key=True),
        sa.Column("part", sa.Text, primary_key=True),
        sa.Column("idx", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("expires_at_ns", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("contents_expires", "contents", ["expires_at_ns"])
