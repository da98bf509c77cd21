"""Seconds and memory of the tree diagnostics, of a table and of its ceiling, on random trees.

The peak is of the whole process, so that trees are measured from small to large.

    python -m benchmarks.reconstruction --nodes 2125 20000 --json reconstruction.json
"""

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from naics_embed.geometry.construction import construct
from naics_embed.geometry.lorentz import exp0
from naics_embed.metrics.reconstruction import (
    EXACT_NORM_WEIGHT,
    reconstruction_ceiling,
    reconstruction_metrics,
)
from naics_embed.metrics.tree import Tree

LEVELS = 5
DIM = 16
TAU = 1.0
SPREAD = 0.75


def random_tree(nodes: int, seed: int) -> np.ndarray:
    """Parent of each node ``(n,)``, −1 above the first level, as many levels as NAICS has."""
    random = np.random.default_rng(seed)
    parent = np.full(nodes, -1, dtype=np.int64)
    level = np.zeros(nodes, dtype=np.int64)
    for node in range(1, nodes):
        above = int(random.integers(node))
        while level[above] == LEVELS - 1:
            above = int(parent[above])
        parent[node], level[node] = above, level[above] + 1
    return parent


def measure(nodes: int, chunk: int) -> dict[str, float]:
    """Return seconds of both, and the most memory that the process ever held, in MB."""
    parent = random_tree(nodes, 0)
    tree = Tree.from_parents(torch.from_numpy(parent))
    points = exp0(construct(parent, dim=DIM, tau=TAU, spread=SPREAD), c=1.0)
    start = time.perf_counter()
    found = reconstruction_metrics(points, tree, c=1.0, norm_weight=EXACT_NORM_WEIGHT, chunk=chunk)
    middle = time.perf_counter()
    reconstruction_ceiling(tree, norm_weight=EXACT_NORM_WEIGHT, chunk=chunk)
    return {
        'nodes': nodes,
        'table_seconds': middle - start,
        'ceiling_seconds': time.perf_counter() - middle,
        'peak_mb': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        'spearman': found['spearman'],
    }


def main() -> None:
    """Measure trees of growing size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--nodes', type=int, nargs='+', default=[2125, 20000])
    parser.add_argument('--chunk', type=int, default=128, help='rows of distances at a time')
    parser.add_argument('--threads', type=int, default=1, help='threads of torch')
    parser.add_argument('--json', type=Path, help='write the metrics here')
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    records = [measure(nodes, options.chunk) for nodes in sorted(options.nodes)]
    table = Table('nodes', 'table, s', 'ceiling, s', 'peak MB', 'Spearman')
    for record in records:
        table.add_row(
            f'{record["nodes"]:,}',
            f'{record["table_seconds"]:.1f}',
            f'{record["ceiling_seconds"]:.1f}',
            f'{record["peak_mb"]:,.0f}',
            f'{record["spearman"]:.4f}',
        )
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(records, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
