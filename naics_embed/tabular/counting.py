"""How many rows a table has, where that is cheap to know."""

from naics_embed.tabular.arrow_file import ArrowFile, ParquetFile
from naics_embed.tabular.part import TableSource
from naics_embed.tabular.streams import compression_of
from naics_embed.tabular.text_file import TextFile
from naics_embed.tabular.workbook_file import WorkbookFile

BLOCK = 1 << 20


def rows_about(table: TableSource) -> int | None:
    """Return the number of rows; for text that of its lines, which may be more; None if unknown."""
    if isinstance(table, (ParquetFile, ArrowFile, WorkbookFile)):
        return sum(span.rows for span in table.spans(1 << 30))
    if not isinstance(table, TextFile) or compression_of(table.path) is not None:
        return None
    lines = 0
    last = b''
    with table.path.open('rb') as stream:
        while block := stream.read(BLOCK):
            lines += block.count(b'\n')
            last = block[-1:]
    lines += last not in (b'', b'\n', b'\0')
    before = table.dialect.skip_rows + (table.dialect.header and not table.lines)
    return max(lines - before, 0)
