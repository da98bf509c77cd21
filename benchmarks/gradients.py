"""How hard each term of the objective pulls on the codes, beside retrieval.

On some steps of a training that has not begun, the gradient of each weighted term with respect to
the table of codes; terms that are off by default get the weight of their row in
`benchmarks.ablation`. A term whose share is small would hardly act, one of a large share would take
the place of retrieval. The teacher has none yet: codes begin where it holds them.

    python -m benchmarks.gradients --root artifacts --json gradients.json
"""

import argparse
import json
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.ablation import FIRST, ROWS
from benchmarks.text_inputs import settings_of, text_inputs
from naics_embed.config.load import load_config
from naics_embed.errors import ConfigError
from naics_embed.training.build import make_data, make_model, make_module, make_states
from naics_embed.training.module import TrainingSchedule

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
TERMS = (
    'contrast between codes (DCL)',
    'hierarchy preservation',
    'rank order',
    'radial',
    'entailment cones',
    'credit for ancestors',
    'teacher, fading',
    'distillation from frozen texts',
)


def main() -> None:
    """Print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--root', type=Path, default=Path('artifacts'), help='of a finished run')
    parser.add_argument('--profile', default=FIRST)
    parser.add_argument('--steps', type=int, default=8, help='steps whose norms are averaged')
    parser.add_argument('--json', type=Path)
    parser.add_argument('overrides', nargs='*', help='configuration, as key=value')
    arguments = parser.parse_args()
    chosen = [override for row in TERMS for override in ROWS[row]]
    config = load_config(CONFIGS, arguments.profile, [*chosen, *arguments.overrides]).config
    settings = settings_of(config)
    inputs = text_inputs(arguments.root, config)
    torch.manual_seed(settings.seed)
    data = make_data(inputs, settings)
    module = make_module(
        make_model(inputs, settings),
        inputs,
        settings,
        len(data.train_dataloader()),
        TrainingSchedule(),
        make_states(inputs, settings),
    ).train()
    table = module.model.table
    if table is None:
        raise ConfigError(
            'codes that texts place have no table of their own: model.code_points=table'
        )
    norms: dict[str, list[float]] = {}
    weights: dict[str, float] = {}
    for number, batch in enumerate(data.train_dataloader()):
        if number == arguments.steps:
            break
        terms = module.terms(batch, 0.0)
        weights |= terms.weights
        for name, value in terms.values.items():
            (slope,) = torch.autograd.grad(
                terms.weights[name] * value, [table], retain_graph=True, allow_unused=True
            )
            norms.setdefault(name, []).append(0.0 if slope is None else float(slope.norm()))
    means = {name: sum(found) / len(found) for name, found in norms.items()}
    fractions = {name: mean / means['retrieval'] for name, mean in means.items()}
    shown = Table('term', 'weight', 'gradient on the codes', 'fraction of retrieval', box=None)
    for name, fraction in sorted(fractions.items(), key=lambda item: -item[1]):
        shown.add_row(name, f'{weights[name]:g}', f'{means[name]:.3g}', f'{fraction:.0%}')
    Console().print(shown)
    if arguments.json:
        found = {
            name: {'weight': weights[name], 'norm': means[name], 'fraction': fractions[name]}
            for name in means
        }
        arguments.json.write_text(json.dumps(found, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
