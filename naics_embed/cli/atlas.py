"""The command map."""

import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from naics_embed.cli.in_use import bundle_or_starter
from naics_embed.cli.search import BundleOption
from naics_embed.errors import UserError


def map_codes(
    out: Annotated[Path, typer.Option('-o', '--out', help='The HTML file to write.')] = Path(
        'atlas.html'
    ),
    show: Annotated[bool, typer.Option('--open', help='Open it in a browser.')] = False,
    bundle: BundleOption = None,
) -> None:
    """Write the interactive map of all codes: one HTML file, no network."""
    path = bundle_or_starter(bundle)
    if not out.parent.is_dir():
        raise UserError(f'{out.parent} does not exist; name a folder that does')
    if out.suffix.lower() not in ('.html', '.htm'):
        raise UserError(f'{out} must end in .html')

    from naics_embed.atlas.page import bundle_page, write_map
    from naics_embed.bundle.storage import Bundle

    write_map(out, bundle_page(Bundle.load(path, verify=False)))
    sys.stderr.write(f'{out} written\n')
    if show and not webbrowser.open(out.resolve().as_uri()):
        raise UserError(f'no browser could be opened; open {out} yourself')
