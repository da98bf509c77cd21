"""What is wrong with a command is said before anything large is loaded."""

import io
import json
import os
import subprocess
import sys

import polars as pl
import pytest

import naics_embed
from naics_embed.cli.metrics import MAIN
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

LOADED = """
import atexit, json, sys
atexit.register(lambda: sys.stderr.write('\\n' + json.dumps('torch' in sys.modules)))
"""


def ended(*arguments: object) -> tuple[str, bool]:
    """Run the command in a fresh interpreter; return its error and whether torch was loaded."""
    words = [str(argument) for argument in arguments]
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            LOADED + f"sys.argv = ['naics-embed', *{words}]\n"
            'from naics_embed.cli.main import main\nmain()',
        ],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {'COLUMNS': '120'},
    )
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    return lines[0], json.loads(lines[-1])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('search', 'farm', '--level', 7), 'level must be one of 2, 3, 4, 5, 6, not 7'),
        (('search', 'farm', '-k', 0), 'k must be at least 1'),
        (('search', 'farm', '--confidence', 2), 'confidence must be above 0'),
        (('search', '541998'), 'is not a code of NAICS 2022'),
        (('show', '999999'), 'is not a code of NAICS 2022'),
        (('similar', '511210'), 'it is a code of NAICS 2017 that became 513210'),
        (('compare', '541511', '541599'), 'is not a code of NAICS 2022'),
    ],
    ids=str,
)
def test_a_mistake_is_said_without_torch(bundle_path, arguments, message):
    said, torch_loaded = ended(*arguments, '--bundle', bundle_path)
    assert said.startswith('naics-embed: ')
    assert message in said
    assert not torch_loaded


def test_a_dash_reads_texts_from_standard_input(cli, bundle_path, monkeypatch):
    monkeypatch.setattr('sys.stdin', io.StringIO('Soybean Farming\n\nCotton Farming\n'))
    done = cli('search', '-', '--json', '--bundle', bundle_path)
    assert [row['text'] for row in json.loads(done.out)] == ['Soybean Farming', 'Cotton Farming']
    monkeypatch.setattr('sys.stdin', io.StringIO('\n'))
    assert 'standard input holds no text' in cli('search', '-', '--bundle', bundle_path).err


def test_the_shell_completes_public_names():
    assert set(naics_embed.__all__) <= set(dir(naics_embed))


def test_public_objects_say_what_they_are(bundle_path):
    bundle = naics_embed.Bundle.load(bundle_path)
    assert repr(bundle) == f'Bundle({str(bundle_path)!r}: table, 2,125 codes, 8 dimensions)'
    table = naics_embed.CodeTable(bundle)
    assert repr(table) == f'CodeTable(2,125 codes of NAICS 2022, {bundle!r})'


@pytest.fixture(scope='module')
def coder_bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp('checks')
    return write_tiny_bundle(folder / 'b', write_tiny_encoder(folder / 'encoder'), coder=True)


def test_a_column_of_numbers_is_refused(cli, tmp_path, coder_bundle):
    rows = {'revenue': ['1,200', '$3400.50', ''], 'what': ['a farm', 'a bar', 'x']}
    source, out = tmp_path / 'firms.csv', tmp_path / 'out.csv'
    pl.DataFrame(rows).write_csv(source)
    arguments = ('code', source, '-o', out, '--bundle', coder_bundle)
    done = cli(*arguments, '--text-column', 'revenue')
    assert done.status == 2
    assert "the column 'revenue' holds numbers, such as '1,200', not descriptions" in done.err
    done = cli(*arguments, '--text-column', 'what')
    assert done.status == 0, done.err
    assert 'sure, ' in done.err
    assert 'to review' in done.err


def test_metrics_has_fifteen_named_lines_by_default():
    assert len(MAIN) == 15
    assert not any('_' in said or '/' in said for said in MAIN.values())


def test_metrics_can_be_all_or_filtered(cli, bundle_path):
    done = cli('metrics', '--filter', 'mrr', '--bundle', bundle_path)
    assert done.status == 0
    assert 'test/index/mrr' in done.out
    assert 'health' not in done.out
    assert '1 of 3 metrics; --all shows every one' in done.err
    assert cli('metrics', '--all', '--bundle', bundle_path).out.count('\n') == 4
    assert 'no regular expression' in cli('metrics', '--filter', '(', '--bundle', bundle_path).err
    assert 'no metric matches' in cli('metrics', '--filter', 'zzz', '--bundle', bundle_path).err
    kept = json.loads(cli('metrics', '--json', '--filter', 'nan', '--bundle', bundle_path).out)
    assert list(kept) == ['health/nan']


def test_show_is_the_card_of_a_code(cli, bundle_path):
    done = cli('show', '812910', '--bundle', bundle_path)
    assert done.status == 0
    assert done.out.startswith('812910  Pet Care')
    content = json.loads(cli('show', '812910', '--json', '--bundle', bundle_path).out)
    assert content['code'] == '812910'


def test_show_builds_no_starter(cli, monkeypatch):
    monkeypatch.setenv('NAICS_EMBED_STARTER', 'on')
    done = cli('show', '31-33')
    assert done.status == 0, done.err
    assert done.out.startswith('31-33  Manufacturing  (NAICS 2022)')
    assert '311    Food Manufacturing' in done.out
    assert 'similar codes' not in done.out
    assert 'nothing is trained here' in done.err
    assert 'building a starter' not in done.err
    content = json.loads(cli('show', '812910', '--json').out)
    assert [step['code'] for step in content['path']] == ['81', '812', '8129', '81291', '812910']
    assert 'is not a code of NAICS 2022' in cli('show', '999999').err
