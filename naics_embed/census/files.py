"""The four workbooks of NAICS 2022 as the U.S. Census Bureau publishes them.

They are in the public domain. Names, addresses, sheets, headers and checksums are facts of the
source, as of 2026.
"""

from dataclasses import dataclass

VINTAGE = 2022

_BASE_URL = 'https://www.census.gov/naics/2022NAICS'


@dataclass(frozen=True)
class Workbook:
    """One published workbook.

    Attributes:
        key: name by which this library calls it.
        file_name: official file name.
        url: public address.
        sha256: checksum of the bytes published there.
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


CODES = Workbook(
    key='codes',
    file_name='2-6 digit_2022_Codes.xlsx',
    url=f'{_BASE_URL}/2-6%20digit_2022_Codes.xlsx',
    sha256='be12ba41002803359f49181c9bf33a03fbd08578f4f4a4c0bbad7aadaaea0316',
    sheet='tbl_2022_title_description_coun',
    columns=(('code', '2022 NAICS US Code'), ('title', '2022 NAICS US Title')),
    without_it='there are no codes at all',
)

DESCRIPTIONS = Workbook(
    key='descriptions',
    file_name='2022_NAICS_Descriptions.xlsx',
    url=f'{_BASE_URL}/2022_NAICS_Descriptions.xlsx',
    sha256='6222c4d87dcf984970e0ff8a49862ed54b546b089d03956be3f285900cd3d66c',
    sheet='2022_NAICS_Descriptions',
    columns=(('code', 'Code'), ('title', 'Title'), ('description', 'Description')),
    without_it='no description channel and no illustrative examples',
)

INDEX = Workbook(
    key='index',
    file_name='2022_NAICS_Index_File.xlsx',
    url=f'{_BASE_URL}/2022_NAICS_Index_File.xlsx',
    sha256='6506b37b9546dd9cec1f8b79e0b38b68e547a5cce5fd6f8332d35024dbd6cd63',
    sheet='2022NAICS',
    columns=(('code', 'NAICS22'), ('text', 'INDEX ITEM DESCRIPTION')),
    without_it='no examples channel and no labelled queries to train or measure on',
)

CROSS_REFERENCES = Workbook(
    key='cross_references',
    file_name='2022_NAICS_Cross_References.xlsx',
    url=f'{_BASE_URL}/2022_NAICS_Cross_References.xlsx',
    sha256='3c50c3bfa9d76862aea471cc8831fd726f0b978619d833e48c54a749d9622144',
    sheet='2022_NAICS_Cross_References',
    columns=(('code', 'Code'), ('text', 'Cross-Reference')),
    without_it='no exclusion channel and no redirections',
)

WORKBOOKS: dict[str, Workbook] = {
    workbook.key: workbook for workbook in (CODES, DESCRIPTIONS, INDEX, CROSS_REFERENCES)
}
"""All workbooks by key; only ``codes`` is required."""
