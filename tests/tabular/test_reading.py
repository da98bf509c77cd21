"""Tables as people have them: formats, dialects, encodings and headers, with right values."""

import gzip
import zipfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from naics_embed.errors import SourceError, UserError
from naics_embed.tabular.columns import check_text_column
from naics_embed.tabular.dialect import DialectOptions, detect_dialect
from naics_embed.tabular.open import ReadOptions, open_table
from naics_embed.tabular.part import TableSource

TEXTS = ['dog grooming salon', 'panadería y pastelería', 'roof repair, new roofs']


def rows(table: TableSource, size: int = 2) -> list[list[str]]:
    """All rows, as text."""
    return [
        list(fields) if isinstance(fields, list) else ['' if v is None else str(v) for v in fields]
        for part in table.parts(size)
        for fields in (
            part.rows
            if isinstance(part.rows, list)
            else zip(*part.rows.to_pydict().values(), strict=True)
        )
    ]


def csv_bytes(delimiter: str = ',', encoding: str = 'utf-8', end: str = '\n') -> bytes:
    lines = [f'id{delimiter}what', *(f'{i}{delimiter}"{text}"' for i, text in enumerate(TEXTS))]
    return (end.join(lines) + end).encode(encoding)


@pytest.mark.parametrize('delimiter', [',', ';', '\t', '|'])
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'cp1252'])
@pytest.mark.parametrize('end', ['\n', '\r\n'])
def test_every_dialect_is_detected(tmp_path, delimiter, encoding, end):
    path = tmp_path / 'in.csv'
    path.write_bytes(csv_bytes(delimiter, encoding, end))
    table = open_table(path)
    assert table.names == ['id', 'what']
    assert rows(table) == [[str(i), text] for i, text in enumerate(TEXTS)]
    quiet = (delimiter, encoding) in ((',', 'utf-8'), (',', 'utf-8-sig'))
    assert bool(table.notes) == (not quiet), 'what is unusual is said'


def test_the_user_overrides_what_is_detected(tmp_path):
    path = tmp_path / 'in.csv'
    path.write_bytes(b'a title\nid!what\n1!caf\xe9!\n'.replace(b'!\n', b'\n'))
    options = DialectOptions(encoding='latin-1', delimiter='!', skip_rows=1)
    table = open_table(path, ReadOptions(options))
    assert (table.names, rows(table)) == (['id', 'what'], [['1', 'café']])
    tab = DialectOptions(delimiter='tab').checked()
    assert tab.delimiter == '\t'
    for wrong, message in [
        (DialectOptions(encoding='utf-9'), '--encoding utf-9 is unknown'),
        (DialectOptions(delimiter=',,'), '--delimiter'),
        (DialectOptions(quote='""'), '--quote'),
        (DialectOptions(skip_rows=-1), '--skip-rows'),
    ]:
        with pytest.raises(UserError, match=message):
            open_table(path, ReadOptions(wrong))


def test_the_line_of_excel_names_the_delimiter(tmp_path):
    path = tmp_path / 'in.csv'
    path.write_bytes(b'sep=;\r\nid;what\r\n1;a, b\r\n')
    assert rows(open_table(path)) == [['1', 'a, b']]


def test_a_file_without_header(tmp_path):
    path = tmp_path / 'in.csv'
    path.write_text('dog grooming salon,1\nroof repair,2\n')
    table = open_table(path, ReadOptions(DialectOptions(header=False)))
    assert table.names == ['column_1', 'column_2']
    assert rows(table)[0] == ['dog grooming salon', '1']


def test_lines_of_text(tmp_path):
    path = tmp_path / 'in.txt'
    path.write_text('dog grooming, cats too\nroof repair\n', encoding='utf-8')
    table = open_table(path)
    assert (table.names, rows(table)) == (['text'], [['dog grooming, cats too'], ['roof repair']])


