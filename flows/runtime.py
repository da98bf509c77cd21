"""The process environment of a flow; import this before prefect and torch."""

import logging
import os
from pathlib import Path
from urllib.request import getproxies

from naics_embed.errors import ConfigError

CHECKOUT = Path(__file__).resolve().parent.parent

DEFAULTS = {
    'PREFECT_HOME': str(CHECKOUT / '.prefect'),
    'PREFECT_SERVER_ANALYTICS_ENABLED': 'false',
    'PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS': '300',
    'PREFECT_CLI_PROMPT': 'false',
    'DO_NOT_TRACK': 'true',
    'MLFLOW_DISABLE_TELEMETRY': 'true',
    # The address of each run, in the middle of what `--json` prints.
    'MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT': 'true',
    'MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR': 'false',
    'TOKENIZERS_PARALLELISM': 'false',
    # Threads that spin while they wait make small work ten times slower on a busy machine.
    'OMP_WAIT_POLICY': 'PASSIVE',
    'GIT_PYTHON_REFRESH': 'quiet',
}
LOOPBACK = ('127.0.0.1', 'localhost', '::1')
QUIET = {
    'PREFECT_LOGGING_LEVEL': 'CRITICAL',
    'PREFECT_SERVER_LOGGING_LEVEL': 'CRITICAL',
    # MLflow sets the level of its loggers when it is imported.
    'MLFLOW_LOGGING_LEVEL': 'WARNING',
}


def prepare(*, quiet: bool) -> None:
    """Set what is not set already: a Prefect home in the checkout, no telemetry, patience.

    Args:
        quiet: keep Prefect's own log lines off the terminal, and MLflow's of its database,
            tracebacks of users' errors included; for a flow without a server. Other errors are
            raised all the same.

    Raises:
        ConfigError: this is one of several processes, as torchrun starts them.
    """
    processes = int(os.environ.get('WORLD_SIZE', '1'))
    if processes > 1:
        raise ConfigError(
            f'a flow is one process, but this is one of {processes} (WORLD_SIZE): a stage lets one '
            'in and the others would wait for it. Under torchrun call '
            'naics_embed.training.fit.train_text'
        )
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    _spare_loopback()
    if quiet:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        # It logs the traceback of every error that it also raises.
        logging.getLogger('mlflow.store.db.utils').setLevel(logging.CRITICAL)


def _spare_loopback() -> None:
    """Keep proxies out of the way to servers of this machine: Prefect's client would ask them."""
    if not getproxies():
        return
    for name in ('no_proxy', 'NO_PROXY'):
        named = os.environ.get(name) or os.environ.get(name.swapcase(), '')
        hosts = [host.strip() for host in named.split(',') if host.strip()]
        if '*' not in hosts:
            os.environ[name] = ','.join(dict.fromkeys([*hosts, *LOOPBACK]))


def show_progress() -> None:
    """Let the library tell its progress, to Prefect's pages too, where nobody chose a level."""
    library = logging.getLogger('naics_embed')
    if library.level == logging.NOTSET:
        library.setLevel(logging.INFO)
