import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer

import naics_embed
from naics_embed.artifacts import read_json
from naics_embed.bundle.promotion import ROOT_VARIABLE, promote
from naics_embed.bundle.storage import Bundle
from naics_embed.cli import main as entry
from naics_embed.cli.groups import Group
from naics_embed.search.searcher import Searcher
from tests.tiny_bundle import FACTS, METRICS, SPACE, change_manifest

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
TEXTS = ['Soybean Farming', 'dog grooming salon']


def message_of(outcome) -> str:
    """The message of a user's error: one paragraph, nothing on stdout, status 2."""
    assert outcome.status == 2
    assert outcome.out == ''
    assert outcome.err.startswith('naics-embed: ')
    assert outcome.err.count('\n') == 1
    assert outcome.err.endswith('\n')
    assert 'Traceback' not in outcome.err
    return outcome.err


def refused(outcome) -> str:
    """The message of wrong usage, which typer writes."""
    assert outcome.status == 2
    assert outcome.out == ''
    assert 'Usage:' in outcome.err
    assert 'Traceback' not in outcome.err
    return outcome.err


def listed(help_text: str) -> set[str]:
    """Names of the commands that a help text lists."""
    words = [line.strip('│ ').split() for line in help_text.splitlines()]
    return {line[0] for line in words if line}


def test_search_as_json_is_what_the_library_finds(cli, bundle_path):
    done = cli('search', *TEXTS, '--json', '-k', 3, '--level', 4, '--bundle', bundle_path)
    assert (done.status, done.err) == (0, '')
    wanted = Searcher.load(bundle_path).search(TEXTS, k=3, level=4)
    rows = json.loads(done.out)
    assert [row['text'] for row in rows] == TEXTS
    assert [row['hits'] for row in rows] == [[vars(hit) for hit in hits] for hits in wanted]
    assert set(rows[0]['hits'][0]) == {
        'code',
        'official',
        'title',
        'level',
        'distance',
        'probability',
    }


def test_search_for_people(cli, bundle_path):
    done = cli('search', *TEXTS, '--bundle', bundle_path)
    assert (done.status, done.err) == (0, '')
    lines = [line.rstrip() for line in done.out.splitlines()]
    for text in TEXTS:
        start = lines.index(text)
        assert lines[start + 1].split() == ['code', 'title', 'distance', 'probability']
        [hits] = Searcher.load(bundle_path).search([text])
        for hit, line in zip(hits, lines[start + 2 : start + 7], strict=True):
            assert line.startswith(f'{hit.official} ')
            assert hit.title in line
            assert line.split()[-2:] == [f'{hit.distance:.2f}', f'{hit.probability:.2f}']


def test_search_shows_the_official_spelling(cli, bundle_path):
    done = cli('search', 'farm', '--level', 2, '-k', 20, '--bundle', bundle_path)
    assert '31-33 ' in done.out


@pytest.mark.parametrize('text', ['dogs [/b] and cats', '[red]paint', 'a :dog: salon'])
def test_a_text_is_not_markup(cli, bundle_path, text):
    done = cli('search', text, '-k', 1, '--bundle', bundle_path)
    assert done.status == 0
    assert done.out.splitlines()[0].rstrip() == text


def test_search_takes_the_promoted_table(cli, bundle_path, tmp_path, monkeypatch):
    promote(tmp_path / 'root', bundle_path, {})
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / 'root'))
    named = cli('search', 'farm', '--json', '--bundle', bundle_path)
    assert cli('search', 'farm', '--json') == named
    assert named.status == 0


@pytest.mark.parametrize(
    'command', [['search', 'farm'], ['metrics'], ['export', '-o', 'table.csv']]
)
def test_no_table_is_a_message(cli, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    message = message_of(cli(*command))
    assert '--bundle' in message
    assert 'make run' in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    'command', [['search', 'farm'], ['metrics'], ['export', '-o', 'table.csv']]
)
def test_a_folder_that_is_no_bundle(cli, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    assert 'nowhere is no bundle' in message_of(cli(*command, '--bundle', 'nowhere'))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['search', ''], 'text 0 is empty'),
        (['search', 'farm', ' '], 'text 1 is empty'),
        (['search', 'caf\udce9'], 'text 0 is not valid Unicode'),
        (['search', 'farm', '-k', '0'], 'k must be at least 1'),
        (['search', 'farm', '--level', '7'], 'level must be one of'),
    ],
)
def test_what_a_search_refuses(cli, bundle_path, arguments, message):
    assert message in message_of(cli(*arguments, '--bundle', bundle_path))


def test_an_altered_bundle(cli, copy):
    with (copy / 'encoder' / 'head.safetensors').open('ab') as stream:
        stream.write(b'\0')
    assert 'head.safetensors was altered' in message_of(cli('search', 'farm', '--bundle', copy))


def test_a_bundle_of_another_version(cli, copy):
    change_manifest(copy, format=99)
    assert 'format 99' in message_of(cli('metrics', '--bundle', copy))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['search'], "'texts'"),
        (['search', 'farm', '-k', 'many'], "'-k'"),
        (['search', 'farm', '--colour'], '--colour'),
        (['export'], '--out'),
        (['export', '-o', 'a.txt', '--format', 'xml'], 'xml'),
        (['nothing'], 'nothing'),
    ],
)
def test_wrong_usage(cli, arguments, message):
    assert message in refused(cli(*arguments))


