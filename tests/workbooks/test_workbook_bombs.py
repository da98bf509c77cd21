"""Small files that would fill the memory of whoever reads them.

Each is checked in a process of its own with little memory, so that one that is not refused in time
fails its test and not all of them.
"""

import zipfile

import pytest

from tests.workbooks.workbook_parts import (
    READ,
    RELATIONS,
    SHEET,
    STRINGS,
    cell,
    far,
    parts,
    refusal,
    relations,
    sheet,
    strings,
    write,
)

ONE = cell('A1')


@pytest.fixture
def book(tmp_path):
    def call(rows=ONE, **more):
        return write(tmp_path / 'book.xlsx', parts(rows, **more))

    return call


@pytest.mark.parametrize('reference', ['XFD1048576', 'xfd1048576'])
def test_two_cells_of_which_one_is_far(book, reference):
    path = book(far(reference))
    assert path.stat().st_size < 3000
    message = refusal(path)
    assert "book.xlsx, sheet 'Data': with a cell in row 1,048,576, column 16,384" in message
    assert '= 17,179,869,184 cells' in message
    assert 'more than data.workbook.max_cells=10,000,000' in message
    assert 'Ctrl+End' in message


def test_the_reader_does_not_get_a_workbook_that_was_not_checked(book):
    message = refusal(book(far('XFD1048576')), code=READ, memory=8 * 2**30)
    assert 'more than data.workbook.max_cells' in message


@pytest.mark.parametrize(
    'rows',
    [
        pytest.param(far('K1000000'), id='rows'),
        pytest.param(far('XFD1000'), id='columns'),
        pytest.param(f'{cell("B2")}<row r="5"/>{cell("XFD1048576")}', id='outside of rows'),
        pytest.param(
            f'<row r="9">{cell("XFD9")}</row><row r="1048576">{cell("A1048576")}</row>',
            id='from two cells',
        ),
        pytest.param(
            f'<row r="1048576">{cell("A1048576")}</row><row r="1">{cell("Z1")}</row>',
            id='in falling order',
        ),
        pytest.param(
            '<row><c/></row><row r="1048570">' + '<c><v>1</v></c>' * 12 + '</row>', id='-'
        ),
        pytest.param('<row r="1048570"/>' + '<row><c r="Z1"><is/></c></row>', id='counted on'),
    ],
)
def test_rows_and_columns_are_those_of_the_cells(book, rows):
    assert 'more than data.workbook.max_cells' in refusal(book(rows))


def test_sheets_count_together(book):
    path = book(
        far('A600'),
        sheets='<sheet name="Data" r:id="rId1"/><sheet name="More" r:id="rId2"/>',
        **{
            RELATIONS: relations(
                ('worksheet', 'worksheets/sheet1.xml'), ('worksheet', '/xl/worksheets/sheet2.xml')
            ),
            'xl/worksheets/sheet2.xml': sheet(far('A600')),
        },
    )
    assert "sheet 'More': with a cell in row 600" in refusal(path, max_cells=1000)


@pytest.mark.parametrize('dimension', ['A1', 'A1:XFD1048576', 'nonsense'])
def test_what_a_sheet_says_of_its_size_does_not_count(book, dimension):
    stated = f'<dimension ref="{dimension}"/>'
    path = book(**{SHEET: sheet(far('XFD1048576'), before=stated)})
    assert 'more than data.workbook.max_cells' in refusal(path)


@pytest.mark.parametrize(
    'rows',
    [
        pytest.param('<row r="1">' + '<c><v>1</v></c>' * 16_385 + '</row>', id='columns'),
        pytest.param('<row r="1048576"/><row><c><v>1</v></c></row>', id='rows'),
    ],
)
def test_cells_without_references_beyond_the_format(book, rows):
    limits = {'max_cells': 10**12}
    assert 'and the last one of a sheet is XFD1048576' in refusal(book(rows), **limits)


@pytest.mark.parametrize(
    'reference',
    [
        'A99999999999',
        'A4294967297',
        'A1048577',
        'XFE1',
        'AAAAAAAAAAAA1',
        'A0',
        'A-1',
        '-1',
        '1A',
        'A',
        '',
        'A1:B2',
        '$A$1',
        'A1.5',
        '\uff211',
        'A\u0661',
        'A' + '9' * 100_000,
    ],
)
def test_references_that_are_none(book, reference):
    message = refusal(book(f'<row r="1">{cell(reference)}</row>'))
    assert f"sheet 'Data': a cell has the reference {reference[:40]!r}" in message
    assert 'Save the workbook again' in message
    assert len(message) < 400


@pytest.mark.parametrize('number', ['0', '-5', '1048577', '99999999999', '4294967297', 'x', ''])
def test_rows_of_numbers_that_are_none(book, number):
    message = refusal(book(f'<row r="{number}"><c><v>1</v></c></row>'))
    assert f'a row has the number {number!r}' in message


