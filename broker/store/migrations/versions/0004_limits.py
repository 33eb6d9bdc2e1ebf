"""Budgets, what calls came to, halts, breakers, and what an intent holds of budgets."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def upgrade() -> None:
    op.add_column("intents", text("hold"))
    op.create_table(
        "budgets",
        sa.Column("key", sa.Text, primary_key=True),
        *map(number, ("used", "reserved", "extra", "alerted", "ends_at_ns")),
    )
    op.create_index("budgets_ends", "budgets", ["ends_at_ns"])
    op.create_table(
        "usage_hours",
        sa.Column("hour_ns", sa.BigInteger, primary_key=True, autoincrement=False),
        *(
            sa.Column(name, sa.Text, primary_key=True)
            for name in ("session_id", "model", "upstream", "agent", "project")
        ),
        *map(number, ("calls", "estimated_calls", "input_tokens", "output_tokens")),
        *map(number, ("cache_read_tokens", "cache_write_tokens", "nano_dollars")),
    )
    op.create_index("usage_hours_agent", "usage_hours", ["agent", "hour_ns"])
    op.create_index("usage_hours_project", "usage_hours", ["project", "hour_ns"])
    op.create_index("usage_hours_session", "usage_hours", ["session_id"])
    op.create_table(
        "halts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("active", sa.Text, nullable=True),
        *map(text, ("scope", "name", "kind", "reason", "started_by")),
        *map(number, ("started_at_ns", "ends_at_ns", "reported_at_ns")),
        *map(text, ("lifted_by", "lift_reason")),
        number("lifted_at_ns"),
    )
    op.create_index("halts_active", "halts", ["active"], unique=True)
    op.create_index("halts_started", "halts", ["started_at_ns"])
    op.create_table(
        "breakers",
        sa.Column("key", sa.Text, primary_key=True),
        *map(number, ("failures", "openings", "opened_at_ns", "open_until_ns", "updated_at_ns", "reset_at_ns")),
        text("reason"),
    )
    op.create_index("breakers_updated", "breakers", ["updated_at_ns"])
