"""XML that would expand, fill the memory of its parser, or be read differently by another one."""

import pytest

from tests.workbooks.workbook_parts import (
    RELATIONS,
    SHEET,
    STRINGS,
    cell,
    far,
    parts,
    refusal,
    sheet,
    write,
)

ONE = cell('A1')


@pytest.fixture
def book(tmp_path):
    def call(**more):
        return write(tmp_path / 'book.xlsx', parts(ONE, **more))

    return call


LAUGHS = (
    '<!DOCTYPE bomb [<!ENTITY a0 "ha">'
    + ''.join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + ']>'
)


@pytest.mark.parametrize(
    'part', [SHEET, STRINGS, RELATIONS, 'xl/workbook.xml', 'xl/styles.xml', '[Content_Types].xml']
)
@pytest.mark.parametrize(
    'declared',
    [
        pytest.param(LAUGHS, id='laughs'),
        pytest.param('<!DOCTYPE a SYSTEM "file:///etc/passwd">', id='file'),
    ],
)
def test_document_types_are_refused(book, part, declared):
    message = refusal(book(**{part: f'{declared}<worksheet>&a11;</worksheet>'}))
    assert 'it has a document type (DOCTYPE)' in message


@pytest.mark.parametrize(
    ('xml', 'reason'),
    [
        pytest.param('<a>' * 400_000, 'elements within', id='depth'),
        pytest.param(f'<a b="{"x" * 4_000_000}"/>', 'a tag of more than', id='tag'),
        pytest.param(f'<!--{"x" * 4_000_000}-->', 'a tag of more than', id='comment'),
        pytest.param(
            ''.join(f'<a{n}/>' for n in range(60_000)), 'different names of tags', id='names'
        ),
        pytest.param(
            ''.join(f'<a b{n}=""/>' for n in range(60_000)), 'different names', id='attributes'
        ),
    ],
)
def test_markup_that_fills_the_memory(book, xml, reason):
    message = refusal(book(**{SHEET: f'<worksheet>{xml}</worksheet>'}), max_ratio=10_000)
    assert reason in message


@pytest.mark.parametrize(
    'content',
    [
        pytest.param('garbage' + sheet(far('XFD1048576')), id='text before'),
        pytest.param(sheet(far('XFD1048576'))[:-40], id='cut'),
        pytest.param(b'<worksheet>\xff</worksheet>', id='bytes'),
        pytest.param('', id='empty'),
    ],
)
def test_parts_that_are_no_xml(book, content):
    message = refusal(book(**{SHEET: content}))
    assert "sheet 'Data' is not well-formed XML in UTF-8" in message


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-16-le', 'utf-16-be'])
def test_parts_in_utf_16(book, encoding):
    message = refusal(book(**{SHEET: sheet(far('XFD1048576')).encode(encoding)}))
    assert "sheet 'Data' is not UTF-8" in message


def test_an_encoding_that_is_declared_hides_nothing(book):
    declared = sheet(far('XFD1048576')).replace('?>', ' encoding="cp037"?>')
    assert 'more than data.workbook.max_cells' in refusal(book(**{SHEET: declared}))
