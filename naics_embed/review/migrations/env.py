"""What Alembic runs for each command; `naics_embed.review.schema` hands it a connection."""

from alembic import context

from naics_embed.review.tables import metadata

connection = context.config.attributes['connection']
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
