"""Options that ``code`` and ``code-batch`` have in common."""

from typing import Annotated

import typer

Weight = Annotated[
    list[str] | None,
    typer.Option(help='Weight of a text column, as COLUMN=WEIGHT, above 0 and at most 1.'),
]
PriorColumnOption = Annotated[
    str | None,
    typer.Option(help='A column with codes that rows have already, as further evidence.'),
]
PriorVintage = Annotated[
    str, typer.Option(help='Of these codes: 2012, 2017, 2022, sic, or auto, which finds out.')
]
Prior = Annotated[
    str | None,
    typer.Option(
        help='How common each code is where the texts come from: firms, for private firms, or a '
        'table with the columns code and weight, such as counts of establishments.'
    ),
]
Level = Annotated[
    int | None,
    typer.Option(help='Level of the codes: 2 to 6 digits; 1 to 4 in ISIC, NACE and SIC.'),
]
Top = Annotated[int, typer.Option(help='How many ranked codes.')]
Columns = Annotated[
    str | None,
    typer.Option(help='Columns to add, such as code,probability,status; all by default.'),
]
Prefix = Annotated[
    str | None,
    typer.Option(help='What the names of added columns begin with: naics_, or the classification.'),
]
ProvenanceColumns = Annotated[
    bool,
    typer.Option(
        '--provenance',
        help='Add columns with bundle, vintage, classification, version, calibration and time.',
    ),
]
Delimiter = Annotated[
    str | None, typer.Option(help='Of a text file: a character, or tab, comma, semicolon.')
]
Encoding = Annotated[str | None, typer.Option(help='Of a text file, such as cp1252.')]
Sheet = Annotated[str | None, typer.Option(help='Of a workbook; the first by default.')]


def names_of(columns: str | None) -> list[str] | None:
    """Return the names in ``--columns``; None for all."""
    return None if columns is None else [name.strip() for name in columns.split(',')]