@pytest.mark.parametrize('ending', ['.gz', '.zst', '.zip'])
def test_compressed_text(tmp_path, ending):
    path = tmp_path / f'in.csv{ending}'
    if ending == '.gz':
        path.write_bytes(gzip.compress(csv_bytes()))
    elif ending == '.zst':
        path.write_bytes(pa.Codec('zstd').compress(csv_bytes()).to_pybytes())
    else:
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('in.csv', csv_bytes())
    table = open_table(path)
    assert [row[1] for row in rows(table)] == TEXTS
    assert [len(part) for span in table.spans(2) for part in table.parts(2, span)] == [2, 1]
    path.write_bytes(b'no such thing')
    with pytest.raises(UserError, match=f'is no {ending} file'):
        open_table(path)


def test_a_zip_file_of_several_members(tmp_path):
    path = tmp_path / 'in.csv.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a.csv', 'x')
        archive.writestr('b.csv', 'x')
    with pytest.raises(UserError, match='has 2 members'):
        open_table(path)


def write_typed(path: Path, table: pa.Table) -> None:
    if path.suffix == '.parquet':
        pq.write_table(table, path)
    elif path.suffix == '.feather':
        feather.write_feather(table, path)
    elif path.suffix == '.arrow':
        with pa.ipc.new_stream(str(path), table.schema) as stream:
            stream.write_table(table)
    else:
        pl.DataFrame(table).write_ndjson(path)


@pytest.mark.parametrize('ending', ['.parquet', '.feather', '.arrow', '.jsonl'])
def test_files_with_types(tmp_path, ending):
    path = tmp_path / f'in{ending}'
    write_typed(path, pa.table({'id': [0, 1, 2], 'what': TEXTS}))
    table = open_table(path)
    assert table.names == ['id', 'what']
    assert table.empty().schema.field('id').type == pa.int64()
    assert rows(table) == [[str(i), text] for i, text in enumerate(TEXTS)]
    spans = table.spans(2)
    assert [(span.first, span.rows) for span in spans] == [(0, 2), (2, 1)]
    assert [v for s in spans for p in table.parts(5, s) for v in p.column('what')] == TEXTS
    path.write_bytes(b'no such thing')
    with pytest.raises(UserError, match=r'is no .* file that can be read'):
        rows(open_table(path))


@pytest.fixture
def workbook(tmp_path):
    path = tmp_path / 'in.xlsx'
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet('Notes').write_string(0, 0, 'nothing')
        sheet = book.add_worksheet('Q3')
        for at, name in enumerate(('id', 'what', '', 'what')):
            sheet.write_string(0, at, name)
        for line, text in enumerate(TEXTS, start=1):
            sheet.write_number(line, 0, line)
            sheet.write_string(line, 1, text)
            sheet.write_boolean(line, 3, True)
    return path


def test_a_sheet_of_a_workbook(workbook):
    table = open_table(workbook, ReadOptions(sheet='Q3'))
    assert table.names == ['id', 'what', 'column_3', 'what_2']
    assert [row[1] for row in rows(table)] == TEXTS
    assert 'column 4' in ' '.join(table.notes)
    first = open_table(workbook)
    assert first.names == ['nothing']
    assert "read the sheet 'Notes', the first of 2" in first.notes[0]
    with pytest.raises(UserError, match=r"has no sheet 'Q4'; it has 'Notes', 'Q3'"):
        open_table(workbook, ReadOptions(sheet='Q4'))


def test_a_workbook_that_is_none(tmp_path):
    for ending in ('.xlsx', '.xls', '.ods'):
        path = tmp_path / f'in{ending}'
        path.write_bytes(b'no such thing')
        with pytest.raises((UserError, SourceError)):
            open_table(path)


def test_columns_without_a_name_and_with_the_same(tmp_path):
    path = tmp_path / 'in.csv'
    path.write_text('id,what,,note,note,note_2\n1,dog grooming,,a,b,c\n')
    table = open_table(path)
    assert table.names == ['id', 'what', 'column_3', 'note', 'note_3', 'note_2']
    assert table.notes == [
        'column 3 has no name; it is called column_3',
        "column 5 is called 'note' like another; it is called note_3",
    ]
    path = tmp_path / 'in.parquet'
    pq.write_table(pa.table([[1], ['a'], ['b']], names=['id', 'x', 'x']), path)
    assert open_table(path).names == ['id', 'x', 'x_2']


