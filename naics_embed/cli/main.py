"""Entry point of ``naics-embed``: reading commands, and in a checkout the pipeline's."""

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Annotated, NoReturn

import typer

from naics_embed import __version__
from naics_embed.cli import (
    atlas,
    audit,
    codes,
    coding,
    concord,
    config,
    doctor,
    gpu,
    labels,
    report,
    serve,
)
from naics_embed.cli import search as table
from naics_embed.cli.checkout import checkout
from naics_embed.cli.streams import write_every_character
from naics_embed.disk import disk_error
from naics_embed.errors import UserError
from naics_embed.home import home_error

EXIT_USER_ERROR = 2
RENAMED_OPTIONS = {
    '--table': '--bundle',
    '--support': '--evidence',
    '--shares': '--fractions',
    '--figures': '--metrics',
}
"""Options of the previous version and their names in this one."""
COMMANDS_GROUP = 'naics_embed.commands'
PIPELINE_COMMANDS = (
    'run',
    'data',
    'train',
    'evaluate',
    'bundle',
    'refine',
    'regress',
    'promote',
    'code-batch',
    'diff',
    'visualize',
    'graph',
    'investigate',
)

app = typer.Typer(
    name='naics-embed',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help='Industry codes and business descriptions as points of one hyperbolic space.',
)
app.command()(table.search)
app.command()(coding.code)
app.command()(labels.assess)
app.command()(audit.audit)
app.command()(labels.learn)
app.command()(table.metrics)
app.command()(table.export)
app.command()(config.config)
app.command()(gpu.gpu)
app.command()(report.report)
app.command()(doctor.doctor)
app.command()(serve.serve)
app.command('map')(atlas.map_codes)
for _command in (codes.similar, codes.compare, concord.concord, codes.cluster):
    app.command()(_command)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option('--version', help='Print the version.')] = False,
) -> None:
    """Industry codes and business descriptions as points of one hyperbolic space."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


def _join_pipeline() -> None:
    """Add the commands that run flows. They depend on the library, which does not import them."""
    if checkout() is None:
        for name in PIPELINE_COMMANDS:
            app.command(
                name,
                help='Needs a checkout of the project.',
                context_settings={'allow_extra_args': True, 'ignore_unknown_options': True},
            )(_needs_checkout)
        return
    for entry in entry_points(group=COMMANDS_GROUP):
        app.registered_commands.extend(entry.load().registered_commands)


def _needs_checkout() -> None:
    raise UserError(
        'the pipeline works in a checkout of the project, not in an installed package: clone the '
        'repository and use `make run`'
    )


def main() -> None:
    """Run the command line; a user's error is one paragraph on stderr and exit status 2."""
    write_every_character()
    _join_pipeline()
    try:
        _check_options(sys.argv[1:])
        app()
    except UserError as error:
        _end(error)
    except RuntimeError as error:
        no_home = home_error(error)
        if no_home is None:
            raise
        _end(no_home)
    except OSError as error:
        explained = disk_error(error)
        if explained is None:
            raise
        _end(explained)


def _check_options(arguments: Sequence[str]) -> None:
    """Raise UserError for an option that was renamed."""
    for argument in arguments:
        if argument == '--':
            return
        old = argument.partition('=')[0]
        if old in RENAMED_OPTIONS:
            raise UserError(f'{old} is now {RENAMED_OPTIONS[old]}')


def _end(error: UserError) -> NoReturn:
    sys.stderr.write(f'naics-embed: {error}\n')
    sys.exit(EXIT_USER_ERROR)
