"""What orchestration costs: a pipeline that finds every stage cached, against running servers.

    python -m benchmarks.overhead [--repeat 3] [--work FOLDER] [--json FILE] [key=value ...]

Told for each run: seconds by the clock, seconds of processor time of the process (which a busy
machine does not stretch), and how many seconds passed inside the flow, without the start of Python
and the loading of libraries. Prefect's and MLflow's servers run on SQLite.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.harness import Bench, write_json
from flows.local_platform.environment import environment
from flows.runtime import CHECKOUT, prepare

COMMAND = 'from naics_embed.cli.main import main; main()'


def run(settings: list[str]) -> dict[str, float]:
    """Run the command line once; return its seconds and how many stages were cached."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, '-c', COMMAND, 'run', '--profile', 'smoke', '--json', *settings],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    summary = json.loads(process.stdout.read() or '{}')
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit('the pipeline failed')
    stages = summary['stages'].values()
    return {
        'clock_s': time.perf_counter() - begun,
        'processor_s': used.ru_utime + used.ru_stime,
        'flow_s': summary['seconds'],
        'stages': len(stages),
        'cached': sum(stage['cached'] for stage in stages),
    }


def main() -> int:
    """Measure, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('overrides', nargs='*', metavar='key=value')
    parser.add_argument('--repeat', type=int, default=3)
    parser.add_argument('--work', type=Path, default=CHECKOUT / 'artifacts' / 'overhead')
    parser.add_argument('--json', type=Path, help='write what was measured to this file')
    options = parser.parse_args()
    prepare(quiet=True)
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(work)
    os.environ |= environment(work, bench.ports['prefect'], bench.ports['mlflow'], None)
    try:
        bench.start('prefect')
        bench.start('mlflow')
        from benchmarks.miniature import overrides

        settings = [*overrides(work), f'runtime.root={work / "artifacts"}', *options.overrides]
        first, *rest = (run(settings) for _ in range(options.repeat + 1))
    finally:
        bench.stop()
    medians = {name: statistics.median(one[name] for one in rest) for name in first}
    print(
        f'{medians["cached"]:.0f} of {medians["stages"]:.0f} stages cached: '
        f'{medians["clock_s"]:.1f} s by the clock, {medians["processor_s"]:.1f} s of processor '
        f'time, {medians["flow_s"]:.1f} s inside the flow'
    )
    if options.json:
        write_json(options.json, {'first': first, 'cached': rest, 'medians': medians})
    return 0


if __name__ == '__main__':
    sys.exit(main())
