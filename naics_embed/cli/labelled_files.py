"""What the commands have in common that read texts with their codes."""

from pathlib import Path
from typing import Annotated, Any

import typer

from naics_embed.errors import UserError
from naics_embed.learning.source_names import batch_named

TextColumn = Annotated[str, typer.Option(help='The column of descriptions.')]
CodeColumn = Annotated[str, typer.Option(help='The column of codes, of 2 to 6 digits.')]
GroupColumn = Annotated[
    str | None, typer.Option(help='A column that is the same for texts of one firm.')
]
WeightColumn = Annotated[str | None, typer.Option(help='A column of weights of the rows.')]
Vintage = Annotated[
    str, typer.Option(help='Of the codes: 2012, 2017, 2022, or auto, which finds out.')
]
MaxUnknown = Annotated[
    float, typer.Option(help='Largest fraction of rows whose code may be unknown.')
]
Sheet = Annotated[str | None, typer.Option(help='Of a workbook; the first by default.')]
AsJson = Annotated[bool, typer.Option('--json', help='Print JSON.')]


def vintage_of(value: str) -> int | str:
    """Return the value of ``--vintage``."""
    return int(value) if value.isdigit() else value


def check_folder(out: Path | None) -> None:
    """Raise UserError where a file cannot be written because its folder is not there."""
    if out is None:
        return
    if not out.parent.is_dir():
        raise UserError(f'{out.parent} does not exist; name a folder that does')
    if out.is_dir():
        raise UserError(f'{out} is a folder; name a file')


def read_labels(
    source: Path,
    names: tuple[str, str, str | None, str | None],
    vintage: str,
    max_unknown: float,
    sheet: str | None,
    bundle: Path,
) -> Any:
    """Return the labelled texts of a file, and say what is left out.

    Args:
        source: the file, or ``review:NAME`` for the decisions of a batch of the review.
        names: columns of texts, codes, groups and weights.
        vintage: of the codes.
        max_unknown: largest fraction of rows whose code may be unknown.
        sheet: of a workbook.
        bundle: whose codes these are.
    """
    from naics_embed.bundle.storage import Bundle
    from naics_embed.learning.labelled import Columns, read_labelled
    from naics_embed.tabular.open import ReadOptions

    codes = Bundle.load(bundle, verify=False).codes()['code'].to_list()
    batch = batch_named(source)
    if batch is not None:
        return _of_review(batch, codes)
    labelled = read_labelled(
        source,
        Columns(*names),
        codes,
        vintage=vintage_of(vintage),
        reading=ReadOptions(sheet=sheet),
        max_unknown=max_unknown,
    )
    for reason, count in labelled.left_out.items():
        shown = '; '.join(labelled.examples[reason])
        rows_are = '1 row is' if count == 1 else f'{count:,} rows are'
        typer.echo(f'{source}: {rows_are} left out, {reason} ({shown})', err=True)
    return labelled


def _of_review(batch: str, codes: list[str]) -> Any:
    """Return the texts of a batch of the review that people have given a code."""
    from naics_embed.cli.review_options import store_address

    address = store_address(None)
    from naics_embed.review.labels import labels_at

    return labels_at(address, batch, codes)
