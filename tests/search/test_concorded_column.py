"""A column of codes in a table of the user: what is added, and what is wrong with some of them."""

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from naics_embed.classifications.concordance import Concordance
from naics_embed.errors import UserError
from naics_embed.search.concorded_column import ConcordJob, concord_column

FROM_2012 = Concordance(2012, 2022)
CODES = ['517110', '517210', 'NAICS 541511', 'nonsense', '', '5112', '513210', '31–33', '1, 2']


def written(path):
    frames = {'.parquet': pl.read_parquet, '.xlsx': lambda file: pl.read_excel(file)}
    read = frames.get(path.suffix, lambda file: pl.read_csv(file, infer_schema=False))
    return read(path)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / 'in.csv'
    pl.DataFrame({'id': range(len(CODES)), 'industry': CODES}).write_csv(path)
    return path


def test_one_row_for_each_of_the_table(table, tmp_path):
    out = tmp_path / 'out.csv'
    report = concord_column(ConcordJob(table, 'industry', out, part_rows=2), FROM_2012)
    frame = written(out)
    assert frame['id'].to_list() == [str(i) for i in range(9)]
    assert frame['industry'].to_list() == [code or None for code in CODES]
    codes = frame['naics2022_code'].to_list()
    assert codes == ['517111', '517112', '541511', None, None, '5132', None, '31-33', None]
    status = ['translated', 'split', 'same', 'no code', 'missing', 'translated', 'no code', 'same']
    assert frame['naics2022_status'].to_list() == [*status, 'no code']
    assert frame['naics2022_all'][1] == '517112 0.5; 517122 0.5'
    assert frame['naics2022_fraction'].to_list()[:3] == ['1.000000', '0.500000', '1.000000']
    assert frame['naics2022_fraction_method'].to_list()[:2] == ['exact', 'estimate (equal)']
    assert 'it is one of NAICS 2022' in frame['naics2022_error'][6]
    assert frame['naics2022_error'].null_count() == 6
    assert (report.rows, report.written) == (9, 9)
    assert report.statuses == {'same': 2, 'translated': 2, 'split': 1, 'missing': 1, 'no code': 3}
    assert report.examples == {'no code': ('nonsense', '513210', '1, 2')}
    assert not list(tmp_path.glob('.out*')), 'nothing is left'


def test_a_row_for_each_target(table, tmp_path):
    out = tmp_path / 'out.parquet'
    job = ConcordJob(table, 'industry', out, prefix='new_', each=True)
    report = concord_column(job, FROM_2012)
    frame = written(out)
    assert (report.rows, report.written) == (9, 10)
    assert frame['id'].to_list() == [str(i) for i in (0, 1, 1, 2, 3, 4, 5, 6, 7, 8)]
    assert frame['new_code'].to_list()[1:3] == ['517112', '517122']
    assert 'new_all' not in frame.columns
    sums = frame.group_by('id').agg(pl.col('new_fraction').sum())['new_fraction'].to_list()
    assert sorted(sums) == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert b'naics2022' in pq.read_schema(out).metadata[b'naics_embed']


@pytest.mark.parametrize('kind', [pa.int64(), pa.float64()], ids=str)
def test_numbers_and_missing_values(tmp_path, kind):
    source, out = tmp_path / 'in.parquet', tmp_path / 'out.xlsx'
    pq.write_table(pa.table({'code': pa.array([517110, None, 54], kind)}), source)
    report = concord_column(ConcordJob(source, 'code', out), Concordance(2012, 2017))
    frame = written(out)
    assert frame['naics2017_code'].cast(pl.String).to_list() == ['517311', None, '54']
    assert report.statuses == {'translated': 1, 'missing': 1, 'same': 1}


def test_what_is_refused(table, tmp_path):
    def tried(**changes):
        values = {'source': table, 'column': 'industry', 'out': tmp_path / 'out.csv'} | changes
        return concord_column(ConcordJob(**values), FROM_2012)

    with pytest.raises(UserError, match="no column 'naics'"):
        tried(column='naics')
    with pytest.raises(UserError, match='must end in'):
        tried(out=tmp_path / 'out.doc')
    with pytest.raises(UserError, match='does not exist'):
        tried(source=tmp_path / 'gone.csv')
    with pytest.raises(UserError, match=r'exists; name another file, or give --force'):
        tried(out=table)
    tried()
    with pytest.raises(UserError, match='has a column naics2022_code already; give --prefix'):
        tried(source=tmp_path / 'out.csv', out=tmp_path / 'again.csv')


def test_codes_of_another_classification(tmp_path):
    source, out = tmp_path / 'in.csv', tmp_path / 'out.csv'
    pl.DataFrame({'sic': ['7371', '111', '9999', '7379', 'zz']}).write_csv(source)
    report = concord_column(ConcordJob(source, 'sic', out), Concordance('sic1987', 'isic4'))
    frame = written(out)
    assert frame.columns[1] == 'isic4_code'
    assert frame['isic4_code'].to_list()[:3] == ['6201', '0111', None]
    assert frame['isic4_status'].to_list() == [
        'translated',
        'translated',
        'no counterpart',
        'split',
        'no code',
    ]
    assert report.examples == {'no code': ('zz',), 'no counterpart': ('9999',)}
    assert '9999 of SIC 1987 has no counterpart in ISIC Rev. 4' in frame['isic4_error'][2]
