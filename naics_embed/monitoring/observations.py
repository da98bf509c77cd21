"""What is observed of each coded text: no text, only what its answer was like."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl

from naics_embed.errors import UserError
from naics_embed.search.coded_columns import PREFIX, UNREADABLE
from naics_embed.search.coder import Coder
from naics_embed.search.searcher import text_fault
from naics_embed.search.status import STATUSES
from naics_embed.tabular.open import open_table

SCHEMA = pl.Schema(
    {
        'time': pl.Datetime('us'),
        'code': pl.String(),
        'probability': pl.Float64(),
        'status': pl.String(),
        'words': pl.Int64(),
        'unknown_words': pl.Float64(),
        'familiarity': pl.Float64(),
        'bundle': pl.String(),
    }
)
"""``time`` of the answer; ``code`` and ``probability`` of the best code; ``status``; ``words``, how
many; ``unknown_words``, the fraction of them that no known text has; ``familiarity``, greatest
cosine with a known text; ``bundle`` that gave it. What is not known is null."""
NEEDED = ('code', 'probability')
PART_ROWS = 65536


def observe(coder: Coder, texts: Sequence[str], time: datetime | None = None) -> pl.DataFrame:
    """Code texts, and return what is observed of them, `SCHEMA`.

    Args:
        coder: codes them.
        texts: descriptions.
        time: of all of them.

    Raises:
        UserError: a text is empty or no text.
    """
    answers = coder.search(texts, k=1)
    unknown = coder.evidence.unknown_share([answer.text for answer in answers])
    return pl.DataFrame(
        {
            'time': [time] * len(answers),
            'code': [answer.hits[0].code for answer in answers],
            'probability': [answer.hits[0].probability for answer in answers],
            'status': [answer.status for answer in answers],
            'words': [len(answer.text.split()) for answer in answers],
            'unknown_words': unknown.tolist(),
            'familiarity': [answer.familiarity for answer in answers],
            'bundle': [coder.searcher.bundle.path.name] * len(answers),
        },
        schema=SCHEMA,
    )


def read_observations(path: Path) -> pl.DataFrame:
    """Read observations that the service has logged, or that `write_observations` has written.

    Raises:
        UserError: the file does not exist, or is not such a file.
    """
    frame = pl.read_ndjson(path, schema_overrides=SCHEMA) if path.suffix == '.jsonl' else None
    frame = pl.read_parquet(path) if frame is None else frame
    lacking = [name for name in NEEDED if name not in frame.columns]
    if lacking:
        raise UserError(f'{path} holds no observations: it lacks {lacking[0]}')
    return _filled(frame)


def is_observations(path: Path) -> bool:
    """Whether a file holds observations, rather than a coded table."""
    if path.suffix == '.jsonl':
        with path.open(encoding='utf-8') as file:
            return '"unknown_words"' in file.readline()
    return path.suffix == '.parquet' and 'unknown_words' in pl.read_parquet_schema(path)


def read_coded(
    path: Path,
    *,
    prefix: str = PREFIX,
    text_column: str | None = None,
    time_column: str | None = None,
    coder: Coder | None = None,
) -> pl.DataFrame:
    """Read what is observed of a table that ``code`` or ``code-batch`` has written.

    Args:
        path: the table, in any format that can be read.
        prefix: of the columns of the answers.
        text_column: the column of texts, for their length; null without it.
        time_column: dates or times, in ISO 8601.
        coder: with a text column, says which words are unknown.

    Raises:
        UserError: a column is missing, or a time cannot be read; the message names the row.
    """
    table = open_table(path)
    wanted = {f'{prefix}code': 'code', f'{prefix}probability': 'probability'}
    optional = {
        f'{prefix}status': 'status',
        f'{prefix}familiarity': 'familiarity',
        f'{prefix}bundle': 'bundle',
    }
    for column in (*wanted, *filter(None, (text_column, time_column))):
        if column not in table.names:
            raise UserError(
                f'{path} has no column {column!r}; it has {", ".join(table.names)}. '
                'Monitoring reads what code has written; --prefix names its columns'
            )
    present = {column: name for column, name in optional.items() if column in table.names}
    frames = []
    first = 0
    for part in table.parts(PART_ROWS):
        values = {name: part.column(column) for column, name in (wanted | present).items()}
        if time_column is not None:
            values['time'] = times_of(part.column(time_column), path, time_column, first)
        if text_column is not None:
            texts = part.column(text_column)
            readable = [text if text_fault(text) is None else '' for text in texts]
            values['words'] = [len(text.split()) for text in readable]
            if coder is not None:
                values['unknown_words'] = coder.evidence.unknown_share(readable).tolist()
        values['probability'] = [_number(value) for value in values['probability']]
        if 'familiarity' in values:
            values['familiarity'] = [_number(value) for value in values['familiarity']]
        frames.append(_filled(pl.DataFrame(values, schema_overrides=_overrides(values))))
        first += len(part)
    frame = pl.concat(frames) if frames else SCHEMA.to_frame()
    known = [*STATUSES, UNREADABLE]
    strange = frame.filter(~pl.col('status').is_in(known))['status']
    if len(strange):
        raise UserError(f'{path}: {prefix}status {strange[0]!r} is none of {", ".join(known)}')
    return frame


def write_observations(frame: pl.DataFrame, path: Path) -> None:
    """Write observations as parquet, for `read_observations`."""
    frame.select(SCHEMA.names()).write_parquet(path)


def _filled(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with all columns of `SCHEMA`, in their order and type."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in SCHEMA.items()
    )


def _overrides(values: Iterable[str]) -> pl.Schema:
    return pl.Schema({name: SCHEMA[name] for name in values})


def _number(value: object) -> float | None:
    return None if value is None or value == '' else float(str(value))


def times_of(
    values: Sequence[object], path: Path, column: str, first: int
) -> list[datetime | None]:
    """Return the times of cells; the first is in row ``first + 1``. Raises UserError for none."""
    times: list[datetime | None] = []
    for row, value in enumerate(values, start=first + 1):
        if value is None or value == '':
            times.append(None)
            continue
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError as error:
            raise UserError(
                f'{path}, row {row}: {column} {value!r} is not a date or time in ISO 8601, such as '
                '2026-11-30 or 2026-11-30T09:00'
            ) from error
        times.append(moment.replace(tzinfo=None))
    return times
