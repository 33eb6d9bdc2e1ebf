"""Run by Alembic: the connection, and the transaction it is in, come from `broker.store.schema.migrate`."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
