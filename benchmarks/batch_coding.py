"""Texts a second of batch coding, beside `SentenceTransformer.encode` with the same backbone.

Entries of the Census index, as a finished run has them, go through both in turn, so that whatever
else the machine does hits both: plain sentence-transformers; the query encoder (points of the
trained space); the coder's two encoders; and the whole coder, ranked codes included. Told for each
number of threads: medians by the clock and by the processor's time, and their ratio to
sentence-transformers. Beside bfloat16 stands its agreement with float32. Then files of so many rows
are coded by the streaming path, each in a process of its own, for how its memory grows.

    python -m benchmarks.batch_coding --root artifacts --json batch.json
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil
import torch
from rich.console import Console
from rich.table import Table
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from threadpoolctl import threadpool_limits

from naics_embed.bundle.promotion import promoted_bundle
from naics_embed.search.bulk import FileJob, code_file
from naics_embed.search.coder import Coder
from naics_embed.text.backbone import locate_backbone
from naics_embed.text.inference.precisions import BFLOAT16, FLOAT32, PRECISIONS
from naics_embed.text.inference.processor import self_test

BACKBONE = 'sentence-transformers/all-MiniLM-L6-v2'
PEER = 'SentenceTransformer.encode'
WANTED = 1.5
MILLION = 1_000_000
MEGABYTE = 2**20


def entries(root: Path, split: str) -> list[str]:
    """Return the index entries of a split, in an order drawn once."""
    files = sorted((root / 'index_roles').glob('*/index_entries.parquet'))
    texts = (
        pl.read_parquet(files[-1])
        .filter(pl.col('role') == split)['text']
        .unique(maintain_order=True)
    )
    return texts.sample(fraction=1.0, shuffle=True, seed=0).to_list()


def peer(backbone: Path) -> SentenceTransformer:
    """Return the backbone as sentence-transformers runs it: mean pooling, its own batches."""
    words = Transformer(str(backbone))
    return SentenceTransformer(
        modules=[words, Pooling(words.get_embedding_dimension(), 'mean')], device='cpu'
    )


def contenders(
    texts: list[str], backbone: Path, coders: dict[str, Coder]
) -> dict[str, Callable[[], Any]]:
    """Return what is timed, by name."""
    plain = peer(backbone)
    calls: dict[str, Callable[[], Any]] = {
        PEER: lambda: plain.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    }
    for name, coder in coders.items():
        calls[f'both encoders, {name}'] = lambda c=coder: c.encoder.embed(texts, MILLION)
        calls[f'coder, {name}'] = lambda c=coder: c.search(texts, k=1)
    first = next(iter(coders.values()))
    calls['query encoder, float32'] = lambda: first.searcher.encode(texts)
    return calls


def speeds(
    calls: dict[str, Callable[[], Any]], texts: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Time all calls in turn, ``rounds`` times after one that does not count."""
    wall: dict[str, list[float]] = {name: [] for name in calls}
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            call()
            if turn:
                wall[name].append(time.perf_counter() - start)
                cpu[name].append(time.process_time() - cpu_start)
    wall_s = {name: statistics.median(values) for name, values in wall.items()}
    cpu_s = {name: statistics.median(values) for name, values in cpu.items()}
    return {
        name: {
            'texts_per_s': texts / wall_s[name],
            'texts_per_cpu_s': texts / cpu_s[name],
            'ratio': wall_s[PEER] / wall_s[name],
            'cpu_ratio': cpu_s[PEER] / cpu_s[name],
        }
        for name in calls
    }


def agreement(texts: list[str], exact: Coder, rough: Coder) -> dict[str, float]:
    """Return how often both give the same best code, and how far their probabilities part."""
    one, two = exact.probabilities(texts), rough.probabilities(texts)
    best = one.argmax(1)
    rows = np.arange(len(texts))
    return {
        'texts': len(texts),
        'top1': float((best == two.argmax(1)).mean()),
        'largest_change': float(np.abs(one[rows, best] - two[rows, best]).max()),
    }


