"""Ablations of the text model: one row a choice, several seeds a row, as a Prefect flow.

Each cell trains on the profile ``ablation`` (heads and codes on the frozen backbone) with one row's
overrides and one seed; another profile trains the few rows that matter most at full budget. A
cell's metrics are kept as JSON and a cell whose settings, data and code have not changed is not
trained again, so that a flow that was stopped goes on. Selection is by validation, and validation
is all that is read.

    python -m benchmarks.ablation --seeds 0 1 2 --report docs/ablation.md
    python -m benchmarks.ablation --profile cpu --report docs/ablation.md
    python -m benchmarks.ablation --stored
    python -m benchmarks.ablation --rows base "rank order" --seeds 0 --set training.epochs=2
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console

from benchmarks.ablation_files import cell_file
from flows.runtime import prepare
from naics_embed.artifacts import read_json
from naics_embed.errors import ArtifactError, ConfigError

CELLS = Path(__file__).resolve().parent / 'ablation'
FIRST = 'ablation'
BASE = 'base'

# Terms between codes that are off by default get weights at which their gradient on the codes is
# some 14 to 21 % of retrieval's in the first steps (`benchmarks.gradients`); at one weight for all
# some would hardly act.
_DCL = 'objective.dcl.weight=0.5'
_CURRICULUM = (_DCL, 'curriculum.enabled=true')
ROWS: dict[str, tuple[str, ...]] = {
    BASE: (),
    'fusion: attention': ('model.fusion.kind=attention',),
    'fusion: mixture of experts': ('model.fusion.kind=experts',),
    'contrast between codes (DCL)': (_DCL,),
    'hierarchy preservation': ('objective.hierarchy.weight=20',),
    'rank order': ('objective.rank.weight=4',),
    'radial': ('objective.radial.weight=50',),
    'entailment cones': ('objective.cone.weight=1.5',),
    'no stress, no near pairs': ('objective.stress.weight=0',),
    # Near pairs weigh their own weight times that of the stress: as much as in the base.
    'near pairs alone': ('objective.stress.weight=0.0012', 'objective.stress.near_weight=1000'),
    'no near pairs': ('objective.stress.near_weight=0',),
    'DCL, curriculum without mitigation': (*_CURRICULUM, 'curriculum.false_negatives=repel'),
    'DCL, curriculum': _CURRICULUM,
    'curriculum on retrieval too': (*_CURRICULUM, 'curriculum.retrieval=true'),
    'no redirection queries': ('training.queries.redirections=false',),
    'first sentences of descriptions as queries': ('training.queries.descriptions=true',),
    'channel of excluded texts': ('model.channels=[title,description,examples,excluded]',),
    'forced hard negatives': ('objective.retrieval.forced_negatives=4',),
    'credit for ancestors': ('objective.retrieval.ancestor_credit=0.2',),
    'teacher, fading': ('objective.teacher.weight=0.3',),
    'distillation from frozen texts': ('objective.distillation.weight=1.5',),
    'table held at the construction': ('training.lr_table=0',),
    # Texts lie near the bound on the radius, which the health guard takes for a fault.
    'codes from texts': ('model.code_points=text', 'training.health.bound_fraction=1.0'),
    'codes from texts and an offset': (
        'model.code_points=text+offset',
        'training.health.bound_fraction=1.0',
    ),
    'geometry: Euclidean': ('model.geometry=euclidean',),
    'geometry: spherical': (
        'model.geometry=spherical',
        'model.r_max=3.1',
        'construction.tau=0.6',
    ),
    'dimension 8': ('model.dim=8',),
    'dimension 16': ('model.dim=16',),
    'dimension 32': ('model.dim=32',),
}
# The head-only epochs, where a whole training distils, have no part in the profile of all rows.
FULL_ROWS: dict[str, tuple[str, ...]] = {
    BASE: (),
    'no distillation': ('training.head_only.distillation=0',),
    **{
        row: ROWS[row]
        for row in (
            'geometry: Euclidean',
            'no near pairs',
            'hierarchy preservation',
            'dimension 32',
        )
    },
    'DCL, curriculum': ('objective.dcl.weight=0.1', 'curriculum.enabled=true'),
}

MEASURED = {
    'validation/index_mrr': 'MRR',
    'validation/index_top1': 'top-1',
    'validation/plain_mrr': 'corpus MRR',
    'validation/panel_mrr': 'panel MRR',
    'tree/supervised_spearman': 'Spearman',
    'tree/supervised_map_neighbours': 'MAP',
    'tree/supervised_parent_at_1': 'parent@1',
    'validation/holdout_parent_at_1': 'held-out parent@1',
    'seconds': 'seconds',
}


def stored(
    folder: Path, profile: str, rows: Sequence[str], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Return the kept cells, whatever settings and code they are of.

    Raises:
        ArtifactError: a cell was never trained.
    """
    files = [cell_file(folder, profile, row, seed) for row in rows for seed in seeds]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise ArtifactError(f'{missing[0]} is not there: train it, without --stored')
    return [read_json(file) for file in files]