def test_metrics_as_json(cli, bundle_path):
    done = cli('metrics', '--json', '--bundle', bundle_path)
    assert (done.status, done.err) == (0, '')
    assert json.loads(done.out) == METRICS


def test_metrics_for_people(cli, bundle_path):
    done = cli('metrics', '--bundle', bundle_path)
    assert (done.status, done.err) == (0, '')
    lines = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()[1:]}
    assert lines == {
        'test/index/mrr': ['0.8125', '0.7550', 'class', 'mean'],
        'test/index/queries': ['3,088'],
        'health/nan': ['0.0000'],
    }


@pytest.mark.parametrize('how', ['ending', 'option'])
@pytest.mark.parametrize('kind', ['parquet', 'csv', 'npz'])
def test_an_export_is_the_table(cli, bundle_path, tmp_path, kind, how):
    out = tmp_path / (f'table.{kind}' if how == 'ending' else 'table.bin')
    option = [] if how == 'ending' else ['--format', kind]
    done = cli('export', '-o', out, *option, '--bundle', bundle_path)
    assert (done.status, done.out) == (0, '')
    assert '2,125 codes' in done.err
    bundle = Bundle.load(bundle_path)
    table = bundle.codes()
    if kind == 'parquet':
        assert pl.read_parquet(out).equals(table)
    elif kind == 'csv':
        assert pl.read_csv(out, schema=table.schema).equals(table)
    else:
        with np.load(out, allow_pickle=False) as arrays:
            assert arrays['code'].tolist() == table['code'].to_list()
            assert arrays['level'].tolist() == table['level'].to_list()
            np.testing.assert_array_equal(arrays['coordinates'], bundle.tangents())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        out.name,
        f'{out.name}.manifest.json',
    ]


def test_the_manifest_beside_an_export(cli, bundle_path, tmp_path):
    cli('export', '-o', tmp_path / 'table.csv', '--bundle', bundle_path)
    manifest = read_json(tmp_path / 'table.csv.manifest.json')
    assert manifest['space'] == vars(SPACE)
    assert manifest['codes'] == 2125
    assert manifest['source'] == FACTS['source']
    assert manifest['library_version'] == naics_embed.__version__
    assert 'geodesic' in manifest['distance']


def test_an_export_replaces_a_file(cli, bundle_path, tmp_path):
    (tmp_path / 'table.csv').write_text('old')
    assert cli('export', '-o', tmp_path / 'table.csv', '--bundle', bundle_path).status == 0
    assert (tmp_path / 'table.csv').read_text().startswith('code,official,')


@pytest.mark.parametrize(
    ('out', 'message'),
    [
        ('none/table.csv', 'none does not exist'),
        ('folder.csv', 'folder.csv is a folder'),
        ('table', '--format parquet, csv, npz'),
        ('table.xlsx', '--format parquet, csv, npz'),
    ],
)
def test_where_no_export_can_go(cli, bundle_path, tmp_path, monkeypatch, out, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'folder.csv').mkdir()
    assert message in message_of(cli('export', '-o', out, '--bundle', bundle_path))
    assert [path.name for path in tmp_path.iterdir()] == ['folder.csv']


def test_config_tells_where_values_come_from(cli):
    done = cli('config', 'model.dim=12', '--profile', 'smoke', '--json')
    assert (done.status, done.err) == (0, '')
    rows = json.loads(done.out)
    assert rows['model.dim'] == {'value': 12, 'origin': 'override'}
    assert rows['data.cache'] == {'value': '.cache/census', 'origin': 'base.yaml'}
    origins = {row['origin'] for row in rows.values()}
    assert origins == {'override', 'base.yaml', 'profiles/smoke.yaml'}


def test_config_for_people(cli):
    done = cli('config', 'model.dim=12', 'data.folder=null')
    assert (done.status, done.err) == (0, '')
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()[1:] if line.split()}
    assert rows['model.dim'] == ['12', 'override']
    assert rows['data.folder'] == ['null', 'override']
    assert rows['data.source'] == ['"auto"', 'base.yaml']


def test_config_of_another_folder(cli, tmp_path):
    base = (CONFIGS / 'base.yaml').read_text(encoding='utf-8')
    (tmp_path / 'profiles').mkdir()
    (tmp_path / 'profiles' / 'mine.yaml').write_text('model:\n  dim: 7\n')
    (tmp_path / 'base.yaml').write_text(base)
    done = cli('config', '--config-folder', tmp_path, '--profile', 'mine', '--json')
    row = json.loads(done.out)['model.dim']
    assert row == {'value': 7, 'origin': 'profiles/mine.yaml'}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['model.dims=12'], 'did you mean model.dim?'),
        (['model.dim=wide'], 'is not of type int'),
        (['model.dim'], 'key=value'),
        (['--profile', 'none'], "no profile 'none'; profiles: ablation, cpu, gpu, smoke"),
        (['--config-folder', '/nonexistent'], '--config-folder'),
    ],
)
def test_what_config_refuses(cli, arguments, message):
    assert message in message_of(cli('config', *arguments))


