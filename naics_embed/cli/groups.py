"""The groups of commands in ``naics-embed --help``, in their order."""

import enum
import inspect

import typer
from typer.models import CommandInfo


class Group(enum.StrEnum):
    """What a command is for.

    A command of the library joins by one line in `naics_embed.cli.main.COMMANDS`; one that runs
    flows by ``@app.command(rich_help_panel=Group.TRAIN)``.
    """

    USE = 'Use'
    TEACH = 'Teach'
    INSPECT = 'Inspect'
    TRAIN = 'Train'
    OPERATE = 'Operate'


def sort_commands(app: typer.Typer) -> None:
    """Put the commands of an app in the order of their groups; within one, as registered."""
    order: list[object] = list(Group)

    def place(command: CommandInfo) -> int:
        group = command.rich_help_panel
        return order.index(group) if group in order else len(order)

    app.registered_commands.sort(key=place)


def outline(command: CommandInfo) -> CommandInfo:
    """Return a command without parameters, with what a list of commands shows of it."""
    assert command.callback is not None
    name = command.name or command.callback.__name__.replace('_', '-')
    said = command.help or inspect.getdoc(command.callback)
    return CommandInfo(
        name,
        callback=_nothing,
        help=said,
        rich_help_panel=command.rich_help_panel,
    )


def _nothing() -> None:
    """Stand in for a command that is listed and not called."""
