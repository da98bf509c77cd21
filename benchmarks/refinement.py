"""What the graph stage adds: the controls A–F over seeds, on validation.

    python -m benchmarks.refinement --profile cpu --seeds 0 1 2 --json refinement.json \\
        data.source=folder data.folder=PATH

Everything is cached under the artifact root, so that a run that was stopped goes on where it was.
"""

import argparse
from pathlib import Path

from flows.runtime import prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('overrides', nargs='*', metavar='KEY=VALUE', help='configuration')
    parser.add_argument('--profile', default='cpu')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--extra-epochs', type=int, help='epochs of B beyond A; by default as long as refinement'
    )
    parser.add_argument('--json', type=Path, help='write the metrics here')
    options = parser.parse_args()

    prepare(quiet=True)
    from rich.console import Console
    from rich.table import Table

    from flows.controls import controls
    from naics_embed.artifacts import write_json
    from naics_embed.evaluation.candidates import METRICS
    from naics_embed.evaluation.controls import CONTROLS

    result = controls(
        options.profile, options.overrides, seeds=options.seeds, extra_epochs=options.extra_epochs
    )
    cells = {(cell['control'], cell['metric']): cell for cell in result['table']}
    table = Table('table', *METRICS, title=f'Controls of the graph stage, seeds {options.seeds}')
    for control, name in CONTROLS.items():
        table.add_row(
            f'{control} {name}', *(_cell(cells[control, metric]) for metric in METRICS.values())
        )
    console = Console(highlight=False)
    console.print(table)
    for sentence in result['sentences']:
        console.print(sentence)
    if options.json:
        write_json(options.json, result)


def _cell(cell: dict[str, float | None]) -> str:
    if cell['mean'] is None:
        return ''
    deviation = cell['deviation']
    return f'{cell["mean"]:.4f}' + ('' if deviation is None else f' ± {deviation:.4f}')


if __name__ == '__main__':
    main()