def test_which_column_is_meant():
    names, original = ['id', 'What'], ['id', 'What']
    with pytest.raises(UserError, match="no column 'what'; it has id, What; did you mean 'What'"):
        check_text_column('f', 'what', names, original)
    with pytest.raises(UserError, match='one column only: name the delimiter with --delimiter'):
        check_text_column('f', 'what', ['id what'], ['id what'])
    with pytest.raises(UserError, match=r"2 columns called 'what' \(columns 2, 3\); rename"):
        check_text_column('f', 'what', ['id', 'what', 'what_2'], ['id', 'what', 'what'])


def test_a_file_that_is_empty_or_of_another_format(tmp_path):
    for name, message in [('a.csv', 'is empty'), ('a.doc', 'must end in'), ('gone.csv', 'exist')]:
        path = tmp_path / name
        if name != 'gone.csv':
            path.write_bytes(b'')
        with pytest.raises(UserError, match=message):
            open_table(path)


def test_a_cut_sample_is_still_utf_8():
    data = ('id,what\n' + '1,é\n' * 1000).encode()
    assert detect_dialect(data[:-2], whole=False).encoding == 'utf-8'


@pytest.mark.parametrize('ending', ['.gz', '.zst'])
def test_a_compressed_file_that_is_cut(tmp_path, ending):
    path = tmp_path / f'in.csv{ending}'
    whole = gzip.compress(csv_bytes() * 500)
    if ending == '.zst':
        whole = pa.Codec('zstd').compress(csv_bytes() * 500).to_pybytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r'in\.csv.* is damaged'):
        rows(open_table(path), 1000)


@pytest.mark.parametrize(
    ('header', 'option'),
    [
        ('id;What', 'semicolon'),
        ('id\twhat', 'tab'),
        ('id|"what"', 'vertical bar'),
        ('id:what', 'colon'),
        ('id~ what ', 'tilde'),
    ],
)
def test_a_missing_column_hides_behind_a_delimiter(tmp_path, header, option):
    path = tmp_path / 'in.csv'
    path.write_text(f'{header}\n1,2\n')
    wrong = open_table(path, ReadOptions(DialectOptions(delimiter=',', quote='')))
    with pytest.raises(UserError, match=f"divided by {option}s: give --delimiter '{option}'"):
        check_text_column(path, 'what', wrong.names, wrong.original)
    good = open_table(path, ReadOptions(DialectOptions(delimiter=option)))
    assert len(good.names) == 2


@pytest.mark.parametrize(
    ('written', 'named', 'message'),
    [
        ('utf-16', 'utf-8', 'is UTF-16, not UTF-8: give --encoding utf-16, or leave it out'),
        ('utf-16-le', 'cp1252', 'is UTF-16-LE, not CP1252: give --encoding utf-16-le'),
        ('utf-16-be', 'utf-8', 'is UTF-16-BE, not UTF-8'),
        ('utf-16-le', 'utf-16', 'is UTF-16-LE, not UTF-16: give --encoding utf-16-le'),
        ('utf-8', 'utf-16', 'is UTF-8, not UTF-16: give --encoding utf-8'),
        ('utf-8', 'utf-16-le', 'is UTF-8, not UTF-16-LE'),
    ],
)
def test_an_encoding_that_is_not_that_of_the_file_is_named(tmp_path, written, named, message):
    path = tmp_path / 'in.csv'
    path.write_bytes('id;what\n1;panadería\n'.encode(written))
    with pytest.raises(UserError, match=message):
        open_table(path, ReadOptions(DialectOptions(encoding=named)))
    assert open_table(path).names == ['id', 'what']


def test_an_encoding_that_fits_is_taken(tmp_path):
    path = tmp_path / 'in.csv'
    marked = [(name, '\ufeff') for name in ('utf-8', 'utf-16-le', 'utf-16-be')]
    for named, mark in [('utf-16', ''), ('utf-16-le', ''), ('utf-16-be', ''), *marked]:
        path.write_bytes((mark + 'id,what\n1,食品製造業\n').encode(named))
        table = open_table(path, ReadOptions(DialectOptions(encoding=named)))
        assert (table.names, rows(table)) == (['id', 'what'], [['1', '食品製造業']])
