"""The commands ``review export`` and ``review import``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from naics_embed.artifacts import atomic_file
from naics_embed.cli.labelled_files import check_folder
from naics_embed.cli.review_options import (
    BatchName,
    ConfigFolder,
    StoreOption,
    open_store,
    review_config,
)
from naics_embed.errors import UserError

LABEL_STUDIO = 'label-studio'
TABLE = 'table'
FORMATS = (TABLE, LABEL_STUDIO)
FormatOption = Annotated[
    str | None,
    typer.Option('--format', help='table, or label-studio, which is the default for .json.'),
]


def export(
    name: BatchName,
    out: Annotated[
        Path,
        typer.Option('-o', '--out', help='A table as `code` writes, or .json for Label Studio.'),
    ],
    content: Annotated[
        str,
        typer.Option(
            help='decisions: rows settled by people; rows: all rows; history: each decision.'
        ),
    ] = 'decisions',
    format_: FormatOption = None,
    label_config: Annotated[
        Path | None, typer.Option(help='Write the labelling configuration of Label Studio, XML.')
    ] = None,
    force: Annotated[bool, typer.Option('--force', help='Replace an output that is there.')] = (
        False
    ),
    store: StoreOption = None,
) -> None:
    """Write decisions as a table, for `learn` and `assess`, or as tasks of Label Studio."""
    studio = _is_studio(out, format_)
    if label_config is not None:
        if not studio:
            raise UserError('--label-config goes with --format label-studio')
        check_folder(label_config)
    if studio:
        check_folder(out)
        if out.exists() and not force:
            raise UserError(f'{out} exists; name another file, or give --force to replace it')
    else:
        from naics_embed.tabular.write import check_output

        check_output(out, force=force)
    opened = open_store(store)
    from naics_embed.review.batches import known_batch

    if studio:
        from naics_embed.review.label_studio import labelling_configuration, tasks

        def read(connection: Any) -> tuple[list[dict[str, Any]], str]:
            batch = known_batch(connection, name)
            xml = labelling_configuration(connection, batch) if label_config else ''
            return tasks(connection, batch), xml

        found, xml = opened.read(read)
        with atomic_file(out) as partial:
            partial.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding='utf-8')
        if label_config is not None:
            with atomic_file(label_config) as partial:
                partial.write_text(xml, encoding='utf-8')
        typer.echo(f'{len(found):,} tasks written to {out}', err=True)
        return
    from naics_embed.review.export import export_table, write_export

    table = opened.read(
        lambda connection: export_table(connection, known_batch(connection, name), content)
    )
    write_export(out, table)
    typer.echo(f'{len(table):,} rows written to {out}', err=True)


def import_decisions(
    name: BatchName,
    source: Annotated[
        Path,
        typer.Argument(
            help='A table with rows and codes, or JSON of Label Studio.', metavar='FILE'
        ),
    ],
    user: Annotated[
        str | None, typer.Option(help='Whose decisions these are; for a table it must be given.')
    ] = None,
    row_column: Annotated[
        str, typer.Option(help='Column with the number of the row in the file of the batch.')
    ] = 'row',
    code_column: Annotated[str, typer.Option(help='Column of codes.')] = 'code',
    format_: FormatOption = None,
    sheet: Annotated[str | None, typer.Option(help='Of a workbook; the first by default.')] = None,
    store: StoreOption = None,
    config_folder: ConfigFolder = None,
) -> None:
    """Record decisions that were made elsewhere; a decision that is there already stays one."""
    if not source.is_file():
        raise UserError(f'{source} does not exist')
    config, _ = review_config(config_folder)
    studio = _is_studio(source, format_)
    if not studio and user is None:
        raise UserError('name with --user whose decisions these are')
    opened = open_store(store, config)
    from naics_embed.review.incoming import import_label_studio, import_table
    from naics_embed.tabular.open import ReadOptions

    if studio:
        done = import_label_studio(opened, name, source, user, config.claim_s)
    else:
        done = import_table(
            opened,
            name,
            source,
            str(user),
            config.claim_s,
            row_column=row_column,
            code_column=code_column,
            reading=ReadOptions(sheet=sheet),
        )
    typer.echo(
        f'{done.recorded:,} decisions recorded, {done.repeated:,} were there already, '
        f'{done.empty:,} rows without one'
    )


def _is_studio(file: Path, given: str | None) -> bool:
    if given is not None and given not in FORMATS:
        raise UserError(f'--format must be one of {", ".join(FORMATS)}, not {given!r}')
    return given == LABEL_STUDIO or (given is None and file.suffix.lower() == '.json')
