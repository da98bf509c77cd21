"""Every command and every Python block in README and docs: run where that is cheap, else checked.

A new command is run or checked without being named here. One that neither can be done with needs a
line in `EXEMPT`, with the reason.
"""

import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from naics_embed.artifacts import MANIFEST, checksum, read_json
from naics_embed.atlas.layout import write_disk
from naics_embed.bundle.promotion import ROOT_VARIABLE, promote
from naics_embed.bundle.storage import DISK, Bundle
from naics_embed.cli import main as entry
from naics_embed.config.load import RENAMED, load_config
from naics_embed.config.sections import flat
from tests.docs.checks import CHECKS, CONFIGS, check, check_variable, own_commands
from tests.docs.documents import (
    Command,
    block_commands,
    blocks,
    documents,
    inline_commands,
)
from tests.tiny_bundle import change_manifest, write_tiny_bundle, write_tiny_encoder

EXEMPT = {
    'git clone': 'needs the open network',
    'cd naics-embed': 'follows git clone',
    'naics-embed assess review:': 'needs a store with decisions; tests/review assesses one',
    'naics-embed search we sell steel': 'needs a bundle of the pipeline, which keeps '
    'scores; tests/search/test_questions.py asks one',
    'curl': 'needs the service, which its own tests start and ask',
}
"""Beginning of a command that is neither run nor checked → why."""

NOT_RUN = {
    'run': 'trains; tests/flows/test_pipeline.py runs the flow on a miniature',
    'train': 'trains; as run',
    'data': 'starts Prefect; as run',
    'evaluate': 'trains; as run',
    'bundle': 'trains; as run',
    'refine': 'trains; as run',
    'regress': 'starts Prefect; as run',
    'investigate': 'starts Prefect; tests/flows/test_ground_truth_flow.py runs its flow',
    'report': 'needs a run or opens a browser; tests/cli/test_report_command.py runs it',
    'serve': 'goes on until it is stopped; tests/service runs the app',
    'mcp': 'goes on until its client leaves; tests/mcp_server talks to it',
    'code-batch': 'starts Prefect and Dask; tests/flows/test_code_batch.py runs its flow',
    'learn': 'needs a table of labels; tests/cli/test_learn.py runs it on the tiny bundle',
    'monitor': 'needs coded tables; tests/cli/test_monitor.py runs it',
    'keys': 'changes a file of keys; tests/service/test_keys.py runs its commands',
    'review': 'needs a store with users; tests/review runs its commands',
    'gpu': 'measures steps of the real backbone; tests/training/test_memory.py measures a tiny one',
}
"""Commands of naics-embed that are checked, not run → why."""

MAY_FAIL = {'doctor': 'reports on the machine that runs the tests'}

PYTHON_NOT_RUN = {
    'usearch.index': 'needs usearch, no dependency; benchmarks/vector_search.py runs the same',
    'mlflow.pyfunc.load_model': 'needs a registry; tests/tasks/test_registry.py loads from one',
}
"""What a Python block that is only compiled calls → why."""

DOTTED = re.compile(r'(?<!`)`([a-z_]+(?:\.[a-z_]+)+)(?:=[^`]*)?`(?!`)')
FILE_ENDINGS = {'db', 'py', 'json', 'md', 'html', 'yaml', 'parquet', 'safetensors'}
TAGS = {'promotion.reason'}
"""Dotted names of MLflow tags."""
LISTS_OLD_NAMES = 'terms.md'
"""The page that may name keys of earlier versions."""

NAMES = ('naics-embed', '.venv/bin/naics-embed')
IN_BLOCKS = [command for path in documents() for command in block_commands(path)]
INLINE = [command for path in documents() for command in inline_commands(path)]
PYTHON = [block for path in documents() for block in blocks(path) if block.language == 'python']


def exempt(command: Command) -> bool:
    return any(' '.join(command.words).startswith(start) for start in EXEMPT)


def runnable(command: Command) -> bool:
    words = command.words
    return (
        not command.inline
        and len(words) > 1
        and words[0] in NAMES
        and words[1] not in NOT_RUN
        and not exempt(command)
    )


def test_the_documents_are_read():
    assert len(IN_BLOCKS) > 60
    assert len(INLINE) > 30
    assert len(PYTHON) >= 8
    assert sum(map(runnable, IN_BLOCKS)) > 20
    assert {command.words[0] for command in IN_BLOCKS} >= {'naics-embed', 'make', 'prefect'}


@pytest.mark.parametrize('command', [c for c in IN_BLOCKS + INLINE if not exempt(c)], ids=str)
def test_a_command_exists(command):
    words = command.words
    assert words[0] in CHECKS, f'{command}: teach tests/docs/checks.py this program'
    for variable in command.assignments:
        check_variable(variable)
    check(words, inline=command.inline)


def test_no_reason_outlives_its_command():
    shown = [' '.join(command.words) for command in IN_BLOCKS + INLINE]
    unused = [start for start in EXEMPT if not any(text.startswith(start) for text in shown)]
    assert set(unused) <= {'curl'}
    assert set(NOT_RUN) | set(MAY_FAIL) <= set(own_commands())
    texts = [block.text for block in PYTHON]
    assert all(any(call in text for text in texts) for call in PYTHON_NOT_RUN)


