import logging
import zipfile

import pytest

from benchmarks.workbooks import write_xlsx
from naics_embed.census.edition import DEFAULT, read_edition
from naics_embed.census.sources import SourceFile
from naics_embed.census.workbook import checked_codes, read_sheet
from naics_embed.errors import SourceError
from naics_embed.taxonomy import Taxonomy

WORKBOOKS = read_edition(DEFAULT).workbooks
CODES, CROSS_REFERENCES = WORKBOOKS['codes'], WORKBOOKS['cross_references']

HEADER = ['2022 NAICS US   Code', '2022 NAICS US Title']


@pytest.fixture
def make(tmp_path, write_xlsx):
    def call(rows, sheet=CODES.sheet, **more):
        return SourceFile(write_xlsx(tmp_path / 'book.xlsx', {sheet: rows, **more}), '', False)

    return call


def test_numbers_and_ranges_are_strings(make):
    frame = read_sheet(make([HEADER, [11, 'A'], ['31-33', 'B'], [111110, 'C']]), CODES)
    assert frame.rows() == [(2, '11', 'A'), (3, '31-33', 'B'), (4, '111110', 'C')]


def test_many_integers_do_not_drop_the_ranges(make):
    rows = [[100000 + n, 'x'] for n in range(1500)]
    frame = read_sheet(make([HEADER, *rows, ['48-49', 'y']]), CODES)
    assert frame['code'].null_count() == 0
    assert frame['code'][-1] == '48-49'


@pytest.mark.parametrize(
    'header',
    [
        ['2022 NAICS US   Code', '2022 NAICS US Title'],
        ['2022 NAICS US Code', ' 2022 NAICS US Title '],
        ['2022 naics us\ncode', '2022 NAICS  US TITLE'],
    ],
)
def test_blanks_and_case_of_headers_do_not_matter(make, header):
    assert read_sheet(make([header, [11, 'A']]), CODES)['code'].to_list() == ['11']


def test_columns_are_found_by_name_in_any_place(make):
    header = [None, 'Seq.', '2022 NAICS US Title', 'Note', '2022 NAICS US Code']
    frame = read_sheet(make([header, [None, 1, 'A', 'x', 11]]), CODES)
    assert frame.rows() == [(2, '11', 'A')]


def test_header_below_a_heading_keeps_row_numbers(make):
    rows = [[None, None], ['The codes', None], [None, None], HEADER, [11, 'A']]
    assert read_sheet(make(rows), CODES).rows() == [(5, '11', 'A')]


def test_wholly_empty_rows_are_dropped(make):
    rows = [HEADER, [None, None], [11, 'A'], ['  ', ' '], [111, None]]
    assert read_sheet(make(rows), CODES).rows() == [(3, '11', 'A'), (5, '111', None)]


@pytest.mark.parametrize('cell', ['A\r\nB', 'A_x000D_\nB'])
def test_carriage_returns_are_read_however_they_are_stored(make, cell):
    assert read_sheet(make([HEADER, [11, cell]]), CODES)['title'][0] == 'A\r\nB'


def test_missing_column_names_file_sheet_and_columns(make):
    file = make([['2022 NAICS US Code', 'Heading'], [11, 'A']])
    with pytest.raises(SourceError) as error:
        read_sheet(file, CODES)
    message = str(error.value)
    assert str(file.path) in message
    assert repr(CODES.sheet) in message
    assert "lacks the column '2022 NAICS US Title'" in message
    assert "columns found: '2022 NAICS US Code', 'Heading'" in message
    assert CODES.url in message


def test_repeated_column_is_an_error(make):
    with pytest.raises(SourceError, match="has the column '2022 NAICS US Title' more than once"):
        read_sheet(make([[*HEADER, '2022 NAICS US Title'], [11, 'A', 'B']]), CODES)


def test_empty_sheet_is_an_error(make):
    with pytest.raises(SourceError, match='columns found: none'):
        read_sheet(make([]), CODES)


def test_other_sheet_name_is_used_with_a_warning(make, caplog):
    file = make([['note']], sheet='Notes', Table=[HEADER, [11, 'A']])
    with caplog.at_level(logging.WARNING):
        assert read_sheet(file, CODES)['code'].to_list() == ['11']
    assert "its sheet 'Table'" in caplog.text


def test_two_fitting_sheets_are_an_error(make):
    file = make([HEADER, [11, 'A']], sheet='One', Two=[HEADER, [11, 'A']])
    with pytest.raises(SourceError, match='several have its columns: One, Two'):
        read_sheet(file, CODES)


def test_no_fitting_sheet_is_an_error(make):
    with pytest.raises(SourceError, match=r"no sheet 'tbl_2022.*none has its columns.*US Code"):
        read_sheet(make([['Other']], sheet='One'), CODES)


def test_unreadable_file_is_an_error(tmp_path):
    path = tmp_path / 'text.xlsx'
    path.write_text('not a workbook')
    with pytest.raises(SourceError, match=r"text\.xlsx is not an Excel workbook: .*b'not a work"):
        read_sheet(SourceFile(path, '', False), CODES)


@pytest.mark.parametrize('checked', [False, True])
def test_what_the_reader_refuses_is_an_error(tmp_path, checked):
    path = write_xlsx(tmp_path / 'book.xlsx', {CODES.sheet: [HEADER, [11, 'A']]})
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = 'xl/worksheets/sheet1.xml'
    parts[name] = parts[name].replace(b'<v>11</v>', b'<w>11</w>')
    with zipfile.ZipFile(path, 'w') as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    with pytest.raises(SourceError, match=r'book\.xlsx cannot be read as a workbook: .*save it ag'):
        read_sheet(SourceFile(path, '', False, checked=checked), CODES)


def test_codes_become_canonical(make):
    file = make([HEADER, [' 31-33 ', 'A'], ['111110.0', 'B'], [44, 'C']])
    assert checked_codes(read_sheet(file, CODES), file, CODES, 'NAICS 2022') == [
        '31',
        '111110',
        '44',
    ]


def test_wrong_codes_are_named_with_their_rows(make):
    file = make([HEADER, [11, 'A'], ['n.a.', 'B'], [None, 'C'], [1111111, 'D']])
    with pytest.raises(SourceError) as error:
        checked_codes(read_sheet(file, CODES), file, CODES, 'NAICS 2022')
    message = str(error.value)
    assert "3 of 4 rows have no valid NAICS 2022 code: row 3: 'n.a.'; row 4: None" in message
    assert "column '2022 NAICS US Code'" in message


def test_codes_outside_the_taxonomy_are_named(make):
    file = make([['Code', 'Cross-Reference'], [11, 'A'], [999, 'B']], CROSS_REFERENCES.sheet)
    with pytest.raises(SourceError, match=r"row 3: '999' \(not among the 1 codes\)"):
        checked_codes(
            read_sheet(file, CROSS_REFERENCES),
            file,
            CROSS_REFERENCES,
            'NAICS 2022',
            Taxonomy(['11']),
        )
