"""Cases of `benchmarks.failures` on the whole platform, as ``make platform`` starts it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import psutil

from benchmarks.harness import Bench, Workload, records, training, wait
from flows.runtime import CHECKOUT

STOP_S = 300


class Platform:
    """The platform on the ports and in the folder of a bench, whose servers must have stopped."""

    def __init__(self, bench: Bench, authority: str, root: Path) -> None:
        self.bench = bench
        self.log = bench.folder / 'platform.log'
        self.environment = {**os.environ, 'POSTGRES': authority}
        self.root = root
        self.start()

    def start(self) -> None:
        """Start it, and wait until a worker is ready."""
        ports = self.bench.ports
        options = {
            'db': 'postgres',
            'folder': self.bench.folder,
            'prefect-port': ports['prefect'],
            'mlflow-port': ports['mlflow'],
            'root': self.root,
        }
        with self.log.open('w') as log:
            self.process = subprocess.Popen(
                [sys.executable, '-m', 'flows.local_platform', 'up']
                + [part for name, value in options.items() for part in (f'--{name}', str(value))],
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait('the platform is ready', lambda: 'MLflow UI' in self.log.read_text(errors='replace'))

    def stop(self) -> float:
        """Stop it as Ctrl-C does; return how many seconds that took."""
        begun = time.perf_counter()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(STOP_S)
        return time.perf_counter() - begun

    def kill(self, name: str) -> psutil.Process:
        """Kill one of its servers; return what that was."""
        children = psutil.Process(self.process.pid).children()
        (server,) = [one for one in children if name in one.cmdline()[1:4]]
        for one in [*server.children(recursive=True), server]:
            one.kill()
        return server

    def running(self, name: str) -> bool:
        """Whether one of its servers has a process."""
        children = psutil.Process(self.process.pid).children()
        return any(name in one.cmdline()[1:4] for one in children)


def begin(load: Workload, root: Path) -> UUID:
    """Start the pipeline by its deployment, and wait until it trains."""
    from prefect.deployments import run_deployment

    parameters = {'profile': 'smoke', 'overrides': [*load.settings, f'runtime.root={root}']}
    flow_run = run_deployment('pipeline/cpu', parameters=parameters, timeout=0)
    wait('training begins', lambda: training(root))
    return flow_run.id


def state(flow_run: UUID) -> tuple[str, str]:
    """Return name and message of a flow run's state."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = client.read_flow_run(flow_run).state
    return ('none', '') if found is None else (found.name, found.message or '')


def retry(flow_run: UUID) -> str:
    """Retry a flow run by Prefect's command; return how it ended."""
    command = [sys.executable, '-m', 'prefect', 'flow-run', 'retry', str(flow_run)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wait('the retry ends', lambda: state(flow_run)[0] in {'Completed', 'Failed', 'Crashed'})
    return state(flow_run)[0].lower()


def stopped(platform: Platform, load: Workload, root: Path) -> tuple[str, dict[str, int], str]:
    """Stop the platform in the middle of training, start it again, retry the run.

    Returns:
        What happened, the finished stages before it, and how the run ended.
    """
    flow_run = begin(load, root)
    before = records(root)
    seconds = platform.stop()
    platform.start()
    name, message = state(flow_run)
    ended = retry(flow_run)
    happened = (
        f'stopped in {seconds:.0f} s; after the next start the run is {name} (“{message}”); '
        '`prefect flow-run retry`'
    )
    return happened, before, ended


def restarted(platform: Platform, load: Workload, root: Path) -> tuple[str, dict[str, int], str]:
    """Kill MLflow's server in the middle of training; the platform starts it again.

    Returns:
        What happened, the finished stages before it, and how the run ended.
    """
    flow_run = begin(load, root)
    before = records(root)
    begun = time.perf_counter()
    platform.kill('mlflow')
    answer: Callable[[], bool] = platform.bench.mlflow_answers
    wait('MLflow answers', answer)
    seconds = time.perf_counter() - begun
    wait('the run ends', lambda: state(flow_run)[0] in {'Completed', 'Failed', 'Crashed'})
    others = all(platform.running(name) for name in ('prefect', 'worker'))
    happened = (
        f'MLflow answered again after {seconds:.0f} s; '
        f'the other processes {"went on" if others else "ended"}'
    )
    return happened, before, state(flow_run)[0].lower()
