"""Coding of many short rows, csv → parquet: rows a second, and the most memory that it takes.

The rows are titles of codes with a number, so that no two are alike, or ``--distinct`` of them
again and again, as a list of firms repeats its descriptions. The command runs as a user runs it, in
a process of its own, whose largest resident memory the system tells.

    python -m benchmarks.text_to_parquet --bundle BUNDLE --rows 1000000 --json text_to_parquet.json
    python -m benchmarks.text_to_parquet --bundle BUNDLE --rows 20000 --distinct 2000
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from naics_embed.bundle.storage import Bundle

COMMAND = 'from naics_embed.cli.main import main; main()'
COLUMN = 'what'


def write_rows(path: Path, titles: list[str], rows: int, distinct: int) -> None:
    """Write a csv file of numbered texts."""
    with path.open('w', encoding='utf-8', newline='') as stream:
        writer = csv.writer(stream)
        writer.writerow(['id', COLUMN, 'wage'])
        for row in range(rows):
            text = row % distinct
            writer.writerow([row, f'{titles[text % len(titles)]} {text}', f'{row}.5'])


def run(arguments: list[str]) -> tuple[float, float]:
    """Run the command; return seconds, and MiB of the largest resident memory."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, '-c', COMMAND, *arguments])
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f'the command failed with status {os.waitstatus_to_exitcode(status)}')
    return time.perf_counter() - start, used.ru_maxrss / 1024


def measure(bundle: Path, rows: int, distinct: int, more: list[str]) -> dict[str, Any]:
    """Code a file of so many rows; check that each is there, and return what it took."""
    titles = Bundle.load(bundle, verify=False).codes()['title'].to_list()
    with tempfile.TemporaryDirectory(prefix='naics-embed-') as folder:
        source, out = Path(folder) / 'in.csv', Path(folder) / 'out.parquet'
        write_rows(source, titles, rows, distinct)
        size = source.stat().st_size
        arguments = ['code', str(source), '--text-column', COLUMN, '-o', str(out)]
        seconds, memory = run([*arguments, '--bundle', str(bundle), *more])
        written = pq.read_metadata(out).num_rows
        ids = pl.scan_parquet(out).select(pl.col('id').cast(pl.Int64)).collect()['id']
        assert written == rows
        assert ids.to_list() == list(range(rows)), 'every row is there, in order'
    return {
        'rows': rows,
        'distinct': min(distinct, rows),
        'input_mib': size / 2**20,
        'seconds': seconds,
        'rows_per_s': rows / seconds,
        'memory_mib': memory,
    }


def main() -> None:
    """Measure, print, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bundle', type=Path, required=True)
    parser.add_argument('--rows', type=int, default=1_000_000)
    parser.add_argument('--distinct', type=int)
    parser.add_argument('--json', type=Path)
    given, more = parser.parse_known_args()
    found = measure(given.bundle, given.rows, given.distinct or given.rows, more)
    print(', '.join(f'{name} {value:,.1f}' for name, value in found.items()))
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
