"""What Alembic runs for a migration: our steps, in the transaction that we are in."""

from __future__ import annotations

from alembic import context

from writeback.tables import store_version

context.configure(
    connection=context.config.attributes["connection"], version_table=store_version.name
)
context.run_migrations()
