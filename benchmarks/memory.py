"""Distance with a memory of training texts, and where retrieval by distance is lost.

Reads the newest files of a finished run, encodes its texts with the trained encoder, and prints
top-1 and MRR by kind of query among the supervised six-digit codes: by the distance to the codes'
points, by that to their texts, and by both (`naics_embed.evaluation.memory`), with weights that are
fitted on validation queries. ``--decoders`` adds what a linear classifier makes of the same texts
in three representations: frozen and trained sentence embeddings, and tangent coordinates.

    python -m benchmarks.memory --root artifacts --decoders
    python -m benchmarks.memory --root artifacts --split test --json memory.json
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.text_inputs import newest, text_inputs
from naics_embed.artifacts import Artifact, write_json
from naics_embed.config.load import load_config
from naics_embed.evaluation.memory import Memory, fit_memory
from naics_embed.geometry.lorentz import exp0, log0
from naics_embed.metrics.retrieval import retrieval_metrics, score_queries
from naics_embed.text.backbone import load_transformer
from naics_embed.text.corpus import QuerySet, TextCorpus
from naics_embed.text.encoder import AdapterSettings, SentenceEncoder
from naics_embed.text.head import LorentzHead
from naics_embed.text.tokens import length_batches
from tasks.frames import frame_of
from tasks.texts import as_queries, leaf_rows, located

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
KINDS = ('index', 'plain', 'panel', 'business')
EPOCHS = 5
BATCH = 1024
RATE = 5e-3


@torch.no_grad()
def encode(
    corpus: TextCorpus, folder: Path, rows: np.ndarray, frozen_layers: int, batch_tokens: int
) -> Tensor:
    """Return the trained encoder's embeddings of some texts, float32 ``(len(rows), width)``."""
    settings = AdapterSettings(1, 1.0, 0.0, frozen_layers, mode='frozen')
    encoder = SentenceEncoder(load_transformer(folder), settings).eval()
    result = torch.empty(len(rows), encoder.width)
    for part in length_batches(corpus.tokens.lengths[rows], batch_tokens):
        result[torch.from_numpy(part)] = encoder.upper(*corpus.hidden(rows[part]))
    return result


def kept(file: Path, rows: np.ndarray, compute: Callable[[np.ndarray], Tensor]) -> Tensor:
    """Return embeddings of texts from a file, encoding what it lacks and writing it again."""
    have = load_file(file) if file.is_file() else {}
    known = have.get('rows', torch.empty(0, dtype=torch.int64)).numpy()
    missing = np.setdiff1d(rows, known)
    embeddings = have.get('embeddings')
    if len(missing):
        new = compute(missing)
        embeddings = new if embeddings is None else torch.cat([embeddings, new])
        known = np.concatenate([known, missing])
        save_file({'rows': torch.from_numpy(known), 'embeddings': embeddings}, file)
    order = np.argsort(known)
    assert embeddings is not None
    return embeddings[torch.from_numpy(order[np.searchsorted(known[order], rows)])]


def scored(scores: Tensor, truth: Tensor) -> tuple[float, float]:
    """Return top-1 and MRR."""
    metrics = retrieval_metrics(score_queries(scores.double(), truth))
    return metrics['top1'], metrics['mrr']


def linear_classifier(x: Tensor, y: Tensor, classes: int, seed: int) -> nn.Linear:
    """Fit a softmax on centred features from the class means, by Adam."""
    torch.manual_seed(seed)
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


