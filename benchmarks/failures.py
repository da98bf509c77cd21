"""Break the platform under a run, and tell what became of the run.

    python -m benchmarks.failures [--case NAME] [--work FOLDER] [--json FILE] [key=value ...]

Real servers on loopback, Prefect's and MLflow's data in a PostgreSQL of our own, a worker, and the
whole pipeline on a miniature (`benchmarks.miniature`). The cases, each in the middle of training:

    mlflow      MLflow's server gets SIGKILL and starts again after a while
    postgres    PostgreSQL is restarted as after a crash
    worker      the worker and the flow's process get SIGKILL together; the zombie automation must
                mark the run Crashed; then a new worker starts, and the run is retried
    platform    the platform is stopped, started again, and the run is retried
    supervised  MLflow's server gets SIGKILL, and the platform starts it again
    checkpoint  a checkpoint is torn, as a full disk or a kill leaves a copy across file systems
    disk        the artifact root is a tmpfs that is too small; then it is made larger (needs root)
    tracking    the same, with the tracking database on that disk

and two at the start of a run:

    network     the Census Bureau takes connections and never answers
    address     PREFECT_API_URL names a server that is not there

Each run must end like an undisturbed one: the same outputs bit for bit, the same metrics with all
their steps, and no finished stage computed again.
"""

import argparse
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psycopg

from benchmarks.failures_network import dead_prefect, no_network
from benchmarks.failures_platform import Platform, restarted, stopped
from benchmarks.harness import (
    Bench,
    Workload,
    children_of,
    control,
    half_written,
    outputs,
    own_postgres,
    records,
    said,
    training,
    wait,
    write_json,
)
from flows.local_platform.environment import environment
from flows.runtime import CHECKOUT, prepare

