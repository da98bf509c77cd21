"""Kill a pipeline at random moments, run it again, and compare with an undisturbed run.

    python -m benchmarks.kill [--moments 20] [--work FOLDER] [--json FILE] [key=value ...]

The whole pipeline on a miniature (`benchmarks.miniature`), each time in a process and an artifact
root of its own, against one Prefect server. Each gets SIGKILL at a random moment of a random stage,
drawn so that the moments are spread over all stages; then the same command runs to its end. Told
for each: what had finished, what was computed twice although it had finished (must be nothing), and
which outputs differ from the undisturbed run's (must be none). One more run is not killed: it shows
that undisturbed runs equal each other.

What is done lies in the work folder: the command goes on where it was stopped.
"""

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from flows.runtime import CHECKOUT, prepare
from naics_embed.artifacts import checksum

COMMAND = 'from naics_embed.cli.main import main; main()'
POLL_S = 0.002
T = TypeVar('T', 'Undisturbed', 'Moment')


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
class Moment:
    """What happened around one kill.

    Attributes:
        after_s: seconds from the start of the process to the signal; None where there was none.
        during: the first stage that had not finished.
        finished: number of stages that had finished.
        left: half-written files and directories that the killed process left.
        again: stages that had finished and were computed again.
        different: outputs unlike the undisturbed run's, as ``stage/name``.
        remaining: half-written files and directories after the second run.
        status: exit status of the second run.
        seconds: how long the second run took.
    """

    after_s: float | None
    during: str | None
    finished: int
    left: int
    again: list[str]
    different: list[str]
    remaining: int
    status: int
    seconds: float


