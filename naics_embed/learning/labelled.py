"""Texts that people have coded, as they lie in files and tables."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from naics_embed.errors import CodeError, UserError
from naics_embed.evidence.empty_texts import says_nothing
from naics_embed.search.bulk import texts_of
from naics_embed.search.code_values import (
    AUTO,
    MISSING,
    SPLIT,
    TRANSLATED,
    UNKNOWN,
    UNREADABLE,
    CodeReader,
)
from naics_embed.search.searcher import text_fault
from naics_embed.tabular.columns import check_text_column
from naics_embed.tabular.open import ReadOptions, open_table
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy

EMPTY, WRONG_SHAPE, SEVERAL = 'no text', 'wrong shape', 'several codes'
EXAMPLES = 3
PART_ROWS = 8192


@dataclass(frozen=True)
class Columns:
    """Columns of a file of labelled texts.

    Attributes:
        text: descriptions.
        code: codes of 2 to 6 digits, of 2022 or an earlier vintage.
        group: texts of one firm or document; None where each text stands alone.
        weight: weight of each row in all shares, above 0; None for 1.
    """

    text: str
    code: str
    group: str | None = None
    weight: str | None = None

    @property
    def names(self) -> list[str]:
        """The columns that are read."""
        return [name for name in (self.text, self.code, self.group, self.weight) if name]


@dataclass(frozen=True)
class LabelledTexts:
    """Labelled texts whose codes could be read.

    Attributes:
        texts: n texts.
        acceptable: columns of the leaves that are right for each: one for a six-digit code of 2022,
            all successors of a code of an earlier vintage, all leaves below a shorter code.
        digits: int ``(n,)``, down to which level the code says what is right.
        groups: group of each; None where it has none.
        weights: float64 ``(n,)``.
        rows: int64 ``(n,)``, row of each in its file, from 1, after the header.
        stated: code of each as it was written.
        left_out: reason → rows that are not among them.
        examples: reason → some values of them.
        translated: texts whose code is of an earlier vintage.
    """

    texts: list[str]
    acceptable: list[tuple[int, ...]]
    digits: np.ndarray
    groups: list[Any]
    weights: np.ndarray
    rows: np.ndarray
    stated: list[str]
    left_out: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    translated: int = 0

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def labels(self) -> np.ndarray:
        """int64 ``(n,)``: the leaf that is right; −1 where it may be one of several."""
        return np.array(
            [leaves[0] if len(leaves) == 1 else -1 for leaves in self.acceptable], dtype=np.int64
        )

    def chosen(self, which: np.ndarray) -> 'LabelledTexts':
        """Return some of the texts, with the counts of all."""
        return LabelledTexts(
            [self.texts[i] for i in which.tolist()],
            [self.acceptable[i] for i in which.tolist()],
            self.digits[which],
            [self.groups[i] for i in which.tolist()],
            self.weights[which],
            self.rows[which],
            [self.stated[i] for i in which.tolist()],
            self.left_out,
            self.examples,
            self.translated,
        )


def read_labelled(
    source: Path,
    columns: Columns,
    codes: Sequence[str],
    *,
    vintage: int | str = AUTO,
    reading: ReadOptions | None = None,
    max_unknown: float = 0.1,
) -> LabelledTexts:
    """Read labelled texts from a file.

    Args:
        source: a table that `open_table` reads.
        columns: its columns.
        codes: canonical codes of the table of codes, all levels.
        vintage: of the codes, see `CodeReader`.
        reading: what the user says about the file.
        max_unknown: largest fraction of rows whose code may be unknown.

    Raises:
        UserError: the file cannot be read, lacks a column, has a weight that is no positive number,
            too many unknown codes, or no row that can be used.
    """
    table = open_table(source, reading)
    for name in columns.names:
        check_text_column(source, name, table.names, table.original)
    values: dict[str, list[Any]] = {name: [] for name in columns.names}
    faults: list[str | None] = []
    for part in table.parts(PART_ROWS):
        for name in columns.names:
            values[name] += texts_of(part, name)
        faults += part.faults
    return label_texts(
        values[columns.text],
        values[columns.code],
        codes,
        groups=values[columns.group] if columns.group else None,
        weights=values[columns.weight] if columns.weight else None,
        faults=faults,
        vintage=vintage,
        max_unknown=max_unknown,
        source=str(source),
    )


def label_texts(
    texts: Iterable[Any],
    stated: Iterable[Any],
    codes: Sequence[str],
    *,
    groups: Iterable[Any] | None = None,
    weights: Iterable[Any] | None = None,
    faults: Sequence[str | None] | None = None,
    vintage: int | str = AUTO,
    max_unknown: float = 0.1,
    source: str = 'the texts',
) -> LabelledTexts:
    """Read texts and their codes, as `read_labelled`.

    Args:
        texts: descriptions.
        stated: their codes.
        codes: canonical codes of the table of codes, all levels.
        groups: group of each text.
        weights: weight of each text.
        faults: what is wrong with the shape of each row; None for nothing.
        vintage: of the codes.
        max_unknown: largest fraction of texts whose code may be unknown.
        source: what errors name.

    Raises:
        UserError: see `read_labelled`, or the columns have different lengths.
    """
    texts, stated = list(texts), list(stated)
    of_group: list[Any] = [None] * len(texts) if groups is None else list(groups)
    of_weight: list[Any] = [1.0] * len(texts) if weights is None else list(weights)
    shapes = list(faults) if faults is not None else [None] * len(texts)
    if not len(texts) == len(stated) == len(of_group) == len(of_weight) == len(shapes):
        raise UserError(
            f'{source}: {len(texts)} texts, {len(stated)} codes, {len(of_group)} groups and '
            f'{len(of_weight)} weights; give one of each for every text'
        )
    reader = CodeReader(codes, vintage=vintage, several='error', ancestors=False)
    of_column = reader.detect(value for value in stated if not _blank(value))
    leaves_of = _Leaves(codes)
    kept: list[int] = []
    acceptable: list[tuple[int, ...]] = []
    digits: list[int] = []
    left_out: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    translated = 0
    for i, (text, value) in enumerate(zip(texts, stated, strict=True)):
        reason: str | None = None
        rows: tuple[int, ...] = ()
        if shapes[i] is not None:
            reason = WRONG_SHAPE
        elif text_fault(text) is not None or says_nothing(text):
            reason = EMPTY
        elif _blank(value):
            reason = MISSING
        else:
            try:
                resolution = reader.resolve(value, None if of_column == reader.own else of_column)
            except CodeError:
                reason = SEVERAL
            else:
                rows = resolution.rows
                reason = None if rows else resolution.kind
                translated += resolution.kind in (TRANSLATED, SPLIT)
        if reason is not None:
            left_out[reason] += 1
            if len(examples.setdefault(reason, [])) < EXAMPLES:
                shown = text if reason in (EMPTY, WRONG_SHAPE) else value
                examples[reason].append(f'row {i + 1}: {shown!r}')
            continue
        kept.append(i)
        acceptable.append(leaves_of.of_rows(rows))
        digits.append(min(len(codes[row]) for row in rows))
    unknown = left_out[UNKNOWN] + left_out[UNREADABLE]
    if unknown > max_unknown * max(len(texts), 1):
        some = [*examples.get(UNKNOWN, ()), *examples.get(UNREADABLE, ())][:EXAMPLES]
        raise UserError(
            f'{source}: {unknown:,} of {len(texts):,} codes are unknown ({"; ".join(some)}); check '
            f'the column and the vintage, or allow more (now at most {max_unknown:.0%})'
        )
    if not kept:
        reasons = ', '.join(f'{n:,} {reason}' for reason, n in left_out.items()) or 'it is empty'
        raise UserError(f'{source} has no row with a text and a code ({reasons})')
    return LabelledTexts(
        [texts[i] for i in kept],
        acceptable,
        np.array(digits),
        [None if _blank(of_group[i]) else of_group[i] for i in kept],
        np.array([_weight(of_weight[i], i, source) for i in kept]),
        np.array(kept, dtype=np.int64) + 1,
        [str(stated[i]).strip() for i in kept],
        dict(left_out),
        examples,
        translated,
    )


class _Leaves:
    """Columns of the leaves below each row of a table of codes."""

    def __init__(self, codes: Sequence[str]) -> None:
        taxonomy = Taxonomy(codes)
        if list(taxonomy.codes) != list(codes):
            raise ValueError('codes must be in the order of the taxonomy')
        self._below: dict[int, tuple[int, ...]] = {}
        for column, leaf in enumerate(taxonomy.at_level(LEAF_LEVEL).tolist()):
            for row in {*taxonomy.ancestors[leaf].tolist(), leaf} - {-1}:
                self._below[row] = (*self._below.get(row, ()), column)

    def of_rows(self, rows: Iterable[int]) -> tuple[int, ...]:
        return tuple(sorted({leaf for row in rows for leaf in self._below[row]}))


def _blank(value: Any) -> bool:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return missing or (isinstance(value, str) and not value.strip())


def _weight(value: Any, position: int, source: str) -> float:
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = math.nan
    if not 0 < weight < math.inf:
        raise UserError(
            f'{source}, row {position + 1}: the weight {value!r} is no positive number; correct it '
            'or leave the row out'
        )
    return weight
