"""``learn`` as a user runs it."""

import json

import polars as pl
import pytest

from naics_embed.bundle.promotion import ROOT_VARIABLE, promote, promoted_bundle
from naics_embed.search.coder import Coder
from tests.learning.bundles import ways
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp('learn')
    encoder = write_tiny_encoder(folder / 'encoder')
    return write_tiny_bundle(folder / 'bundle', encoder, coder=True)


@pytest.fixture
def firms(tmp_path):
    texts, codes = ways(4)
    frame = pl.DataFrame({'what': [*texts, 'n/a'], 'naics': [*codes, '722511']})
    path = tmp_path / 'firms.csv'
    frame.with_columns(firm=pl.int_range(pl.len()) // 2).write_csv(path)
    return path


@pytest.fixture
def root(cli, bundle, tmp_path, monkeypatch):
    """An artifact root where the bundle is in use."""
    root = tmp_path / 'artifacts'
    promote(root, bundle, {})
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    return root


@pytest.fixture
def run(cli, firms):
    def made(*more: object, columns=('what', 'naics')):
        text, code = columns
        return cli('learn', firms, '--text-column', text, '--code-column', code, *more)

    return made


def test_learn_list_and_remove(run, cli, root, bundle):
    done = run('--group-column', 'firm', '--margin', 0.1)
    assert done.status == 0, done.err
    assert '1 row is left out, no text' in done.err
    assert 'encoding' in done.err
    assert 'top-1 before' in done.out
    assert '(in use)' in done.out
    path = promoted_bundle(root)
    assert path.is_relative_to(root / 'learned')
    assert Coder.load().search('animal doctor near the lake', k=1)[0].hits[0].code == '541940'
    listed = cli('learn', '--list')
    assert listed.out.startswith('firms: 20 texts of 5 codes, texts are kept, learned 20')
    [record] = json.loads(cli('learn', '--list', '--json').out)
    assert (record['name'], record['rows']) == ('firms', 20)

    gone = cli('learn', '--remove', 'firms', '--json')
    assert gone.status == 0, gone.err
    assert json.loads(gone.out)['promoted'] is True
    assert cli('learn', '--list').out == 'the bundle has learned nothing\n'
    assert json.loads(cli('learn', '--list', '--json').out) == []
    again = cli('learn', '--remove', 'firms')
    assert again.status == 2
    assert "no source 'firms'; it has: none" in again.err


def test_private_texts_and_the_sheet_of_doubtful_labels(run, cli, root, tmp_path, firms):
    texts, codes = ways()
    codes[0] = '111150'
    pl.DataFrame({'what': texts, 'naics': codes}).write_csv(firms)
    sheet, out = tmp_path / 'doubtful.csv', tmp_path / 'out'
    more = ('--private', '--name', 'ours', '--no-promote', '--json')
    done = run(*more, '--doubtful', sheet, '-o', out)
    assert done.status == 0, done.err
    content = json.loads(done.out)
    assert (content['bundle'], content['promoted']) == (str(out), False)
    assert [row['name'] for row in content['sets']] == ['ours', 'index', 'plain language']
    assert content['doubtful_labels'] >= 1
    assert 'texts are not kept' in cli('learn', '--list', '--bundle', out).out
    rows = pl.read_csv(sheet, infer_schema_length=0)
    assert rows.columns[:4] == ['source', 'row', 'text', 'code']
    assert rows.row(0)[:4] == ('ours', '1', texts[0], '111150')
    assert cli('learn', '--list').out == 'the bundle has learned nothing\n'


def test_what_is_not_better_is_not_put_in_use(run, root, bundle, firms):
    texts, _ = ways(4)
    # Labels without any sense: no text can tell the code of another.
    codes = [f'{code}' for code in ('111110', '238990', '541110', '722511', '812990')] * 4
    codes = codes[2:] + codes[:2]
    pl.DataFrame({'what': texts, 'naics': sorted(codes)}).write_csv(firms)
    done = run('--margin', 0)
    assert done.status == 0, done.err
    assert '(not in use: it is not better on these texts, or worse on others)' in done.out
    assert promoted_bundle(root).resolve() == bundle.resolve()


def test_what_is_wrong_is_said_before_anything_is_written(run, cli, root, firms, tmp_path):
    for columns, name in ((('text', 'naics'), 'text'), (('what', 'sic'), 'sic')):
        done = run(columns=columns)
        assert (done.status, done.out) == (2, '')
        assert f'has no column {name!r}; it has what, naics, firm' in done.err
    for more, message in (
        (('--group-column', 'grp'), "no column 'grp'"),
        (('--margin', 2), '--margin must be at least 0 and below 1'),
        (('--doubtful', tmp_path / 'none' / 'x.csv'), 'does not exist; name a folder that does'),
        (('--name', 'a|b'), 'cannot be the name of a source'),
        ((firms, '--name', 'x'), '--name is for one file'),
        ((firms,), 'two sources have one name'),
        (('-o', firms), 'exists and is no bundle'),
    ):
        done = run(*more)
        assert (done.status, done.out) == (2, ''), more
        assert message in done.err
    nothing = cli('learn')
    assert nothing.status == 2
    assert 'name a file to learn, or --remove NAME, or --list' in nothing.err
    assert not (root / 'learned').exists()


def test_codes_that_do_not_exist(run, root, firms):
    texts, codes = ways(3)
    pl.DataFrame({'what': texts, 'naics': ['999999'] * 8 + codes[8:]}).write_csv(firms)
    done = run()
    assert (done.status, done.out) == (2, '')
    assert '8 of 15 codes are unknown' in done.err
    few = run('--max-unknown', 0.9)
    assert few.status == 2
    assert '7 texts with one six-digit code are too few' in few.err
