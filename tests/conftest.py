"""The environment of all tests, set before Prefect, MLflow or torch are imported.

Prefect and MLflow start only for the tests that ask for them, once a session. Under pytest-xdist
each worker is a session: it has a Prefect home, a server and a tracking database of its own.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

THREADS = 2
SHARED = 'PYTEST_XDIST_WORKER' in os.environ

_home = tempfile.mkdtemp(prefix='naics-embed-tests-')
atexit.register(shutil.rmtree, _home, ignore_errors=True)

os.environ |= {
    'PREFECT_HOME': _home,
    'PREFECT_LOGGING_LEVEL': 'WARNING',
    'PREFECT_SERVER_LOGGING_LEVEL': 'WARNING',
    'PREFECT_SERVER_ANALYTICS_ENABLED': 'false',
    'PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS': '120',
    'DO_NOT_TRACK': 'true',
    'MLFLOW_DISABLE_TELEMETRY': 'true',
    'MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR': 'false',
    'GIT_PYTHON_REFRESH': 'quiet',
    'HF_HUB_OFFLINE': '1',
    # A test that finds no bundle is to see the error, not to wait a minute for a starter.
    'NAICS_EMBED_STARTER': 'off',
    'TOKENIZERS_PARALLELISM': 'false',
}
if SHARED:
    os.environ['OMP_NUM_THREADS'] = '1'
os.environ.setdefault('OMP_NUM_THREADS', str(THREADS))
# Threads that spin while they wait make small models ten times slower on a busy machine.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
for _name in ('PREFECT_API_URL', 'PREFECT_PROFILE', 'MLFLOW_TRACKING_URI', 'MLFLOW_RUN_ID'):
    os.environ.pop(_name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have slow tests, so that no worker is left with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker('slow')}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def no_tracking_server_is_left_behind():
    """MLflow keeps the address that it was given in the environment, for processes to come."""
    yield
    os.environ.pop('MLFLOW_TRACKING_URI', None)


@pytest.fixture(scope='session')
def prefect_server():
    """One Prefect server on a database of its own; a flow needs it, a task's function does not.

    Yields:
        the address of its API, for processes that a test starts.
    """
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=600):
        yield PREFECT_API_URL.value()
        # The harness waits until all events are sent, also those for servers that tests have
        # stopped: for ever.
        EventsWorker._instances.clear()
        APILogWorker._instances.clear()


@pytest.fixture(scope='session')
def mlflow_uri(tmp_path_factory) -> str:
    """A tracking database, made when it is first used."""
    folder: Path = tmp_path_factory.mktemp('mlflow')
    return f'sqlite:///{folder / "mlflow.db"}'


@pytest.fixture(scope='session')
def tiny_backbone(tmp_path_factory) -> Path:
    """A folder with a random transformer of the BERT family and a tokenizer of single letters."""
    from benchmarks.miniature import write_backbone

    return write_backbone(tmp_path_factory.mktemp('backbone'))
