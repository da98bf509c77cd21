"""Counts of the user: which part of a code goes where, in place of an estimate."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from naics_embed.classifications.classification import Classification
from naics_embed.classifications.concordance import Concordance
from naics_embed.classifications.fraction_rules import EXACT, GIVEN, EqualParts, FractionRule
from naics_embed.classifications.names import classification_name
from naics_embed.errors import CodeError, UserError
from naics_embed.tabular.open import ReadOptions, open_table

PAIR = ('source', 'target', 'weight')
SIZE = ('code', 'weight')
BETWEEN = ('source_classification', 'target_classification')
OF = 'classification'
PART_ROWS = 65_536
SHOWN = 3
Step = tuple[str, str]
Weights = dict[str, float]


@dataclass
class Counts:
    """Counts of pairs of codes, and sizes of codes.

    Attributes:
        pairs: (classification, other one) → code → code of the other → count.
        sizes: classification → code → count.
        left_out: what was not used, such as ``'2 rows …'``, a line a reason.
    """

    pairs: dict[Step, dict[str, Weights]] = field(default_factory=dict)
    sizes: dict[str, Weights] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


class GivenParts:
    """Fractions by counts of pairs, or by the sizes of the targets; by another rule without them.

    Args:
        counts: of the user.
        otherwise: the rule for codes without counts.

    Example:
        >>> counts = Counts(sizes={'naics2017': {'541512': 3, '541519': 1}})
        >>> rule = GivenParts(counts)
        >>> rule.parts('sic1987', '7379', 'naics2017', ['541512', '541519'])
        (array([3., 1.]), 'given')
    """

    def __init__(self, counts: Counts, otherwise: FractionRule | None = None) -> None:
        self.counts = counts
        self.otherwise: FractionRule = EqualParts() if otherwise is None else otherwise

    def parts(
        self, source: str, code: str, target: str, targets: Sequence[str]
    ) -> tuple[np.ndarray, str]:
        """Return weights; see `FractionRule`."""
        of_pairs = self.counts.pairs.get((source, target), {}).get(code, {})
        for known in (of_pairs, self.counts.sizes.get(target, {})):
            weights = np.array([float(known.get(one, 0.0)) for one in targets])
            if weights.sum() > 0:
                return weights, GIVEN
        return self.otherwise.parts(source, code, target, targets)

    def prepare(self, path: Sequence[str]) -> None:
        """Prepare the other rule."""
        self.otherwise.prepare(path)


def given_concordance(
    source: object, target: object, counts: Counts, otherwise: FractionRule | None = None
) -> Concordance:
    """Return a concordance with the fractions of counts.

    Counts of pairs of its two ends replace the fractions of the whole chain.
    """
    result = Concordance(source, target, GivenParts(counts, otherwise))
    ends = (result.source, result.target)
    of_ends = counts.pairs.get(ends, {})
    if len(result.path) > 2 and of_ends:
        links = result.leaf_links()
        for code, found in links.items():
            weights = {one: of_ends.get(code, {}).get(one, 0.0) for one in found}
            total = sum(weights.values())
            if total > 0:
                method = EXACT if len(found) == 1 else GIVEN
                links[code] = {one: (w / total, method) for one, w in weights.items() if w > 0}
        result.replace(links)
    return result


def read_counts(file: Path, source: object, target: object) -> Counts:
    """Read counts from a table.

    Its columns are ``source``, ``target`` and ``weight``, and then perhaps
    ``source_classification`` and ``target_classification``, which are the two of the concordance by
    default; or ``code`` and ``weight``, and perhaps ``classification``, the target by default.

    Raises:
        UserError: the file cannot be read, has other columns, a weight below 0 or no number,
            or a classification that the chain between the two does not have.
    """
    plain = Concordance(source, target)
    names, rows = _read(file)
    counts = Counts()
    wrong: list[str] = []
    unlinked: list[str] = []
    if set(PAIR) <= set(names):
        for at, row in enumerate(rows, start=1):
            step = _step(file, at, row, plain)
            codes = _codes(row, ('source', 'target'), step)
            if codes is None:
                wrong.append(f'row {at}: {row["source"]!r} → {row["target"]!r}')
                continue
            first, second = codes
            if not _linked(plain, step, first, second):
                unlinked.append(f'row {at}: {first} → {second}')
                continue
            weight = _weight(file, at, row['weight'])
            of_code = counts.pairs.setdefault(step, {}).setdefault(first, {})
            of_code[second] = of_code.get(second, 0.0) + weight
    elif set(SIZE) <= set(names):
        for at, row in enumerate(rows, start=1):
            name = classification_name(row.get(OF) or plain.target)
            if name not in plain.path[1:]:
                raise UserError(
                    f'{file}, row {at}: sizes are of {", ".join(plain.path[1:])}, not of {name}'
                )
            own = _codes(row, ('code',), (name,))
            if own is None:
                wrong.append(f'row {at}: {row["code"]!r}')
                continue
            sizes = counts.sizes.setdefault(name, {})
            sizes[own[0]] = sizes.get(own[0], 0.0) + _weight(file, at, row['weight'])
    else:
        raise UserError(
            f'{file} has the columns {", ".join(names)}; give {", ".join(PAIR)}, or '
            f'{" and ".join(SIZE)}'
        )
    for found, why in ((wrong, 'without codes'), (unlinked, 'with a pair that no table has')):
        if found:
            counts.left_out.append(_left_out(found, why))
    return counts


def _left_out(rows: list[str], why: str) -> str:
    rows_are = '1 row is' if len(rows) == 1 else f'{len(rows):,} rows are'
    return f'{rows_are} left out, {why} ({"; ".join(rows[:SHOWN])})'


def read_totals(file: Path, source: object, target: object) -> tuple[Weights, Weights, list[str]]:
    """Read known totals of the codes of both sides, columns classification, code and weight.

    Returns:
        totals of the source, totals of the target, and what was left out, a line a reason.

    Raises:
        UserError: the file cannot be read, lacks a column or one of the sides, or has a weight that
            is not a number of at least 0.
    """
    ends = (classification_name(source), classification_name(target))
    names, rows = _read(file)
    if not {OF, *SIZE} <= set(names):
        raise UserError(f'{file} has the columns {", ".join(names)}; give {OF}, {", ".join(SIZE)}')
    totals: dict[str, Weights] = {name: {} for name in ends}
    wrong: list[str] = []
    for at, row in enumerate(rows, start=1):
        name = classification_name(row[OF])
        if name not in ends:
            raise UserError(f'{file}, row {at}: totals are of {" and ".join(ends)}, not of {name}')
        own = _codes(row, ('code',), (name,))
        if own is None:
            wrong.append(f'row {at}: {row["code"]!r}')
            continue
        totals[name][own[0]] = totals[name].get(own[0], 0.0) + _weight(file, at, row['weight'])
    for name in ends:
        if not totals[name]:
            raise UserError(f'{file} has no total of {name}; give totals of both classifications')
    left_out = []
    if wrong:
        left_out.append(_left_out(wrong, 'without codes'))
    return totals[ends[0]], totals[ends[1]], left_out


def _read(file: Path) -> tuple[list[str], list[dict[str, Any]]]:
    if not file.is_file():
        raise UserError(f'{file} does not exist')
    table = open_table(file, ReadOptions())
    names = list(table.names)
    rows: list[dict[str, Any]] = []
    for part in table.parts(PART_ROWS):
        columns = [part.column(name) for name in names]
        rows += [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    return names, rows


def _step(file: Path, at: int, row: dict[str, Any], plain: Concordance) -> Step:
    ends = (plain.source, plain.target)
    first, second = (
        classification_name(row.get(name) or end) for name, end in zip(BETWEEN, ends, strict=True)
    )
    if (first, second) != ends and (first, second) not in list(pairwise(plain.path)):
        steps = ', '.join(f'{a} to {b}' for a, b in pairwise(plain.path))
        raise UserError(
            f'{file}, row {at}: {first} to {second} is no step between {ends[0]} and {ends[1]}; '
            f'these are {steps}'
        )
    return first, second


def _codes(
    row: dict[str, Any], columns: Sequence[str], names: Sequence[str]
) -> tuple[str, ...] | None:
    """Return the deepest codes that a row names; None where it names something else."""
    found = []
    for column, name in zip(columns, names, strict=True):
        tree = Classification.load(name)
        try:
            code = tree[row[column]]
        except CodeError:
            return None
        if code.level != tree.leaf_level:
            return None
        found.append(code.code)
    return tuple(found)


def _linked(plain: Concordance, step: Step, first: str, second: str) -> bool:
    links = plain if step == (plain.source, plain.target) else Concordance(*step)
    return second in links.leaf_links().get(first, {})


def _weight(file: Path, at: int, value: Any) -> float:
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = float('nan')
    if not 0 <= weight < float('inf'):
        raise UserError(
            f'{file}, row {at}: the weight {value!r} is not a number of at least 0; correct it'
        )
    return weight
