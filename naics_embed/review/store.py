"""The store: a database of batches, items and decisions, SQLite or PostgreSQL."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError

from naics_embed.bundle.promotion import artifact_root
from naics_embed.errors import UserError
from naics_embed.review.schema import migrate
from naics_embed.sqlite_address import sqlite_address, sqlite_file

T = TypeVar('T')
FILE = 'review.db'
BUSY_S = 30
ATTEMPTS = 3
"""How often a transaction is tried: the server may have been restarted between two of them."""
PAUSE_S = 0.05


class StoreUnavailableError(UserError):
    """The database does not answer; nothing was changed, or the same request finds the change."""


def default_address() -> str:
    """Return the address of the store in the artifact root."""
    return sqlite_address(artifact_root().absolute() / FILE)


class Store:
    """An open store. Safe to share between threads.

    Example:
        >>> import tempfile, pathlib
        >>> folder = tempfile.TemporaryDirectory()
        >>> store = Store.open(f'sqlite:///{folder.name}/review.db')
        >>> with store.reading() as connection:
        ...     connection.exec_driver_sql('SELECT count(*) FROM batches').scalar()
        0
        >>> store.close()
    """

    def __init__(self, engine: Engine) -> None:
        """Use `open`."""
        self.engine = engine

    @classmethod
    def open(cls, address: str | None = None) -> 'Store':
        """Open a store, make it where there is none, and bring its schema up to date.

        Args:
            address: of the database, ``sqlite:///FILE`` or ``postgresql://…``; a path of a file is
                one of SQLite; None for ``review.db`` in the artifact root.

        Raises:
            UserError: the address is none, its driver is missing, the database does not answer, or
                a newer version has changed it.
        """
        engine = _engine(_address(address))
        try:
            migrate(engine)
        except DBAPIError as error:
            engine.dispose()
            raise _unavailable(engine, error) from error
        except UserError:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @property
    def shown(self) -> str:
        """The address without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that only reads."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that is committed at the end of the block.

        With SQLite it holds the write lock from its beginning, so that what it reads stays so.
        """
        options = self.engine.connect().execution_options(review_write=True)
        with options as connection, connection.begin():
            yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what ``work`` returns in a transaction, which is repeated where it fails.

        It is repeated after a lost connection, whose commit may have been made or not, and after a
        row was added twice at once. So ``work`` must find what it has done already.

        Raises:
            StoreUnavailableError: the database does not answer.
        """
        return self._attempt(self.writing, work)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Return what ``work`` reads. Raises StoreUnavailableError as `write`."""
        return self._attempt(self.reading, work)

    def _attempt(self, opened: Callable[[], Any], work: Callable[[Connection], T]) -> T:
        failure: DBAPIError | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE_S * attempt)
            try:
                with opened() as connection:
                    return work(connection)
            except (OperationalError, IntegrityError) as error:
                failure = error
        assert failure is not None
        if isinstance(failure, IntegrityError):
            raise failure
        raise _unavailable(self.engine, failure) from failure


def _address(given: str | None) -> str:
    if given is None:
        artifact_root().mkdir(parents=True, exist_ok=True)
        return default_address()
    return given if '://' in given else sqlite_address(Path(given).expanduser().absolute())


def _engine(address: str) -> Engine:
    try:
        url = make_url(address)
        if url.drivername in ('postgresql', 'postgres'):
            url = url.set(drivername='postgresql+psycopg')
        kind = url.get_backend_name()
        if kind not in ('sqlite', 'postgresql'):
            raise UserError(f'--store {address} is neither sqlite:///FILE nor postgresql://…')
        if kind == 'postgresql':
            # A server that was restarted leaves dead connections in the pool.
            return create_engine(url, pool_pre_ping=True, connect_args={'connect_timeout': 10})
        file = sqlite_file(address)
        if file is None:
            raise UserError(f'--store {address} names no file; give sqlite:///FILE')
        _make_private(file)
        engine = create_engine(sqlite_address(file), connect_args={'timeout': BUSY_S})
    except ArgumentError as error:
        raise UserError(f'--store {address} is no address: {error}') from error
    except ImportError as error:
        raise UserError(
            f'{address} needs a driver that is not installed ({error}): pip install '
            "'naics-embed[review]'"
        ) from error
    event.listen(engine, 'connect', _prepare_sqlite)
    event.listen(engine, 'begin', _begin_sqlite)
    return engine


def _make_private(file: Path) -> None:
    """Make a file that only its owner may read: texts of people are in it."""
    if not file.parent.is_dir():
        raise UserError(f'{file.parent} does not exist; name a folder that does with --store')
    if not file.exists():
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    # SQLAlchemy begins transactions itself, see below.
    connection.isolation_level = None
    for pragma in ('journal_mode=WAL', 'synchronous=FULL', 'foreign_keys=ON'):
        connection.execute(f'PRAGMA {pragma}')


def _begin_sqlite(connection: Connection) -> None:
    kind = 'IMMEDIATE' if connection.get_execution_options().get('review_write') else 'DEFERRED'
    connection.exec_driver_sql(f'BEGIN {kind}')


def _unavailable(engine: Engine, error: DBAPIError) -> StoreUnavailableError:
    reason = str(error.orig).strip().splitlines()
    shown = engine.url.render_as_string(hide_password=True)
    return StoreUnavailableError(
        f'the review store {shown} does not answer ({reason[0] if reason else error}); '
        'try again when it runs'
    )
