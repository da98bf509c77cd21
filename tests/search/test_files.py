import csv

import polars as pl
import pytest

from naics_embed.errors import UserError
from naics_embed.search.bulk import FileJob, code_file
from naics_embed.search.coded_columns import ColumnOptions, Remembered
from naics_embed.search.coder import Coder
from naics_embed.tabular.dialect import DialectOptions
from naics_embed.tabular.open import ReadOptions

TEXTS = ['corn farming', 'dental offices', '', 'shoe repair', 'corn farming', '寿司屋']


@pytest.fixture
def source(tmp_path):
    """Write a table of texts with a number for each row."""

    def write(ending):
        path = tmp_path / f'in.{ending}'
        frame = pl.DataFrame({'id': range(len(TEXTS)), 'what': TEXTS})
        frame.write_csv(path) if ending == 'csv' else frame.write_parquet(path)
        return path

    return write


def read(path):
    if path.suffix == '.parquet':
        return pl.read_parquet(path).to_dicts()
    with path.open(encoding='utf-8', errors='surrogateescape', newline='') as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize('out', ['csv', 'parquet'])
@pytest.mark.parametrize('ending', ['csv', 'parquet'])
def test_every_row_is_there_in_order(coder, source, tmp_path, ending, out):
    target = tmp_path / f'out.{out}'
    report = code_file(coder, FileJob(source(ending), 'what', target, part_rows=4))
    rows = read(target)
    assert (report.rows, report.bad, report.resumed) == (6, 1, 0)
    assert [int(row['id']) for row in rows] == list(range(6))
    assert [row['what'] or '' for row in rows] == TEXTS
    for row, text in zip(rows, TEXTS, strict=True):
        if not text:
            assert 'the text is empty' in row['naics_error']
            assert not row['naics_code']
            continue
        [answer] = coder.search(text, k=1)
        assert not row['naics_error']
        assert row['naics_code'] == answer.hits[0].official
        assert row['naics_title'] == answer.hits[0].title
        assert float(row['naics_probability']) == pytest.approx(
            answer.hits[0].probability, abs=1e-5
        )
        assert (row['naics_confident_code'] or None) == (
            answer.confident and answer.confident.official
        )
    assert list(tmp_path.glob('.*')) == []


def test_rows_of_the_wrong_shape_are_kept_with_a_reason(coder, tmp_path):
    source = tmp_path / 'in.csv'
    source.write_bytes(
        b'id,what,more\n1,corn farming,x\n2,dental\n3,shop,y,z,"a ""b"""\n'
        b'4,caf\xe9,w\n5,"two\nlines",v\n\n6,corn\x00farming,u\n'
    )
    target = tmp_path / 'out.csv'
    report = code_file(coder, FileJob(source, 'what', target))
    rows = read(target)
    assert (report.rows, report.bad) == (7, 3)
    assert report.notes == ('read as CP1252, commas',)
    assert [row['id'] for row in rows] == ['1', '2', '3', '4', '5', '', '6']
    assert rows[1]['naics_error'] == '2 fields where the header has 3'
    assert (
        rows[2]['naics_error'] == '5 fields where the header has 3; left over: ["z", "a \\"b\\""]'
    )
    assert (rows[3]['what'], rows[3]['naics_error']) == ('café', '')
    assert rows[4]['what'] == 'two\nlines'
    assert rows[4]['naics_code']
    assert rows[6]['naics_code']
    assert [row['naics_status'] for row in rows[1:3]] == ['cannot be read'] * 2


def test_bytes_that_are_no_text_are_kept_where_the_encoding_is_given(coder, tmp_path):
    source, target = tmp_path / 'in.csv', tmp_path / 'out.csv'
    source.write_bytes(b'id,what\n1,caf\xe9 and bakery\n2,corn farming\n')
    reading = ReadOptions(DialectOptions(encoding='utf-8'))
    report = code_file(coder, FileJob(source, 'what', target, reading=reading))
    rows = read(target)
    assert (report.rows, report.bad) == (2, 1)
    assert 'not valid Unicode' in rows[0]['naics_error']
    assert rows[0]['what'].encode('utf-8', 'surrogateescape') == b'caf\xe9 and bakery'


