"""The workbooks in which the U.S. Census Bureau publishes an edition of NAICS."""

from dataclasses import dataclass

CODES, DESCRIPTIONS, INDEX, CROSS_REFERENCES = KEYS = (
    'codes',
    'descriptions',
    'index',
    'cross_references',
)
"""Keys of the workbooks; only that of the codes is required."""

LOST = {
    CODES: 'there are no codes at all',
    DESCRIPTIONS: 'no description channel and no illustrative examples',
    INDEX: 'no examples channel and no labelled queries to train or measure on',
    CROSS_REFERENCES: 'no exclusion channel and no redirections',
}
"""What a run does not have where a workbook is missing."""

COLUMNS = {
    CODES: ('code', 'title'),
    DESCRIPTIONS: ('code', 'title', 'description'),
    INDEX: ('code', 'text'),
    CROSS_REFERENCES: ('code', 'text'),
}
"""Names used here for the columns of each workbook."""


@dataclass(frozen=True)
class Workbook:
    """One published workbook.

    Attributes:
        key: name by which this library calls it.
        file_name: official file name.
        url: public address; empty where it is not published.
        sha256: checksum of the bytes published there; empty where it is not known.
        sheet: sheet that holds the table.
        columns: pairs of the name used here and the official header, blanks collapsed.
        without_it: what is lost where the workbook is missing.
    """

    key: str
    file_name: str
    url: str
    sha256: str
    sheet: str
    columns: tuple[tuple[str, str], ...]
    without_it: str
