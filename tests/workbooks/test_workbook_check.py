import logging
import struct
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import fastexcel
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from naics_embed.errors import SourceError, UserError
from naics_embed.workbooks.check import SheetSize, check_workbook
from naics_embed.workbooks.package import DamagedWorkbookError
from tests.workbooks.workbook_parts import (
    RELATIONS,
    SHEET,
    cell,
    parts,
    relations,
    sheet,
    strings,
    write,
)

ONE = cell('A1')


@pytest.fixture
def book(tmp_path):
    def call(rows=ONE, name='book.xlsx', **more):
        return write(tmp_path / name, parts(rows, **more))

    return call


def read(path):
    return (
        fastexcel.read_excel(path)
        .load_sheet(0, header_row=None, skip_rows=0, dtypes='string')
        .to_polars()
    )


def test_sizes_are_those_of_cells_with_content(book):
    rows = (
        f'<row r="2">{cell("B2")}<c r="Z2" s="1"/></row><row r="7"/>'
        '<row r="9"><c r="C9" t="inlineStr"><is><t>a</t></is></c></row>'
        '<row r="5000"><c s="3"/></row>'
    )
    merged = '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    path = book(**{SHEET: sheet(rows, '<dimension ref="A1:XFD1048576"/>', merged)})
    assert check_workbook(path) == (SheetSize('Data', 9, 3),)
    assert read(path).shape == (9, 2), 'an empty column at the left is left out'


def test_prefixes_directories_and_macros_are_no_matter(book, caplog):
    prefixed = (
        '<x:worksheet xmlns:x="a"><x:sheetData><x:row r="3"><x:c r="B3" t="s"><x:v>1</x:v></x:c>'
        '</x:row></x:sheetData></x:worksheet>'
    )
    path = book(
        name='book.xlsm',
        **{
            SHEET: prefixed,
            'xl/sharedStrings.xml': strings('<si/><si><r><t>a</t></r><r><t>b</t></r></si>'),
            'xl/vbaProject.bin': b'\xd0\xcf\x11\xe0',
            'xl/worksheets/': b'',
        },
    )
    with caplog.at_level(logging.INFO):
        assert check_workbook(path) == (SheetSize('Data', 3, 2),)
    assert 'book.xlsm has macros; they are never run' in caplog.text
    assert read(path).rows()[-1] == ('ab',)


@pytest.fixture
def listener():
    """A server on the loopback that keeps what it is asked for."""
    requested = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_error(404)

    server = HTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}', requested
    server.shutdown()
    server.server_close()


def test_nothing_outside_is_opened(book, listener, caplog):
    url, requested = listener
    outside = ' TargetMode="External"'
    path = book(
        **{
            'xl/externalLinks/externalLink1.xml': '<externalLink/>',
            'xl/externalLinks/_rels/externalLink1.xml.rels': relations(
                ('externalLinkPath', f'{url}/other.xlsx'),
                ('externalLinkPath', 'file:///etc/passwd'),
                mode=outside,
            ),
            'xl/worksheets/_rels/sheet1.xml.rels': relations(
                ('hyperlink', f'{url}/page'), mode=outside
            ),
        }
    )
    with caplog.at_level(logging.WARNING):
        assert check_workbook(path) == (SheetSize('Data', 1, 1),)
    assert read(path).rows() == [('1',)]
    assert requested == []
    assert (
        f"book.xlsx refers to other files ('{url}/other.xlsx', 'file:///etc/passwd')" in caplog.text
    )
    assert 'the values stored in the workbook are used' in caplog.text
    assert '/page' not in caplog.text, 'hyperlinks are text'


@pytest.mark.parametrize('kind', ['worksheet', 'sharedStrings', 'styles'])
def test_a_sheet_outside_is_refused(book, kind):
    path = book(
        **{
            RELATIONS: relations(
                (kind, 'http://x.example/sheet1.xml'), mode=' TargetMode="External"'
            )
        }
    )
    with pytest.raises(SourceError, match=f'its {kind} lies outside of the workbook, at .http://x'):
        check_workbook(path)


def test_a_sheet_that_is_missing_is_named(book):
    path = book(**{RELATIONS: relations(('worksheet', 'worksheets/other.xml'))})
    with pytest.raises(
        SourceError, match=r"sheet 'Data' should lie in .*other\.xml', which is mis"
    ):
        check_workbook(path)


def test_a_shared_string_that_is_missing_is_named(book):
    for index in ('3', '-1', '9' * 30, 'x'):
        path = book(cell('A1', index, 's'), **{'xl/sharedStrings.xml': strings('<si/>' * 3)})
        with pytest.raises(SourceError, match=f"has the shared string '{index}', and there are 3"):
            check_workbook(path)


@pytest.mark.parametrize(
    'name',
    ['../evil.xml', '/etc/passwd', 'xl/../../evil', 'xl//a', './xl/b', '..\\evil', '..', 'xl/.'],
)
def test_names_that_leave_the_workbook(book, name):
    with pytest.raises(SourceError, match='has a part of the name'):
        check_workbook(book(**{name: b''}))


def test_name_with_a_nul(book):
    path = book(**{'xl/media/image1.png': b''})
    path.write_bytes(path.read_bytes().replace(b'image1.png', b'image1\0png'))
    with pytest.raises(SourceError, match='has a part of the name'):
        check_workbook(path)