def test_part_that_unpacks_to_zeros(book):
    message = refusal(book(**{'xl/media/image1.png': bytes(64 * 2**20)}))
    assert 'xl/media/image1.png unpacks to more than data.workbook.max_ratio=200 times' in message


def test_part_and_sum_of_parts_are_bounded(book):
    noise = {f'xl/media/image{n}.png': bytes(3 * 2**20) for n in range(4)}
    path = book(**noise)
    message = refusal(path, max_ratio=10_000, max_part_bytes=2 * 2**20)
    assert 'more than data.workbook.max_part_bytes=2,097,152 bytes' in message
    message = refusal(path, max_ratio=10_000, max_unpacked_bytes=8 * 2**20)
    assert 'book.xlsx unpacks to more than data.workbook.max_unpacked_bytes=8,388,608' in message


@pytest.mark.parametrize(
    ('claimed', 'end', 'reason'),
    [
        (100, far('XFD1048576'), 'Bad CRC-32'),
        (10**6, far('XFD1048576'), 'more than data.workbook.max_cells'),
        (100, far('B2'), 'Bad CRC-32'),
        (10**6, far('B2'), 'and its header says 1,000,000'),
    ],
)
def test_header_that_lies_about_the_size(book, claimed, end, reason):
    """zipfile reads as much as is claimed, and finds the CRC of that right."""
    content = sheet('<row r="1"/>' * 20_000 + end).encode()
    path = book(**{SHEET: content})
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(SHEET)
    sizes = entry.CRC.to_bytes(4, 'little') + entry.compress_size.to_bytes(4, 'little')
    lie = zipfile.crc32(content[:claimed]).to_bytes(4, 'little') + sizes[4:]
    places = [at for at in range(len(data)) if data.startswith(sizes, at)]
    assert len(places) == 2, 'the header of the part, and its entry in the directory'
    for at in places:
        data[at : at + 12] = lie + claimed.to_bytes(4, 'little')
    path.write_bytes(data)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.read(SHEET)) == min(claimed, len(content))
    assert reason in refusal(path)


@pytest.mark.parametrize(
    ('entries', 'limit'),
    [
        pytest.param('<si/>' * 2000, {'max_strings': 1000}, id='number'),
        pytest.param('<si><t>a</t></si>' * 90_000, {'max_ratio': 20}, id='ratio'),
    ],
)
def test_tables_of_shared_strings(book, entries, limit):
    message = refusal(book(**{STRINGS: strings(entries)}), **limit)
    assert f'more than data.workbook.{next(iter(limit))}=' in message
    assert STRINGS.lower() in message.lower()


@pytest.mark.parametrize(
    'rows',
    [
        pytest.param(cell('A1', '0', 's') * 10_000, id='shared'),
        pytest.param(cell('A1', '1E+308') * 10_000, id='numbers'),
        pytest.param(cell('A1', 'x' * 500, 'str') * 10_000, id='own text'),
        pytest.param(f'<c><is><t>{"é" * 250}</t></is></c>' * 9000, id='inline'),
    ],
)
def test_text_of_all_cells_is_bounded(book, rows):
    path = book(f'<row r="1">{rows}</row>', **{STRINGS: strings(f'<si><t>{"x" * 500}</t></si>')})
    message = refusal(path, max_text_bytes=3_000_000, max_ratio=10_000)
    assert 'the text of the cells is more than data.workbook.max_text_bytes=3,000,000' in message


def test_one_long_string_in_many_cells_is_beyond_the_usual_limits(book):
    rows = ''.join(f'<row r="{n}">{cell(f"A{n}", "0", "s")}</row>' for n in range(1, 10_001))
    path = book(rows, **{STRINGS: strings(f'<si><t>{"x" * 32_000}</t></si>')})
    assert path.stat().st_size < 100_000
    assert 'more than data.workbook.max_text_bytes=268,435,456' in refusal(path)


@pytest.mark.parametrize('target', ['x.bin', '/docProps/app.xml', 'WORKSHEETS/Sheet9.XML'])
def test_a_sheet_is_checked_wherever_it_lies(book, target):
    part = target[1:] if target.startswith('/') else f'xl/{target}'
    path = book(
        **{RELATIONS: relations(('worksheet', target)), part.lower(): sheet(far('XFD1048576'))}
    )
    assert 'more than data.workbook.max_cells' in refusal(path)


def test_numbers_of_sheets_and_parts_are_bounded(book):
    listed = ''.join(f'<sheet name="s{n}" r:id="rId{n}"/>' for n in range(300))
    assert 'more than data.workbook.max_sheets=256 sheets' in refusal(book(sheets=listed))
    twice = '<sheet name="One" r:id="rId1"/><sheet name="Two" r:id="rId1"/>'
    assert "sheet 'Two' lies in the part" in refusal(book(sheets=twice))
    many = {f'xl/media/{n}.png': b'' for n in range(3000)}
    assert 'more than data.workbook.max_parts=2,000 parts' in refusal(book(**many))
