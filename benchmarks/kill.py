"""Kill a pipeline at random moments, run it again, and compare with an undisturbed run.

    python -m benchmarks.kill --moments 20 [--json FILE] [key=value ...]

Each moment has an artifact root of its own. The process gets SIGKILL at a moment drawn over the
time that the undisturbed run took; then the same command runs to its end. Told for each moment:
what had finished, what was computed twice although it had finished (must be nothing), and which
outputs differ from the undisturbed run's (must be none).
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from naics_embed.artifacts import checksum

COMMAND = 'from naics_embed.cli.main import main; main()'


@dataclass(frozen=True)
class Moment:
    """What happened around one kill.

    Attributes:
        after_s: seconds from the start of the process to the signal.
        during: the first stage that had not finished; None where the run was over before.
        finished: stages that had finished.
        again: stages that had finished and were computed again.
        different: outputs unlike the undisturbed run's, as ``stage/name``.
        left: temporary files and directories that stayed.
        status: exit status of the second run.
        seconds: how long the second run took.
    """

    after_s: float
    during: str | None
    finished: int
    again: list[str]
    different: list[str]
    left: int
    status: int
    seconds: float


def start(root: Path, profile: str, overrides: list[str]) -> subprocess.Popen[str]:
    """Start a whole pipeline that writes under ``root``."""
    arguments = ['run', '--profile', profile, '--json', *overrides, f'runtime.root={root}']
    return subprocess.Popen(
        [sys.executable, '-c', COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    """Wait for a pipeline; return its summary, empty where it failed, and what it complained of."""
    out, complaints = process.communicate()
    return (json.loads(out) if process.returncode == 0 else {}), complaints


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


def one_moment(
    after_s: float, profile: str, overrides: list[str], wanted: dict[str, str], order: list[str]
) -> Moment:
    """Kill one pipeline and run it again."""
    root = Path(tempfile.mkdtemp(prefix='naics-embed-kill-'))
    try:
        process = start(root, profile, overrides)
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        keys = {path.name for path in (root / '.keys').glob('*')}
        begun = time.perf_counter()
        again = start(root, profile, overrides)
        summary, complaints = finish(again)
        seconds = time.perf_counter() - begun
        if not summary:
            sys.stderr.write(complaints)
            return Moment(after_s, None, len(keys), [], [], 0, again.returncode, seconds)
        ready = {
            stage
            for stage, entry in summary['stages'].items()
            if f'{stage.replace("_", "-")}-{entry["key"]}' in keys
        }
        found = outputs(summary)
        return Moment(
            after_s=after_s,
            during=next((stage for stage in order if stage not in ready), None),
            finished=len(ready),
            again=sorted(s for s in ready if not summary['stages'][s]['cached']),
            different=sorted(name for name in wanted if found.get(name) != wanted[name]),
            left=sum(1 for _ in root.glob('*/.*')),
            status=again.returncode,
            seconds=seconds,
        )
    finally:
        shutil.rmtree(root, ignore_errors=True)


def main() -> int:
    """Run the moments, print the table, and return 1 where one of them went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('overrides', nargs='*', metavar='key=value')
    parser.add_argument('--profile', default='smoke')
    parser.add_argument('--moments', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', type=Path, help='write the table to this file')
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix='naics-embed-kill-'))
    try:
        begun = time.perf_counter()
        summary, complaints = finish(start(root, options.profile, options.overrides))
        undisturbed = time.perf_counter() - begun
        if not summary:
            sys.stderr.write(complaints)
            return 2
        wanted, order = outputs(summary), list(summary['stages'])
    finally:
        shutil.rmtree(root, ignore_errors=True)
    draw = random.Random(options.seed)
    # One moment in each of as many equal parts of the run, so that few of them reach all stages.
    parts = [(part + draw.random()) / options.moments for part in range(options.moments)]
    moments = [
        one_moment(undisturbed * part, options.profile, options.overrides, wanted, order)
        for part in parts
    ]
    _print(moments, undisturbed)
    if options.json:
        content = {'undisturbed_s': undisturbed, 'moments': [asdict(one) for one in moments]}
        options.json.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
    return int(any(one.status or one.again or one.different for one in moments))


def _print(moments: list[Moment], undisturbed: float) -> None:
    table = Table(title=f'undisturbed: {undisturbed:.0f} s', box=None)
    for name in ('killed after', 'during', 'finished', 'computed twice', 'different', 'exit', 's'):
        table.add_column(name)
    for one in moments:
        table.add_row(
            f'{one.after_s:.1f} s',
            one.during or 'after the end',
            str(one.finished),
            ', '.join(one.again) or '0',
            ', '.join(one.different) or '0',
            str(one.status),
            f'{one.seconds:.0f}',
        )
    Console().print(table)


if __name__ == '__main__':
    sys.exit(main())
