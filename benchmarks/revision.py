"""Revision day: a table trained on NAICS 2017 meets the codes that are new in 2022.

For each seed the pipeline trains on NAICS 2017: titles, and the project's own texts with their
codes carried back. Then the codes of 2022 come with their titles. Those that 2017 has stay where
they are; new ones are placed

    A  by the ridge from texts to trained codes, as the pipeline places held-out codes
    B  by text alone, also at the usual radius of their level
    C  by a hyperbolic graph network that starts at A and hears parent, children and siblings
    D  at the Lorentz centroid of their predecessors, by the fractions of the correspondence

also at the usual radius of their level, or between two of these. Test texts of new codes are ranked
among all six-digit codes of 2022, and those of unchanged codes before and after. "Not placed" needs
no placement: probabilities of 2017, summed over the correspondence. The rule of promotion decides
on validation texts, A first.

    python -m benchmarks.revision --seeds 0 1 2 --json revision.json
    python -m benchmarks.revision --census FOLDER  # test texts are index entries of new codes, too
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.runtime import prepare

if TYPE_CHECKING:
    from benchmarks.revision_data import Revision
    from naics_embed.config.refinement import PromotionConfig
    from tasks.engine.execution import Execution

PROFILE = 'ablation'
SETTINGS = (
    'data.edition=naics2017',
    'data.source=package',
    'data.plain_language={train: true, examples: false, validation: true, test: true}',
    'model.channels=[title]',
    'runtime.promote=false',
)
"""Titles are all that is known of a new code, so they are all that others are placed by."""
SHOWN = ('new/own/top1', 'new/own/mrr', 'parent_at_1', 'parent_at_5', 'unchanged/own/top1')
WITH_INDEX = ('new/index/top1', 'new/index/mrr')


def measured(execution: 'Execution', one: 'Revision') -> dict[str, Any]:
    """Place the new codes in the table of a training in each way, and score them."""
    from benchmarks.revision_inputs import known_table
    from benchmarks.revision_network import Network
    from benchmarks.revision_placement import placements
    from benchmarks.revision_scores import scores, validation
    from tasks.regression import panel_of

    config = execution.config
    seed, chunk = config.runtime.seed, config.evaluation.chunk
    known, by_text, points = known_table(execution, one)
    network = Network(known.tangents.shape[1], known.curvature, config.graph, seed)
    network.fit(known)
    tables = placements(one, known, by_text, network)
    return {
        'seed': seed,
        'test': scores(one, known, tables, points, chunk=chunk),
        'validation': validation(
            one,
            known,
            tables,
            points,
            r_max=config.model.r_max,
            norm_weights=config.evaluation.norm_weights,
            panel=panel_of(config.regression),
            chunk=chunk,
        ),
        'network': {'best_epoch': network.best_epoch, 'losses': network.history},
    }


def summarised(runs: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return way → metric → mean and standard deviation over seeds."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    for way in runs[0]['test']:
        result[way] = {}
        for metric in runs[0]['test'][way]:
            values = [run['test'][way][metric] for run in runs]
            result[way][metric] = {'mean': float(np.mean(values))}
            if len(values) > 1:
                result[way][metric]['deviation'] = float(np.std(values, ddof=1))
    return result


def gains(runs: list[dict[str, Any]], metric: str) -> dict[str, dict[str, float]]:
    """Return way → mean gain over the ridge, paired by seed, and its standard error."""
    from benchmarks.revision_placement import RIDGE, WAYS

    result = {}
    for way in WAYS:
        differences = [run['test'][way][metric] - run['test'][RIDGE][metric] for run in runs]
        result[way] = {'mean': float(np.mean(differences))}
        if len(differences) > 1:
            error = float(np.std(differences, ddof=1) / np.sqrt(len(differences)))
            result[way]['error'] = error
    return result


def decisions(runs: list[dict[str, Any]], promotion: 'PromotionConfig') -> dict[str, Any]:
    """Return what the rule of promotion says of each seed, and of the means over seeds."""
    from benchmarks.revision_placement import RIDGE
    from benchmarks.revision_scores import decision, rule_with_new_codes

    rule = rule_with_new_codes(promotion, [run['validation'][RIDGE] for run in runs])
    first = runs[0]['validation']
    mean = {
        way: {
            metric: float(np.mean([run['validation'][way][metric] for run in runs]))
            for metric in first[way]
        }
        for way in first
    }
    tables: dict[str, Mapping[str, Mapping[str, float]]] = {
        **{f'seed {run["seed"]}': run['validation'] for run in runs},
        'mean': mean,
    }
    found: dict[str, Any] = {'criteria': {each.metric: each.deviation for each in rule.criteria}}
    for name, metrics in tables.items():
        decided = decision(metrics, rule)
        found[name] = {
            'champion': decided.champion,
            'reasons': {each.challenger: each.reason for each in decided.verdicts},
        }
    return found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        'overrides', nargs='*', default=[], metavar='KEY=VALUE', help='configuration'
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--census', type=Path, help='folder with the workbooks of 2022')
    parser.add_argument('--json', type=Path, help='file to write')
    options = parser.parse_args()
    prepare(quiet=True)
    from rich.console import Console
    from rich.table import Table

    from benchmarks.revision_data import Counts, revision
    from flows.server import prefect_server
    from naics_embed.artifacts import write_json

    overrides = [*SETTINGS, *options.overrides]
    one = revision(options.census)
    runs = []
    with prefect_server() as ready:
        from benchmarks.revision_inputs import train

        ready()
        for seed in options.seeds:
            execution = train(PROFILE, overrides, seed)
            runs.append(measured(execution, one))
            result = {
                'profile': PROFILE,
                'overrides': [each for each in overrides if not each.startswith('runtime.')],
                'seeds': [run['seed'] for run in runs],
                'revision': Counts.of(one).to_dict(),
                'table': summarised(runs),
                'gains': {metric: gains(runs, metric) for metric in SHOWN},
                'promotion': decisions(runs, execution.config.promotion),
                'runs': runs,
            }
            if options.json:
                write_json(options.json, result)
    shown = (*SHOWN, *(WITH_INDEX if options.census else ()))
    table = Table('new codes', *shown, title=f'Revision of 2022, seeds {options.seeds}')
    for way, cells in result['table'].items():
        table.add_row(way, *(_cell(cells.get(metric)) for metric in shown))
    console = Console(highlight=False, width=200)
    console.print(table)
    console.print(result['revision'])
    console.print(result['promotion'])


def _cell(cell: dict[str, float] | None) -> str:
    if cell is None:
        return ''
    deviation = cell.get('deviation')
    return f'{cell["mean"]:.4f}' + ('' if deviation is None else f' ± {deviation:.4f}')


if __name__ == '__main__':
    main()
