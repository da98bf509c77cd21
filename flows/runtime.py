"""The process environment of a flow; import this before prefect and torch."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent

DEFAULTS = {
    'PREFECT_HOME': str(CHECKOUT / '.prefect'),
    'PREFECT_SERVER_ANALYTICS_ENABLED': 'false',
    'PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS': '300',
    'PREFECT_CLI_PROMPT': 'false',
    'DO_NOT_TRACK': 'true',
    'MLFLOW_DISABLE_TELEMETRY': 'true',
    'MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR': 'false',
    # The address of each run, in the middle of what `--json` prints.
    'MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT': 'true',
    'TOKENIZERS_PARALLELISM': 'false',
    # Threads that spin while they wait make small work ten times slower on a busy machine.
    'OMP_WAIT_POLICY': 'PASSIVE',
    'GIT_PYTHON_REFRESH': 'quiet',
}
ROOT_VARIABLE = 'NAICS_ROOT'
"""Artifact root of a worker's runs, where neither the caller nor a flow's parameters name one."""
QUIET = {'PREFECT_LOGGING_LEVEL': 'CRITICAL', 'PREFECT_SERVER_LOGGING_LEVEL': 'CRITICAL'}


def prepare(*, quiet: bool) -> None:
    """Set what is not set already: a Prefect home in the checkout, no telemetry, patience.

    Args:
        quiet: keep Prefect's own log lines off the terminal, tracebacks of users' errors
            included; for a flow without a server. Other errors are raised all the same.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    if quiet:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)


def with_worker_root(overrides: Sequence[str] | None) -> list[str]:
    """Return overrides with the worker's own artifact root before them; later ones win."""
    root = os.environ.get(ROOT_VARIABLE)
    return [*([f'runtime.root={json.dumps(root)}'] if root else []), *(overrides or ())]