@pytest.mark.parametrize('other', [SHEET.upper(), SHEET.replace('/', '\\'), 'XL/Workbook.xml'])
def test_two_parts_of_one_name(book, other):
    with pytest.raises(SourceError, match=r'book\.xlsx has two parts of the name'):
        check_workbook(book(**{other: sheet(cell('XFD1048576'))}))


@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_the_same_part_twice(book):
    path = book()
    with zipfile.ZipFile(path, 'a') as archive:
        archive.writestr(SHEET, sheet(cell('XFD1048576')))
    with pytest.raises(SourceError, match=f'two parts of the name {SHEET}'):
        check_workbook(path)


@pytest.mark.parametrize('tail', [b'\0', b'PK\x05\x06' + bytes(18), b'more'])
def test_more_after_the_end(book, tail):
    path = book()
    path.write_bytes(path.read_bytes() + tail)
    with pytest.raises(SourceError, match=r'book\.xlsx is (truncated|a zip archive but not)'):
        check_workbook(path)


def test_a_directory_in_another_place(book):
    """zipfile would add the difference to the place of every part."""
    path = book()
    data = path.read_bytes()
    (start,) = struct.unpack('<L', data[-6:-2])
    for place in (start - 7, start + 7):
        path.write_bytes(data[:-6] + struct.pack('<L', place) + data[-2:])
        with pytest.raises(DamagedWorkbookError, match='its directory is not where its end says'):
            check_workbook(path)


def test_a_comment_in_the_archive(book):
    path = book()
    with zipfile.ZipFile(path, 'a') as archive:
        archive.comment = b'hello'
    with pytest.raises(DamagedWorkbookError, match='does not end as a zip archive does'):
        check_workbook(path)


def test_a_directory_of_zip64(book):
    """Readers differ in which of the two ends they believe."""
    path = book()
    data = path.read_bytes()
    end = data[-22:]
    place = len(data) - 22
    number, size, start = struct.unpack('<H2L', end[10:20])
    record = struct.pack('<4sQ2H2L4Q', b'PK\x06\x06', 44, 45, 45, 0, 0, number, number, size, start)
    locator = struct.pack('<4sLQL', b'PK\x06\x07', 0, place, 1)
    path.write_bytes(data[:-22] + record + locator + end)
    with pytest.raises(DamagedWorkbookError, match='ZIP64'):
        check_workbook(path)


def test_other_packings_are_refused(tmp_path):
    path = tmp_path / 'book.xlsx'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_BZIP2) as archive:
        for name, part in parts().items():
            archive.writestr(name, part)
    with pytest.raises(DamagedWorkbookError, match='is packed by method 12'):
        check_workbook(path)


def test_other_files_are_named_for_what_they_are(book, tmp_path):
    with pytest.raises(SourceError, match=r'only with the suffix \.xlsx or \.xlsm; rename it'):
        check_workbook(book(name='book.xlsb'))
    old = tmp_path / 'old.xlsx'
    old.write_bytes(b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1' + bytes(500))
    with pytest.raises(
        SourceError, match=r'old\.xlsx is an old \.xls file, or protected by a pass'
    ):
        check_workbook(old)
    empty = tmp_path / 'empty.xlsx'
    empty.touch()
    with pytest.raises(SourceError, match=r'empty\.xlsx is not an Excel workbook'):
        check_workbook(empty)


REFERENCES = st.builds(
    lambda letter, row: f'{letter}{row}', st.sampled_from('ABcXyZ'), st.integers(1, 60)
)
CELLS = st.tuples(
    st.none() | REFERENCES,
    st.sampled_from(
        ['', '<v/>', '<v>1</v>', '<f>1+1</f>', '<f>1</f><v>2</v>', '<is><t>a</t></is>', '<is/>']
    ),
)
SHEETS = st.lists(
    st.tuples(st.none() | st.integers(1, 60).map(str), st.lists(CELLS, max_size=6)), max_size=8
)


def placed(reference):
    return '' if reference is None else f' r="{reference}"'


@settings(max_examples=200, deadline=None)
@given(SHEETS)
@example([(None, [(None, '<v>1</v>')]), ('9', []), (None, [('B1', '<v>1</v>'), (None, '<v/>')])])
def test_a_reader_never_finds_more_than_was_measured(tmp_path_factory, rows):
    written = ''.join(
        f'<row{placed(number)}>'
        + ''.join(f'<c{placed(place)}>{inner}</c>' for place, inner in cells)
        + '</row>'
        for number, cells in rows
    )
    path = write(tmp_path_factory.mktemp('sheets') / 'book.xlsx', parts(written))
    (size,) = check_workbook(path)
    try:
        result = read(path)
    except fastexcel.FastExcelError:
        assume(False)
    assert result.height <= size.rows
    assert result.width <= size.columns
    plain = all(n is not None for n, _ in rows) and all(
        place is None and '<v>' in inner for _, cells in rows for place, inner in cells
    )
    if plain and any(cells for _, cells in rows):
        assert result.shape == (size.rows, size.columns)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_is_an_error_for_the_user(tmp_path_factory, data):
    path = tmp_path_factory.mktemp('damaged') / 'book.xlsx'
    content = bytearray(write(path, parts(cell('B3', 'text', 'str'))).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.just(len(content)) | st.integers(0, len(content)))])
    said = ''
    try:
        check_workbook(path)
    except UserError as error:
        said = str(error)
    assert not said or 'book.xlsx' in said
