"""Command that says what is wrong with this machine, and how to mend it."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from naics_embed.doctor.finding import Finding

COLOURS = {'ok': 'green', 'warn': 'yellow', 'fail': 'bold red'}
EXIT_FAIL = 1


def doctor(
    overrides: Annotated[
        list[str] | None, typer.Argument(help='Configuration, as key=value.', metavar='KEY=VALUE')
    ] = None,
    profile: Annotated[str, typer.Option(help='A file in the folder profiles.')] = 'cpu',
    root: Annotated[
        Path | None, typer.Option(help='Artifact root; $NAICS_EMBED_HOME or artifacts by default.')
    ] = None,
    timeout: Annotated[float, typer.Option(help='Seconds to wait for a server.')] = 5.0,
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
) -> None:
    """Check versions, servers, disk, device, caches and the bundle; exit status 1 on a fault."""
    from naics_embed.bundle.promotion import artifact_root
    from naics_embed.cli.checkout import checkout
    from naics_embed.doctor.examine import examine

    findings = examine(
        root or artifact_root(),
        checkout(),
        os.environ,
        profile=profile,
        overrides=overrides or (),
        timeout=timeout,
    )
    if as_json:
        sys.stdout.write(json.dumps([found.to_dict() for found in findings], indent=2) + '\n')
    else:
        _print(findings)
    if any(found.level == 'fail' for found in findings):
        raise typer.Exit(EXIT_FAIL)


def _print(findings: 'list[Finding]') -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, show_header=False)
    shown.add_column(no_wrap=True)
    shown.add_column(no_wrap=True)
    shown.add_column(overflow='fold')
    for found in findings:
        level = Text(found.level.value, style=COLOURS[found.level.value])
        shown.add_row(level, Text(found.subject), Text(found.found))
        if found.mend:
            shown.add_row('', '', Text(f'→ {found.mend}', style='italic'))
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(shown)
    bad = {level: sum(found.level == level for found in findings) for level in ('fail', 'warn')}
    console.print(f'{len(findings)} checks, {bad["fail"]} failed, {bad["warn"]} warnings')