def start(root: Path, settings: list[str]) -> subprocess.Popen[str]:
    """Start a whole pipeline that writes under ``root``."""
    arguments = ['run', '--profile', 'smoke', '--json', *settings, f'runtime.root={root}']
    return subprocess.Popen(
        [sys.executable, '-c', COMMAND, *arguments],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a pipeline; return its summary, empty where it failed."""
    out, complaints = process.communicate()
    if process.returncode:
        sys.stderr.write(complaints)
        return {}
    return json.loads(out)


def outputs(summary: dict[str, Any]) -> dict[str, str]:
    """Return ``stage/name`` → checksum of every output; the bundle's manifest has dates in it."""
    found = {
        f'{stage}/{name}': checksum(Path(path))[0]
        for stage, entry in summary['stages'].items()
        for name, path in entry['files'].items()
        if stage != 'export'
    }
    bundle = Path(summary['bundle'])
    return found | {'export/codes': checksum(bundle / 'codes.parquet')[0]}


def records(root: Path) -> list[tuple[float, str]]:
    """Return when each stored record was written, and its name, ``<stage>-<key>``."""
    return sorted((path.stat().st_mtime, path.name) for path in (root / '.keys').glob('[!.]*'))


def halves(root: Path) -> int:
    """Count the half-written outputs under ``root``."""
    return sum(1 for path in root.glob('*/.*') if path.parent.name[0] != '.')


def undisturbed(work: Path, settings: list[str]) -> Undisturbed:
    """Run the pipeline once, without a kill."""
    root = work / 'undisturbed'
    shutil.rmtree(root, ignore_errors=True)
    begun = time.perf_counter()
    summary = finish(start(root, settings))
    seconds = time.perf_counter() - begun
    if not summary:
        raise SystemExit('the undisturbed run failed')
    written = records(root)
    stages = [name.rpartition('-')[0].replace('-', '_') for _, name in written]
    times = [at for at, _ in written]
    first = summary['stages'][stages[0]]['seconds']
    lasted = [first, *(later - earlier for earlier, later in itertools.pairwise(times))]
    found = Undisturbed(seconds, stages, lasted, outputs(summary))
    shutil.rmtree(root)
    return found


def one_moment(
    root: Path, settings: list[str], wanted: Undisturbed, position: float | None
) -> Moment:
    """Kill one pipeline at ``position``, in stages and parts of one, and run it again."""
    shutil.rmtree(root, ignore_errors=True)
    begun = time.perf_counter()
    killed_after = None
    if position is not None:
        stage = int(position)
        process = start(root, settings)
        while process.poll() is None and len(records(root)) < stage:
            time.sleep(POLL_S)
        time.sleep((position - stage) * wanted.lasted[stage])
        os.killpg(process.pid, signal.SIGKILL)
        killed_after = time.perf_counter() - begun
        process.communicate()
        if process.returncode != -signal.SIGKILL:
            raise SystemExit(f'the run was over before it was killed, at {position:.2f}')
    keys = {name for _, name in records(root)}
    left = halves(root)
    begun = time.perf_counter()
    process = start(root, settings)
    summary = finish(process)
    seconds = time.perf_counter() - begun
    stages = summary.get('stages', {})
    ready = {
        stage
        for stage, entry in stages.items()
        if f'{stage.replace("_", "-")}-{entry["key"]}' in keys
    }
    found = outputs(summary) if summary else {}
    moment = Moment(
        after_s=killed_after,
        during=next((stage for stage in wanted.stages if stage not in ready), None),
        finished=len(keys),
        left=left,
        again=sorted(stage for stage in ready if not stages[stage]['cached']),
        different=sorted(name for name, sha in wanted.outputs.items() if found.get(name) != sha),
        remaining=halves(root),
        status=process.returncode,
        seconds=seconds,
    )
    shutil.rmtree(root, ignore_errors=True)
    return moment


def positions(moments: int, stages: int, seed: int) -> list[float | None]:
    """Return None, for the run that is not killed, then a random place in each part of a run."""
    draw = random.Random(seed)
    return [None, *((part + draw.random()) / moments * stages for part in range(moments))]


def markdown(moments: list[Moment], run: Undisturbed) -> str:
    """Return the table of what happened."""
    lines = [
        f'{len(run.stages)} stages, {len(run.outputs)} outputs compared; an undisturbed run takes '
        f'{run.seconds:.0f} s.',
        '',
        '| killed in | after, s | stages finished | half-written | computed twice '
        '| outputs that differ | halves left | second run |',
        '|---|---|---|---|---|---|---|---|',
    ]
    for one in moments:
        killed = one.after_s is not None
        lines.append(
            f'| {one.during if killed else "not killed"} | {f"{one.after_s:.1f}" if killed else ""}'
            f' | {one.finished if killed else ""} | {one.left if killed else ""}'
            f' | {", ".join(one.again) or 0} | {", ".join(one.different) or 0} | {one.remaining}'
            f' | {"ok" if one.status == 0 else f"exit {one.status}"}, {one.seconds:.0f} s |'
        )
    return '\n'.join(lines)


def kept(path: Path, kind: type[T], make: Callable[[], T]) -> T:
    """Read a result of an earlier, stopped command, or make it and keep it."""
    if not path.exists():
        half = path.with_suffix('.half')
        half.write_text(json.dumps(asdict(make())), encoding='utf-8')
        half.replace(path)
    return kind(**json.loads(path.read_text(encoding='utf-8')))


def main() -> int:
    """Run the moments, print the table, and return 1 where one of them went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('overrides', nargs='*', metavar='key=value')
    parser.add_argument('--moments', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--work', type=Path, default=CHECKOUT / 'artifacts' / 'kill')
    parser.add_argument('--json', type=Path, help='write the table to this file')
    options = parser.parse_args()
    prepare(quiet=True)
    from prefect.settings import PREFECT_API_URL

    from benchmarks.miniature import SETTINGS, miniature, write_backbone
    from flows.server import prefect_server

    work = options.work.resolve()
    source, backbone = miniature().write(work / 'source'), work / 'backbone'
    if not (backbone / 'model.safetensors').exists():
        write_backbone(backbone)
    settings = [*SETTINGS, 'data.source=folder', f'data.folder={source}']
    settings += [f'backbone.name={backbone}', *options.overrides]
    with prefect_server() as ready:
        ready()
        os.environ['PREFECT_API_URL'] = str(PREFECT_API_URL.value())
        run = kept(work / 'undisturbed.json', Undisturbed, lambda: undisturbed(work, settings))
        moments = []
        for number, place in enumerate(positions(options.moments, len(run.stages), options.seed)):
            moments.append(
                kept(
                    work / f'moment-{options.seed}-{options.moments}-{number}.json',
                    Moment,
                    lambda place=place: one_moment(work / 'killed', settings, run, place),
                )
            )
            print(markdown(moments[-1:], run).splitlines()[-1], file=sys.stderr, flush=True)
    print(markdown(moments, run))
    if options.json:
        content = {'undisturbed': asdict(run), 'moments': [asdict(one) for one in moments]}
        options.json.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
    return int(any(one.status or one.again or one.different for one in moments))


if __name__ == '__main__':
    sys.exit(main())
