"""Distance with a memory of training texts, and where retrieval by distance is lost.

Reads the newest files of a finished run and prints top-1 and MRR by kind of query, among the
supervised six-digit codes: by the distance to the codes' points, by that to their texts and by both
(`naics_embed.evaluation.memory`), with weights that are fitted on validation queries. Then what a
linear classifier, fitted on the same texts, makes of two representations: frozen sentence
embeddings and tangent coordinates. Texts are the training texts that stage ``query_points`` placed.

    python -m benchmarks.memory --root artifacts
    python -m benchmarks.memory --root artifacts --split test
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks.text_inputs import newest
from naics_embed.artifacts import Artifact
from naics_embed.evaluation.memory import Memory, fit_memory
from naics_embed.geometry.lorentz import exp0, log0
from naics_embed.metrics.retrieval import retrieval_metrics, score_queries
from naics_embed.text.encoding import read_encoding
from naics_embed.text.tokens import TokenTable
from tasks.frames import SUPERVISED, positions, splits_of, taxonomy_of
from tasks.points import PointTable
from tasks.texts import leaf_rows

CURVATURE = 1.0
KINDS = ('index', 'plain', 'panel', 'business')
EPOCHS = 8
BATCH = 512
RATE = 5e-3


def linear_classifier(x: Tensor, y: Tensor, classes: int) -> nn.Linear:
    """Fit a softmax on centred features, from the class means, by Adam with seed 0."""
    torch.manual_seed(0)
    means = torch.zeros(classes, x.shape[1]).index_add_(0, y, x)
    means /= torch.bincount(y, minlength=classes).clamp_min(1)[:, None]
    # The Gaussian classifier of equal spherical covariance, at a quarter of its sharpness.
    spread = 4 * float((x - means[y]).square().mean())
    layer = nn.Linear(x.shape[1], classes)
    with torch.no_grad():
        layer.weight.copy_(means / spread)
        layer.bias.copy_(-means.square().sum(1) / (2 * spread))
    optimiser = torch.optim.Adam(layer.parameters(), lr=RATE)
    for epoch in range(EPOCHS):
        for group in optimiser.param_groups:
            group['lr'] = RATE * (1 - epoch / EPOCHS)
        for rows in torch.randperm(len(x)).split(BATCH):
            loss = nn.functional.cross_entropy(layer(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return layer.requires_grad_(False)


def measure(root: Path, split: str) -> tuple[dict[str, dict[str, tuple[float, float]]], str]:
    """Return system → kind → top-1 and MRR, and a line about the memory."""
    artifact = {
        stage: Artifact.of(newest(root, stage, f'{name}'))
        for stage, name in (
            ('codebook', 'codebook.parquet'),
            ('structure_holdout', 'structure_holdout.parquet'),
            ('queries', 'queries.parquet'),
            ('query_points', 'query_points.safetensors'),
        )
    }
    taxonomy = taxonomy_of(artifact['codebook'])
    supervised = splits_of(artifact['structure_holdout'], taxonomy) == SUPERVISED
    leaves = taxonomy.at_level(6)
    leaves = leaves[supervised[leaves]]
    table = PointTable(artifact['query_points'], artifact['queries'])
    tokens = TokenTable.read(newest(root, 'tokens', 'tokens.parquet'))
    frozen, _ = read_encoding(newest(root, 'encoding', 'encoding.safetensors'))
    frame = leaf_rows(table.frame)
    target = positions(frame['code'], taxonomy)
    frame = frame.with_columns(column=pl.Series(np.searchsorted(leaves, target)))
    frame = frame.filter(pl.Series(supervised[target]))

    def part(where: str, kind: str | None = None) -> pl.DataFrame:
        rows = frame.filter(pl.col('split') == where)
        return rows if kind is None else rows.filter(pl.col('kind') == kind)

    def points(rows: pl.DataFrame) -> Tensor:
        return table.points[torch.from_numpy(rows['point'].to_numpy().astype(np.int64))]

    def column(rows: pl.DataFrame) -> Tensor:
        return torch.from_numpy(rows['column'].to_numpy().astype(np.int64))

    train = part('train')
    held = {(w, kind): part(w, kind) for w in ('validation', split) for kind in KINDS}
    tangents = load_file(newest(root, 'selection', 'table.safetensors'))['tangents'].double()
    codes = exp0(tangents, c=CURVATURE)[torch.from_numpy(leaves)]
    memory = Memory(codes, points(train), column(train), CURVATURE)
    features = {key: memory.features(points(rows)) for key, rows in held.items()}
    chosen = [('validation', kind) for kind in KINDS]
    weights = fit_memory([features[key] for key in chosen], [column(held[key]) for key in chosen])
    linear = torch.tensor([weights.code, weights.texts, weights.number])
    scores = {
        'distance to the codes': {kind: features[split, kind][..., 0] for kind in KINDS},
        'distance to their texts': {kind: features[split, kind][..., 1] for kind in KINDS},
        'distance with memory': {kind: features[split, kind] @ linear for kind in KINDS},
    }
    embeddings = {
        'linear, 384 frozen dimensions': lambda rows: torch.from_numpy(
            frozen[tokens.rows(rows['text'])]
        ).float(),
        'linear, 64 tangent coordinates': lambda rows: log0(points(rows), c=CURVATURE).float(),
    }
    for name, of in embeddings.items():
        x = of(train)
        mean = x.mean(0)
        layer = linear_classifier(x - mean, column(train), len(leaves))
        scores[name] = {kind: layer(of(held[split, kind]) - mean) for kind in KINDS}
    result = {}
    for name, of_kinds in scores.items():
        measured = {
            kind: retrieval_metrics(score_queries(matrix.double(), column(held[split, kind])))
            for kind, matrix in of_kinds.items()
        }
        result[name] = {kind: (one['top1'], one['mrr']) for kind, one in measured.items()}
    return result, f'{len(train)} texts in the memory, {weights}'


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--root', type=Path, required=True, help='artifact root of a run')
    parser.add_argument('--split', choices=['validation', 'test'], default='validation')
    given = parser.parse_args()
    result, memory = measure(given.root, given.split)
    console = Console(width=120)
    shown = Table('system', *KINDS, title=f'top-1 / MRR, {given.split}, supervised codes')
    for name, metrics in result.items():
        shown.add_row(name, *(f'{top1:.4f} / {mrr:.4f}' for top1, mrr in metrics.values()))
    console.print(shown)
    console.print(memory)


if __name__ == '__main__':
    main()
