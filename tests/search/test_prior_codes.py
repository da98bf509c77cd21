"""Prior codes of texts and of the rows of a file."""

import csv

import numpy as np
import pytest
from typer.testing import CliRunner

from naics_embed.cli.main import app
from naics_embed.errors import UserError
from naics_embed.search.bulk import FileJob, code_file
from naics_embed.search.prior_codes import PriorReader
from naics_embed.search.prior_column import PriorColumn
from naics_embed.search.sic import read_sic, sic_targets

TEXTS = ['corn farming', 'dental offices', 'shoe repair', 'soybean farming']
PRIOR = ['111150', None, '8114//', 'no code']


@pytest.fixture(scope='module')
def reader(coder) -> PriorReader:
    return PriorReader(coder.searcher.codes)


def named(reader, value):
    """Return the codes that a cell may stand for."""
    codes = {column: code for code, column in reader._column.items()}
    found = reader.read(value)
    return None if found is None else ([codes[leaf] for leaf in found.leaves], found.kind)


def test_codes_of_any_spelling_and_vintage(reader):
    assert named(reader, '541511.0') == (['541511'], '6 digits')
    assert named(reader, 'NAICS 722511') == (['722511'], '6 digits')
    # A code of 2017, and one of 2012.
    shops, kind = named(reader, '454110')
    assert len(shops) > 20
    assert {code[:2] for code in shops} <= {'44', '45'}
    assert kind == '6 digits'
    assert named(reader, '454111')[1] == '6 digits'
    # One of 2007, which no table knows: what it stands below.
    assert named(reader, '722110')[1] == '3 digits'
    assert named(reader, '31-33')[1] == '2 digits'
    assert set(named(reader, '5415')[0]) == {'541511', '541512', '541513', '541519'}
    assert named(reader, 'n/a') is None
    assert named(reader, None) is None


def test_codes_of_sic(coder):
    reader = PriorReader(coder.searcher.codes, 'sic')
    assert '722511' in named(reader, '5812')[0]
    assert named(reader, 111.0) == (['111140'], 'SIC')
    assert named(reader, 'restaurants') is None
    assert read_sic('5812-01') == read_sic('58120100') == read_sic('SIC 5812: Eating') == '5812'
    assert all(len(code) == 6 for codes in sic_targets().values() for code in codes)


def test_a_column_of_sic_is_recognised(reader):
    with pytest.raises(UserError, match='look like SIC: give --prior-vintage sic'):
        reader.detect(['5812', '7011', '1521', '1711', '8021', '5411'])


def test_python_coder(coder):
    plain = coder.search(TEXTS, k=3)
    found = coder.search(TEXTS, k=3, prior_codes=PRIOR)
    assert found[0].hits[0].code == '111150'
    # Without a prior code nothing changes, to the last bit.
    for row in (1, 3):
        assert found[row] == plain[row]
    below = sum(
        hit.probability for hit in coder.search(TEXTS[2], k=1012)[0].hits if hit.code[:4] == '8114'
    )
    [after] = coder.search(TEXTS[2], k=1012, prior_codes=[PRIOR[2]])
    assert sum(hit.probability for hit in after.hits if hit.code[:4] == '8114') > below
    with pytest.raises(UserError, match='4 texts and 1 prior codes'):
        coder.search(TEXTS, prior_codes=['1'])


def written(path, rows):
    with path.open('w', newline='', encoding='utf-8') as stream:
        csv.writer(stream).writerows([['what', 'old'], *rows])
    return path


def read(path):
    with path.open(encoding='utf-8', newline='') as stream:
        return list(csv.DictReader(stream))


def test_a_file(coder, tmp_path):
    source = written(tmp_path / 'in.csv', zip(TEXTS, (code or '' for code in PRIOR), strict=True))
    notes: list[str] = []
    job = FileJob(source, 'what', tmp_path / 'out.csv', prior=PriorColumn('old'), part_rows=3)
    code_file(coder, job, note=notes.append)
    code_file(coder, FileJob(source, 'what', tmp_path / 'plain.csv', part_rows=3))
    with_prior, plain = read(job.out), read(tmp_path / 'plain.csv')
    assert with_prior[0]['naics_code'] == '111150'
    assert [with_prior[row] for row in (1, 3)] == [plain[row] for row in (1, 3)]
    assert "old: 1 value is not a code, such as 'no code'" in notes[0]
    assert '70% are expected to be right' in notes[1]


def test_bad_prior_codes_are_trusted_less(coder, tmp_path):
    texts = [coder.searcher.titles[leaf] for leaf in coder.leaves[:60].tolist()]
    codes = [coder.searcher.codes[leaf] for leaf in coder.leaves[:60].tolist()]
    rng = np.random.default_rng(0)
    for right, low, high in ((True, 0.85, 1.0), (False, 0.0, 0.3)):
        own = codes if right else rng.permutation(codes[::-1]).tolist()
        source = written(tmp_path / 'in.csv', zip(texts, own, strict=True))
        notes: list[str] = []
        job = FileJob(source, 'what', tmp_path / 'out.csv', prior=PriorColumn('old'))
        code_file(coder, job, note=notes.append, restart=True, force=True)
        share = int(notes[-1].rpartition('% of 6 digits')[0].rpartition(' ')[2]) / 100
        assert low <= share <= high, notes


def test_command(coder, tmp_path):
    source = written(tmp_path / 'in.csv', [[text, '5812'] for text in TEXTS])
    options = ['--text-column', 'what', '--bundle', str(coder.searcher.bundle.path)]
    out = tmp_path / 'out.csv'
    call = ['code', str(source), '-o', str(out), *options, '--prior-column', 'old']
    done = CliRunner().invoke(app, [*call, '--prior-vintage', 'sic'])
    assert done.exit_code == 0, done.output
    assert 'old: prior codes; too few to tell how good they are' in done.output
    # The text of the second row is no official title, which would decide.
    assert read(out)[1]['naics_code'][:2] == '72'


@pytest.mark.parametrize(
    ('name', 'vintage', 'message'),
    [('older', 'auto', 'older'), ('old', '2007', 'must be auto, 2012, 2017, 2022 or sic')],
)
def test_what_is_wrong_is_told_before_any_work(coder, tmp_path, name, vintage, message):
    source = written(tmp_path / 'in.csv', [['corn', '111150']])
    job = FileJob(source, 'what', tmp_path / 'out.csv', prior=PriorColumn(name, vintage))
    with pytest.raises(UserError, match=message):
        code_file(coder, job)
