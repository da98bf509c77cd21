"""The columns that coding adds to a table: codes, titles, probabilities, a status, an error."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from naics_embed.bundle.provenance import FIELDS, Provenance
from naics_embed.classifications.names import NAICS2022
from naics_embed.errors import UserError
from naics_embed.evidence.empty_texts import says_nothing
from naics_embed.evidence.reliability import PriorCode
from naics_embed.search.coder import Answer, Coder
from naics_embed.search.prior_codes import PriorCodes
from naics_embed.search.searcher import text_fault
from naics_embed.search.several_texts import Weighed, search_several
from naics_embed.search.status import SAYS_NOTHING
from naics_embed.search.text_columns import FULL

PREFIX = 'naics_'
TOLD = 512
"""Texts that are coded between two reports of progress."""
REMEMBERED = 20_000
"""Most answers that are kept for texts that come again, about 2 KB each."""
BEST = ('code', 'title', 'probability')
CONFIDENT = ('confident_code', 'confident_title', 'confident_probability')
FAMILIARITY = 'familiarity'
"""Greatest cosine with a known text; added where it is asked for by name."""
UNREADABLE = 'cannot be read'
"""Status of a row that has none of `naics_embed.search.status.STATUSES`."""


@dataclass(frozen=True)
class ColumnOptions:
    """Which columns are added.

    Attributes:
        prefix: what their names begin with.
        top: how many ranked codes; those after the first have a number in their names.
        columns: names without the prefix, in their order; all where None.
        provenance: whether what a `Provenance` says, such as bundle and time, are columns too.
        classification: of the codes; see `naics_embed.search.coder.Coder.search`.
    """

    prefix: str = PREFIX
    top: int = 1
    columns: tuple[str, ...] | None = None
    provenance: bool = False
    classification: str = NAICS2022

    @property
    def available(self) -> tuple[str, ...]:
        """Names of all columns, without the prefix."""
        more = tuple(f'{name}_{rank}' for rank in range(2, self.top + 1) for name in BEST)
        origin = FIELDS if self.provenance else ()
        return (*BEST, *more, *CONFIDENT, 'status', 'error', *origin)

    @property
    def chosen(self) -> tuple[str, ...]:
        """Names of the columns that are added, without the prefix.

        Raises:
            UserError: a name is unknown.
        """
        if self.columns is None:
            return self.available
        known = (*self.available, FAMILIARITY)
        unknown = [name for name in self.columns if name not in known]
        if unknown:
            raise UserError(f'--columns {unknown[0]} is unknown; choose from {", ".join(known)}')
        return self.columns

    @property
    def names(self) -> list[str]:
        """Names of the columns that are added."""
        return [self.prefix + name for name in self.chosen]

    def check(self, source: object, names: Sequence[str]) -> None:
        """Raise UserError where a table has a column that would be added."""
        taken = [name for name in self.names if name in names]
        if taken:
            raise UserError(
                f'{source} has a column {taken[0]} already; give --prefix for the names of the '
                'columns that are added'
            )

    def schema(self) -> pa.Schema:
        """Return names and types of the columns that are added."""
        return pa.schema(
            (
                self.prefix + name,
                pa.float64() if 'probability' in name or name == FAMILIARITY else pa.string(),
            )
            for name in self.chosen
        )


def code_texts(
    coder: Coder,
    texts: Sequence[Any],
    faults: Sequence[str | None],
    options: ColumnOptions,
    *,
    level: int | None,
    confidence: float,
    provenance: Provenance | None = None,
    lighter: Sequence[tuple[float, Sequence[Any]]] = (),
    counts: Counter[str] | None = None,
    done: Callable[[float], None] | None = None,
    prior: tuple[PriorCodes, Sequence[Any]] | None = None,
    remembered: 'Remembered | None' = None,
) -> pa.Table:
    """Return the columns that are added for rows; each distinct text is coded once.

    Args:
        coder: codes texts.
        texts: the text of each row.
        faults: what is wrong with the shape of a row; None for a good one.
        options: which columns.
        level: digits of the ranked codes.
        confidence: least probability of the confident code.
        provenance: values of the columns that say where an answer comes from.
        lighter: weight and text of each row, of further columns that say less.
        counts: status → rows, to which these rows are added.
        done: called with the fraction of the rows that is done, now and then.
        prior: how far prior codes are trusted, and the cell of each row.
        remembered: answers to earlier rows of the file, with the same options.
    """
    reasons = text_reasons(texts, faults)
    weighed = weighed_rows(texts, reasons, faults, lighter)
    codes: list[PriorCode | None] = [None] * len(weighed)
    if prior is not None:
        codes = prior[0].read(prior[1])
    keys = list(zip(weighed, codes, strict=True))
    trusted = None if prior is None else prior[0]
    remembered = Remembered() if remembered is None else remembered
    found = remembered.known(keys)
    new = [key for key in keys if key not in found]
    found |= _search(coder, new, options, level, confidence, trusted, done)
    remembered.keep(found)
    rows = []
    origin = {} if provenance is None else provenance.to_dict()
    for text, own, why, fault in zip(texts, keys, reasons, faults, strict=True):
        answer = found.get(own)
        if answer is not None and answer.status == SAYS_NOTHING:
            answer = None
        # A missing text says nothing; a row of the wrong shape cannot be read, whatever it holds.
        missing = text is None or (isinstance(text, str) and not text.strip())
        blank = why is None or (fault is None and missing)
        row = _values(answer, options.top)
        row['status'] = (SAYS_NOTHING if blank else UNREADABLE) if answer is None else answer.status
        row[FAMILIARITY] = None if answer is None else answer.familiarity
        row['error'] = None if missing and answer is not None else why
        rows.append(row | origin)
        if counts is not None:
            counts[row['status']] += 1
    schema = options.schema()
    return pa.table(
        [
            pa.array([row.get(name) for row in rows], field.type)
            for name, field in zip(options.chosen, schema, strict=True)
        ],
        schema=schema,
    )


def text_reasons(texts: Sequence[Any], faults: Sequence[str | None]) -> list[str | None]:
    """Return why the text of each row cannot be read; None where it can."""
    return [
        fault or (None if text_fault(text) is None else f'the text {text_fault(text)}')
        for text, fault in zip(texts, faults, strict=True)
    ]


def weighed_rows(
    texts: Sequence[Any],
    reasons: Sequence[str | None],
    faults: Sequence[str | None],
    lighter: Sequence[tuple[float, Sequence[Any]]],
) -> list[Weighed]:
    """Return the texts of each row that can be coded, with their weights."""
    result: list[Weighed] = []
    for at, (text, why, fault) in enumerate(zip(texts, reasons, faults, strict=True)):
        own = [(text, FULL)] if why is None and not says_nothing(text) else []
        if fault is None:
            own += [
                (values[at], weight)
                for weight, values in lighter
                if text_fault(values[at]) is None and not says_nothing(values[at])
            ]
        result.append(tuple(own))
    return result


Key = tuple[Weighed, PriorCode | None]
"""The texts of a row and its prior code: rows that have both in common are coded once."""


class Remembered:
    """Answers to texts that came last, so that a text that comes again is not coded again."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self.most = most
        self._answers: dict[Key, Answer] = {}

    def known(self, keys: Sequence[Key]) -> dict[Key, Answer]:
        """Return the answers to some of the rows."""
        return {key: self._answers[key] for key in keys if key in self._answers}

    def keep(self, found: dict[Key, Answer]) -> None:
        """Keep answers, and forget those that were not asked for for the longest time."""
        for key in found:
            self._answers.pop(key, None)
        self._answers |= found
        while len(self._answers) > self.most:
            del self._answers[next(iter(self._answers))]