def measure(
    root: Path, split: str, encoded: Path, decoders: bool, overrides: list[str]
) -> tuple[dict[str, dict[str, tuple[float, float]]], dict[str, float]]:
    """Return system → kind → top-1 and MRR, and the weights of the memory."""
    config = load_config(CONFIGS, 'cpu', [f'runtime.root={root}', *overrides]).config
    inputs = text_inputs(root, config)
    corpus, leaves = inputs.corpus, torch.from_numpy(inputs.leaves)
    folder = newest(root, 'text_training', 'model/head.safetensors').parent
    head = LorentzHead.load(
        folder / 'head.safetensors', c=config.model.curvature, r_max=config.model.r_max
    )
    c = head.c
    tangents = load_file(newest(root, 'selection', 'table.safetensors'))['tangents'].double()

    frame = frame_of(Artifact.of(newest(root, 'queries', 'queries.parquet')))
    placed = leaf_rows(located(frame, corpus.tokens, inputs.taxonomy))
    placed = placed.filter(pl.Series(inputs.supervised[placed['target']]))
    train = as_queries(placed.filter(pl.col('split') == 'train').unique('row', keep='first'))
    held: dict[tuple[str, str], QuerySet] = {
        (where, kind): as_queries(
            placed.filter((pl.col('split') == where) & (pl.col('kind') == kind))
        )
        for where in dict.fromkeys(('validation', split))
        for kind in KINDS
    }
    rows = np.unique(np.concatenate([train.rows, *(part.rows for part in held.values())]))
    sizes = config.backbone.frozen_layers, config.backbone.batch_tokens
    embeddings = kept(encoded, rows, lambda missing: encode(corpus, folder, missing, *sizes))

    def trained(queries: QuerySet) -> Tensor:
        return embeddings[torch.from_numpy(np.searchsorted(rows, queries.rows))]

    @torch.no_grad()
    def points(queries: QuerySet) -> Tensor:
        return torch.cat([head(part) for part in trained(queries).split(4096)])

    def columns(queries: QuerySet) -> Tensor:
        return torch.searchsorted(leaves, torch.from_numpy(queries.targets))

    memory = Memory(exp0(tangents, c=c)[leaves], points(train), columns(train), c)
    features = {key: memory.features(points(part)) for key, part in held.items()}
    truth = {key: columns(part) for key, part in held.items()}
    chosen = [('validation', kind) for kind in KINDS]
    weights = fit_memory([features[key] for key in chosen], [truth[key] for key in chosen])
    ranked = torch.tensor([weights.code, weights.texts, weights.number])
    result: dict[str, dict[str, tuple[float, float]]] = {}
    for kind in KINDS:
        own, right = features[split, kind], truth[split, kind]
        for name, scores in (
            ('distance to the codes', own[..., 0]),
            ('distance to their texts', own[..., 1]),
            ('distance with memory', own @ ranked),
        ):
            result.setdefault(name, {})[kind] = scored(scores, right)
    if decoders:
        frozen = torch.from_numpy(corpus.embeddings)
        representations = {
            'linear, frozen embeddings': lambda part: frozen[torch.from_numpy(part.rows)].float(),
            'linear, trained embeddings': trained,
            'linear, tangent coordinates': lambda part: log0(points(part), c=c).float(),
        }
        for name, of in representations.items():
            x = of(train)
            mean = x.mean(0)
            layer = linear_classifier(x - mean, columns(train), len(leaves), config.runtime.seed)
            result[name] = {
                kind: scored(layer(of(held[split, kind]) - mean), truth[split, kind])
                for kind in KINDS
            }
    return result, asdict(weights) | {'texts_in_memory': float(len(train))}


def main() -> None:
    """Print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--root', type=Path, required=True, help='artifact root of a run')
    parser.add_argument('--split', choices=['validation', 'test'], default='validation')
    parser.add_argument('--encoded', type=Path, default=Path('memory.safetensors'), help='cache')
    parser.add_argument('--decoders', action='store_true')
    parser.add_argument('--json', type=Path)
    parser.add_argument('--set', nargs='*', default=[], help='overrides of the configuration')
    given = parser.parse_args()
    result, weights = measure(given.root, given.split, given.encoded, given.decoders, given.set)
    console = Console(width=120)
    shown = Table('system', *KINDS, title=f'top-1 / MRR, {given.split}, supervised codes')
    for name, metrics in result.items():
        shown.add_row(name, *(f'{top1:.4f} / {mrr:.4f}' for top1, mrr in metrics.values()))
    console.print(shown)
    console.print(weights)
    if given.json is not None:
        write_json(given.json, {'split': given.split, 'metrics': result, 'weights': weights})


if __name__ == '__main__':
    main()
