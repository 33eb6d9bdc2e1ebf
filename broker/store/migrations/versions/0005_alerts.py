"""Alerts, how they reach people, and what their detectors remember."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Text, primary_key=True),
        *map(text, ("key", "kind", "subject", "severity", "title", "todo", "agent", "project", "session_id", "facts")),
        *map(number, ("at_ns", "count", "routed")),
    )
    op.create_index("alerts_key", "alerts", ["key"], unique=True)
    op.create_index("alerts_at", "alerts", ["at_ns"])
    op.create_index("alerts_kind", "alerts", ["kind", "at_ns"])
    unrouted = sa.text("routed = 0")
    op.create_index("alerts_unrouted", "alerts", ["at_ns"], sqlite_where=unrouted, postgresql_where=unrouted)
    op.create_table(
        "alert_deliveries",
        sa.Column("id", sa.Text, primary_key=True),
        *map(text, ("alert_id", "channel", "agent", "state", "error")),
        *map(number, ("attempts", "tries", "more", "created_at_ns", "next_at_ns", "updated_at_ns")),
    )
    op.create_index("alert_deliveries_alert", "alert_deliveries", ["alert_id"])
    op.create_index("alert_deliveries_channel", "alert_deliveries", ["channel", "created_at_ns"])
    op.create_index("alert_deliveries_state", "alert_deliveries", ["state", "next_at_ns"])
    op.create_table(
        "activity_hours",
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("hour_ns", sa.BigInteger, primary_key=True, autoincrement=False),
        number("calls"),
    )
    op.create_index("activity_hours_hour", "activity_hours", ["hour_ns"])
    op.create_table(
        "touched_resources",
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("resource", sa.Text, primary_key=True),
        number("at_ns"),
    )
    op.create_table(
        "alert_cursor",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        *map(number, ("seq", "version")),
        text("owner"),
        number("until_ns"),
        text("state"),
    )
    # What happened before there were alerts raises none.
    op.execute("INSERT INTO alert_cursor (id, seq) SELECT 1, COALESCE(MAX(seq), 0) FROM events")
