"""The schema of a store, brought up to date when the store is opened."""

from sqlalchemy import Connection, Engine, inspect, text

from naics_embed.errors import UserError

HEAD = '0002'
"""The newest revision in ``migrations/versions``."""
VERSION_TABLE = 'alembic_version'
LOCK = 724_131
"""Number of PostgreSQL's advisory lock that is held while tables change."""


def migrate(engine: Engine) -> None:
    """Make or change the tables of a store, so that they are those of this version.

    Args:
        engine: of the store.

    Raises:
        UserError: a newer version has changed the store.
    """
    with engine.connect() as connection:
        if revision(connection) == HEAD:
            return
    with engine.connect().execution_options(review_write=True) as connection, connection.begin():
        if connection.dialect.name == 'postgresql':
            connection.execute(text(f'SELECT pg_advisory_xact_lock({LOCK})'))
        # Another process may have done it while this one waited.
        if revision(connection) != HEAD:
            _upgrade(connection)


def revision(connection: Connection) -> str | None:
    """Return the revision of a store; None for a database without one."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f'SELECT version_num FROM {VERSION_TABLE}')).scalar()
    return None if found is None else str(found)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option('script_location', 'naics_embed.review:migrations')
    config.set_main_option('path_separator', 'os')
    config.attributes['connection'] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = revision(connection)
    if found is not None and found not in known:
        raise UserError(
            f'the review store has schema {found}, which is newer than that of this version '
            f'({HEAD}); update naics-embed, or name another store with --store'
        )
    command.upgrade(config, 'head')
