"""Files of more and more rows through ``code-batch``, the largest one killed and run again.

Rows are titles of codes with a number, ``--distinct`` of them again and again. Each command runs in
a process of its own with one worker; its processes' resident memory is looked at twice a second.
The last file's run is killed with SIGKILL, all its processes at once, after a third and after two
thirds of its partitions, and run again; then each row must be there once, and equal the same text's
codes in the first file.

    python -m benchmarks.batch_kills --bundle BUNDLE --rows 10000 100000 1000000 --json kills.json
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from benchmarks.text_to_parquet import COLUMN, COMMAND, write_rows
from naics_embed.artifacts import write_json
from naics_embed.bundle.storage import Bundle
from naics_embed.search.partitions import MANIFESTS

LOOK_S = 0.5
MEGABYTE = 2**20
KILLS = 2
PARTITION_ROWS = 100_000


class Watched:
    """A run of the command, whose memory is looked at until it ends or is killed."""

    def __init__(self, arguments: list[str], out: Path) -> None:
        """Start it."""
        self.out = out
        self.largest_mb = 0.0
        self.all_mb = 0.0
        self.start = time.perf_counter()
        self.process = psutil.Popen([sys.executable, '-c', COMMAND, *arguments])

    def finished(self) -> int:
        """Return how many partitions have their manifests."""
        found = (self.out / MANIFESTS).glob('**/*.parquet.json')
        return sum(1 for _ in found)

    def until(self, partitions: int | None) -> float:
        """Wait for the end, or kill every process once so many partitions are coded."""
        while self.process.poll() is None:
            family = [self.process, *self.process.children(recursive=True)]
            used = [memory for memory in map(_resident_mb, family) if memory]
            self.largest_mb = max([self.largest_mb, *used])
            self.all_mb = max(self.all_mb, sum(used))
            if partitions is not None and self.finished() >= partitions:
                for one in family:
                    one.kill()
                psutil.wait_procs(family)
                return time.perf_counter() - self.start
            time.sleep(LOOK_S)
        if partitions is not None or self.process.returncode:
            raise SystemExit(f'the command ended by itself, with {self.process.returncode}')
        return time.perf_counter() - self.start


def _resident_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / MEGABYTE
    except psutil.NoSuchProcess:
        return 0.0


def measure(
    bundle: Path, folder: Path, rows: int, distinct: int, kills: int, more: list[str]
) -> dict[str, Any]:
    """Code a file of so many rows, killed so many times; check it, and return what it took."""
    titles = Bundle.load(bundle, verify=False).codes()['title'].to_list()
    source, out = folder / f'{rows}.csv', folder / f'out-{rows}'
    write_rows(source, titles, rows, distinct)
    arguments = [
        *('code-batch', str(source), str(out), '--text-column', COLUMN, '--workers', '1'),
        *('--quiet', '--bundle', str(bundle), f'runtime.root={folder / "artifacts"}'),
        *(f'batch.partition_rows={PARTITION_ROWS}', *more),
    ]
    partitions = -(-rows // PARTITION_ROWS)
    runs = []
    for kill in range(kills + 1):
        wanted = None if kill == kills else round(partitions * (kill + 1) / (kills + 1))
        run = Watched(arguments, out)
        seconds = run.until(wanted)
        runs.append(
            {
                'killed': wanted is not None,
                'partitions': run.finished(),
                'seconds': seconds,
                'largest_process_mb': run.largest_mb,
                'all_processes_mb': run.all_mb,
            }
        )
        print(json.dumps({'rows': rows, **runs[-1]}), flush=True)
    coded = pl.scan_parquet(out / '**/*.parquet').select(
        pl.col('id').cast(pl.Int64), COLUMN, 'naics_code'
    )
    frame = coded.collect().sort('id')
    assert frame['id'].to_list() == list(range(rows)), 'each row is there, once'
    summary = json.loads((out / MANIFESTS / 'summary.json').read_text(encoding='utf-8'))
    frame.unique(COLUMN).write_parquet(folder / f'codes-{rows}.parquet')
    assert frame.select(pl.struct(COLUMN, 'naics_code').n_unique()).item() == min(distinct, rows)
    seconds = sum(run['seconds'] for run in runs)
    return {
        'rows': rows,
        'distinct': min(distinct, rows),
        'seconds': seconds,
        'rows_per_s': rows / seconds,
        'kept_in_last_run': summary['kept'],
        'largest_process_mb': max(run['largest_process_mb'] for run in runs),
        'all_processes_mb': max(run['all_processes_mb'] for run in runs),
        'runs': runs,
    }


def same_codes(folder: Path, few: int, many: int) -> int:
    """Return how many texts of the first file have other codes in the last one; none may."""
    one, other = (pl.read_parquet(folder / f'codes-{rows}.parquet') for rows in (few, many))
    both = one.join(other, on=COLUMN, suffix='_other')
    assert len(both) == len(one)
    return both.filter(pl.col('naics_code') != pl.col('naics_code_other')).height


def main() -> None:
    """Measure, print, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bundle', type=Path, required=True)
    parser.add_argument('--rows', type=int, nargs='+', default=[10_000, 100_000, 1_000_000])
    parser.add_argument('--distinct', type=int, default=1000)
    parser.add_argument('--json', type=Path)
    given, more = parser.parse_known_args()
    bundle = given.bundle.resolve()
    with tempfile.TemporaryDirectory(prefix='naics-embed-') as name:
        folder = Path(name)
        found = {
            'files': [
                measure(
                    bundle,
                    folder,
                    rows,
                    given.distinct,
                    KILLS if rows == given.rows[-1] else 0,
                    more,
                )
                for rows in given.rows
            ],
            'other_codes': same_codes(folder, given.rows[0], given.rows[-1]),
        }
    for one in found['files']:
        print({key: value for key, value in one.items() if key != 'runs'})
    print(f'{found["other_codes"]} texts have other codes after the kills')
    if given.json is not None:
        write_json(given.json, found)


if __name__ == '__main__':
    main()
