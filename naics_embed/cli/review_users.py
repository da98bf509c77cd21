"""The commands ``review user``."""

import sys
from typing import Annotated

import typer

from naics_embed.cli.groups import GroupedCommands
from naics_embed.cli.review_options import StoreOption, open_store
from naics_embed.errors import UserError

app = typer.Typer(
    cls=GroupedCommands, no_args_is_help=True, rich_markup_mode=None, help='Users of the review.'
)
UserName = Annotated[str, typer.Argument(help='Name of the user.', metavar='NAME')]
PasswordInput = Annotated[
    bool,
    typer.Option('--password-stdin', help='Read the password from standard input.'),
]


@app.command()
def add(
    name: UserName,
    role: Annotated[
        str | None,
        typer.Option(help='reviewer, arbiter or administrator; the first is an administrator.'),
    ] = None,
    password_stdin: PasswordInput = False,
    store: StoreOption = None,
) -> None:
    """Add a user; a password is made and printed once."""
    opened = open_store(store)
    from naics_embed.review.resolution import ADMINISTRATOR, REVIEWER
    from naics_embed.review.users import add_user, all_users

    given = _password() if password_stdin else None
    first = not opened.read(all_users)
    if first and role not in (None, ADMINISTRATOR):
        raise UserError(f'the first user is the administrator: add {name} with --role {role} later')
    chosen = role or (ADMINISTRATOR if first else REVIEWER)
    with opened.writing() as connection:
        password = add_user(connection, name, chosen, given)
    typer.echo(f'{name} is {chosen}')
    if given is None:
        typer.echo(f'password, shown only now: {password}')


@app.command()
def password(
    name: UserName, password_stdin: PasswordInput = False, store: StoreOption = None
) -> None:
    """Give a user another password, which ends the user's sessions."""
    opened = open_store(store)
    from naics_embed.review.users import set_password

    given = _password() if password_stdin else None
    with opened.writing() as connection:
        secret = set_password(connection, name, given)
    typer.echo(f'{name} has another password')
    if given is None:
        typer.echo(f'password, shown only now: {secret}')


@app.command()
def token(
    name: UserName,
    revoke: Annotated[bool, typer.Option('--revoke', help='Make all tokens void.')] = False,
    store: StoreOption = None,
) -> None:
    """Make a token for a program that works as this user."""
    opened = open_store(store)
    from naics_embed.review.users import add_token, remove_tokens

    with opened.writing() as connection:
        if revoke:
            typer.echo(f'{remove_tokens(connection, name)} tokens of {name} are void')
            return
        secret = add_token(connection, name)
    typer.echo(f'token, shown only now: {secret}')


@app.command()
def change(
    name: UserName,
    role: Annotated[str | None, typer.Option(help='reviewer, arbiter or administrator.')] = None,
    active: Annotated[
        bool | None, typer.Option('--enable/--disable', help='Whether the user may sign in.')
    ] = None,
    store: StoreOption = None,
) -> None:
    """Change the role of a user, or keep a user out."""
    if role is None and active is None:
        raise UserError('give --role, --enable or --disable')
    opened = open_store(store)
    from naics_embed.review.users import change_user

    with opened.writing() as connection:
        user = change_user(connection, name, role=role, active=active)
    typer.echo(f'{name} is {user.role}, and may {"" if user.active else "not "}sign in')


@app.command('list')
def list_users(store: StoreOption = None) -> None:
    """List the users."""
    opened = open_store(store)
    from naics_embed.review.users import all_users

    for user in opened.read(all_users):
        typer.echo(f'{user.name}: {user.role}{"" if user.active else ", may not sign in"}')


def _password() -> str:
    return sys.stdin.readline().rstrip('\r\n')