def _search(
    coder: Coder,
    rows: Sequence[Key],
    options: ColumnOptions,
    level: int | None,
    confidence: float,
    trusted: PriorCodes | None,
    done: Callable[[float], None] | None = None,
) -> dict[Key, Answer]:
    k, name = max(options.top, 1), options.classification
    distinct = [row for row in dict.fromkeys(rows) if row[0]]
    several = [
        row for row in distinct if row[1] is not None or len(row[0]) > 1 or row[0][0][1] != FULL
    ]
    others = set(several)
    single = [row for row in distinct if row not in others]
    texts = [row[0][0][0] for row in single]
    step = len(texts) if done is None else TOLD
    answers: list[Answer] = []
    for start in range(0, len(texts), max(step, 1)):
        some = texts[start : start + step]
        answers += coder.search(some, k=k, level=level, confidence=confidence, classification=name)
        if done is not None:
            done(len(answers) / max(len(distinct), 1))
    prior = None if trusted is None else (trusted, [code for _, code in several])
    more = search_several(coder, [own for own, _ in several], k, level, confidence, prior, name)
    return dict(zip([*single, *several], [*answers, *more], strict=True))


def _values(answer: Answer | None, top: int) -> dict[str, Any]:
    if answer is None:
        return {}
    row: dict[str, Any] = {}
    for rank, hit in enumerate(answer.hits[:top], start=1):
        ending = '' if rank == 1 else f'_{rank}'
        row |= {
            f'code{ending}': hit.official,
            f'title{ending}': hit.title,
            f'probability{ending}': hit.probability,
        }
    if answer.confident is not None:
        row |= {
            'confident_code': answer.confident.official,
            'confident_title': answer.confident.title,
            'confident_probability': answer.confident.probability,
        }
    return row