def test_a_stopped_run_goes_on_where_it_was(coder, source, tmp_path):
    target = tmp_path / 'out.csv'
    job = FileJob(source('csv'), 'what', target, part_rows=2)

    class StoppedError(Exception):
        pass

    def stop(rows):
        if rows == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        code_file(coder, job, report=stop)
    assert not target.exists()
    seen: list[int] = []
    report = code_file(coder, job, report=seen.append)
    assert seen == [6]
    assert (report.rows, report.bad, report.resumed) == (6, 1, 4)
    whole = tmp_path / 'whole.csv'
    code_file(coder, FileJob(job.source, 'what', whole, part_rows=2))
    assert target.read_bytes() == whole.read_bytes()


def test_parts_of_another_job_are_not_mixed_in(coder, source, tmp_path, monkeypatch):
    target = tmp_path / 'out.csv'
    path = source('csv')

    def stop(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        code_file(coder, FileJob(path, 'what', target, part_rows=2), report=stop)
    other = FileJob(path, 'what', target, part_rows=2, confidence=0.5)
    with pytest.raises(UserError, match='parts of another run'):
        code_file(coder, other)
    with monkeypatch.context() as patch:
        patch.setattr(coder, 'precision', 'bfloat16')
        with pytest.raises(UserError, match='parts of another run'):
            code_file(coder, FileJob(path, 'what', target, part_rows=2))
    assert code_file(coder, other, restart=True).resumed == 0


def test_two_runs_do_not_write_one_file(coder, source, tmp_path):
    target = tmp_path / 'out.csv'
    job = FileJob(source('csv'), 'what', target, part_rows=2)

    def second(rows):
        with pytest.raises(UserError, match=r'another run is writing .*out\.csv'):
            code_file(coder, job)

    assert code_file(coder, job, report=second).rows == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ['in.csv', 'out.csv']
    with pytest.raises(UserError, match=r'out\.csv exists; name another file, or give --force'):
        code_file(coder, job)
    assert code_file(coder, job, force=True).resumed == 0


def test_an_input_that_changes_while_it_is_read_is_not_mixed(coder, source, tmp_path):
    target = tmp_path / 'out.csv'
    path = source('csv')

    def change(rows):
        path.write_text(path.read_text(errors='surrogateescape') + 'x\n', errors='surrogateescape')

    with pytest.raises(UserError, match='was changed while it was read'):
        code_file(coder, FileJob(path, 'what', target, part_rows=2), report=change)
    assert not target.exists()


def test_a_file_without_rows(coder, tmp_path):
    source = tmp_path / 'in.csv'
    source.write_text('id,what\n', encoding='utf-8')
    for ending in ('csv', 'parquet'):
        target = tmp_path / f'out.{ending}'
        assert code_file(coder, FileJob(source, 'what', target)).rows == 0
        columns = (
            pl.read_csv(target).columns if ending == 'csv' else pl.read_parquet(target).columns
        )
        assert columns == ['id', 'what', *ColumnOptions().names]


@pytest.mark.parametrize(
    ('changes', 'match'),
    [
        ({'source': 'none.csv'}, 'does not exist'),
        ({'source': 'in.doc'}, 'must end in'),
        ({'out': 'out.doc'}, 'must end in'),
        ({'out': 'nowhere/out.csv'}, 'does not exist; name a folder'),
        ({'out': 'in.csv'}, 'exists; name another file'),
        ({'column': 'text'}, "no column 'text'; it has id, what"),
        ({'part_rows': 0}, 'part_rows'),
    ],
)
def test_bad_jobs(coder, source, tmp_path, changes, match):
    source('csv')
    values = {'source': 'in.csv', 'column': 'what', 'out': 'out.csv'} | changes
    paths = {key: tmp_path / values.pop(key) for key in ('source', 'out')}
    if paths['source'].suffix == '.doc':
        paths['source'].write_text('what\ncorn\n')
    with pytest.raises(UserError, match=match):
        code_file(coder, FileJob(**paths, **values))


def test_a_column_that_would_be_overwritten(coder, tmp_path):
    source = tmp_path / 'in.csv'
    source.write_text('what,naics_code\ncorn,111150\n', encoding='utf-8')
    with pytest.raises(UserError, match='column naics_code already'):
        code_file(coder, FileJob(source, 'what', tmp_path / 'out.csv'))


def test_no_parquet_file(coder, tmp_path):
    source = tmp_path / 'in.parquet'
    source.write_bytes(b'no parquet')
    with pytest.raises(UserError, match='is no parquet file'):
        code_file(coder, FileJob(source, 'what', tmp_path / 'out.csv'))


def test_parquet_keeps_the_types_of_its_columns(coder, source, tmp_path):
    code_file(coder, FileJob(source('parquet'), 'what', tmp_path / 'out.parquet', part_rows=2))
    schema = pl.read_parquet(tmp_path / 'out.parquet').schema
    assert schema['id'] == pl.Int64
    assert schema['naics_probability'] == pl.Float64


def test_missing_texts_say_nothing_and_end_no_run(coder, tmp_path):
    source, target = tmp_path / 'in.parquet', tmp_path / 'out.parquet'
    pl.DataFrame({'what': [None, '', 'N/A', 'corn farming']}).write_parquet(source)
    report = code_file(coder, FileJob(source, 'what', target, part_rows=2))
    status = pl.read_parquet(target)['naics_status'].to_list()
    assert status[:3] == ['says nothing'] * 3
    assert status[3] in ('coded', 'uncertain')
    assert report.rows == 4


def test_a_file_of_which_nothing_can_be_read_ends_at_once(coder, tmp_path):
    source, target = tmp_path / 'in.csv', tmp_path / 'out.csv'
    source.write_text('id,what\n' + '1,corn farming,x\n' * 5 + '2, ,y\n')
    with pytest.raises(UserError, match=r'none of the first 6 rows can be read .*--delimiter'):
        code_file(coder, FileJob(source, 'what', target))
    assert not target.exists()


def test_a_text_that_comes_again_in_a_later_part_is_not_coded_again(coder, tmp_path, monkeypatch):
    path = tmp_path / 'in.csv'
    pl.DataFrame({'what': ['corn farming', 'shoe repair'] * 10}).write_csv(path)
    asked: list[str] = []
    search = Coder.search

    def counted(self, texts, *args, **options):
        asked.extend(texts)
        return search(self, texts, *args, **options)

    monkeypatch.setattr(Coder, 'search', counted)
    job = FileJob(path, 'what', tmp_path / 'out.csv', part_rows=3)
    code_file(coder, job)
    assert asked == ['corn farming', 'shoe repair']
    assert len({(row['what'], row['naics_code']) for row in read(job.out)}) == 2


def test_answers_are_forgotten_where_there_are_many():
    kept = Remembered(most=2)
    one, two, three = ((((text, 1.0),), None) for text in 'abc')
    kept.keep({one: 'A', two: 'B'})
    kept.keep(kept.known([one]))
    kept.keep({three: 'C'})
    assert kept.known([one, two, three]) == {one: 'A', three: 'C'}


def test_a_copy_with_the_same_content_goes_on(coder, tmp_path):
    """What came from an address or a query lies elsewhere in every run."""
    copies = [tmp_path / name / 'copy.csv' for name in 'ab']
    for copy in copies:
        copy.parent.mkdir()
        pl.DataFrame({'what': ['corn farming', 'shoe repair', 'dental offices']}).write_csv(copy)
    jobs = [
        FileJob(copy, 'what', tmp_path / 'out.csv', part_rows=1, copied='content')
        for copy in copies
    ]

    def stop(rows):
        if rows == 2:
            raise RuntimeError('stopped')

    with pytest.raises(RuntimeError, match='stopped'):
        code_file(coder, jobs[0], report=stop)
    other = FileJob(copies[1], 'what', tmp_path / 'out.csv', part_rows=1, copied='changed')
    with pytest.raises(UserError, match='give --restart'):
        code_file(coder, other)
    assert code_file(coder, jobs[1]).resumed == 2
    assert len(read(tmp_path / 'out.csv')) == 3
