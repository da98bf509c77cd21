"""Options that commands which run flows have in common."""

from typing import Annotated

import typer

Overrides = Annotated[
    list[str] | None, typer.Argument(help='Configuration, as key=value.', metavar='KEY=VALUE')
]
Profile = Annotated[str, typer.Option(help='A file in configs/profiles.')]
Refresh = Annotated[
    list[str] | None, typer.Option(help='Compute this stage again although it is cached.')
]
AsJson = Annotated[bool, typer.Option('--json', help='Print the summary as JSON.')]
Quiet = Annotated[bool, typer.Option('--quiet', '-q', help='No lines while it runs.')]
