"""What a run says before its first stage."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.running import STARTING
from naics_embed.sqlite_address import sqlite_address

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import contextlib, sys
import flows.server
flows.server.prefect_server = contextlib.nullcontext
from flows.cli.running import orchestrated
with orchestrated(quiet=sys.argv[2] == 'quiet'):
    import mlflow
    mlflow.set_tracking_uri(sys.argv[1])
    mlflow.set_experiment('first')
"""


@pytest.mark.slow
@pytest.mark.parametrize('quiet', ['quiet', 'told'])
def test_it_says_that_it_starts_and_nothing_of_the_database(tmp_path, quiet):
    done = subprocess.run(
        [sys.executable, '-c', RUN, sqlite_address(tmp_path / 'mlflow.db'), quiet],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {'PREFECT_HOME': str(tmp_path / 'prefect')},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ''
    lines = done.stderr.splitlines()
    assert [line for line in lines if 'INFO' not in line] == (
        [] if quiet == 'quiet' else [STARTING]
    )
    for word in ('alembic', 'Running upgrade', 'Creating initial MLflow', 'Warning'):
        assert word not in done.stderr
