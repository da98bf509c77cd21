"""The command ``transparency``: the transparency record of a bundle."""

from pathlib import Path
from typing import Annotated

import typer

from naics_embed.cli.search import BundleOption
from naics_embed.errors import UserError


def transparency(
    own: Annotated[
        Path | None,
        typer.Option('--own', help='JSON file: number of a field, such as "1.1": your statement.'),
    ] = None,
    out: Annotated[
        Path | None, typer.Option('-o', '--out', help='File to write; printed by default.')
    ] = None,
    as_json: Annotated[bool, typer.Option('--json', help='Write JSON.')] = False,
    bundle: BundleOption = None,
) -> None:
    """Write the transparency record of a bundle (fields of the UK's ATRS) with your statements."""
    import json
    from dataclasses import asdict

    from naics_embed.artifacts import atomic_file, read_json
    from naics_embed.bundle.promotion import promoted_bundle
    from naics_embed.bundle.storage import Bundle
    from naics_embed.export.transparency import filled, transparency_page, transparency_record

    loaded = Bundle.load(bundle or promoted_bundle(), verify=False)
    record = transparency_record(loaded.manifest, loaded.metrics())
    if own is not None:
        if not own.is_file():
            raise UserError(f'{own} does not exist; give a JSON file of statements')
        statements = read_json(own)
        if not isinstance(statements, dict):
            raise UserError(f'{own} must hold an object: number of a field → statement')
        record = filled(record, statements)
    if as_json:
        text = json.dumps([asdict(entry) for entry in record], indent=2, ensure_ascii=False) + '\n'
    else:
        text = transparency_page(record)
    if out is None:
        typer.echo(text, nl=False)
        return
    with atomic_file(out) as temporary:
        temporary.write_text(text, encoding='utf-8')
    still = sum(entry.value is None for entry in record)
    typer.echo(f'the record written to {out}; {still} fields are open', err=True)
