"""A random sample of the automatic codes of a window, for people to check."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

import polars as pl

from naics_embed.errors import UserError
from naics_embed.monitoring.compare import EVERY
from naics_embed.monitoring.files import files_of
from naics_embed.monitoring.observations import PART_ROWS, is_observations, times_of
from naics_embed.review.audit_sample import CodedRow, Drawn
from naics_embed.search.coded_columns import PREFIX
from naics_embed.search.searcher import text_fault
from naics_embed.search.status import CODED
from naics_embed.tabular.open import open_table

SETTING = 'monitoring.audit_fraction'
CHANCES = 2**64


def check_auditable(paths: Sequence[Path], text_column: str | None) -> None:
    """Raise UserError where the texts of coded rows are not in the files, before any work."""
    for path in files_of(paths):
        if is_observations(path):
            raise UserError(
                f'{path} holds observations without texts, so that no audit can be drawn from it; '
                f'name tables that code or code-batch has written, or set {SETTING}=0'
            )
    if text_column is None:
        raise UserError(
            f'{SETTING} needs text_column, the column of texts that people read; or set it to 0'
        )


def draw_audit(
    paths: Sequence[Path],
    *,
    text_column: str,
    fraction: float,
    prefix: str = PREFIX,
    time_column: str | None = None,
    start: datetime | None = None,
    every: str | None = None,
    seed: int = 0,
) -> Drawn:
    """Draw from the rows whose best code passed the confidence, each with the same probability.

    Whether a row is drawn depends on the seed, its file and its number only. So rows that come
    later to the same window are drawn as if all had been there, and none has to be taken back.

    Args:
        paths: tables that ``code`` has written, or folders of them.
        text_column: the column of texts.
        fraction: probability with which a row is drawn.
        prefix: of the columns of the answers.
        time_column: dates or times, in ISO 8601.
        start: of the window; all rows where None.
        every: length of the window: ``day``, ``week`` or ``month``.
        seed: of the draw.

    Raises:
        UserError: a file has no texts or lacks a column.
    """
    check_auditable(paths, text_column)
    drawn: list[CodedRow] = []
    accepted = 0
    for path in files_of(paths):
        table = open_table(path)
        names = [f'{prefix}{name}' for name in ('code', 'probability', 'status')]
        timed = [time_column] if start is not None and time_column is not None else []
        for column in (*names, text_column, *timed):
            if column not in table.names:
                raise UserError(
                    f'{path} has no column {column!r}; it has {", ".join(table.names)}. An audit '
                    'needs text, code, probability and status of each row'
                )
        called = f'{path.parent.name}/{path.name}'
        first = 0
        for part in table.parts(PART_ROWS):
            inside = [True] * len(part)
            if timed:
                times = pl.Series(times_of(part.column(timed[0]), path, timed[0], first))
                inside = (times.cast(pl.Datetime).dt.truncate(EVERY[str(every)]) == start).to_list()
            codes, probabilities, statuses = (part.column(name) for name in names)
            texts = part.column(text_column)
            for at in range(len(part)):
                if not inside[at] or statuses[at] != CODED or text_fault(texts[at]) is not None:
                    continue
                accepted += 1
                row = first + at + 1
                chance = _chance(seed, called, row)
                if chance < fraction:
                    drawn.append(
                        CodedRow(
                            called,
                            row,
                            texts[at],
                            str(codes[at]),
                            float(str(probabilities[at])),
                            chance,
                        )
                    )
            first += len(part)
    source = ', '.join(path.name for path in paths)
    return Drawn(tuple(drawn), accepted, fraction, source)


def _chance(seed: int, file: str, row: int) -> float:
    """Return a number from 0 to 1 that is the same whenever it is asked for."""
    digest = blake2b(f'{seed}\0{file}\0{row}'.encode('utf-8', 'surrogatepass'), digest_size=8)
    return int.from_bytes(digest.digest(), 'big') / CHANCES
