"""``assess`` and ``audit`` as a user runs them."""

import json

import polars as pl
import pytest

from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

ROWS = {
    'what': ['Corn Farming', 'Rice Farming', 'Offices of Dentists', 'Wheat Farming', 'n/a'],
    'naics': ['111150', '541110', '111150', '111140', '111150'],
    'firm': ['a', 'a', 'b', 'c', 'd'],
    'n': [1, 2, 1, 1, 1],
    'premium': [100, 10, 500, 20, 5],
}


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp('labels')
    encoder = write_tiny_encoder(folder / 'encoder')
    return write_tiny_bundle(folder / 'bundle', encoder, coder=True)


@pytest.fixture
def firms(tmp_path):
    path = tmp_path / 'firms.csv'
    pl.DataFrame(ROWS).write_csv(path)
    return path


@pytest.fixture
def run(cli, bundle, firms):
    """Run a command on the table, whose columns have to be named."""

    def made(command: str, *more: object, columns=('what', 'naics')):
        text, code = columns
        given = ('--text-column', text, '--code-column', code, '--bundle', bundle)
        return cli(command, firms, *given, *more)

    return made


def test_assess_says_how_good_the_coder_is(run, tmp_path):
    out = tmp_path / 'page.html'
    more = ('--group-column', 'firm', '--weight-column', 'n', '-o', out)
    done = run('assess', *more)
    assert done.status == 0, done.err
    assert '4 texts in 3 groups' in done.out
    assert "1 row is left out, no text (row 5: 'n/a')" in done.err
    assert 'stated confidence' in done.out
    assert f'report: {out}' in done.out
    assert out.read_text(encoding='utf-8').count('Assessment of firms.csv') == 1


def test_assess_as_json(run):
    content = json.loads(run('assess', '--json', '--weight-column', 'n').out)
    assert content['texts'] == 4
    assert content['left_out'] == {'no text': 1}
    assert content['levels']['6']['top']['1']['value'] == pytest.approx(0.4)
    assert content['target'] == 0.95


def test_audit_ranks_by_exposure_and_writes_a_sheet(run, tmp_path):
    out = tmp_path / 'sheet.csv'
    done = run('audit', '--exposure-column', 'premium', '-o', out)
    assert done.status == 0, done.err
    assert 'expected fraction of wrong codes' in done.out
    assert 'by premium' in done.out
    assert 'assess on a sample' in done.out
    assert pl.read_csv(out)['row'].to_list() == [3, 2]
    again = run('audit', '-o', out)
    assert again.status == 2
    assert 'exists' in again.err
    assert run('audit', '-o', out, '--force').status == 0


def test_audit_as_json(run):
    content = json.loads(run('audit', '--json').out)
    assert content['contradicted'] == 2
    assert [row['proposed'] for row in content['rows']]
    assert content['wrong']['low'] <= content['wrong']['value'] <= content['wrong']['high']


@pytest.mark.parametrize('command', ['assess', 'audit'])
def test_what_is_wrong_with_a_file_is_said(run, command, firms, tmp_path):
    for columns, name in ((('text', 'naics'), 'text'), (('what', 'sic'), 'sic')):
        done = run(command, columns=columns)
        assert (done.status, done.out) == (2, '')
        assert f'firms.csv has no column {name!r}; it has what, naics, firm, n, premium' in done.err
    assert "no column 'grp'" in run(command, '--group-column', 'grp').err
    weighted = run(command, '--weight-column', 'firm')
    assert weighted.status == 2
    assert "row 1: the weight 'a' is no positive number" in weighted.err
    vintage = run(command, '--vintage', '1997')
    assert vintage.status == 2
    assert 'vintage must be auto, 2012, 2017 or 2022' in vintage.err


@pytest.mark.parametrize('command', ['assess', 'audit'])
def test_unknown_codes_are_counted_and_too_many_are_an_error(run, command, firms):
    frame = pl.DataFrame({**ROWS, 'naics': ['111150', '999999', 'wheat', '111140', '111150']})
    frame.write_csv(firms)
    done = run(command)
    assert (done.status, done.out) == (2, '')
    assert '2 of 5 codes are unknown' in done.err
    assert "row 2: '999999'" in done.err
    allowed = run(command, '--max-unknown', 0.5)
    assert allowed.status == 0
    assert '1 row is left out, unknown' in allowed.err
    assert '1 row is left out, no code' in allowed.err


def test_options_are_checked_before_the_model_is_loaded(run, tmp_path):
    for more, message in (
        (('--target', 1.5), '--target must be above 0 and below 1'),
        (('--confidence', 0), '--confidence must be above 0 and at most 1'),
        (('-o', tmp_path / 'none' / 'page.html'), 'does not exist; name a folder that does'),
        (('-o', tmp_path), 'is a folder'),
    ):
        done = run('assess', *more)
        assert (done.status, done.out) == (2, '')
        assert message in done.err
    done = run('audit', '-o', tmp_path / 'sheet.docx')
    assert done.status == 2
    assert 'must end in one of' in done.err


def test_an_exposure_is_an_amount(run):
    done = run('audit', '--exposure-column', 'firm')
    assert done.status == 2
    assert "row 1: firm is 'a', which is no number of at least 0" in done.err
