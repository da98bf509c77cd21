"""The zip archive of a workbook: its parts as streams. Sizes in its headers are not trusted."""

import copy
import logging
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from naics_embed.errors import SourceError
from naics_embed.workbooks.limits import WorkbookLimits, beyond

log = logging.getLogger(__name__)

SUFFIXES = ('.xlsx', '.xlsm')
_ZIP_SIGNATURE = b'PK\x03\x04'
_OLE_SIGNATURE = b'\xd0\xcf\x11\xe0'
_REQUIRED_PARTS = ('[Content_Types].xml', 'xl/workbook.xml', 'xl/_rels/workbook.xml.rels')
_MACROS = 'vbaproject.bin'
_QUOTED_BYTES = 40
_ENCRYPTED = 1
"""Bit of a part's flags."""
_END = struct.Struct('<4s4H2LH')
"""End of a zip archive: signature, disks, numbers of parts, size and offset of the directory."""
_END_SIGNATURE = b'PK\x05\x06'
_LOCATOR_BYTES = 20
_LOCATOR_SIGNATURE = b'PK\x06\x07'
"""Before the end, in an archive of ZIP64."""
_ENTRY_BYTES = 512
"""Generous size of a directory's entry."""
_CHUNK = 2**16
_RATIO_FROM = 2**20
_UNBOUNDED = 2**62


class DamagedWorkbookError(SourceError):
    """A file begins like a workbook but is truncated or corrupt; fetching it again may help."""


