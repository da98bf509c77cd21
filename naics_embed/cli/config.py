"""The command ``config``: the effective configuration."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from naics_embed.cli.checkout import configs_folder


def config(
    overrides: Annotated[
        list[str] | None, typer.Argument(help='Configuration, as key=value.', metavar='KEY=VALUE')
    ] = None,
    profile: Annotated[str, typer.Option(help='A file in the folder profiles.')] = 'cpu',
    config_folder: Annotated[
        Path | None, typer.Option(help='Folder with base.yaml; configs of the checkout by default.')
    ] = None,
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
    check: Annotated[
        bool, typer.Option('--check', help='Only check that the pipeline can run with it.')
    ] = False,
) -> None:
    """Show every value and where it came from, or check them."""
    from naics_embed.config.load import load_config
    from naics_embed.config.sections import flat

    folder = config_folder or configs_folder()
    loaded = load_config(folder, profile, overrides or ())
    if check:
        loaded.config.check_pipeline()
        typer.echo('the configuration is valid', err=True)
        return
    values = flat(loaded.config)
    if as_json:
        rows = {
            key: {'value': value, 'origin': loaded.origins[key]} for key, value in values.items()
        }
        sys.stdout.write(json.dumps(rows, indent=2) + '\n')
        return
    from rich.console import Console
    from rich.table import Table

    table = Table('key', 'value', 'origin', box=None, pad_edge=False)
    for key, value in values.items():
        table.add_row(key, _text(value), loaded.origins[key])
    # A list such as [true] must not be taken for markup.
    Console(highlight=False, markup=False).print(table)


def _text(value: Any) -> str:
    return 'null' if value is None else json.dumps(value)