def test_version(cli):
    done = cli('--version')
    assert (done.status, done.out, done.err) == (0, f'{naics_embed.__version__}\n', '')


def test_without_a_command_there_is_help(cli):
    done = cli()
    assert done.status == 2
    assert {'search', 'metrics', 'export', 'config'} <= listed(done.err)
    assert done.out == ''


def test_in_the_checkout_the_pipeline_joins(cli):
    done = cli('--help')
    assert done.status == 0
    assert {'search', 'metrics', 'export', 'config', *entry.PIPELINE_COMMANDS} <= listed(done.out)
    assert 'Needs a checkout' not in done.out
    assert '--refresh' in cli('run', '--help').out


def test_every_pipeline_command_is_known_outside_too():
    from flows.cli.commands import app

    names = {
        command.name or command.callback.__name__.replace('_', '-')
        for command in app.registered_commands
    }
    assert names == set(entry.PIPELINE_COMMANDS)
    assert isinstance(app, typer.Typer)


@pytest.fixture
def installed(monkeypatch):
    """As if the package did not lie in a checkout."""
    monkeypatch.setattr(entry, 'checkout', lambda: None)


@pytest.mark.usefixtures('installed')
@pytest.mark.parametrize('command', entry.PIPELINE_COMMANDS)
def test_outside_a_checkout_the_pipeline_says_so(cli, command):
    arguments = ['all', '--profile', 'smoke', 'model.dim=4'] if command == 'data' else ['--quiet']
    assert 'works in a checkout' in message_of(cli(command, *arguments))


@pytest.mark.usefixtures('installed')
def test_outside_a_checkout_the_reading_commands_work(cli, bundle_path):
    assert cli('metrics', '--json', '--bundle', bundle_path).status == 0
    done = cli('--help')
    assert {'search', 'metrics', 'export', 'config', *entry.PIPELINE_COMMANDS} <= listed(done.out)
    assert done.out.count('Needs a checkout') == len(entry.PIPELINE_COMMANDS)


def test_the_checkout_is_found():
    assert entry.checkout() == CONFIGS.parent


def test_a_bug_keeps_its_traceback(cli, bundle_path, monkeypatch):
    def broken(self, *_, **__):
        raise ZeroDivisionError('a bug')

    monkeypatch.setattr(Searcher, 'search', broken)
    with pytest.raises(ZeroDivisionError, match='a bug'):
        cli('search', 'farm', '--bundle', bundle_path)


FULL_DISK = """
import resource, sys
from naics_embed.cli.main import main

# A file may not grow beyond this: writing fails as it does on a full disk.
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
sys.argv = ['naics-embed', *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize('kind', ['parquet', 'csv', 'npz'])
def test_an_export_that_finds_no_room_is_a_clear_error(bundle_path, tmp_path, kind):
    out = tmp_path / f'table.{kind}'
    out.write_text('as it was')
    done = subprocess.run(
        [sys.executable, '-c', FULL_DISK, 'export', '-o', str(out), '--bundle', str(bundle_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert f'naics-embed: {out} could not be written: ' in done.stderr
    assert 'Traceback' not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert out.read_text() == 'as it was'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('search', 'farm', '--table', 'x'), '--table is now --bundle'),
        (('search', 'farm', '--support=2'), '--support is now --evidence'),
        (('concord', '541870', '--shares', 'text'), '--shares is now --fractions'),
    ],
)
def test_an_option_of_before_names_its_new_name(cli, arguments, message):
    done = cli(*arguments)
    assert (done.status, done.err.strip()) == (2, f'naics-embed: {message}')


def test_what_follows_two_dashes_is_a_text(cli, bundle_path):
    assert cli('search', '--bundle', bundle_path, '--', '--table').status == 0


def test_every_command_is_in_a_group_and_the_groups_keep_their_order(cli):
    from flows.cli.commands import app

    registered = [*entry.app.registered_commands, *app.registered_commands]
    assert {command.rich_help_panel for command in registered} == set(Group)
    done = cli('--help')
    titles = re.findall(r'^(\w+):$', done.out, re.MULTILINE)
    assert [title for title in titles if title != 'Options'] == [group.value for group in Group]
    assert cli('--help').out == done.out


COMPLETION = """
import sys
from naics_embed.cli.main import main

sys.argv = ['naics-embed']
main()
"""


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        ('naics-embed sim', ['similar']),
        ('naics-embed pro', ['promote']),
        ('naics-embed export --format saf', ['safetensors']),
        ('naics-embed search --conf', ['--confidence']),
    ],
)
def test_the_shell_completes_commands_options_and_choices(words, expected):
    done = subprocess.run(
        [sys.executable, '-c', COMPLETION],
        env=os.environ
        | {
            '_NAICS_EMBED_COMPLETE': 'complete_bash',
            'COMP_WORDS': words,
            'COMP_CWORD': str(len(words.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == expected
