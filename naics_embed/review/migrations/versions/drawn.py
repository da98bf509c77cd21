"""Batches that hold only the rows that were drawn for an audit."""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'


def upgrade() -> None:
    """Add the number of rows that an audit was drawn from."""
    op.add_column('batches', sa.Column('drawn_from', sa.Integer(), nullable=True))
