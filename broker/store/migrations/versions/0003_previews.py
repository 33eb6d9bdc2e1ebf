"""Where an act goes and what it would do, for those who are asked about it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Columns of a constant default cost no rewrite of the table on either database, whatever it holds.
    for name in ("connection", "preview"):
        op.add_column("approvals", sa.Column(name, sa.Text, nullable=False, server_default=""))