CASES = (
    *('mlflow', 'postgres', 'disk', 'worker', 'checkpoint', 'tracking', 'network', 'address'),
    *('platform', 'supervised'),
)
"""The last ones stop the servers of the others."""
AWAY_S = 15.0
EPOCHS = 'training.epochs=8'
ROOM = (0.3, 0.6, 0.9)
"""Sizes of the small disk, in parts of what a run needs."""
STEPS = """
    SELECT DISTINCT stage.value || '/' || metrics.key AS name, metrics.step
    FROM metrics
    JOIN tags AS root
        ON root.run_uuid = metrics.run_uuid AND root.key = 'root' AND root.value = %(root)s
    JOIN tags AS stage ON stage.run_uuid = metrics.run_uuid AND stage.key = 'stage'
    ORDER BY name, metrics.step
"""


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        case: what was broken.
        happened: what the run said or did, in words.
        ended: how the run ended.
        again: finished stages that were computed again.
        different: outputs unlike the undisturbed run's.
        metrics: metrics of the undisturbed run that this one lacks, or has with other steps.
        half_written: half-written outputs at the end.
    """

    case: str
    happened: str
    ended: str
    again: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    half_written: int = 0


class Failures:
    """The cases, on running servers."""

    def __init__(self, bench: Bench, work: Path, load: Workload, authority: str) -> None:
        self.bench = bench
        self.work = work
        self.load = load
        self.authority = authority
        root = self.root('undisturbed')
        summary, status, _ = load.finish(root)
        if status:
            raise SystemExit(f'the undisturbed run failed: {said(root)}')
        self.outputs = outputs(summary)
        self.metrics = self.steps(root)
        self.size = sum(path.stat().st_size for path in root.rglob('*') if path.is_file())

    def root(self, name: str) -> Path:
        """Return a new artifact root."""
        root = self.work / name
        shutil.rmtree(root, ignore_errors=True)
        return root

    def steps(self, root: Path) -> dict[str, list[int]]:
        """Return ``stage/metric`` → its steps, of all MLflow runs that computed under a root."""
        found: dict[str, list[int]] = {}
        # From the database itself: MLflow's API takes a request for each of a thousand metrics.
        with psycopg.connect(f'postgresql://{self.authority}/mlflow') as connection:
            for name, step in connection.execute(STEPS, {'root': str(root)}):
                found.setdefault(name, []).append(step)
        return found

    def outcome(
        self,
        case: str,
        happened: str,
        root: Path,
        before: dict[str, int],
        ended: str,
        load: Workload | None = None,
    ) -> Outcome:
        """Compare a run that ended with the undisturbed one."""
        own = root / 'mlflow.db'
        steps = steps_in_file(own, root) if own.exists() else self.steps(root)
        after, left = records(root), half_written(root)
        again = {stage for stage, at in before.items() if after.get(stage) != at}
        # A further run tells where everything lies; it must find everything ready.
        summary, _, _ = (load or self.load).finish(root)
        stages = summary.get('stages', {})
        again |= {stage for stage in stages if not stages[stage]['cached']}
        found = outputs(summary) if summary else {}
        return Outcome(
            case=case,
            happened=happened,
            ended=ended,
            again=sorted(again),
            different=sorted(n for n, sha in self.outputs.items() if found.get(n) != sha),
            metrics=sorted(n for n, known in self.metrics.items() if steps.get(n) != known),
            half_written=left,
        )

    def mlflow(self) -> list[Outcome]:
        """MLflow's server dies during training, and is back after a while."""

        def breaking() -> str:
            begun = time.perf_counter()
            self.bench.kill('mlflow')
            time.sleep(AWAY_S)
            self.bench.start('mlflow')
            return f'back after {time.perf_counter() - begun:.0f} s'

        return [self._in_training('MLflow server killed and started again', 'mlflow', breaking)]

    def postgres(self) -> list[Outcome]:
        """PostgreSQL is restarted as after a crash."""

        def breaking() -> str:
            begun = time.perf_counter()
            control(self.bench.folder / 'postgres', '-m', 'immediate', 'restart')
            return f'back after {time.perf_counter() - begun:.0f} s'

        return [self._in_training('PostgreSQL restarted, connections cut', 'postgres', breaking)]

    def _in_training(self, case: str, name: str, breaking: Callable[[], str]) -> Outcome:
        root = self.root(name)
        process = self.load.start(root)
        wait('training begins', lambda: training(root) or not process.is_alive())
        before = records(root)
        happened = breaking()
        begun = time.perf_counter()
        process.join()
        seconds = time.perf_counter() - begun
        if process.exitcode == 0:
            ended = 'finished by itself'
            happened = f'{happened}; the run went on for {seconds:.0f} s'
        else:
            ended = f'exit {process.exitcode}: {said(root)}'
        return self.outcome(case, happened, root, before, ended)

    def worker(self) -> list[Outcome]:
        """Worker and flow die together."""
        from prefect.client.orchestration import get_client
        from prefect.deployments import run_deployment

        root = self.root('worker')
        self.bench.start('setup')
        self.bench.start('cpu')
        wait('the worker is there', lambda: 'MLflow UI' in self.bench.log('setup'))
        overrides = [*self.load.settings, f'runtime.root={root}']
        parameters = {'profile': 'smoke', 'overrides': overrides}
        with get_client(sync_client=True) as client:
            flow_run = run_deployment('pipeline/cpu', parameters=parameters, timeout=0)

            def state() -> str:
                found = client.read_flow_run(flow_run.id).state
                return 'none' if found is None else found.name

            wait('training begins', lambda: training(root))
            before = records(root)
            begun = time.perf_counter()
            flow_processes = children_of(self.bench.processes['cpu'].pid)
            self.bench.kill('cpu')
            for pid in flow_processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            left_as = state()
            wait('the run is marked', lambda: state() == 'Crashed')
            seconds = time.perf_counter() - begun
            self.bench.start('cpu')
            retry = [sys.executable, '-m', 'prefect', 'flow-run', 'retry', str(flow_run.id)]
            subprocess.run(retry, check=True, stdout=subprocess.DEVNULL)
            wait('the retry ends', lambda: state() in {'Completed', 'Failed'})
            ended = state()
        self.bench.kill('cpu')
        happened = (
            f'left {left_as}; marked Crashed by the automation after {seconds:.0f} s; '
            '`prefect flow-run retry` on a new worker'
        )
        return [self.outcome('Worker and flow killed', happened, root, before, ended.lower())]

    def platform(self) -> list[Outcome]:
        """The platform is stopped in the middle of training, and started again."""
        return [self._on_platform('Platform stopped during a run', stopped)]

    def supervised(self) -> list[Outcome]:
        """A server of the platform is killed in the middle of training."""
        return [self._on_platform('MLflow killed, restarted by the platform', restarted)]

    def _on_platform(
        self, case: str, breaking: Callable[[Platform, Workload, Path], tuple[str, dict, str]]
    ) -> Outcome:
        self.bench.stop()
        root = self.root(breaking.__name__)
        platform = Platform(self.bench, self.authority, root)
        try:
            happened, before, ended = breaking(platform, self.load, root)
            return self.outcome(case, happened, root, before, ended)
        finally:
            platform.stop()

    def checkpoint(self) -> list[Outcome]:
        """The last checkpoint is a part of itself."""
        root = self.root('checkpoint')
        process = self.load.start(root)
        wait('training begins', lambda: training(root) or not process.is_alive())
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
        before = records(root)
        (last, *_) = (root / 'checkpoints').rglob('last.ckpt')
        os.truncate(last, last.stat().st_size // 3)
        _, status, _ = self.load.finish(root)
        aside = [path.name for path in (root / 'checkpoints').rglob('*unreadable*')]
        happened = f'run again; set aside as {", ".join(aside) or "nothing"}'
        ended = 'finished' if status == 0 else f'exit {status}: {said(root)}'
        return [self.outcome('Checkpoint torn', happened, root, before, ended)]

    def network(self) -> list[Outcome]:
        """The Census Bureau gives no answer."""
        happened, ended = no_network(self.root('network'))
        return [Outcome('Network without an answer', happened, ended)]

    def address(self) -> list[Outcome]:
        """Prefect's address is dead."""
        happened, ended = dead_prefect(self.root('address'))
        return [Outcome('Prefect address without a server', happened, ended)]

    def tracking(self) -> list[Outcome]:
        """The disk is too small for stages and tracking database together."""
        name = 'tracking.uri=sqlite:///{root}/mlflow.db'
        return [self._small_disk(0.6, 'tracking', name)]

    def disk(self) -> list[Outcome]:
        """The disk is too small, then it is made larger."""
        return [self._small_disk(part) for part in ROOM]

    def _small_disk(self, part: float, name: str = 'disk', *settings: str) -> Outcome:
        folder = self.root(f'{name}-{round(100 * part)}')
        with tmpfs(folder, int(self.size * part)) as (root, resize):
            load = Workload([*self.load.settings, *(one.format(root=root) for one in settings)])
            _, status, _ = load.finish(root)
            complaint = said(root).replace(f'{self.work}/', '')
            before, left = records(root), half_written(root)
            resize(4 * self.size)
            _, then, _ = load.finish(root)
            happened = (
                f'{len(before)} stages, then exit {status}: “{complaint}”, {left} half-written; '
                'room made, run again'
            )
            needed = f'{self.size * part / 1e6:.1f} of {self.size / 1e6:.1f} MB'
            ended = 'finished' if then == 0 else f'exit {then}: {said(root)}'
            case = f'Disk full{", tracking database too" if settings else ""}: {needed}'
            return self.outcome(case, happened, root, before, ended, load)


def steps_in_file(database: Path, root: Path) -> dict[str, list[int]]:
    """Return ``stage/metric`` → its steps, from a tracking database of SQLite."""
    found: dict[str, list[int]] = {}
    with contextlib.closing(sqlite3.connect(database)) as connection:
        for name, step in connection.execute(
            STEPS.replace('%(root)s', ':root'), {'root': str(root)}
        ):
            found.setdefault(name, []).append(step)
    return found


@contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[tuple[Path, Callable[[int], None]]]:
    """Mount a file system of ``size`` bytes; yield it, and a function that makes it larger."""
    folder.mkdir(parents=True)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}', 'none', folder], check=True)
    try:
        yield (
            folder,
            lambda more: subprocess.run(
                ['mount', '-o', f'remount,size={more}', folder], check=True
            ).check_returncode(),
        )
    finally:
        subprocess.run(['umount', folder], check=True)


