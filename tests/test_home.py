"""Users without a home directory, as containers and services have them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from naics_embed.home import NO_HOME, home_error, home_folder, in_home

ROOT = Path(__file__).resolve().parents[1]
NO_ENTRY = '54321'
COMMAND = [sys.executable, '-m', 'naics_embed']


def _lost() -> str:
    raise RuntimeError(f'{NO_HOME}.')


@pytest.fixture
def homeless(monkeypatch):
    def expanduser(path):
        return _lost() if str(path).startswith('~') else path

    monkeypatch.setattr(Path, 'home', _lost)
    monkeypatch.setattr(Path, 'expanduser', expanduser)


def test_paths_of_a_user_without_a_home(homeless):
    assert home_folder() is None
    assert in_home('~/.netrc') is None
    assert in_home('/etc') == Path('/etc')


def test_paths_of_a_user_with_one(monkeypatch, tmp_path):
    monkeypatch.setenv('HOME', str(tmp_path))
    assert home_folder() == tmp_path
    assert in_home('~/x') == tmp_path / 'x'


def test_only_that_error_is_explained():
    assert home_error(RuntimeError('something else')) is None
    assert 'export HOME=FOLDER' in str(home_error(RuntimeError(f'{NO_HOME}.')))


def _without_home(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user without HOME and without an entry in /etc/passwd."""
    user = ['unshare', '--user', f'--map-user={NO_ENTRY}', f'--map-group={NO_ENTRY}']
    if shutil.which('unshare') is None or subprocess.run([*user, 'true'], check=False).returncode:
        pytest.skip('this machine gives no user namespaces')
    environment = {name: value for name, value in os.environ.items() if name != 'HOME'}
    return subprocess.run(
        [*user, *COMMAND, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment | {'COLUMNS': '200'},
        check=False,
    )


def test_doctor_says_that_there_is_none(tmp_path):
    done = _without_home('doctor', '--root', str(tmp_path), '--timeout', '0.1')
    assert 'Traceback' not in done.stderr
    assert 'this user has no entry in /etc/passwd' in done.stdout
    assert 'export HOME=FOLDER' in done.stdout


def test_the_pipeline_ends_with_a_sentence():
    pytest.importorskip('prefect')
    done = _without_home('data', 'codebook', '--profile', 'smoke', 'data.source=package')
    assert (done.returncode, done.stdout) == (2, '')
    assert 'Traceback' not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith('naics-embed: there is no home directory: HOME is not set')


@pytest.mark.parametrize('encoding', ['cp1252', 'ascii', 'ascii:surrogateescape'])
def test_characters_that_an_encoding_lacks_are_escaped(encoding, tmp_path):
    done = subprocess.run(
        [*COMMAND, 'doctor', '--root', str(tmp_path / 'none'), '--timeout', '0.1'],
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {'PYTHONIOENCODING': encoding},
        check=False,
    )
    assert b'Error' not in done.stderr, done.stderr.decode()
    assert rb'\u2192 make run' in done.stdout
