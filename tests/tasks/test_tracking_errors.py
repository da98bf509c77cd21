"""A tracking database on a full or read-only disk, a damaged one, a server that went away."""

import logging
import shutil
import sqlite3
import threading
import time

import pytest
from mlflow import MlflowClient

from naics_embed.bundle.promotion import promote, promotion_record
from naics_embed.errors import DiskError, DiskFullError, TrackingError
from tasks.engine.tracking import pipeline_run
from tasks.engine.tracking_errors import tracking_error
from tasks.registry.promotion import promote_bundle, roll_back
from tasks.registry.runs import RunStore
from tests.disks import fill, make_read_only, small_disk


@pytest.fixture(scope='module')
def template(tmp_path_factory):
    """A tracking database with one run, made once."""
    folder = tmp_path_factory.mktemp('template')
    with pipeline_run(f'sqlite:///{folder / "mlflow.db"}', 'first', folder, {}, {}):
        pass
    return folder / 'mlflow.db'


def opened(database):
    return pipeline_run(f'sqlite:///{database}', 'default', database.parent, {}, {'dim': 8})


def in_one_sentence(error: BaseException) -> bool:
    return '\n' not in str(error) and 'sqlalche.me' not in str(error)


@pytest.fixture
def disk(tmp_path, template):
    with small_disk(tmp_path / 'disk', 4) as folder:
        shutil.copy(template, folder / 'mlflow.db')
        yield folder


def test_a_disk_that_is_full_from_the_start(disk):
    fill(disk)
    with (
        pytest.raises(DiskFullError, match=r'no space left on the disk of .*mlflow') as caught,
        opened(disk / 'mlflow.db'),
    ):
        pytest.fail('it must not begin')
    assert in_one_sentence(caught.value)


def test_a_disk_that_fills_while_metrics_are_logged(disk):
    with pytest.raises(DiskFullError) as caught, opened(disk / 'mlflow.db') as tracker:  # noqa: PT012
        fill(disk)
        with tracker.stage('words', {}) as stage:
            for step in range(1000):
                stage.metrics({f'loss{step}': 1.0}, step=step)
    assert in_one_sentence(caught.value)


def test_the_first_error_is_the_one_that_is_raised(disk, caplog):
    with (  # noqa: PT012
        caplog.at_level(logging.WARNING),
        pytest.raises(ZeroDivisionError, match='the reason') as caught,
        opened(disk / 'mlflow.db'),
    ):
        fill(disk)
        raise ZeroDivisionError('the reason')
    assert any('could not be ended either' in note for note in caught.value.__notes__)


def test_an_output_that_finds_no_room_is_told_although_the_run_cannot_be_ended(disk):
    with (  # noqa: PT012
        pytest.raises(DiskFullError, match='no space left'),
        opened(disk / 'mlflow.db'),
    ):
        fill(disk)
        (disk / 'table').write_bytes(bytes(100_000))


def test_a_read_only_disk(disk):
    make_read_only(disk)
    with pytest.raises(DiskError, match=r'cannot be written, it is read-only') as caught:
        opened(disk / 'mlflow.db').__enter__()
    assert in_one_sentence(caught.value)
    # Runs can still be looked at.
    with pytest.raises(TrackingError, match='holds no finished pipeline run'):
        RunStore(f'sqlite:///{disk / "mlflow.db"}', disk).facts('latest')


@pytest.fixture(params=['whole', 'inside', 'cut'])
def damaged(request, tmp_path, template):
    """A database of random bytes, one with random pages behind a good head, one that was cut."""
    content = bytearray(template.read_bytes())
    noise = bytes(index * 167 % 251 for index in range(len(content)))
    if request.param == 'whole':
        content = bytearray(noise)
    elif request.param == 'inside':
        content[4096:] = noise[4096:]
    else:
        del content[len(content) // 2 :]
    file = tmp_path / 'mlflow.db'
    file.write_bytes(content)
    return file


def test_a_damaged_database(damaged):
    with pytest.raises(TrackingError, match=r'mlflow\.db is damaged \(.*\); put a copy') as caught:
        opened(damaged).__enter__()
    assert in_one_sentence(caught.value)
    assert damaged.is_file(), 'it may still be repaired'


def test_runs_of_a_damaged_database(damaged):
    start = time.monotonic()
    with pytest.raises(TrackingError, match=r'mlflow\.db is damaged'):
        RunStore(f'sqlite:///{damaged}', damaged.parent).facts('latest')
    assert time.monotonic() - start < 60, 'MLflow tries to open a database for minutes'


def test_a_place_where_no_database_can_be(tmp_path):
    (tmp_path / 'mlflow.db').mkdir()
    with pytest.raises(TrackingError, match='cannot be opened: its folder'):
        opened(tmp_path / 'mlflow.db').__enter__()


def test_a_database_that_is_locked_is_waited_for(tmp_path, template):
    file = tmp_path / 'mlflow.db'
    shutil.copy(template, file)
    writer = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    writer.execute('begin exclusive')
    threading.Timer(1.0, writer.close).start()
    with opened(file) as tracker:
        pass
    assert MlflowClient(f'sqlite:///{file}').get_run(tracker.parent_run_id).info.status == (
        'FINISHED'
    )


@pytest.mark.parametrize(
    'error', [ValueError('a bug'), KeyError('mlflow'), FileNotFoundError(2, 'x')]
)
def test_what_is_not_known_is_left_as_it_is(error):
    assert tracking_error(error, 'sqlite:////tmp/mlflow.db') is None


@pytest.fixture
def promoted(tmp_path):
    """An artifact root with two promoted bundles, registered in a database that is not there."""
    registry = {'uri': f'sqlite:///{tmp_path / "mlflow.db"}', 'model': 'table', 'version': '1'}
    for name in ('first', 'second'):
        bundle = tmp_path / 'root' / name
        bundle.mkdir(parents=True)
        (bundle / 'manifest.json').write_text(f'{{"name": "{name}"}}')
        promote(tmp_path / 'root', bundle, {'registry': registry})
    return tmp_path / 'root'


@pytest.mark.parametrize('call', [roll_back, lambda root: promote_bundle(root, root / 'first')])
def test_a_registry_in_a_damaged_database(promoted, damaged, call):
    before = promotion_record(promoted)
    with pytest.raises(TrackingError, match=r'mlflow\.db is damaged'):
        call(promoted)
    assert promotion_record(promoted) == before


def test_going_back_where_the_registry_was_moved_away(promoted):
    assert roll_back(promoted)['bundle'] == 'first'
    assert promotion_record(promoted)['bundle'] == 'first'