def markdown(outcomes: list[Outcome]) -> str:
    """Return the table of what happened."""
    lines = [
        '| broken | what happened | the run | computed twice | outputs that differ '
        '| metrics that differ | half-written, at the end |',
        '|---|---|---|---|---|---|---|',
    ]
    for one in outcomes:
        lists = ' | '.join(
            ', '.join(found) or '0' for found in (one.again, one.different, one.metrics)
        )
        lines.append(
            f'| {one.case} | {one.happened} | {one.ended} | {lists} | {one.half_written} |'
        )
    return '\n'.join(lines)


def main() -> int:
    """Run the cases, print the table, and return 1 where one of them went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('overrides', nargs='*', metavar='key=value')
    parser.add_argument('--case', action='append', choices=CASES, help='all where none is named')
    parser.add_argument('--work', type=Path, default=CHECKOUT / 'artifacts' / 'failures')
    parser.add_argument('--json', type=Path, help='write the table to this file')
    options = parser.parse_args()
    prepare(quiet=True)
    work = options.work.resolve()
    folder = work / 'servers'
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(folder)
    with own_postgres(folder / 'postgres') as server:
        # Before Prefect is imported, which reads its settings then.
        os.environ |= environment(folder, bench.ports['prefect'], bench.ports['mlflow'], server)
        try:
            bench.start('prefect')
            bench.start('mlflow')
            import flows.pipeline  # noqa: F401
            import naics_embed.training.fit  # noqa: F401
            from benchmarks.miniature import overrides

            load = Workload([*overrides(work), EPOCHS, *options.overrides])
            failures = Failures(bench, work, load, server.authority)
            outcomes = []
            for case in options.case or CASES:
                outcomes += getattr(failures, case)()
                print(markdown(outcomes[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
                if options.json:
                    write_json(options.json, [asdict(one) for one in outcomes])
        finally:
            bench.stop()
    print(markdown(outcomes))
    wrong = (one.again or one.different or one.metrics or one.half_written for one in outcomes)
    return int(any(wrong))


if __name__ == '__main__':
    sys.exit(main())
