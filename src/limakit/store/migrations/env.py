"""Alembic's entry: run the migrations on the connection that was handed over, in its transaction."""

from alembic import context

from limakit.store.people_schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
