"""The first schema of the store."""

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None

APPEND_ONLY = ('decisions', 'comments', 'events')
REFUSAL = 'rows of {table} are only added'
FUNCTION = """
CREATE OR REPLACE FUNCTION review_refuse_change() RETURNS trigger AS $$
BEGIN
  RAISE EXCEPTION 'rows of % are only added', TG_TABLE_NAME;
END;
$$ LANGUAGE plpgsql
"""


def upgrade() -> None:
    """Make all tables."""
    _make_tables()
    _refuse_changes()


def _refuse_changes() -> None:
    """Let the database refuse to change what only grows."""
    if op.get_bind().dialect.name == 'postgresql':
        op.execute(FUNCTION)
        for table in APPEND_ONLY:
            op.execute(
                f'CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} '
                'FOR EACH ROW EXECUTE FUNCTION review_refuse_change()'
            )
        return
    for table in APPEND_ONLY:
        for change in ('UPDATE', 'DELETE'):
            op.execute(
                f'CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} '
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL.format(table=table)}'); END"
            )


def _make_tables() -> None:
    op.create_table(
        'batches',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('name', sa.String(length=64), nullable=False),
        sa.Column('state', sa.String(length=16), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('source', sa.Text(), nullable=False),
        sa.Column('identity', sa.String(length=64), nullable=False),
        sa.Column('bundle', sa.String(length=64), nullable=False),
        sa.Column('threshold', sa.Float(), nullable=True),
        sa.Column('target', sa.Float(), nullable=True),
        sa.Column('audit_fraction', sa.Float(), nullable=False),
        sa.Column('double_fraction', sa.Float(), nullable=False),
        sa.Column('item_order', sa.String(length=16), nullable=False),
        sa.Column('seed', sa.Integer(), nullable=False),
        sa.Column('webhook', sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_batches')),
        sa.UniqueConstraint('name', name=op.f('uq_batches_name')),
    )
    op.create_table(
        'codes',
        sa.Column('bundle', sa.String(length=64), nullable=False),
        sa.Column('code', sa.String(length=6), nullable=False),
        sa.Column('official', sa.String(length=8), nullable=False),
        sa.Column('title', sa.Text(), nullable=False),
        sa.Column('level', sa.Integer(), nullable=False),
        sa.Column('parent', sa.String(length=6), nullable=True),
        sa.Column('redirections', sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint('bundle', 'code', name=op.f('pk_codes')),
    )
    op.create_table(
        'settings',
        sa.Column('name', sa.String(length=64), nullable=False),
        sa.Column('value', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_settings')),
    )
    op.create_table(
        'users',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('name', sa.String(length=64), nullable=False),
        sa.Column('role', sa.String(length=16), nullable=False),
        sa.Column('password', sa.Text(), nullable=True),
        sa.Column('active', sa.Boolean(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_users')),
        sa.UniqueConstraint('name', name=op.f('uq_users_name')),
    )
    op.create_table(
        'events',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('batch_id', sa.Integer(), nullable=True),
        sa.Column('user_name', sa.String(length=64), nullable=True),
        sa.Column('kind', sa.String(length=32), nullable=False),
        sa.Column('detail', sa.JSON(), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ['batch_id'], ['batches.id'], name=op.f('fk_events_batch_id_batches')
        ),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_events')),
    )
    op.create_index(op.f('ix_events_batch_id'), 'events', ['batch_id'], unique=False)
    op.create_table(
        'items',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('batch_id', sa.Integer(), nullable=False),
        sa.Column('row', sa.Integer(), nullable=False),
        sa.Column('text', sa.Text(), nullable=False),
        sa.Column('shown', sa.JSON(), nullable=False),
        sa.Column('kind', sa.String(length=16), nullable=False),
        sa.Column('coders', sa.Integer(), nullable=False),
        sa.Column('position', sa.Integer(), nullable=True),
        sa.Column('probability', sa.Float(), nullable=True),
        sa.Column('exposure', sa.Float(), nullable=True),
        sa.Column('familiarity', sa.Float(), nullable=True),
        sa.Column('question', sa.JSON(), nullable=True),
        sa.Column('assigned_to', sa.Integer(), nullable=True),
        sa.Column('state', sa.String(length=16), nullable=False),
        sa.Column('final', sa.String(length=16), nullable=True),
        sa.Column('settled_by', sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(
            ['assigned_to'], ['users.id'], name=op.f('fk_items_assigned_to_users')
        ),
        sa.ForeignKeyConstraint(
            ['batch_id'], ['batches.id'], name=op.f('fk_items_batch_id_batches')
        ),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_items')),
        sa.UniqueConstraint('batch_id', 'row', name=op.f('uq_items_batch_id_row')),
    )
    op.create_index('ix_items_queue', 'items', ['batch_id', 'state', 'position'], unique=False)
    op.create_table(
        'sessions',
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_sessions_user_id_users')),
        sa.PrimaryKeyConstraint('digest', name=op.f('pk_sessions')),
    )
    op.create_table(
        'tokens',
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_tokens_user_id_users')),
        sa.PrimaryKeyConstraint('digest', name=op.f('pk_tokens')),
    )
    op.create_table(
        'claims',
        sa.Column('item_id', sa.Integer(), nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['item_id'], ['items.id'], name=op.f('fk_claims_item_id_items')),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_claims_user_id_users')),
        sa.PrimaryKeyConstraint('item_id', 'user_id', name=op.f('pk_claims')),
    )
    op.create_table(
        'comments',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('item_id', sa.Integer(), nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('key', sa.String(length=64), nullable=False),
        sa.Column('text', sa.Text(), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['item_id'], ['items.id'], name=op.f('fk_comments_item_id_items')),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_comments_user_id_users')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_comments')),
        sa.UniqueConstraint('user_id', 'key', name=op.f('uq_comments_user_id_key')),
    )
    op.create_index(op.f('ix_comments_item_id'), 'comments', ['item_id'], unique=False)
    op.create_table(
        'decisions',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('item_id', sa.Integer(), nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('key', sa.String(length=64), nullable=False),
        sa.Column('role', sa.String(length=16), nullable=False),
        sa.Column('action', sa.String(length=16), nullable=False),
        sa.Column('code', sa.String(length=6), nullable=True),
        sa.Column('reason', sa.Text(), nullable=True),
        sa.Column('rank', sa.Integer(), nullable=True),
        sa.Column('bundle', sa.String(length=64), nullable=True),
        sa.Column('elapsed_ms', sa.Integer(), nullable=True),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['item_id'], ['items.id'], name=op.f('fk_decisions_item_id_items')),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_decisions_user_id_users')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_decisions')),
        sa.UniqueConstraint('user_id', 'key', name=op.f('uq_decisions_user_id_key')),
    )
    op.create_index('ix_decisions_item', 'decisions', ['item_id', 'id'], unique=False)
    op.create_table(
        'suggestions',
        sa.Column('item_id', sa.Integer(), nullable=False),
        sa.Column('bundle', sa.String(length=64), nullable=False),
        sa.Column('rank', sa.Integer(), nullable=False),
        sa.Column('code', sa.String(length=6), nullable=False),
        sa.Column('probability', sa.Float(), nullable=False),
        sa.Column('evidence', sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ['item_id'], ['items.id'], name=op.f('fk_suggestions_item_id_items')
        ),
        sa.PrimaryKeyConstraint('item_id', 'bundle', 'rank', name=op.f('pk_suggestions')),
    )
