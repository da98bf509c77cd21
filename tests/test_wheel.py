"""The wheel as a stranger gets it: built, installed beside what it requires, used elsewhere.

The new environment holds what the wheel's metadata asks for, and what that asks for, and no more.
These distributions are links to the ones that are installed here: nothing is fetched or copied.
"""

import email
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import naics_embed
from naics_embed.search.searcher import Searcher
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ('pyproject.toml', 'README.md', 'LICENSE', '.gitignore')
FOLDERS = ('naics_embed', 'flows', 'tasks', 'configs', 'tests')
QUERY = 'dog grooming salon'
PIP = (sys.executable, '-m', 'pip', '--disable-pip-version-check', '--python')


def run(*command: object, cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a command that sees nothing of this checkout."""
    hidden = ('PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV', 'NAICS_EMBED_HOME')
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name not in hidden},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope='module')
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix='naics-embed-wheel-') as name:
        yield Path(name)


@pytest.fixture(scope='module')
def wheel(folder) -> Path:
    """The wheel, built from a copy of the tree."""
    source = folder / 'source'
    source.mkdir()
    for name in SOURCES:
        shutil.copyfile(ROOT / name, source / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns('__pycache__'))
    done = run(
        *(sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation'),
        *('--wheel-dir', folder / 'dist', source),
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = (folder / 'dist').iterdir()
    return built


def required(lines: Iterable[str]) -> dict[str, Distribution]:
    """Return what requirements need, directly or by others, as it is installed here."""
    result: dict[str, Distribution] = {}
    left = [(Requirement(line), '') for line in lines]
    while left:
        expected, extra = left.pop()
        if expected.marker and not expected.marker.evaluate({'extra': extra}):
            continue
        name = canonicalize_name(expected.name)
        if name in result and not expected.extras:
            continue
        result[name] = distribution(name)
        requested = [Requirement(line) for line in result[name].requires or ()]
        left += [(one, chosen) for chosen in ('', *expected.extras) for one in requested]
    return result


def link(needed: dict[str, Distribution], site: Path) -> None:
    """Link the packages, modules and metadata of distributions into a site directory."""
    owners: dict[str, str] = {}
    for name, one in needed.items():
        parts = {file.parts[0] for file in one.files or ()} - {'..', '__pycache__'}
        assert parts, f'{name} has no list of its files'
        for part in parts:
            assert owners.setdefault(part, name) == name, f'{part} has two owners'
            (site / part).symlink_to(Path(str(one.locate_file(part))))


@pytest.fixture(scope='module')
def environment(folder, wheel) -> Path:
    """Directory of the commands of an environment with the wheel and what it requires."""
    place = folder / 'environment'
    built = run(sys.executable, '-m', 'venv', '--without-pip', place, cwd=folder)
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith('.dist-info/METADATA')]
        requested = email.message_from_bytes(archive.read(metadata)).get_all('Requires-Dist')
    [site] = place.glob('lib/python*/site-packages')
    link(required(requested), site)
    # Without an index pip refuses whatever is not there in a version that the wheel allows.
    done = run(
        *(*PIP, place, 'install', '--no-index', '--quiet'),
        *('-c', ROOT / 'constraints.txt', wheel),
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place / 'bin'


@pytest.fixture(scope='module')
def bundle_path(folder) -> Path:
    return write_tiny_bundle(folder / 'bundle', write_tiny_encoder(folder / 'encoder'))


@pytest.fixture
def elsewhere(tmp_path, environment):
    """Run ``naics-embed`` of the new environment in an empty directory."""

    def command(*arguments: object) -> subprocess.CompletedProcess[str]:
        return run(environment / 'naics-embed', *arguments, cwd=tmp_path)

    return command


def test_the_wheel_holds_the_library_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(name for name in names if name.endswith('.dist-info/METADATA'))
        lines = archive.read(metadata).decode().splitlines()
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / 'naics_embed').rglob('*')
        if path.suffix in {'.py', '.csv', '.html', '.css', '.js', '.svg'}
    }
    assert {'naics_embed/data/panel.csv', 'naics_embed/data/plain_language.csv'} <= expected
    assert 'naics_embed/service/static/index.html' in expected
    assert expected <= names
    info = f'naics_embed-{naics_embed.__version__}.dist-info'
    assert {name.split('/')[0] for name in names} == {'naics_embed', info}
    assert f'{info}/licenses/LICENSE' in names
    assert {'Name: naics-embed', f'Version: {naics_embed.__version__}'} <= set(lines)


def test_the_new_environment_has_its_own_library(environment, tmp_path):
    code = 'import naics_embed; print(naics_embed.__file__)'
    done = run(environment / 'python', '-c', code, cwd=tmp_path)
    assert Path(done.stdout.strip()).is_relative_to(environment.parent.resolve())
    checked = run(*PIP, environment.parent, 'check', cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout


def test_neither_torch_nor_what_training_needs_is_installed(environment, tmp_path):
    done = run(*PIP, environment.parent, 'list', '--format', 'json', cwd=tmp_path)
    names = {row['name'].lower() for row in json.loads(done.stdout)}
    assert {'naics-embed', 'numpy', 'polars', 'tokenizers'} <= names
    assert not names & {'torch', 'transformers', 'prefect', 'mlflow', 'lightning', 'peft', 'geoopt'}


def test_a_search(elsewhere, bundle_path):
    done = elsewhere('search', QUERY, '--bundle', bundle_path, '--json')
    assert done.returncode == 0, done.stderr
    [row] = json.loads(done.stdout)
    assert row['text'] == QUERY
    [expected] = Searcher.load(bundle_path).search([QUERY])
    assert [hit['code'] for hit in row['hits']] == [hit.code for hit in expected]
    assert [hit['distance'] for hit in row['hits']] == pytest.approx(
        [hit.distance for hit in expected], abs=1e-4
    )


def test_metrics_and_tables(elsewhere, bundle_path, tmp_path):
    assert 'class mean' in elsewhere('metrics', '--bundle', bundle_path).stdout
    done = elsewhere('export', '-o', 'table.csv', '--bundle', bundle_path)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / 'table.csv').read_text(encoding='utf-8').splitlines()) == 2126


def test_the_texts_of_the_project_can_be_read(environment, tmp_path):
    code = (
        'from naics_embed.data.plain_language import read_corpus, read_panel; '
        'print(len(read_corpus()), len(read_panel()))'
    )
    done = run(environment / 'python', '-c', code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(int(count) > 0 for count in done.stdout.split())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['run'], 'works in a checkout of the project'),
        (['train', '--profile', 'smoke', 'model.dim=4'], 'works in a checkout of the project'),
        (['search', QUERY], 'no table has been promoted'),
        (['config'], '--config-folder'),
    ],
)
def test_what_needs_more_says_so(elsewhere, arguments, message):
    done = elsewhere(*arguments)
    assert done.returncode == 2
    assert done.stdout == ''
    assert message in done.stderr
    assert done.stderr.startswith('naics-embed: ')
    assert done.stderr.count('\n') == 1


def test_version(elsewhere):
    assert elsewhere('--version').stdout == f'{naics_embed.__version__}\n'