def memory(
    bundle: Path, texts: list[str], rows: int, part_rows: int, precision: str
) -> dict[str, Any]:
    """Code a file of so many rows in a process of its own; tell how its memory grows.

    The slope is that of resident memory after each part, by least squares over the parts after the
    first third: what is built once is there by then.
    """
    with tempfile.TemporaryDirectory(prefix='naics-embed-batch-') as folder:
        source = Path(folder) / 'in.parquet'
        # Numbers make every row another text.
        column = [f'{texts[i % len(texts)]} {i // len(texts)}' for i in range(rows)]
        pl.DataFrame({'text': column}).write_parquet(source)
        arguments = [bundle, source, Path(folder) / 'out.parquet', part_rows, precision]
        done = subprocess.run(
            [sys.executable, '-m', 'benchmarks.batch_coding', '--child', *map(str, arguments)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    seen = json.loads(done.stdout.splitlines()[-1])
    at, resident = np.array(seen['rows']), np.array(seen['resident_mb'])
    late = at > rows / 3
    slope, _ = np.polyfit(at[late], resident[late], 1)
    return {
        'rows': rows,
        'part_rows': part_rows,
        'precision': precision,
        'rows_per_s': rows / seen['seconds'],
        'rows_per_cpu_s': rows / seen['cpu_seconds'],
        'peak_mb': seen['peak_mb'],
        'least_mb': float(resident[late].min()),
        'most_mb': float(resident[late].max()),
        'mb_per_100000_rows': float(slope * 100_000),
        'mb_for_a_million': seen['peak_mb'] + float(slope) * (MILLION - rows),
    }


def child(bundle: str, source: str, out: str, part_rows: str, precision: str) -> None:
    """Code a file on one thread and print resident MB after each part."""
    torch.set_num_threads(1)
    process = psutil.Process()
    rows: list[int] = []
    resident: list[float] = []

    def note(done: int) -> None:
        rows.append(done)
        resident.append(process.memory_info().rss / MEGABYTE)

    coder = Coder.load(bundle, precision=precision)
    job = FileJob(Path(source), 'text', Path(out), part_rows=int(part_rows))
    start, cpu_start = time.perf_counter(), time.process_time()
    with threadpool_limits(1):
        code_file(coder, job, report=note)
    seen = {
        'rows': rows,
        'resident_mb': resident,
        'seconds': time.perf_counter() - start,
        'cpu_seconds': time.process_time() - cpu_start,
        'peak_mb': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE,
    }
    print(json.dumps(seen))


def main() -> None:
    """Print the tables, and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--root', type=Path, default=Path('artifacts'), help='of a finished run')
    parser.add_argument('--backbone', default=BACKBONE, help='folder or name of the plain backbone')
    parser.add_argument('--texts', type=int, default=2048)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--threads', type=int, nargs='*', default=[1, 2])
    parser.add_argument('--rows', type=int, nargs='*', default=[20_000, 60_000], help='of memory')
    parser.add_argument('--precision', choices=PRECISIONS, default=BFLOAT16, help='of memory')
    parser.add_argument('--part-rows', type=int, default=2048)
    parser.add_argument('--json', type=Path)
    parser.add_argument('--child', nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    bundle = promoted_bundle(options.root)
    texts = entries(options.root, 'test')[: options.texts]
    result: dict[str, Any] = {
        'texts': len(texts),
        'rounds': options.rounds,
        'cores': os.cpu_count(),
        'machine_load': os.getloadavg()[0],
        'threads': {},
    }
    if options.threads:
        # bfloat16 is refused where the processor has no instructions for it.
        useful = PRECISIONS if self_test(keep=False).refusal() is None else (FLOAT32,)
        coders = {name: Coder.load(bundle, precision=name) for name in useful}
        calls = contenders(texts, locate_backbone(options.backbone).folder, coders)
        exact, *others = coders
        result['agreement'] = {
            name: agreement(texts, coders[exact], coders[name]) for name in others
        }
    for threads in options.threads:
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            result['threads'][threads] = speeds(calls, len(texts), options.rounds)
    result['memory'] = [
        memory(bundle, texts, rows, options.part_rows, options.precision) for rows in options.rows
    ]
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + '\n', encoding='utf-8')
    _print(result)


def _print(result: dict[str, Any]) -> None:
    table = Table(title=f'{result["texts"]:,} entries; wanted: {WANTED}', box=None)
    for name in ('threads', 'what', 'texts/s', 'ratio', 'texts/CPU s', 'CPU ratio'):
        table.add_column(name, justify='left' if name == 'what' else 'right')
    for threads, found in result['threads'].items():
        for name, speed in found.items():
            table.add_row(
                str(threads),
                name,
                f'{speed["texts_per_s"]:.0f}',
                f'{speed["ratio"]:.2f}',
                f'{speed["texts_per_cpu_s"]:.0f}',
                f'{speed["cpu_ratio"]:.2f}',
            )
    console = Console()
    console.print(table)
    for name, found in result.get('agreement', {}).items():
        console.print(f'{name}: the same best code for {found["top1"]:.2%} of {found["texts"]:,}')
    for found in result['memory']:
        console.print(
            f'{found["rows"]:,} rows ({found["precision"]}, one thread): '
            f'{found["rows_per_s"]:.0f} a second, {found["rows_per_cpu_s"]:.0f} a second of the '
            f'processor; peak {found["peak_mb"]:.0f} MB; {found["least_mb"]:.0f} to '
            f'{found["most_mb"]:.0f} MB after the first third, {found["mb_per_100000_rows"]:+.1f} '
            'MB a hundred thousand rows'
        )


if __name__ == '__main__':
    main()
