"""The groups of commands in ``naics-embed --help``, in their order."""

import enum
import inspect
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup
from typer.models import CommandInfo

if TYPE_CHECKING:
    # Earlier versions of typer have these from click.
    from typer._click import Context, HelpFormatter


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


HELP_SETTINGS = {'max_content_width': 100}
"""Settings of the context of every command."""
HELP_COLUMNS = 16
"""Width of the names of commands, the same in each group."""


class GroupedCommands(TyperGroup):
    """Commands listed by group, as plain text.

    typer's own help imports a renderer of Markdown and a highlighter: half of the time of a start.
    """

    def format_commands(self, ctx: 'Context', formatter: 'HelpFormatter') -> None:
        """Write a section for each group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                group = getattr(command, 'rich_help_panel', None)
                rows = groups.setdefault(group if isinstance(group, str) else 'Commands', [])
                rows.append((name.ljust(HELP_COLUMNS), _first_paragraph(command.help)))
        for title in sorted(groups, key=_place):
            with formatter.section(title):
                formatter.write_dl(groups[title])


def _first_paragraph(text: str | None) -> str:
    return ' '.join((text or '').split('\n\n')[0].split())


def sort_commands(app: typer.Typer) -> None:
    """Put the commands of an app in the order of their groups; within one, as registered."""
    app.registered_commands.sort(key=lambda command: _place(command.rich_help_panel))


def _place(group: object) -> int:
    order: list[object] = list(Group)
    return order.index(group) if group in order else len(order)


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
