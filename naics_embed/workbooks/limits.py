"""How large a workbook may be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkbookLimits:
    """Bounds of what is read; a workbook beyond one of them is refused.

    Attributes:
        max_parts: files inside the workbook, which is a zip archive.
        max_part_bytes: unpacked bytes of one of them.
        max_unpacked_bytes: unpacked bytes of all of them.
        max_ratio: unpacked bytes for each packed byte of a part; parts below 1 MiB do not count.
        max_sheets: sheets.
        max_cells: rows × columns of every sheet, added up. The reader keeps about 50 bytes for
            each of them, also where a cell is empty.
        max_strings: entries of the table of shared strings.
        max_text_bytes: bytes of text of all cells, a shared string counted where it is used.
    """

    max_parts: int = 2000
    max_part_bytes: int = 256 * 2**20
    max_unpacked_bytes: int = 512 * 2**20
    max_ratio: int = 200
    max_sheets: int = 256
    max_cells: int = 10_000_000
    max_strings: int = 5_000_000
    max_text_bytes: int = 256 * 2**20


DEFAULT_LIMITS = WorkbookLimits()


def beyond(name: str, limits: WorkbookLimits) -> str:
    """Return the words with which a message names a limit."""
    return f'more than data.workbook.{name}={getattr(limits, name):,}'
