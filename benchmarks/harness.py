"""What the platform's benchmarks share: servers to break, pipelines to run, and what these leave.

`Bench` keeps the servers, each a process that can be killed alone; `Workload` runs the pipeline,
each time in a fork of a process that has loaded the libraries.
"""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from flows.local_platform.environment import HOST
from flows.local_platform.postgres import OwnServer, Server, find
from flows.local_platform.processes import commands
from flows.runtime import CHECKOUT
from naics_embed.artifacts import checksum

PATIENCE_S = 1800.0
FORK = multiprocessing.get_context('fork')


class Bench:
    """The servers, each a process that can be killed alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ('prefect', 'mlflow')}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start ``prefect``, ``mlflow``, a worker or ``setup``; wait for a server to answer."""
        with (self.folder / f'{name}.log').open('ab') as log:
            self.processes[name] = subprocess.Popen(
                commands(self.ports['prefect'], self.ports['mlflow'])[name],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if name in self.ports:
            path = '/api/health' if name == 'prefect' else '/health'
            wait(f'{name} answers', lambda: answers(f'http://{HOST}:{self.ports[name]}{path}'))

    def mlflow_answers(self) -> bool:
        """Whether MLflow's server is there, whoever started it."""
        return answers(f'http://{HOST}:{self.ports["mlflow"]}/health')

    def kill(self, name: str) -> None:
        """Kill a process with all that it started."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def log(self, name: str) -> str:
        """Return what a process has written."""
        return (self.folder / f'{name}.log').read_text(encoding='utf-8', errors='replace')

    def stop(self) -> None:
        """Stop what runs."""
        for name in list(self.processes):
            self.kill(name)


@contextmanager
def own_postgres(folder: Path) -> Iterator[Server]:
    """Run a PostgreSQL server on a free port, with both databases, until the block ends."""
    own = OwnServer(folder, free_port())
    server, account = own.prepare(), own.account()
    process = subprocess.Popen(
        own.command(), cwd=folder, user=account, group=account, extra_groups=[] if account else None
    )
    try:
        for name in ('prefect', 'mlflow'):
            server.make_database(name)
        yield server
    finally:
        control(folder, '-m', 'fast', 'stop')
        process.wait()


def control(folder: Path, *arguments: str) -> None:
    """Run ``pg_ctl`` on the server whose data lie in ``folder``, and wait for it."""
    account = OwnServer(folder, 0).account()
    subprocess.run(
        [find('pg_ctl'), '-D', str(folder / 'data'), '-w', *arguments],
        cwd=folder,
        user=account,
        group=account,
        extra_groups=[] if account else None,
        stdin=subprocess.DEVNULL,
        # Not a pipe: the server inherits it and would keep it open.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


class Workload:
    """The pipeline to run, as forks of this process."""

    def __init__(self, settings: list[str]) -> None:
        self.settings = settings

    def start(self, root: Path) -> BaseProcess:
        """Start the pipeline on an artifact root; summary and log are written next to it."""
        root.parent.mkdir(parents=True, exist_ok=True)
        _summary_file(root).unlink(missing_ok=True)
        process = FORK.Process(target=self._run, args=(root,))
        process.start()
        return process

    def finish(self, root: Path) -> tuple[dict[str, Any], int, float]:
        """Run it to its end; return summary, exit status and seconds."""
        begun = time.perf_counter()
        process = self.start(root)
        process.join()
        seconds = time.perf_counter() - begun
        assert process.exitcode is not None
        return self.summary(root), process.exitcode, seconds

    def summary(self, root: Path) -> dict[str, Any]:
        """Return the summary of the last run on a root; empty where it did not finish."""
        written = _summary_file(root)
        return json.loads(written.read_text(encoding='utf-8')) if written.exists() else {}

    def _run(self, root: Path) -> None:
        from flows.pipeline import pipeline

        os.setsid()
        with log_file(root).open('w') as log:
            os.dup2(log.fileno(), sys.stdout.fileno())
            os.dup2(log.fileno(), sys.stderr.fileno())
        summary = pipeline('smoke', [*self.settings, f'runtime.root={root}'])
        _summary_file(root).write_text(json.dumps(summary), encoding='utf-8')


def log_file(root: Path) -> Path:
    """Where the last run on a root wrote what it had to say."""
    return root.with_name(f'{root.name}.log')


def _summary_file(root: Path) -> Path:
    return root.with_name(f'{root.name}-summary.json')


def outputs(summary: dict[str, Any]) -> dict[str, str]:
    """Return ``stage/name`` → checksum of every output; report and bundle have dates in them."""
    found = {
        f'{stage}/{name}': checksum(Path(path))[0]
        for stage, entry in summary['stages'].items()
        for name, path in entry['files'].items()
        if stage not in {'export', 'report'}
    }
    bundle = Path(summary['bundle'])
    return found | {'export/codes': checksum(bundle / 'codes.parquet')[0]}


def records(root: Path) -> dict[str, int]:
    """Return the stages that have a stored record, the first one first, and when it was written."""
    found = {path.name: path.stat().st_mtime_ns for path in (root / '.keys').glob('[!.]*')}
    stages = {name.rpartition('-')[0].replace('-', '_'): at for name, at in found.items()}
    return dict(sorted(stages.items(), key=lambda pair: pair[1]))


def training(root: Path) -> bool:
    """Whether text training has written a checkpoint."""
    return any((root / 'checkpoints').rglob('last.ckpt'))


def half_written(root: Path) -> int:
    """Count the half-written outputs under ``root``."""
    return sum(1 for path in root.glob('*/.*') if path.parent.name[0] != '.')


def said(root: Path) -> str:
    """Return the last line that a run on a root wrote."""
    lines = log_file(root).read_text(encoding='utf-8', errors='replace').strip().splitlines()
    return lines[-1].strip() if lines else ''


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they did."""
    listed = subprocess.run(
        ['ps', '-o', 'pid=', '--ppid', str(pid)], capture_output=True, text=True, check=False
    )
    own = [int(line) for line in listed.stdout.split()]
    return [*own, *(grandchild for child in own for grandchild in children_of(child))]


def wait(what: str, ready: Callable[[], bool]) -> None:
    """Wait until something is so. Raises TimeoutError where it never is."""
    end = time.monotonic() + PATIENCE_S
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f'it never happened that {what}')
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether a server is there."""
    import httpx

    try:
        return httpx.get(url, timeout=10, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.create_server((HOST, 0)) as listening:
        return listening.getsockname()[1]


def write_json(path: Path, content: Any) -> None:
    """Write what was measured, for people and programs."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + '\n', encoding='utf-8')
