"""Populations that people name: private firms, or counts of establishments."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from naics_embed.errors import UserError
from naics_embed.evidence.code_prior import leaf_ancestors, log_prior
from naics_embed.evidence.population import Population, PopulationSettings
from naics_embed.search.code_values import CodeReader
from naics_embed.tabular.open import open_table
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy

FIRMS = 'firms'
NO_FIRMS = ('92', '491110', '521110', '814110')
"""Public administration, the postal service, the central bank, households with employees."""

COLUMNS = ('code', 'weight')
PART_ROWS = 65_536
SHOWN = 3


def population_of(
    given: str | Path | Mapping[Any, Any],
    codes: Sequence[str],
    settings: PopulationSettings | None = None,
) -> Population:
    """Return the population that a user names.

    Args:
        given: ``firms`` for private firms; else how many establishments each code has: a table
            with the columns ``code`` and ``weight``, or a mapping. Codes may be of any level and
            vintage; what is counted under a higher code counts for all below it alike.
        codes: canonical codes of the table, all levels, in its order.
        settings: how much it counts.

    Raises:
        UserError: the file does not exist or lacks a column, a code is not one of NAICS, or a
            weight is no number of at least 0.
    """
    settings = settings or PopulationSettings()
    taxonomy = Taxonomy(codes)
    leaves = taxonomy.at_level(LEAF_LEVEL)
    if given == FIRMS:
        names = [codes[leaf] for leaf in leaves.tolist()]
        logits = np.where([name.startswith(NO_FIRMS) for name in names], -settings.improbable, 0.0)
        return Population(FIRMS, logits)
    mapping = isinstance(given, Mapping)
    rows = given.items() if isinstance(given, Mapping) else _rows(Path(given))
    counts = _counts('the prior' if mapping else str(given), rows, codes, taxonomy, leaves)
    logits = settings.weight * log_prior(counts, leaf_ancestors(taxonomy), settings.smoothing)
    return Population(hashlib.sha256(logits.round(6).tobytes()).hexdigest()[:16], logits)


def _rows(file: Path) -> Iterable[tuple[Any, Any]]:
    table = open_table(file)
    lacking = [name for name in COLUMNS if name not in table.names]
    if lacking:
        raise UserError(
            f'{file} has no column {lacking[0]!r}, but {", ".join(table.names)}; a prior has the '
            f'columns {" and ".join(COLUMNS)}'
        )
    for part in table.parts(PART_ROWS):
        yield from zip(*(part.column(name) for name in COLUMNS), strict=True)


def _counts(
    called: str,
    rows: Iterable[tuple[Any, Any]],
    codes: Sequence[str],
    taxonomy: Taxonomy,
    leaves: np.ndarray,
) -> np.ndarray:
    """Return the count of each leaf."""
    reader = CodeReader(codes, several='error')
    below = {
        row: np.flatnonzero((taxonomy.ancestors[leaves] == row).any(axis=1) | (leaves == row))
        for row in range(len(codes))
    }
    counts = np.zeros(len(leaves))
    wrong: list[str] = []
    for code, weight in rows:
        found = reader.resolve(code)
        number = _number(weight)
        if not found.rows or number is None:
            wrong.append(f'{code!r}: {weight!r}')
            continue
        for row, part in zip(found.rows, found.weights, strict=True):
            counts[below[row]] += number * part / len(below[row])
    if wrong:
        rows_are = '1 row is' if len(wrong) == 1 else f'{len(wrong):,} rows are'
        raise UserError(
            f'{called}: {rows_are} not a code of NAICS and a weight of at least 0, such as '
            f'{", ".join(wrong[:SHOWN])}'
        )
    if not counts.sum() > 0:
        raise UserError(f'{called}: all weights are 0; give the counts of establishments')
    return counts


def _number(weight: Any) -> float | None:
    """Return a count; None for what is none."""
    try:
        number = float(weight) if isinstance(weight, (Real, str)) else -1.0
    except ValueError:
        return None
    return number if np.isfinite(number) and number >= 0 else None