class Package:
    """An open workbook. Each part is to be streamed once, since all bytes are added up.

    Attributes:
        name: name of the file in messages.
        limits: how large it may be.
        parts: normalised name → entry of the archive.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str, limits: WorkbookLimits) -> None:
        self.name = name
        self.limits = limits
        self.parts = _parts(archive, name, limits)
        self._archive = archive
        self._unpacked = 0

    def stream(self, part: str) -> Iterator[bytes]:
        """Yield the content of a part, while size, ratio and total stay within their limits.

        Raises:
            DamagedWorkbookError: it is truncated or corrupt, or its size is not the one claimed.
            SourceError: it is beyond a limit.
        """
        entry = self.parts[part]
        # zipfile stops at the size that the header claims; the reader may go on.
        unbounded = copy.copy(entry)
        unbounded.file_size = _UNBOUNDED
        size = 0
        with _archive_errors(self.name), self._archive.open(unbounded) as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                self._unpacked += len(chunk)
                self._check(entry, size)
                yield chunk
        if size != entry.file_size:
            raise DamagedWorkbookError(
                f'{self.name} is corrupt: its part {entry.filename} unpacks to {size:,} bytes, and '
                f'its header says {entry.file_size:,}; get the file again'
            )

    def _check(self, entry: zipfile.ZipInfo, size: int) -> None:
        limits = self.limits
        part = f'{self.name}: its part {entry.filename}'
        if size > limits.max_part_bytes:
            raise SourceError(
                f'{part} unpacks to {beyond("max_part_bytes", limits)} bytes; {_REMEDY}'
            )
        if self._unpacked > limits.max_unpacked_bytes:
            raise SourceError(
                f'{self.name} unpacks to {beyond("max_unpacked_bytes", limits)} bytes; {_REMEDY}'
            )
        if size > _RATIO_FROM and size > limits.max_ratio * entry.compress_size:
            raise SourceError(
                f'{part} unpacks to {beyond("max_ratio", limits)} times its packed size of '
                f'{entry.compress_size:,} bytes, as a zip bomb does; {_REMEDY}'
            )


_REMEDY = 'if you trust the file, raise that limit, else use a smaller one'


@contextmanager
def open_package(path: Path, limits: WorkbookLimits, name: str) -> Iterator[Package]:
    """Open a workbook after a look at its directory.

    Raises:
        DamagedWorkbookError: it is a zip archive, but truncated, corrupt or encrypted.
        SourceError: it is no workbook, or has too many parts or parts of wrong names.
    """
    if path.suffix.lower() not in SUFFIXES:
        # The reader goes by the suffix: it could read another format out of the same bytes.
        raise SourceError(f'{name} is read only with the suffix {" or ".join(SUFFIXES)}; rename it')
    with path.open('rb') as stream:
        start = stream.read(_QUOTED_BYTES)
        if start.startswith(_OLE_SIGNATURE):
            raise SourceError(
                f'{name} is an old .xls file, or protected by a password; '
                'save it as .xlsx without a password'
            )
        if not start.startswith(_ZIP_SIGNATURE):
            raise SourceError(
                f'{name} is not an Excel workbook: it begins with {start!r}; '
                'a server may have answered with an error page in its place'
            )
        length = path.stat().st_size
        stream.seek(max(0, length - _END.size - _LOCATOR_BYTES))
        _check_end(stream.read(), length, name, limits)
    with _archive_errors(name):
        archive = zipfile.ZipFile(path)
    with archive:
        yield Package(archive, name, limits)


@contextmanager
def _archive_errors(name: str) -> Iterator[None]:
    try:
        yield
    # zipfile raises NotImplementedError for a version, packing or flag that it does not support,
    # as a damaged header may hold; the others are raised for invalid names and sizes.
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        UnicodeDecodeError,
        struct.error,
    ) as error:
        raise DamagedWorkbookError(f'{name} is truncated or corrupt ({error})') from error


def _check_end(tail: bytes, length: int, name: str, limits: WorkbookLimits) -> None:
    """Look at the end of the archive: with a comment or two ends, readers differ in what they find.

    Args:
        tail: its last bytes.
        length: all of its bytes.
        name: name in messages.
        limits: how many parts it may have.
    """
    end = tail[-_END.size :]
    if len(end) < _END.size or not end.startswith(_END_SIGNATURE) or end[-2:] != b'\0\0':
        raise DamagedWorkbookError(
            f'{name} is truncated or corrupt (it does not end as a zip archive does); '
            'get it again, or save it again with Excel or LibreOffice'
        )
    if tail[: -_END.size].startswith(_LOCATOR_SIGNATURE):
        raise DamagedWorkbookError(
            f'{name} is an archive of the kind ZIP64, which no workbook of its size needs; '
            'save it again with Excel or LibreOffice'
        )
    _, _, _, _, number, size, start, _ = _END.unpack(end)
    if start + size != length - _END.size:
        raise DamagedWorkbookError(
            f'{name} is truncated or corrupt (its directory is not where its end says); '
            'get it again, or save it again with Excel or LibreOffice'
        )
    if number > limits.max_parts or size > limits.max_parts * _ENTRY_BYTES:
        raise SourceError(f'{name} has {beyond("max_parts", limits)} parts; {_REMEDY}')


def _parts(
    archive: zipfile.ZipFile, name: str, limits: WorkbookLimits
) -> dict[str, zipfile.ZipInfo]:
    parts: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        # zipfile cuts a name at a NUL; the original is what another reader may see.
        normal = entry.orig_filename.replace('\\', '/').removesuffix('/').lower()
        segments = normal.split('/')
        if not normal or '\0' in normal or any(part in ('', '.', '..') for part in segments):
            raise SourceError(
                f'{name} has a part of the name {entry.orig_filename[:_QUOTED_BYTES]!r}, which no '
                'spreadsheet program writes; save the workbook again with Excel or LibreOffice'
            )
        if normal in parts:
            raise SourceError(
                f'{name} has two parts of the name {entry.filename}; '
                'save the workbook again with Excel or LibreOffice'
            )
        if entry.flag_bits & _ENCRYPTED:
            raise DamagedWorkbookError(
                f'{name} has an encrypted part, {entry.filename}; save it without a password'
            )
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DamagedWorkbookError(
                f'{name} is truncated or corrupt (its part {entry.filename} is packed by method '
                f'{entry.compress_type}, and workbooks have deflate)'
            )
        parts[normal] = entry
    if len(parts) > limits.max_parts:
        raise SourceError(f'{name} has {beyond("max_parts", limits)} parts; {_REMEDY}')
    absent = [part for part in _REQUIRED_PARTS if part.lower() not in parts]
    if absent:
        raise SourceError(
            f'{name} is a zip archive but not an Excel workbook: it lacks {", ".join(absent)}'
        )
    if any(part.rpartition('/')[2] == _MACROS for part in parts):
        log.info('%s has macros; they are never run', name)
    return parts