def summary(results: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return a row a choice: ``mean ± standard deviation`` of each metric over its seeds."""
    lines = []
    for row in dict.fromkeys(result['row'] for result in results):
        own = [result['metrics'] for result in results if result['row'] == row]
        line: dict[str, str] = {'choice': row, 'seeds': str(len(own))}
        for name, heading in MEASURED.items():
            values = np.array([metrics[name] for metrics in own if name in metrics])
            digits = 0 if name == 'seconds' else 3
            spread = f' ± {values.std(ddof=1):.{digits}f}' if len(values) > 1 else ''
            line[heading] = f'{values.mean():.{digits}f}{spread}' if len(values) else '–'
        lines.append(line)
    return pl.DataFrame(lines)


def markdown(table: pl.DataFrame, results: Sequence[dict[str, Any]], profile: str) -> str:
    """Return the section of a profile's table."""
    queries = sorted({result['queries'] for result in results})
    lines = [
        heading(profile),
        '',
        f'Training queries: {queries[0]:,} to {queries[-1]:,}, by seed and row.',
        '',
        '| ' + ' | '.join(table.columns) + ' |',
        '|' + '---|' * len(table.columns),
        *('| ' + ' | '.join(row) + ' |' for row in table.iter_rows()),
    ]
    return '\n'.join(lines) + '\n'


def heading(profile: str) -> str:
    """Return the heading of a profile's table."""
    return f'## Profile `{profile}`'


def with_section(page: str, section: str) -> str:
    """Return the page with the section in place of its own of that heading, or at the end."""
    start = page.find(section.split('\n', 1)[0] + '\n')
    if start < 0:
        return f'{page.rstrip()}\n\n{section}'.lstrip()
    end = page.find('\n## ', start)
    return page[:start] + section + (page[end:] if end >= 0 else '')


def main() -> None:
    """Run the flow and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--rows',
        nargs='+',
        metavar='ROW',
        help=f'default: all, or, with another profile than {FIRST}, the few that matter most',
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--profile', default=FIRST)
    parser.add_argument('--cells', type=Path, default=CELLS, help='folder of the cells')
    parser.add_argument(
        '--stored', action='store_true', help='train nothing: the table of the cells as they are'
    )
    parser.add_argument('--report', type=Path, help='page whose table of the profile is written')
    parser.add_argument('--json', type=Path, help='write all metrics as JSON')
    parser.add_argument('--set', nargs='+', default=[], metavar='KEY=VALUE', help='configuration')
    arguments = parser.parse_args()
    known = ROWS if arguments.profile == FIRST else ROWS | FULL_ROWS
    rows = arguments.rows or list(ROWS if arguments.profile == FIRST else FULL_ROWS)
    unknown = [row for row in rows if row not in known]
    if unknown:
        raise ConfigError(f'no row {unknown[0]!r}; rows: {", ".join(known)}')
    if arguments.stored:
        results = stored(arguments.cells, arguments.profile, rows, arguments.seeds)
    else:
        prepare(quiet=True)
        from benchmarks.ablation_cells import ablation

        results = ablation(
            {row: list(known[row]) for row in rows},
            arguments.seeds,
            arguments.set,
            arguments.profile,
            str(arguments.cells),
        )
    section = markdown(summary(results), results, arguments.profile)
    if arguments.report:
        page = arguments.report.read_text('utf-8') if arguments.report.is_file() else ''
        arguments.report.write_text(with_section(page, section), encoding='utf-8')
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')
    Console().print(section, markup=False)


if __name__ == '__main__':
    main()
