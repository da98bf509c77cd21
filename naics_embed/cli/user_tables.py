"""Where tables of users come from and go to: files, standard input, addresses, a SQL query."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from naics_embed.errors import UserError

STANDARD_INPUT = '-'


@contextmanager
def table_read(source: str | None, query: str | None, connection: str | None) -> Iterator[Path]:
    """Yield the file with a table, which is a copy where the table is no file of this machine.

    Args:
        source: a path, ``-`` for standard input, or an address such as ``s3://bucket/in.csv``.
        query: a SQL query, in place of a source.
        connection: address of its database.

    Raises:
        UserError: nothing is named, or both; or what is named cannot be read.
    """
    if (source is None) == (query is None):
        raise UserError('name a file, or a query with --query and --connection')
    if (query is None) != (connection is None):
        raise UserError('--query needs --connection, the address of the database, and it a query')
    from naics_embed.tabular.remote import fetched, is_address

    if query is not None:
        from naics_embed.tabular.query import queried

        with queried(query, str(connection)) as file:
            yield file
    elif source == STANDARD_INPUT:
        with tempfile.TemporaryDirectory(prefix='naics-embed-') as folder:
            copy = Path(folder) / 'standard-input.csv'
            with copy.open('wb') as stream:
                shutil.copyfileobj(sys.stdin.buffer, stream)
            yield copy
    elif is_address(str(source)):
        with fetched(str(source)) as file:
            yield file
    else:
        yield Path(str(source))


def copy_of(file: Path, source: str | None, query: str | None) -> str | None:
    """Return what tells whether a copy is that of an earlier run; None for a file of the user.

    It is a hash of what was asked for and of what was copied, so that an address with a password
    is not kept.

    Args:
        file: from `table_read`.
        source: as given to it.
        query: as given to it.
    """
    from naics_embed.artifacts import checksum, content_key

    if source is not None and file == Path(source):
        return None
    return content_key([source, query, checksum(file)[0]])


@contextmanager
def table_written(out: str, *, force: bool) -> Iterator[Path]:
    """Yield the path to write, which is copied to its address at the end where it has one.

    Raises:
        UserError: a file is there already, or the address cannot be written.
    """
    from naics_embed.tabular.remote import is_address, sent

    if is_address(out):
        with sent(out, force=force) as file:
            yield file
    else:
        yield Path(out)
