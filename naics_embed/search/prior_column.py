"""A column of a table with prior codes: read once before the rows are coded."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from naics_embed.classifications.vintages import VINTAGES
from naics_embed.errors import UserError
from naics_embed.evidence.prior_settings import PriorCodeSettings
from naics_embed.search.code_values import AUTO
from naics_embed.search.coded_columns import text_reasons, weighed_rows
from naics_embed.search.coder import Coder
from naics_embed.search.prior_codes import SIC, PriorCodes, PriorReader, fit_prior_codes, unread
from naics_embed.search.several_texts import Weighed, row_probabilities
from naics_embed.search.text_columns import TextColumn, row_texts, texts_of
from naics_embed.tabular.columns import check_text_column
from naics_embed.tabular.part import Part, Span, TableSource

MOST_SPELLINGS = 100_000
"""Different cells from which the vintage is found out; there are fewer codes."""


@dataclass(frozen=True)
class PriorColumn:
    """A column of prior codes.

    Attributes:
        name: of the column.
        vintage: of the codes: 2012, 2017, 2022, ``auto``, or ``sic``.
        settings: what is expected of them.
    """

    name: str
    vintage: int | str = AUTO
    settings: PriorCodeSettings = field(default_factory=PriorCodeSettings)

    def check(self, source: object, table: TableSource) -> None:
        """Raise UserError where a table lacks the column, it holds no codes, or no such vintage."""
        check_text_column(source, self.name, table.names, table.original)
        kind = table.empty().schema.field(self.name).type
        inner = kind.value_type if pa.types.is_dictionary(kind) else kind
        texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
        numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
        if not any(is_kind(inner) for is_kind in (*texts, *numbers, pa.types.is_null)):
            raise UserError(f'{source}: the column {self.name!r} holds {kind}, not codes')
        self.check_vintage()

    def check_vintage(self) -> None:
        """Raise UserError where there is no such vintage."""
        if self.vintage not in (AUTO, SIC, *VINTAGES):
            raise UserError(
                f'the vintage of prior codes must be auto, 2012, 2017, 2022 or sic, not '
                f'{self.vintage!r}'
            )

    def identity(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def prior_of_table(
    coder: Coder,
    table: TableSource,
    texts: Sequence[TextColumn],
    prior: PriorColumn,
    part_rows: int,
    span: Span | None = None,
) -> PriorCodes:
    """Estimate how far the prior codes of a table can be trusted, from a sample of its rows.

    The sample is drawn evenly from all rows (reservoir sampling; Vitter 1985) and is the same in
    every run. What cannot be read is counted in the notes of the table.

    Args:
        coder: codes texts.
        table: the table, which is read once from its beginning to its end.
        texts: its columns of texts.
        prior: its column of codes.
        part_rows: rows in memory at a time.
        span: the rows of the table; all where None.

    Raises:
        UserError: the codes look like SIC, and nobody said so; or a package is missing.
    """
    reader = PriorReader(coder.searcher.codes, prior.vintage)
    settings = prior.settings
    rng = random.Random(settings.seed)
    spellings: dict[Any, int] = {}
    sample: list[tuple[Weighed, Any]] = []
    seen = 0
    for part in table.parts(part_rows, span):
        values = texts_of(part, prior.name)
        for value in values:
            if value in spellings or len(spellings) < MOST_SPELLINGS:
                spellings[value] = spellings.get(value, 0) + 1
        kept = row_texts(part, texts)
        reasons = text_reasons(kept.main, part.faults)
        weighed = weighed_rows(kept.main, reasons, part.faults, kept.lighter)
        for own, value in zip(weighed, values, strict=True):
            if not own or value is None or (isinstance(value, str) and not value.strip()):
                continue
            seen += 1
            at = len(sample) if len(sample) < settings.fitted_rows else rng.randrange(seen)
            if at == len(sample):
                sample.append((own, value))
            elif at < settings.fitted_rows:
                sample[at] = (own, value)
    reader.detect(spellings)
    wrong, examples = unread(reader, spellings)
    result = fit_prior_codes(
        reader,
        [value for _, value in sample],
        lambda rows: row_probabilities(coder, [sample[row][0] for row in rows.tolist()]),
        settings,
    )
    if wrong:
        values_are = '1 value is not a code' if wrong == 1 else f'{wrong:,} values are not codes'
        table.notes.append(
            f'{prior.name}: {values_are}, such as {", ".join(examples)}; rows with '
            f'{"it" if wrong == 1 else "them"} are coded by their texts'
        )
    table.notes.append(f'{prior.name}: prior codes; {result.described()}')
    return result


def prior_cells(
    prior: PriorCodes | None, column: PriorColumn | None, part: Part
) -> tuple[PriorCodes, list[Any]] | None:
    """Return how far prior codes are trusted, with the cells of a part; None without a column."""
    return None if prior is None or column is None else (prior, texts_of(part, column.name))
