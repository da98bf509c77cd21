"""The index file: short activity phrases, each labelled with a six-digit code."""

import logging
import re

import polars as pl

from naics_embed.census.channels import one_line
from naics_embed.census.files import INDEX
from naics_embed.census.normalise import content_id, normalise
from naics_embed.census.sources import Source
from naics_embed.census.workbook import ROW, checked_codes, read_sheet
from naics_embed.errors import SourceError
from naics_embed.taxonomy import Taxonomy

log = logging.getLogger(__name__)

INDEX_SCHEMA = pl.Schema(
    {'id': pl.String(), 'code': pl.String(), 'text': pl.String(), 'normalised': pl.String()}
)

_SEE_ROW = re.compile(r'\s*\*+\s*')


def read_index(source: Source, taxonomy: Taxonomy) -> pl.DataFrame:
    """Read the index entries.

    Rows whose code is ``******`` only refer to other entries ("see type"); they are dropped and
    counted in the log, as are exact repetitions.

    Returns:
        `INDEX_SCHEMA`, in the order of the file: an id derived from code and text, the code, the
        text with blanks collapsed, and its normal form. No rows where the source has no index.

    Raises:
        SourceError: a row has no text, or a code that is not a leaf of the taxonomy.
    """
    file = source.files.get(INDEX)
    if file is None:
        return INDEX_SCHEMA.to_frame()
    workbook = source.workbook(INDEX)
    frame = read_sheet(file, workbook)
    see = [_SEE_ROW.fullmatch(cell or '') is not None for cell in frame['code']]
    frame = frame.filter(~pl.Series(see, dtype=pl.Boolean))
    codes = checked_codes(frame, file, workbook, source.edition.title, taxonomy)
    leaves = {taxonomy.codes[i] for i in taxonomy.leaves}
    rows: dict[str, tuple[str, str, str]] = {}
    for code, row, cell in zip(codes, frame[ROW], frame['text'], strict=True):
        text = one_line(cell or '')
        if not text:
            raise SourceError(f'{file.path}, row {row}: the entry of code {code} has no text')
        if code not in leaves:
            raise SourceError(
                f'{file.path}, row {row}: code {code} is not a six-digit industry; '
                f'use the file published at {workbook.url}'
            )
        rows[content_id(code, text)] = (code, text, normalise(text))
    log.info(
        '%s index entries; dropped: %s that only refer to others, %s repeated',
        *(f'{count:,}' for count in (len(rows), sum(see), len(frame) - len(rows))),
    )
    return pl.DataFrame(
        [(key, *row) for key, row in rows.items()], schema=INDEX_SCHEMA, orient='row'
    )
