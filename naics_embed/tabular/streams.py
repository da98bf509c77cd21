"""Bytes of files that may be compressed: gzip, Zstandard, and zip files with one member."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from naics_embed.errors import UserError

COMPRESSIONS = ('.gz', '.zst', '.zip')
FIRST_BYTES = {'.gz': b'\x1f\x8b', '.zst': b'\x28\xb5\x2f\xfd', '.zip': b'PK'}


def compression_of(path: Path) -> str | None:
    """Return the ending of a compression that a name has, or None."""
    ending = path.suffix.lower()
    return ending if ending in COMPRESSIONS else None


def format_of(path: Path) -> str:
    """Return the ending of a name in small letters, without that of a compression."""
    inner = path.with_suffix('') if compression_of(path) else path
    return inner.suffix.lower()


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, uncompressed.

    Raises:
        UserError: it is no file of the compression that it is named after, is damaged, or a zip
            file has several members.
    """
    compression = compression_of(path)
    if compression is None:
        with path.open('rb') as plain:
            yield plain
        return
    _check_beginning(path, compression)
    try:
        if compression == '.gz':
            with gzip.open(path, 'rb') as unzipped:
                yield cast('BinaryIO', unzipped)
        elif compression == '.zst':
            with pa.CompressedInputStream(pa.OSFile(str(path)), 'zstd') as stream:
                yield cast('BinaryIO', io.BufferedReader(_Raw(stream)))
        else:
            with zipfile.ZipFile(path) as archive, archive.open(_member(archive, path)) as member:
                yield cast('BinaryIO', io.BufferedReader(cast('io.RawIOBase', member)))
    except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise UserError(f'{path} is damaged: it cannot be uncompressed ({error})') from error


def _check_beginning(path: Path, compression: str) -> None:
    beginning = FIRST_BYTES[compression]
    with path.open('rb') as stream:
        if stream.read(len(beginning)) != beginning:
            raise UserError(f'{path} is no {compression} file; name it as what it is')


def _member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    members = [
        one
        for one in archive.infolist()
        if not one.is_dir() and not one.filename.startswith('__MACOSX/')
    ]
    if len(members) != 1:
        raise UserError(f'{path} has {len(members)} members; give a zip file with one')
    return members[0]


class _Raw(io.RawIOBase):
    """An Arrow stream as a raw stream of Python."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # any buffer
        """Fill a buffer."""
        try:
            content = self._stream.read(len(buffer))
        except OSError as error:
            raise EOFError(str(error)) from error
        buffer[: len(content)] = content
        return len(content)
