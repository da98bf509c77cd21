"""How long a description waits for its code: import, first answer of a cold process, warm queries.

Everything runs on one core. The descriptions are those of the panel and of the plain-language
corpus, one at a time. Cold processes are started again each time; the files of the bundle stay in
the page cache.

    python -m benchmarks.coding --bundle BUNDLE --json coding.json
    python -m benchmarks.coding --parts import warm
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from naics_embed.data.plain_language import PANEL_FILE, data_file

IMPORT_TARGET_S = 0.5
COLD_TARGET_S = 1.5
P50_TARGET_MS = 20.0
P99_TARGET_MS = 60.0

IMPORT = 'import naics_embed'
COLD = """
import sys
from naics_embed import Coder
[answer] = Coder.load(sys.argv[1] or None).search(sys.argv[2])
print(answer.hits[0].code)
"""
QUESTION = 'we groom dogs at home'


def one_core() -> None:
    """Keep this process and its children on one core, the last it may use."""
    os.environ |= {'OMP_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1', 'RAYON_NUM_THREADS': '1'}
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def processes(script: str, arguments: list[str], repeats: int) -> dict[str, float]:
    """Run a script in new processes; seconds from start to end, and seconds of the processor."""
    wall, cpu = [], []
    for _ in range(repeats):
        before = os.times()
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, '-c', script, *arguments], check=True, stdout=subprocess.DEVNULL
        )
        wall.append(time.perf_counter() - start)
        after = os.times()
        cpu.append(
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
    return {'seconds': median(wall), 'processor_seconds': median(cpu), 'best': min(wall)}


def warm(bundle: Path | None, queries: int, repeats: int) -> dict[str, float]:
    """Ask one query at a time of a coder that has answered some before; milliseconds."""
    import torch

    from naics_embed import Coder

    torch.set_num_threads(1)
    coder = Coder.load(bundle)
    texts = pl.read_csv(data_file(PANEL_FILE))['text'].to_list()[:queries]
    for text in texts[:20]:
        coder.search(text)
    wall, cpu = [], []
    for text in texts * repeats:
        start, busy = time.perf_counter(), time.thread_time()
        coder.search(text)
        wall.append(1e3 * (time.perf_counter() - start))
        cpu.append(1e3 * (time.thread_time() - busy))
    return {
        'queries': len(wall),
        'p50_ms': float(np.quantile(wall, 0.5)),
        'p99_ms': float(np.quantile(wall, 0.99)),
        'processor_p50_ms': float(np.quantile(cpu, 0.5)),
        'processor_p99_ms': float(np.quantile(cpu, 0.99)),
    }


PARTS = ('import', 'cold', 'warm')


def measure(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return part → metrics."""
    found: dict[str, dict[str, float]] = {}
    if 'import' in args.parts:
        found['python'] = processes('pass', [], args.processes)
        found['import'] = processes(IMPORT, [], args.processes)
    if 'cold' in args.parts:
        found['torch'] = processes('import torch', [], args.processes)
        found['cold'] = processes(COLD, [str(args.bundle or ''), QUESTION], args.processes)
    if 'warm' in args.parts:
        found['warm'] = warm(args.bundle, args.queries, args.repeats)
    return found


def show(found: dict[str, dict[str, float]]) -> Table:
    """Lay the metrics out beside their aims."""
    table = Table('what', 'measured', 'processor', 'aim')
    if 'import' in found:
        import_ = {name: found['import'][name] - found['python'][name] for name in found['import']}
        table.add_row(
            'import naics_embed',
            f'{import_["seconds"]:.3f} s',
            f'{import_["processor_seconds"]:.3f} s',
            f'{IMPORT_TARGET_S} s',
        )
    if 'cold' in found:
        for name, what, aim in (
            ('torch', 'a process that imports torch', ''),
            ('cold', 'first answer of a new process', f'{COLD_TARGET_S} s'),
        ):
            own = found[name]
            table.add_row(what, f'{own["seconds"]:.2f} s', f'{own["processor_seconds"]:.2f} s', aim)
    if 'warm' in found:
        own = found['warm']
        for quantile, aim in (('p50', P50_TARGET_MS), ('p99', P99_TARGET_MS)):
            table.add_row(
                f'one query, {quantile}',
                f'{own[f"{quantile}_ms"]:.1f} ms',
                f'{own[f"processor_{quantile}_ms"]:.1f} ms',
                f'{aim:g} ms',
            )
    return table


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--bundle', type=Path, help='directory; default: the promoted one')
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=list(PARTS))
    parser.add_argument('--processes', type=int, default=5, help='new processes for each metric')
    parser.add_argument('--queries', type=int, default=250, help='descriptions')
    parser.add_argument('--repeats', type=int, default=2, help='how often each is asked')
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    one_core()
    found = measure(args)
    Console().print(show(found))
    if args.json:
        args.json.write_text(json.dumps(found, indent=2), encoding='utf-8')


if __name__ == '__main__':
    main()
