"""What a start loads; a command that reads nothing must not wait for torch or Prefect."""

import json
import os
import subprocess
import sys

import pytest

from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

HEAVY = {
    'lightning',
    'mlflow',
    'numpy',
    'peft',
    'polars',
    'prefect',
    'pyarrow',
    'scipy',
    'sklearn',
    'torch',
    'transformers',
}
REPORT = """
import json, sys
{start}
sys.stderr.write('\\n' + json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))
"""
COMMAND = """
from naics_embed.cli.main import main
sys.argv = ['naics-embed', *{arguments}]
try:
    main()
except SystemExit as stopped:
    assert not stopped.code, stopped.code
"""


def loaded(start: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after some statements."""
    done = subprocess.run(
        [sys.executable, '-c', REPORT.format(start=start)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {'COLUMNS': '120'},
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_the_package_alone_loads_nothing_heavy():
    names = loaded('import naics_embed; naics_embed.__version__')
    assert 'naics_embed' in names
    assert not names & HEAVY


@pytest.mark.parametrize(
    'arguments', [['--help'], ['--version'], ['search', '--help'], ['run', '--help']], ids=' '.join
)
def test_help_loads_nothing_heavy(arguments):
    names = loaded(COMMAND.format(arguments=arguments))
    assert {'naics_embed', 'typer'} <= names
    assert ('flows' in names) == (arguments[0] != 'search')
    # typer's help in boxes would load a parser of Markdown and a highlighter.
    assert not names & (HEAVY | {'markdown_it', 'pygments'})


def test_the_configuration_needs_neither_torch_nor_prefect():
    names = loaded(COMMAND.format(arguments=['config', '--json']))
    assert 'omegaconf' in names
    assert not names & {'torch', 'transformers', 'prefect', 'mlflow', 'lightning'}


def test_metrics_and_tables_need_no_torch(bundle_path, tmp_path):
    out = str(tmp_path / 'table.npz')
    for command in (['metrics'], ['export', '-o', out]):
        names = loaded(COMMAND.format(arguments=[*command, '--bundle', str(bundle_path)]))
        assert 'naics_embed' in names
        assert not names & {'torch', 'transformers', 'prefect', 'mlflow', 'lightning'}


def test_a_first_answer_loads_neither_torch_nor_pandas(tmp_path):
    encoder = write_tiny_encoder(tmp_path / 'encoder')
    bundle = write_tiny_bundle(tmp_path / 'bundle', encoder, coder=True)
    names = loaded(COMMAND.format(arguments=['search', 'corn farming', '--bundle', str(bundle)]))
    assert 'polars' in names
    # Each took a second of the first answer, and torch two.
    assert not names & {'pandas', 'scipy', 'sklearn', 'sympy', 'torch', 'transformers'}


def test_the_bundle_is_loaded_without_the_searcher():
    names = loaded('from naics_embed import Bundle; Bundle.load')
    assert 'polars' in names
    assert not names & {'torch', 'transformers'}
