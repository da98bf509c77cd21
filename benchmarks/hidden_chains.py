"""Hidden leaf chains: does a code that is embedded from its texts alone find its parent?

The top of each hidden chain is asked for the nearest code one level up: in the trained table, which
embeds it from its texts; by the cosine of frozen titles; and by that of frozen class means, over a
code's own channel texts and the training texts of supervised codes below it. Reads the newest files
of a finished run.

    python -m benchmarks.hidden_chains --root artifacts --json hidden.json
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table as Shown
from safetensors.torch import load_file

from benchmarks.text_inputs import newest, text_inputs
from naics_embed.artifacts import Artifact, write_json
from naics_embed.config.load import load_config
from naics_embed.geometry.lorentz import exp0, pairwise_distance
from naics_embed.text.corpus import TextCorpus
from tasks.frames import SUPERVISED, splits_of

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
TABLE = 'trained table'


def frozen_tables(
    corpus: TextCorpus, rows: np.ndarray, targets: np.ndarray, parent: np.ndarray
) -> dict[str, np.ndarray]:
    """Return unit rows ``(n, width)``: titles, and means over texts of a code and those below it.

    Args:
        corpus: texts; the first channel is the title.
        rows: int ``(m,)``, rows of training texts.
        targets: int ``(m,)``, their codes.
        parent: int ``(n,)``, −1 for a sector.
    """
    titles = corpus.embeddings[corpus.channels[:, 0]]
    means = np.zeros_like(titles)
    for channel in corpus.channels.T:
        means[channel >= 0] += corpus.embeddings[channel[channel >= 0]]
    for code in range(len(parent)):
        own = corpus.embeddings[rows[targets == code]].sum(axis=0)
        while code >= 0:
            means[code] += own
            code = parent[code]
    return {'frozen titles': _unit(titles), 'frozen class means': _unit(means)}


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def main() -> None:
    """Print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--root', type=Path, default=Path('artifacts'), help='of a finished run')
    parser.add_argument('--profile', default='cpu')
    parser.add_argument('--json', type=Path)
    parser.add_argument('overrides', nargs='*', help='configuration, as key=value')
    arguments = parser.parse_args()
    config = load_config(CONFIGS, arguments.profile, arguments.overrides).config
    inputs = text_inputs(arguments.root, config)
    taxonomy = inputs.taxonomy
    holdout = newest(arguments.root, 'structure_holdout', 'structure_holdout.parquet')
    split = splits_of(Artifact.of(holdout), taxonomy)
    file = newest(arguments.root, 'text_training', 'model/tables.safetensors')
    points = exp0(load_file(file)['tangents'].double(), c=config.model.curvature)
    tables = frozen_tables(
        inputs.corpus, inputs.train.rows, inputs.train.targets, np.asarray(taxonomy.parent)
    )
    result = []
    for name in ('validation', 'test'):
        tops = [
            code
            for code in np.flatnonzero(split == name)
            if split[taxonomy.parent[code]] == SUPERVISED
        ]
        found: dict[str, list[bool]] = {system: [] for system in (TABLE, *tables)}
        chance = []
        for code in tops:
            above = np.flatnonzero(taxonomy.level == taxonomy.level[taxonomy.parent[code]])
            distance = pairwise_distance(points[[code]], points[above], c=config.model.curvature)
            nearest = {TABLE: above[int(distance.argmin())]}
            nearest |= {
                system: above[int((rows[above] @ rows[code]).argmax())]
                for system, rows in tables.items()
            }
            for system, answer in nearest.items():
                found[system].append(answer == taxonomy.parent[code])
            chance.append(1 / len(above))
        result += [
            {'split': name, 'chains': len(tops), 'system': system, 'parent_at_1': value}
            for system, value in {
                **{system: float(np.mean(right)) for system, right in found.items()},
                'chance': float(np.mean(chance)),
            }.items()
        ]
    shown = Shown(*pl.DataFrame(result).columns, box=None)
    for row in result:
        shown.add_row(*(f'{v:.3f}' if isinstance(v, float) else str(v) for v in row.values()))
    Console().print(shown)
    if arguments.json:
        write_json(arguments.json, result)


if __name__ == '__main__':
    main()
