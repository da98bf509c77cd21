"""Cases of `benchmarks.failures` with addresses that give no answer."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import free_port
from flows.runtime import CHECKOUT

COMMAND = 'from naics_embed.cli.main import main; main()'


@contextmanager
def silent_address() -> Iterator[str]:
    """Yield an address that takes connections and never answers."""
    with socket.create_server(('127.0.0.1', 0), backlog=128) as listening:
        yield f'http://127.0.0.1:{listening.getsockname()[1]}'


def run(root: Path, *settings: str, **environment: str) -> tuple[int, float, str]:
    """Run ``naics-embed data codebook``; return exit status, seconds, and what it wrote."""
    own = {name: value for name, value in os.environ.items() if name != 'PREFECT_API_URL'}
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, '-c', COMMAND, 'data', 'codebook', f'runtime.root={root}', *settings],
        cwd=CHECKOUT,
        env={**own, 'MLFLOW_TRACKING_URI': '', **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, time.perf_counter() - begun, done.stderr.strip()


def no_network(root: Path) -> tuple[str, str]:
    """The Census Bureau gives no answer; return what happened, and how the run ended."""
    with silent_address() as address:
        cache = f'data.cache={root / "census"}'
        address = f'data.base_url={address}'
        status, slow, _ = run(root / 'silent', 'data.source=auto', address, cache)
    _, fast, _ = run(root / 'package', 'data.source=package')
    happened = f'the titles of the package were taken {slow - fast:.0f} s later than without'
    return happened, 'finished by itself' if status == 0 else f'exit {status}'


def dead_prefect(root: Path) -> tuple[str, str]:
    """``PREFECT_API_URL`` names a server that is not there."""
    address = f'http://127.0.0.1:{free_port()}/api'
    status, seconds, error = run(root, 'data.source=package', PREFECT_API_URL=address)
    lines = error.splitlines()
    last = lines[-1] if lines else ''
    return f'{len(lines)} lines after {seconds:.0f} s: “{last}”', f'exit {status}'
