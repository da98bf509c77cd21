"""The command ``gpu``: the batch size that fits a GPU."""

import importlib.util
import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from naics_embed.cli.checkout import configs_folder
from naics_embed.errors import ConfigError, UserError

GIB = 2**30


def gpu(
    overrides: Annotated[
        list[str] | None, typer.Argument(help='Configuration, as key=value.', metavar='KEY=VALUE')
    ] = None,
    profile: Annotated[str, typer.Option(help='A file in the folder profiles.')] = 'gpu',
    memory: Annotated[
        float | None, typer.Option(help='GiB of the GPU; by default that of the one here.')
    ] = None,
    fraction: Annotated[
        float, typer.Option(help='Fraction of the memory that may be used.')
    ] = 0.85,
    apply: Annotated[
        bool, typer.Option('--apply', help='Write training.batch into the profile.')
    ] = False,
    config_folder: Annotated[
        Path | None, typer.Option(help='Folder with base.yaml; configs of the checkout by default.')
    ] = None,
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
) -> None:
    """Say which batch fits a GPU, from measured passes of the transformer."""
    if importlib.util.find_spec('peft') is None:
        raise UserError("measuring a step needs the extra 'train': pip install -e '.[train]'")
    from naics_embed.config.edit import write_batch
    from naics_embed.config.load import load_config
    from naics_embed.text.backbone import load_backbone, locate_backbone
    from naics_embed.text.encoder import AdapterSettings, SentenceEncoder
    from naics_embed.training.memory import measure_batch

    folder = config_folder or configs_folder()
    config = load_config(folder, profile, overrides or ()).config
    model = config.model
    if model.mode == 'frozen':
        raise ConfigError(
            'model.mode=frozen trains no transformer: memory does not bound its batch'
        )
    if memory is not None and not (math.isfinite(memory) and memory > 0):
        raise ConfigError(f'--memory must be a number of GiB above 0, not {memory}')
    encoder = SentenceEncoder(
        load_backbone(locate_backbone(config.backbone.name, config.backbone.revision)),
        AdapterSettings(
            model.adapter_rank,
            model.adapter_alpha,
            model.adapter_dropout,
            config.backbone.frozen_layers,
            model.dropout,
            mode='full' if model.mode == 'full' else 'adapters',
            checkpointing=model.checkpointing,
        ),
    )
    longest = encoder.backbone.config.max_position_embeddings
    if config.backbone.window > longest:
        raise ConfigError(
            f'backbone.window={config.backbone.window}, but {config.backbone.name} reads {longest} '
            'tokens at most'
        )
    plan = measure_batch(
        encoder,
        tokens=config.backbone.window,
        sizes=(8, 16),
        memory=None if memory is None else round(memory * GIB),
        fraction=fraction,
        step=8,
        precision=config.training.precision,
    )
    if apply:
        write_batch(folder / 'profiles' / f'{profile}.yaml', plan.batch)
    if as_json:
        sys.stdout.write(json.dumps(asdict(plan), indent=2) + '\n')
        return
    how = 'measured on the GPU' if plan.measured else 'counted on the CPU, not tried on a GPU'
    typer.echo(
        f'training.batch={plan.batch} for {plan.memory / GIB:.1f} GiB: '
        f'{plan.fixed / GIB:.2f} GiB and {plan.per_query / 2**20:.1f} MiB a query of '
        f'{config.backbone.window} tokens, {how}.'
    )
    typer.echo(
        f'Written to {folder / "profiles" / profile}.yaml.'
        if apply
        else 'Add --apply to write it into the profile.'
    )
