"""Whether a file is an intact workbook: it may be an error page, or the first half of one."""

import zipfile
import zlib
from pathlib import Path

from naics_embed.errors import SourceError

_ZIP_SIGNATURE = b'PK\x03\x04'
_REQUIRED_PARTS = ('[Content_Types].xml', 'xl/workbook.xml')
_QUOTED_BYTES = 40
_ENCRYPTED = 1
"""Bit of a part's flags."""


class DamagedWorkbookError(SourceError):
    """A file begins like a workbook but is truncated or corrupt; fetching it again may help."""


def check_workbook(path: Path, *, max_unpacked_bytes: int, name: str | None = None) -> None:
    """Check that ``path`` is a complete xlsx archive: signature, parts and every CRC.

    Args:
        path: file to check.
        max_unpacked_bytes: largest accepted sum of the unpacked parts.
        name: what messages call it; None for its file name.

    Raises:
        DamagedWorkbookError: it is a zip archive, but truncated or corrupt.
        SourceError: it is no zip archive, no workbook, or unpacks to more than the limit.
    """
    name = name or path.name
    with path.open('rb') as stream:
        start = stream.read(_QUOTED_BYTES)
    if not start.startswith(_ZIP_SIGNATURE):
        raise SourceError(
            f'{name} is not an Excel workbook: it begins with {start!r}; '
            'a server may have answered with an error page in its place'
        )
    try:
        with zipfile.ZipFile(path) as archive:
            locked = [part.filename for part in archive.infolist() if part.flag_bits & _ENCRYPTED]
            if locked:
                raise DamagedWorkbookError(f'{name} has an encrypted part, {locked[0]}')
            unpacked = sum(part.file_size for part in archive.infolist())
            if unpacked > max_unpacked_bytes:
                raise SourceError(
                    f'{name} unpacks to {unpacked:,} bytes, '
                    f'more than the limit of {max_unpacked_bytes:,}'
                )
            broken = archive.testzip()
            names = set(archive.namelist())
    # NotImplementedError is what zipfile says of a version, packing or flag that it does not know,
    # which is what a damaged header looks like.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DamagedWorkbookError(f'{name} is truncated or corrupt ({error})') from error
    if broken is not None:
        raise DamagedWorkbookError(f'{name} is corrupt: its part {broken} fails its CRC')
    absent = [part for part in _REQUIRED_PARTS if part not in names]
    if absent:
        raise SourceError(
            f'{name} is a zip archive but not an Excel workbook: it lacks {", ".join(absent)}'
        )
