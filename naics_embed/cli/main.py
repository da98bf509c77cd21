"""Entry point of ``naics-embed``: reading commands, and in a checkout the pipeline's."""

import gc
import os
import sys
from collections.abc import Sequence
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
    keys,
    labels,
    mcp,
    metrics,
    monitor,
    report,
    review,
    serve,
    transparency,
)
from naics_embed.cli import search as table
from naics_embed.cli.checkout import checkout
from naics_embed.cli.groups import HELP_SETTINGS, Group, GroupedCommands, outline, sort_commands
from naics_embed.cli.streams import write_every_character
from naics_embed.disk import disk_error
from naics_embed.errors import UserError
from naics_embed.home import home_error
from naics_embed.optional import TORCH, torch_is_missing

EXIT_USER_ERROR = 2
RENAMED_OPTIONS = {
    '--table': '--bundle',
    '--support': '--evidence',
    '--shares': '--fractions',
    '--figures': '--metrics',
}
"""Options of the previous version and their names in this one."""
COMMANDS_GROUP = 'naics_embed.commands'
COMPLETION_VARIABLE = '_NAICS_EMBED_COMPLETE'
"""Set by the shell where it asks what a line may continue with."""
COLLECTED = (50_000, 20, 20)
"""When garbage is collected: libraries make few cycles while they load, and searching is slow."""
PIPELINE_COMMANDS = {
    'run': Group.TRAIN,
    'data': Group.TRAIN,
    'train': Group.TRAIN,
    'evaluate': Group.TRAIN,
    'bundle': Group.TRAIN,
    'refine': Group.TRAIN,
    'regress': Group.TRAIN,
    'promote': Group.OPERATE,
    'code-batch': Group.USE,
    'diff': Group.INSPECT,
    'visualize': Group.INSPECT,
    'graph': Group.INSPECT,
    'investigate': Group.INSPECT,
}
"""Commands of the pipeline, which an installed package names without having them."""

app = typer.Typer(
    name='naics-embed',
    cls=GroupedCommands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=HELP_SETTINGS,
    help='Industry codes and business descriptions as points of one hyperbolic space.',
)
COMMANDS = (
    ('search', Group.USE, table.search),
    ('code', Group.USE, coding.code),
    ('show', Group.USE, codes.show),
    ('similar', Group.USE, codes.similar),
    ('compare', Group.USE, codes.compare),
    ('cluster', Group.USE, codes.cluster),
    ('concord', Group.USE, concord.concord),
    ('classifications', Group.USE, concord.classifications),
    ('export', Group.USE, table.export),
    ('assess', Group.TEACH, labels.assess),
    ('audit', Group.TEACH, audit.audit),
    ('learn', Group.TEACH, labels.learn),
    ('metrics', Group.INSPECT, metrics.metrics),
    ('report', Group.INSPECT, report.report),
    ('map', Group.INSPECT, atlas.map_codes),
    ('config', Group.TRAIN, config.config),
    ('gpu', Group.TRAIN, gpu.gpu),
    ('monitor', Group.OPERATE, monitor.monitor),
    ('serve', Group.OPERATE, serve.serve),
    ('mcp', Group.OPERATE, mcp.mcp),
    ('transparency', Group.OPERATE, transparency.transparency),
    ('doctor', Group.OPERATE, doctor.doctor),
)
"""Own commands, a line each; those of the pipeline name their group in `flows.cli.commands`."""
for _name, _group, _command in COMMANDS:
    app.command(_name, rich_help_panel=_group)(_command)
app.add_typer(review.app, name='review', rich_help_panel=Group.TEACH)
app.add_typer(keys.app, name='keys', rich_help_panel=Group.OPERATE)
GROUPS = tuple(app.registered_groups)
"""Commands that have commands of their own."""


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
        for name, group in PIPELINE_COMMANDS.items():
            app.command(
                name,
                rich_help_panel=group,
                help='Needs a checkout of the project.',
                context_settings={'allow_extra_args': True, 'ignore_unknown_options': True},
            )(_needs_checkout)
    else:
        from importlib.metadata import entry_points

        for entry in entry_points(group=COMMANDS_GROUP):
            app.registered_commands.extend(entry.load().registered_commands)
    sort_commands(app)


def _needs_checkout() -> None:
    raise UserError(
        'the pipeline works in a checkout of the project, not in an installed package: clone the '
        'repository and use `make run`'
    )


def _register(arguments: Sequence[str]) -> None:
    """Register what is asked for: a start builds every parameter of every command it knows.

    The first word tells: a command of our own needs neither others nor the pipeline's; help on the
    whole needs names and sentences, no parameters. Else, and for completion, all are registered.
    """
    first = arguments[0] if arguments else None
    completing = COMPLETION_VARIABLE in os.environ
    own = {command.name: command for command in app.registered_commands}
    app.registered_groups = list(GROUPS)
    if first in own and not completing:
        app.registered_commands = [own[first]]
        app.registered_groups = []
        return
    _join_pipeline()
    if not completing and first in (None, '--help', '--version'):
        app.registered_commands = [outline(command) for command in app.registered_commands]


def main() -> None:
    """Run the command line; a user's error is one paragraph on stderr and exit status 2."""
    gc.set_threshold(*COLLECTED)
    write_every_character()
    known = list(app.registered_commands), list(app.registered_groups)
    try:
        _register(sys.argv[1:])
        _check_options(sys.argv[1:])
        app()
    except UserError as error:
        _end(error)
    except ModuleNotFoundError as error:
        if error.name not in TORCH:
            raise
        _end(torch_is_missing('this command', error.name))
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
    finally:
        # Tests and notebooks start it more than once.
        app.registered_commands, app.registered_groups = known


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
