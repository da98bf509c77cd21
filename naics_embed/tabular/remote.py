"""Tables at addresses that fsspec knows, such as ``s3://bucket/in.csv``: copied here and back."""

import posixpath
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from naics_embed.errors import UserError

_ADDRESS = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*(?:://|::)')


def is_address(name: str) -> bool:
    """Whether a name is an address such as ``s3://bucket/file``, not the path of a file.

    Example:
        >>> is_address('memory://a.csv'), is_address('in/a.csv'), is_address('C:/a.csv')
        (True, False, False)
    """
    return _ADDRESS.match(name) is not None


@contextmanager
def fetched(address: str) -> Iterator[Path]:
    """Yield a copy of a file on this machine, for the time of the block.

    Raises:
        UserError: it does not exist, cannot be read, or a package for such addresses is missing.
    """
    with tempfile.TemporaryDirectory(prefix='naics-embed-') as folder:
        copy = Path(folder) / (base_name(address) or 'table')
        with (
            _explained(address, 'read'),
            _open(address, 'rb') as stream,
            copy.open('wb') as target,
        ):
            shutil.copyfileobj(stream, target)
        yield copy


@contextmanager
def sent(address: str, *, force: bool = False) -> Iterator[Path]:
    """Yield a path on this machine; what the block writes there is copied to the address.

    Args:
        address: where to.
        force: whether a file that is there is replaced.

    Raises:
        UserError: a file is there, it cannot be written, or a package is missing.
    """
    with _explained(address, 'written'):
        there = _exists(address)
    if there and not force:
        raise UserError(f'{address} exists; name another file, or give --force to replace it')
    with tempfile.TemporaryDirectory(prefix='naics-embed-') as folder:
        local = Path(folder) / (base_name(address) or 'table')
        yield local
        with (
            _explained(address, 'written'),
            local.open('rb') as stream,
            _open(address, 'wb') as target,
        ):
            shutil.copyfileobj(stream, target)


def base_name(address: str) -> str:
    """Return the last part of the path of an address, without its query."""
    return posixpath.basename(address.partition('?')[0].rpartition('::')[2])


def _open(address: str, mode: str) -> Any:
    import fsspec

    # Names that end in .gz are read and written as they are.
    return fsspec.open(address, mode, compression=None)


def _exists(address: str) -> bool:
    from fsspec.core import url_to_fs

    system, path = url_to_fs(address)
    return cast('bool', system.exists(path))


@contextmanager
def _explained(address: str, done: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise UserError(f'{address} cannot be {done}: {error}') from error
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error) or type(error).__name__
        raise UserError(
            f'{address} cannot be {done} ({reason}); check the address, and what its storage asks '
            'for, such as a key in the environment'
        ) from error