def draw_disk(bundle: Path) -> None:
    """Give a bundle points of the disk, on a circle."""
    codes = Bundle.load(bundle, verify=False).codes()['code'].to_list()
    angle = np.arange(len(codes)) * 0.01
    write_disk(bundle / DISK, codes, 0.9 * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    files = read_json(bundle / MANIFEST)['files'] | {DISK: checksum(bundle / DISK)[0]}
    change_manifest(bundle, files=files)


@pytest.fixture(scope='module')
def finished(tmp_path_factory) -> Path:
    """An artifact root with two bundles, one of them promoted, and two runs in MLflow."""
    from mlflow import MlflowClient

    root: Path = tmp_path_factory.mktemp('finished') / 'artifacts'
    encoder = write_tiny_encoder(root.parent / 'encoder')
    first = root / 'export' / 'KEY_A' / 'bundle'
    first.parent.mkdir(parents=True)
    write_tiny_bundle(first, encoder, coder=True)
    draw_disk(first)
    for key in ('KEY', 'KEY_B'):
        shutil.copytree(first, root / 'export' / key / 'bundle')
    client = MlflowClient(tracking_uri=f'sqlite:///{root / "mlflow.db"}')
    experiment = client.create_experiment('naics-embed', artifact_location=root.as_uri())
    runs = []
    for dim in (8, 16):
        run = client.create_run(experiment, run_name='pipeline').info.run_id
        client.log_param(run, 'model.dim', dim)
        client.log_metric(run, 'health/radius_mean', 2.0)
        for step in range(2):
            client.log_metric(run, 'train/loss', dim / (step + 1), step=step)
        runs.append(run)
    promote(root, root / 'export' / 'KEY_B' / 'bundle', {'run': runs[0]})
    promote(root, root / 'export' / 'KEY' / 'bundle', {'run': runs[0]})
    return root


@pytest.fixture
def place(finished, tmp_path, monkeypatch) -> Path:
    """A working directory in which the documents' file names exist."""
    root = tmp_path / 'artifacts'
    root.mkdir()
    for path in finished.iterdir():
        if path.name == 'promoted.json':
            shutil.copy(path, root / path.name)
        else:
            (root / path.name).symlink_to(path)
    (tmp_path / 'BUNDLE').symlink_to(finished / 'export' / 'KEY' / 'bundle')
    pl.DataFrame(
        {
            'name': ['Rex & Co', 'Miller Farms'],
            'what': ['dog grooming', 'corn farming'],
            'naics': ['812910', '511210'],
        }
    ).write_csv(tmp_path / 'firms.csv')
    pl.DataFrame({'source': ['7379'], 'target': ['541512'], 'weight': [3]}).write_csv(
        tmp_path / 'counts.csv'
    )
    (tmp_path / 'own.json').write_text('{"1.1": "Bureau of Labor"}')
    monkeypatch.chdir(tmp_path)
    for name in (ROOT_VARIABLE, 'PREFECT_API_URL', 'MLFLOW_TRACKING_URI'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr('webbrowser.open', lambda *_: True)
    return tmp_path


@pytest.mark.usefixtures('place')
@pytest.mark.filterwarnings('ignore::UserWarning')
@pytest.mark.parametrize('command', [c for c in IN_BLOCKS if runnable(c)], ids=str)
def test_a_command_runs(command, monkeypatch, capsys):
    own = [c for c in entry.app.registered_commands if c.callback.__module__.startswith('naics')]
    monkeypatch.setattr(entry.app, 'registered_commands', own)
    monkeypatch.setattr('sys.argv', ['naics-embed', *command.words[1:]])
    with pytest.raises(SystemExit) as stopped:
        entry.main()
    written = capsys.readouterr()
    allowed = (0, None, 1) if command.words[1] in MAY_FAIL else (0, None)
    assert stopped.value.code in allowed, f'{command}\n{written.err}'
    assert written.out or written.err


@pytest.mark.usefixtures('place')
@pytest.mark.parametrize('block', PYTHON, ids=str)
def test_a_python_block_runs(block):
    code = compile(block.text, str(block), 'exec')
    if any(call in block.text for call in PYTHON_NOT_RUN):
        return
    exec(code, {'__name__': 'documented'})


def test_configuration_keys_in_sentences_exist():
    config = load_config(CONFIGS, 'cpu').config
    keys = set(flat(config))
    sections = {key.rsplit('.', depth)[0] for key in keys for depth in range(1, key.count('.') + 1)}
    tops = {key.partition('.')[0] for key in keys}
    wrong = []
    for path in documents():
        known = {*keys, *sections, *TAGS, *(RENAMED if path.name == LISTS_OLD_NAMES else ())}
        for name in DOTTED.findall(path.read_text(encoding='utf-8')):
            first, _, last = name.partition('.')[0], *name.rpartition('.')[1:]
            if first in tops and last not in FILE_ENDINGS and name not in known:
                wrong.append(f'{path.name}: {name}')
    assert wrong == []


@pytest.mark.parametrize('page', ['docs/concepts/pipeline.md'])
def test_the_graph_of_the_pages_is_that_of_the_stages(page):
    from flows.pipeline import PIPELINE

    text = (CONFIGS.parent / page).read_text(encoding='utf-8')
    assert f'```mermaid\n{PIPELINE.mermaid()}```' in text, f'write naics-embed graph into {page}'
