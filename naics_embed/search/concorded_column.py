"""A column of codes of one classification as codes of another, in the user's own table."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from naics_embed.artifacts import atomic_file
from naics_embed.classifications.concordance import Concordance
from naics_embed.classifications.links import Link
from naics_embed.errors import CodeError, UserError
from naics_embed.tabular.columns import check_text_column
from naics_embed.tabular.open import ReadOptions, open_table
from naics_embed.tabular.part import Part
from naics_embed.tabular.write import check_output, join_parts, part_ending, write_part

SAME, TRANSLATED, SPLIT = 'same', 'translated', 'split'
MISSING, NO_CODE, NO_COUNTERPART = 'missing', 'no code', 'no counterpart'
EXAMPLES = 3
PART_ROWS = 8192


@dataclass(frozen=True)
class ConcordJob:
    """What is to be translated, and how.

    Attributes:
        source: a table in one of `tabular.open.READABLE`.
        column: the column of codes.
        out: file to write, in one of `tabular.write.WRITABLE`.
        reading: how the table is read.
        prefix: what the names of added columns begin with; the name of the target where None.
        each: whether a code with several targets gets a row for each; else one with all of them.
        level: of the targets; that which matches the code's where None.
        part_rows: rows in memory at a time.
    """

    source: Path
    column: str
    out: Path
    reading: ReadOptions = field(default_factory=ReadOptions)
    prefix: str | None = None
    each: bool = False
    level: int | None = None
    part_rows: int = PART_ROWS


@dataclass(frozen=True)
class ConcordReport:
    """What became of a column.

    Attributes:
        rows: rows read.
        written: rows written.
        statuses: rows read of each status: ``same`` code, ``translated`` to another one, ``split``
            into several, ``missing``, ``no code`` of the source, or with ``no counterpart``.
        examples: values that are no code, or have no counterpart, by their status.
        notes: what was detected or changed, a line each.
    """

    rows: int
    written: int
    statuses: dict[str, int]
    examples: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Answer:
    status: str
    links: tuple[Link, ...] = ()
    error: str | None = None


def concord_column(
    job: ConcordJob,
    concordance: Concordance,
    *,
    force: bool = False,
) -> ConcordReport:
    """Write a table with what its codes are in another classification; a wrong code ends nothing.

    Args:
        job: what and how.
        concordance: between the two.
        force: replace an output that is there.

    Raises:
        UserError: a file does not exist or has another format, the column is missing, an added
            column is there already, or the output is.
    """
    check_output(job.out, force=force)
    table = open_table(job.source, job.reading)
    if job.out.exists() and job.out.samefile(job.source):
        raise UserError(f'{job.out} is the input; name another file to write')
    check_text_column(job.source, job.column, table.names, table.original)
    schema = added_columns(job, concordance.target)
    taken = [name for name in schema.names if name in table.names]
    if taken:
        raise UserError(
            f'{job.source} has a column {taken[0]} already; give --prefix for the names of the '
            'columns that are added'
        )
    known: dict[Any, _Answer] = {}
    statuses: Counter[str] = Counter()
    wrong: dict[str, dict[str, None]] = {NO_CODE: {}, NO_COUNTERPART: {}}
    rows = written = 0
    ending = part_ending(job.out)
    with tempfile.TemporaryDirectory(prefix=f'.{job.out.name}.', dir=job.out.parent) as folder:
        files: list[Path] = []
        for number, part in enumerate(table.parts(job.part_rows)):
            answers = list(_answers(part, job, concordance, known))
            statuses.update(answer.status for answer in answers)
            values = part.column(job.column)
            for value, answer in zip(values, answers, strict=True):
                shown = wrong.get(answer.status)
                if shown is not None and len(shown) < EXAMPLES:
                    shown[str(value)] = None
            repeated, added = _with_columns(part, answers, schema, each=job.each)
            files.append(Path(folder) / f'{number:08d}{ending}')
            write_part(files[-1], repeated, added)
            rows += len(part)
            written += len(repeated)
        empty = table.empty()
        for one in schema:
            empty = empty.append_column(one, pa.array([], one.type))
        metadata = {'classification': concordance.target, 'from': concordance.source}
        with atomic_file(job.out) as temporary:
            join_parts(files, temporary, job.out.suffix.lower(), empty, metadata=metadata)
    examples = {status: tuple(shown) for status, shown in wrong.items() if shown}
    return ConcordReport(rows, written, dict(statuses), examples, tuple(table.notes))


def added_columns(job: ConcordJob, target: str) -> pa.Schema:
    """Return names and types of the columns that are added."""
    prefix = f'{target}_' if job.prefix is None else job.prefix
    kinds = {'code': pa.string(), 'title': pa.string(), 'fraction': pa.float64()}
    kinds |= {'fraction_method': pa.string(), 'status': pa.string()}
    if not job.each:
        kinds['all'] = pa.string()
    kinds['error'] = pa.string()
    return pa.schema([(prefix + name, kind) for name, kind in kinds.items()])


def _answers(
    part: Part,
    job: ConcordJob,
    concordance: Concordance,
    known: dict[Any, _Answer],
) -> Iterator[_Answer]:
    for value, fault in zip(part.column(job.column), part.faults, strict=True):
        if fault is not None:
            yield _Answer(NO_CODE, error=fault)
            continue
        # NaN is unlike itself.
        key = value if isinstance(value, (str, int, bytes)) else str(value)
        if key not in known:
            known[key] = _answer(value, concordance, job.level)
        yield known[key]


def _answer(value: Any, concordance: Concordance, level: int | None) -> _Answer:
    try:
        if not concordance.sources.read(value):
            return _Answer(MISSING)
        code = concordance.source_code(value).code
    except CodeError as error:
        return _Answer(NO_CODE, error=str(error))
    try:
        links = concordance.links(code, level)
    except CodeError as error:
        return _Answer(NO_COUNTERPART, error=str(error))
    # The likeliest first; of equally likely ones the first code.
    links.sort(key=lambda link: -link.fraction)
    if len(links) > 1:
        return _Answer(SPLIT, tuple(links))
    own, other = concordance.sources.edition.system, concordance.targets_of.edition.system
    same = own == other and links[0].target == code
    return _Answer(SAME if same else TRANSLATED, tuple(links))


def _with_columns(
    part: Part, answers: Sequence[_Answer], schema: pa.Schema, *, each: bool
) -> tuple[Part, pa.Table]:
    """Return the rows, some of them several times, and the columns that are added to them."""
    rows: list[tuple[int, tuple[Any, ...]]] = []
    for at, answer in enumerate(answers):
        links = answer.links if each else answer.links[:1]
        rest = [answer.error] if each else [_all(answer.links), answer.error]
        for link in links or (None,):
            own = (
                (None,) * 4
                if link is None
                else (
                    link.official,
                    link.target_title,
                    link.fraction,
                    link.fraction_method,
                )
            )
            rows.append((at, (*own, answer.status, *rest)))
    order = [at for at, _ in rows]
    if isinstance(part.rows, list):
        repeated = Part(part.names, [part.rows[at] for at in order], [None] * len(order))
    else:
        repeated = Part(part.names, part.rows.take(order), [None] * len(order))
    columns = zip(*(values for _, values in rows), strict=True)
    arrays = [pa.array(values, one.type) for values, one in zip(columns, schema, strict=True)]
    return repeated, pa.table(arrays, schema=schema)


def _all(links: Sequence[Link]) -> str | None:
    """Return all targets with their fractions, such as ``517112 0.5; 517122 0.5``."""
    if not links:
        return None
    return '; '.join(f'{link.official} {link.fraction:.4g}' for link in links)
