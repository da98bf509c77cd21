"""The command ``doctor``: what is wrong with this machine, and how to fix it."""

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
        sys.stdout.write(json.dumps([finding.to_dict() for finding in findings], indent=2) + '\n')
    else:
        _print(findings)
    if any(finding.level == 'fail' for finding in findings):
        raise typer.Exit(EXIT_FAIL)


def _print(findings: 'list[Finding]') -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow='fold')
    for finding in findings:
        level = Text(finding.level.value, style=COLOURS[finding.level.value])
        table.add_row(level, Text(finding.subject), Text(finding.found))
        if finding.remedy:
            table.add_row('', '', Text(f'→ {finding.remedy}', style='italic'))
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(table)
    count = {level: sum(one.level == level for one in findings) for level in ('fail', 'warn')}
    warnings = f'{count["warn"]} warning{"" if count["warn"] == 1 else "s"}'
    console.print(f'{len(findings)} checks, {count["fail"]} failed, {warnings}')
