"""Tables of the store.

``decisions``, ``comments`` and ``events`` only grow: the database itself refuses to change a row of
them. ``items.state``, ``items.final`` and ``items.settled_by`` follow from the decisions of an
item, and are kept so that the next item is found by an index.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC, also where the database keeps no zone, as SQLite does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time with its zone."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


metadata = MetaData(
    naming_convention={
        'ix': 'ix_%(table_name)s_%(column_0_N_name)s',
        'uq': 'uq_%(table_name)s_%(column_0_N_name)s',
        'fk': 'fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s',
        'pk': 'pk_%(table_name)s',
    }
)
APPEND_ONLY = ('decisions', 'comments', 'events')
"""Tables whose rows are never changed or taken out."""

settings = Table(
    'settings',
    metadata,
    Column('name', String(64), primary_key=True),
    Column('value', Text, nullable=False),
)
"""Values of the store itself, such as the key that CSRF tokens are made with."""

users = Table(
    'users',
    metadata,
    Column('id', Integer, primary_key=True),
    Column('name', String(64), nullable=False, unique=True),
    Column('role', String(16), nullable=False),
    Column('password', Text),
    Column('active', Boolean, nullable=False, default=True),
    Column('created_at', UtcTime, nullable=False),
)
tokens = Table(
    'tokens',
    metadata,
    Column('digest', String(64), primary_key=True),
    Column('user_id', ForeignKey('users.id'), nullable=False),
    Column('created_at', UtcTime, nullable=False),
)
sessions = Table(
    'sessions',
    metadata,
    Column('digest', String(64), primary_key=True),
    Column('user_id', ForeignKey('users.id'), nullable=False),
    Column('expires_at', UtcTime, nullable=False),
)
batches = Table(
    'batches',
    metadata,
    Column('id', Integer, primary_key=True),
    Column('name', String(64), nullable=False, unique=True),
    Column('state', String(16), nullable=False),
    Column('created_at', UtcTime, nullable=False),
    Column('closed_at', UtcTime),
    Column('source', Text, nullable=False),
    Column('identity', String(64), nullable=False),
    Column('bundle', String(64), nullable=False),
    Column('threshold', Float),
    Column('target', Float),
    Column('audit_fraction', Float, nullable=False),
    Column('double_fraction', Float, nullable=False),
    Column('item_order', String(16), nullable=False),
    Column('seed', Integer, nullable=False),
    Column('webhook', Text),
    Column('drawn_from', Integer),
)
"""``drawn_from``: of a batch that holds only the rows drawn for an audit, how many these are of."""

items = Table(
    'items',
    metadata,
    Column('id', Integer, primary_key=True),
    Column('batch_id', ForeignKey('batches.id'), nullable=False),
    Column('row', Integer, nullable=False),
    Column('text', Text, nullable=False),
    Column('shown', JSON, nullable=False),
    Column('kind', String(16), nullable=False),
    Column('coders', Integer, nullable=False, default=1),
    Column('position', Integer),
    Column('probability', Float),
    Column('exposure', Float),
    Column('familiarity', Float),
    Column('question', JSON),
    Column('assigned_to', ForeignKey('users.id')),
    Column('state', String(16), nullable=False),
    Column('final', String(16)),
    Column('settled_by', String(16)),
    UniqueConstraint('batch_id', 'row'),
    Index('ix_items_queue', 'batch_id', 'state', 'position'),
)
suggestions = Table(
    'suggestions',
    metadata,
    Column('item_id', ForeignKey('items.id'), primary_key=True),
    Column('bundle', String(64), primary_key=True),
    Column('rank', Integer, primary_key=True),
    Column('code', String(6), nullable=False),
    Column('probability', Float, nullable=False),
    Column('evidence', JSON),
)
codes = Table(
    'codes',
    metadata,
    Column('bundle', String(64), primary_key=True),
    Column('code', String(6), primary_key=True),
    Column('official', String(8), nullable=False),
    Column('title', Text, nullable=False),
    Column('level', Integer, nullable=False),
    Column('parent', String(6)),
    Column('redirections', JSON, nullable=False),
)
"""Codes of each bundle that suggested any, so that the page needs neither bundle nor torch."""

claims = Table(
    'claims',
    metadata,
    Column('item_id', ForeignKey('items.id'), primary_key=True),
    Column('user_id', ForeignKey('users.id'), primary_key=True),
    Column('expires_at', UtcTime, nullable=False),
)
decisions = Table(
    'decisions',
    metadata,
    Column('id', Integer, primary_key=True),
    Column('item_id', ForeignKey('items.id'), nullable=False),
    Column('user_id', ForeignKey('users.id'), nullable=False),
    Column('key', String(64), nullable=False),
    Column('role', String(16), nullable=False),
    Column('action', String(16), nullable=False),
    Column('code', String(6)),
    Column('reason', Text),
    Column('rank', Integer),
    Column('bundle', String(64)),
    Column('elapsed_ms', Integer),
    Column('at', UtcTime, nullable=False),
    UniqueConstraint('user_id', 'key'),
    Index('ix_decisions_item', 'item_id', 'id'),
)
comments = Table(
    'comments',
    metadata,
    Column('id', Integer, primary_key=True),
    Column('item_id', ForeignKey('items.id'), nullable=False, index=True),
    Column('user_id', ForeignKey('users.id'), nullable=False),
    Column('key', String(64), nullable=False),
    Column('text', Text, nullable=False),
    Column('at', UtcTime, nullable=False),
    UniqueConstraint('user_id', 'key'),
)
events = Table(
    'events',
    metadata,
    Column('id', Integer, primary_key=True),
    Column('batch_id', ForeignKey('batches.id'), index=True),
    Column('user_name', String(64)),
    Column('kind', String(32), nullable=False),
    Column('detail', JSON, nullable=False),
    Column('at', UtcTime, nullable=False),
)
