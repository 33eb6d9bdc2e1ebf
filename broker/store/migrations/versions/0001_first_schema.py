"""First schema."""

from alembic import op
from sqlalchemy import insert

from broker.store.tables import ledger_head, metadata, output_metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    connection = op.get_bind()
    metadata.create_all(connection)
    # On SQLite result bodies live in a file of their own (broker.store.outputs makes it).
    if connection.dialect.name == "postgresql":
        output_metadata.create_all(connection)
    connection.execute(insert(ledger_head).values(id=1, size=0, frontier=b""))
