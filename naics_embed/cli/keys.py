"""The commands ``keys``: API keys of the service."""

from pathlib import Path
from typing import Annotated

import typer

from naics_embed.cli.groups import GroupedCommands

FileOption = Annotated[
    Path, typer.Option('--file', help='The file of hashed keys, as service.keys.file names it.')
]


app = typer.Typer(
    cls=GroupedCommands,
    no_args_is_help=True,
    rich_markup_mode=None,
    help='API keys of the service: create, list, revoke.',
)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help='What the key is for.')],
    file: FileOption,
    scope: Annotated[
        list[str] | None,
        typer.Option(help='code, read, jobs, metrics or admin; code and read by default.'),
    ] = None,
    per_minute: Annotated[
        float | None, typer.Option(help='Requests a minute; no limit by default.')
    ] = None,
    days: Annotated[float | None, typer.Option(help='After which it ends; never by default.')] = (
        None
    ),
) -> None:
    """Make a key and print it once; the file keeps its hash."""
    from naics_embed.service.key_file import DEFAULT_SCOPES, create_key

    secret, key = create_key(file, name, scope or DEFAULT_SCOPES, per_minute, days)
    typer.echo(secret)
    typer.echo(
        f'key {key.id} for {", ".join(key.scopes)} added to {file}; it is not shown again',
        err=True,
    )


@app.command('list')
def list_keys(file: FileOption) -> None:
    """Print the keys of a file, without their secrets."""
    from rich.console import Console
    from rich.table import Table

    from naics_embed.service.key_file import read_keys

    table = Table(box=None, pad_edge=False)
    for column in ('id', 'name', 'scopes', 'a minute', 'created', 'expires', 'state'):
        table.add_column(column)
    for key in read_keys(file).values():
        state = 'revoked' if key.revoked else 'good' if key.usable() else 'expired'
        limit = '' if key.per_minute is None else f'{key.per_minute:g}'
        table.add_row(
            *(key.id, key.name, ', '.join(key.scopes), limit),
            *(key.created, key.expires or '', state),
        )
    Console(highlight=False, markup=False).print(table)


@app.command()
def revoke(
    number: Annotated[str, typer.Argument(help='Id of the key.', metavar='ID')], file: FileOption
) -> None:
    """Revoke a key; a service that runs notices within seconds."""
    from naics_embed.service.key_file import revoke_key

    key = revoke_key(file, number)
    typer.echo(f'key {key.id} ({key.name}) is revoked', err=True)
