"""Kill a pipeline at random moments, run it again, and compare with an undisturbed run.

    python -m benchmarks.kill [--moments 20] [--work FOLDER] [--json FILE] [key=value ...]

The whole pipeline on a miniature (`benchmarks.miniature`), each time in a process of its own,
against one Prefect server. A chain is one artifact root: its run gets SIGKILL at a random moment of
a random stage, and is run again; with ``--chain N`` the next runs are killed too, each further
on; the last one runs to its end. Moments are spread over all stages. Told for each chain: which
finished stages were computed again (must be none), and which outputs differ from the undisturbed
run's (must be none). One more run is not killed: it shows that undisturbed runs equal each other.

Processes are forks of one that has loaded the libraries. What is done lies in the work folder: the
command goes on where it was stopped.
"""

import argparse
import itertools
import json
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import Workload, half_written, outputs, records, write_json
from flows.runtime import CHECKOUT, prepare

POLL_S = 0.002


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody killed.

    Attributes:
        seconds: how long it took.
        stages: its stages in the order of their records.
        lasted: seconds from the record before to the stage's own.
        outputs: ``stage/name`` → checksum of every output.
    """

    seconds: float
    stages: list[str]
    lasted: list[float]
    outputs: dict[str, str]


@dataclass(frozen=True)
class Kill:
    """One SIGKILL.

    Attributes:
        during: the stage that was running.
        after_s: seconds since the record before it.
        finished: number of stages that had finished.
        half_written: half-written files and directories that the process left.
    """

    during: str
    after_s: float
    finished: int
    half_written: int


@dataclass(frozen=True)
class Chain:
    """An artifact root on which runs were killed until one was let to its end.

    Attributes:
        kills: what happened at each kill.
        again: stages that had finished before a kill and were computed after it.
        different: outputs unlike the undisturbed run's, as ``stage/name``.
        half_written: half-written files and directories that remained at the end.
        status: exit status of the last run.
        seconds: how long the last run took.
    """

    kills: list[dict[str, Any]]
    again: list[str]
    different: list[str]
    half_written: int
    status: int
    seconds: float


def undisturbed(work: Path, load: Workload) -> Undisturbed:
    """Run the pipeline once, without a kill."""
    root = work / 'undisturbed'
    shutil.rmtree(root, ignore_errors=True)
    summary, status, seconds = load.finish(root)
    if status:
        raise SystemExit('the undisturbed run failed')
    written = records(root)
    times = [at / 1e9 for at in written.values()]
    first = summary['stages'][next(iter(written))]['seconds']
    lasted = [first, *(later - earlier for earlier, later in itertools.pairwise(times))]
    found = Undisturbed(seconds, list(written), lasted, outputs(summary))
    shutil.rmtree(root)
    return found


def kill_once(root: Path, load: Workload, wanted: Undisturbed, position: float) -> Kill:
    """Start a run and kill it at ``position``, in stages and parts of one."""
    stage = int(position)
    process = load.start(root)
    while process.is_alive() and len(records(root)) < stage:
        time.sleep(POLL_S)
    begun = time.monotonic()
    # A stage that is faster this time is killed as it ends.
    end = begun + (position - stage) * wanted.lasted[stage]
    while time.monotonic() < end and len(records(root)) <= stage:
        time.sleep(POLL_S)
    process.kill()
    after_s = time.monotonic() - begun
    process.join()
    if process.exitcode != -signal.SIGKILL:
        raise SystemExit(f'a run ended by itself, with {process.exitcode}, before {position:.2f}')
    ready = records(root)
    during = next((name for name in wanted.stages if name not in ready), 'the end')
    return Kill(during, after_s, len(ready), half_written(root))


def chain(root: Path, load: Workload, wanted: Undisturbed, positions: list[float]) -> Chain:
    """Kill the runs on one artifact root at each position, then let one finish."""
    shutil.rmtree(root, ignore_errors=True)
    kills, finished = [], {}
    for position in positions:
        kills.append(asdict(kill_once(root, load, wanted, position)))
        # A stage that is computed again writes its record again.
        finished = {**records(root), **finished}
    summary, status, seconds = load.finish(root)
    after = records(root)
    found = outputs(summary) if summary else {}
    result = Chain(
        kills=kills,
        again=sorted(stage for stage, at in finished.items() if after.get(stage) != at),
        different=sorted(name for name, sha in wanted.outputs.items() if found.get(name) != sha),
        half_written=half_written(root),
        status=status,
        seconds=seconds,
    )
    shutil.rmtree(root, ignore_errors=True)
    return result


def chains_of(moments: int, length: int, stages: int, seed: int) -> list[list[float]]:
    """Return positions to kill at: none for the first chain, then ``length`` for each.

    There is one position in each of as many equal parts of the stages as there are moments.
    """
    draw = random.Random(seed)
    positions = [(part + draw.random()) / moments * stages for part in range(moments)]
    count = max(1, round(moments / length))
    return [[], *(positions[number::count] for number in range(count))]


def markdown(chains: list[Chain], run: Undisturbed) -> str:
    """Return the table of what happened."""
    lines = [
        f'{len(run.stages)} stages, {len(run.outputs)} outputs compared bit for bit; an '
        f'undisturbed run takes {run.seconds:.0f} s.',
        '',
        '| chain | killed in (seconds into it; stages finished; half-written outputs) | then '
        '| computed twice | outputs that differ | half-written, at the end |',
        '|---|---|---|---|---|---|',
    ]
    for number, one in enumerate(chains):
        kills = ', '.join(
            f'{k["during"]} ({k["after_s"]:.2f} s; {k["finished"]}; {k["half_written"]})'
            for k in one.kills
        )
        ended = 'finished' if one.status == 0 else f'exit {one.status}'
        lines.append(
            f'| {number or "control"} | {kills or "not killed"} | {ended}, {one.seconds:.0f} s'
            f' | {", ".join(one.again) or 0} | {", ".join(one.different) or 0}'
            f' | {one.half_written} |'
        )
    return '\n'.join(lines)


def kept(path: Path, make: Callable[[], Any]) -> dict[str, Any]:
    """Return a result of an earlier, stopped command, or make it and keep it."""
    if not path.exists():
        half = path.with_suffix('.half')
        half.write_text(json.dumps(asdict(make())), encoding='utf-8')
        half.replace(path)
    return json.loads(path.read_text(encoding='utf-8'))


def main() -> int:
    """Run the chains, print the table, and return 1 where one of them went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('overrides', nargs='*', metavar='key=value')
    parser.add_argument('--moments', type=int, default=20)
    parser.add_argument('--chain', type=int, default=1, help='kills on one artifact root')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--work', type=Path, default=CHECKOUT / 'artifacts' / 'kill')
    parser.add_argument('--json', type=Path, help='write the table to this file')
    options = parser.parse_args()
    prepare(quiet=True)
    from flows.server import prefect_server

    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    with prefect_server() as ready:
        # Loaded once, while the server starts; no thread of theirs runs before the first flow.
        import flows.pipeline  # noqa: F401
        import naics_embed.training.fit  # noqa: F401
        from benchmarks.miniature import overrides

        ready()
        load = Workload([*overrides(work), *options.overrides])
        run = Undisturbed(**kept(work / 'undisturbed.json', lambda: undisturbed(work, load)))
        chains = []
        all_positions = chains_of(options.moments, options.chain, len(run.stages), options.seed)
        for number, positions in enumerate(all_positions):
            name = f'chain-{options.seed}-{options.moments}-{options.chain}-{number}.json'
            done = kept(
                work / name,
                lambda at=positions: chain(work / 'killed', load, run, at),
            )
            chains.append(Chain(**done))
            print(markdown(chains, run).splitlines()[-1], file=sys.stderr, flush=True)
    print(markdown(chains, run))
    if options.json:
        shown = {'undisturbed': asdict(run), 'chains': [asdict(one) for one in chains]}
        write_json(options.json, shown)
    return int(any(one.status or one.again or one.different for one in chains))


if __name__ == '__main__':
    sys.exit(main())
