"""Nearest texts by an approximate index of tangent coordinates, with exact re-scoring.

Vector databases know Euclidean distance and inner products, not the geodesic distance. The known
texts of a bundle are indexed by their tangent coordinates at the origin; for each query the index
gives candidates, which are ranked again by geodesic distance. Recall@10 is the fraction of the ten
nearest texts of an exact search that are found. Beside it: the points themselves (time and space
part) with the inner product, which is monotone in the geodesic distance. The index is USearch's, a
graph (HNSW) as most vector databases have one; it is no dependency of the project:

    pip install usearch
    python -m benchmarks.vector_search --bundle BUNDLE --texts 20000 --queries 1000
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from rich.console import Console
from rich.table import Table

from naics_embed.geometry.lorentz import log0, pairwise_distance, time_component
from naics_embed.search.coder import Coder

K = 10
CANDIDATES = (10, 20, 50, 100, 200)
BLOCK = 200
"""Queries compared with all texts at a time."""


def texts_of(bundle: Path, texts: int, queries: int) -> tuple[list[str], list[str]]:
    """Return known texts and held-out ones of a bundle, drawn once; none is in both."""
    known = pl.read_parquet(bundle / 'coder' / 'texts.parquet')['text'].unique(maintain_order=True)
    held = pl.read_parquet(bundle / 'coder' / 'queries.parquet')['text'].unique(maintain_order=True)
    held = held.filter(~held.is_in(known.implode()))
    return (
        known.sample(min(texts, len(known)), seed=0).to_list(),
        held.sample(min(queries, len(held)), seed=0).to_list(),
    )


def nearest(queries: torch.Tensor, points: torch.Tensor, c: float) -> np.ndarray:
    """Return the `K` nearest points of each query by geodesic distance, exactly."""
    found = [
        pairwise_distance(queries[start : start + BLOCK], points, c=c)
        .topk(K, largest=False)
        .indices
        for start in range(0, len(queries), BLOCK)
    ]
    return torch.cat(found).numpy()


def rescored(
    queries: torch.Tensor, points: torch.Tensor, candidates: np.ndarray, c: float
) -> np.ndarray:
    """Return the `K` nearest of the candidates of each query by geodesic distance."""
    result = np.empty((len(queries), K), dtype=np.int64)
    for row, own in enumerate(candidates):
        far = pairwise_distance(queries[row : row + 1], points[torch.from_numpy(own)], c=c)[0]
        result[row] = own[far.argsort(stable=True)[:K].numpy()]
    return result


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    """Return the mean fraction of the exact neighbours that were found."""
    shares = [
        len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), exact.tolist(), strict=True)
    ]
    return float(np.mean(shares))


def main() -> None:
    """Measure and print."""
    from usearch.index import Index

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--bundle', type=Path, required=True)
    parser.add_argument('--texts', type=int, default=20_000, help='known texts that are indexed')
    parser.add_argument('--queries', type=int, default=1000, help='held-out texts')
    parser.add_argument('--connectivity', type=int, default=16, help='edges a text in the graph')
    parser.add_argument('--expansion', type=int, default=128, help='breadth of a search')
    parser.add_argument('--json', type=Path, help='file to write')
    args = parser.parse_args()
    coder = Coder.load(args.bundle, verify=False)
    c = coder.searcher.space.curvature
    known, asked = texts_of(coder.searcher.bundle.path, args.texts, args.queries)
    points, queries = coder.searcher.encode(known), coder.searcher.encode(asked)
    start = time.process_time()
    exact = nearest(queries, points, c)
    exact_ms = (time.process_time() - start) / len(asked) * 1000
    # ⟨x, y⟩ = −t·t′ + s·s′ is the inner product of (−t, s) with (t′, s′).
    signs = torch.tensor([-1.0] + [1.0] * points.shape[1], dtype=points.dtype)
    ambient, ambient_queries = (
        torch.cat([time_component(one, c=c)[:, None], one], dim=1) for one in (points, queries)
    )
    ways = {
        'tangent, Euclidean': ('l2sq', log0(points, c=c), log0(queries, c=c)),
        'points, inner product': ('ip', ambient, ambient_queries * signs),
    }
    results: dict[str, Any] = {
        'texts': len(known),
        'queries': len(asked),
        'dim': points.shape[1],
        'exact_ms': exact_ms,
    }
    shown = Table('vectors', 'candidates', 'as found', 're-scored', 'CPU ms a query')
    for name, (metric, stored, asking) in ways.items():
        index = Index(
            ndim=stored.shape[1],
            metric=metric,
            dtype='f32',
            connectivity=args.connectivity,
            expansion_add=args.expansion,
            expansion_search=args.expansion,
        )
        index.add(np.arange(len(known)), stored.numpy().astype(np.float32), threads=1)
        own = asking.numpy().astype(np.float32)
        for count in CANDIDATES:
            start = time.process_time()
            candidates = index.search(own, count, threads=1).keys.astype(np.int64)
            again = rescored(queries, points, candidates, c)
            row = {
                'recall_as_found': recall(candidates[:, :K], exact),
                'recall_rescored': recall(again, exact),
                'ms': (time.process_time() - start) / len(asked) * 1000,
            }
            results[f'{name}/{count}'] = row
            shown.add_row(
                name,
                str(count),
                f'{row["recall_as_found"]:.3f}',
                f'{row["recall_rescored"]:.3f}',
                f'{row["ms"]:.2f}',
            )
    console = Console(width=100)
    console.print(shown)
    console.print(
        f'{len(known):,} texts, {len(asked):,} queries, {points.shape[1]} dimensions; an exact '
        f'search takes {exact_ms:.2f} CPU ms a query'
    )
    if args.json is not None:
        args.json.write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
