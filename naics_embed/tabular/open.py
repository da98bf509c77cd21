"""Opening of a user's table, whatever format it has."""

from dataclasses import dataclass, field
from pathlib import Path

from naics_embed.errors import UserError
from naics_embed.tabular.arrow_file import ArrowFile, JsonLines, ParquetFile
from naics_embed.tabular.dialect import DialectOptions
from naics_embed.tabular.part import TableSource
from naics_embed.tabular.streams import compression_of, format_of
from naics_embed.tabular.text_file import TextFile
from naics_embed.tabular.workbook_file import WorkbookFile

TEXT = ('.csv', '.tsv', '.tab', '.txt', '.psv')
JSON = ('.jsonl', '.ndjson')
ARROW = ('.feather', '.arrow', '.ipc')
WORKBOOKS = ('.xlsx', '.xlsm', '.xls', '.ods')
READABLE = (*TEXT, '.parquet', *ARROW, *JSON, *WORKBOOKS)


@dataclass(frozen=True)
class ReadOptions:
    """What the user says about a table; None where it is to be detected.

    Attributes:
        dialect: of text files.
        sheet: of workbooks; the first one where None.
    """

    dialect: DialectOptions = field(default_factory=DialectOptions)
    sheet: str | None = None


def open_table(path: Path, options: ReadOptions | None = None) -> TableSource:
    """Open a table for reading.

    Args:
        path: a file whose ending is one of `READABLE`; text and JSON lines may be compressed.
        options: what the user says about it.

    Raises:
        UserError: it does not exist, has another format, or cannot be read.
        SourceError: a workbook is damaged, or reaches farther than memory is spent on.
    """
    options = options or ReadOptions()
    if not path.is_file():
        raise UserError(f'{path} does not exist')
    ending = format_of(path)
    if ending not in READABLE:
        raise UserError(f'{path} must end in one of {", ".join(READABLE)}')
    if compression_of(path) and ending not in (*TEXT, *JSON):
        raise UserError(f'{path}: only text and JSON lines are read compressed; uncompress it')
    if ending in TEXT:
        return TextFile(path, options.dialect)
    if ending == '.parquet':
        return ParquetFile(path)
    if ending in ARROW:
        return ArrowFile(path)
    if ending in JSON:
        return JsonLines(path)
    return WorkbookFile(path, options.sheet, options.dialect.skip_rows or 0)
