"""An install in which `pip check` passes may still lack a Prefect server that starts."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_installed_set_can_start_a_prefect_server():
    # fastapi 0.155 and later broke this import for Prefect 3.8, after a long and misleading wait.
    answer = subprocess.run(
        [sys.executable, '-c', 'import prefect.server.api.server'],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
