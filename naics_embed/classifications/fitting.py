"""Fractions that agree with known totals of both classifications."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from naics_embed.classifications.concordance import Concordance
from naics_embed.classifications.fraction_rules import EXACT, FITTED
from naics_embed.errors import UserError

ITERATIONS = 1000
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Fit:
    """What came of a fit.

    Attributes:
        iterations: how many.
        gap: largest difference of a total of the target from what was asked for, relative to it.
        scaled: largest relative change that made the totals of both sides agree before the fit.
        without_total: source codes without a total; their fractions stay as they were.
    """

    iterations: int
    gap: float
    scaled: float
    without_total: tuple[str, ...]


def fit_fractions(
    links: Concordance, source_totals: Mapping[str, float], target_totals: Mapping[str, float]
) -> Fit:
    """Fit the fractions of a concordance to totals of both sides, in place.

    Iterative proportional fitting (Deming and Stephan, Annals of Mathematical Statistics 1940):
    the joint counts with these totals that are nearest to the estimated ones in relative entropy.
    Where the totals of connected codes differ in sum, those of the target are scaled.

    Args:
        links: a concordance with estimated fractions.
        source_totals: deepest code of the source → count.
        target_totals: deepest code of the target → count.

    Raises:
        UserError: a target has a count but no source that could give it any.
    """
    codes = links.codes
    tree = links.targets_of
    others = tree.leaf_codes
    rows = np.array([float(source_totals.get(code, 0.0)) for code in codes])
    known = np.array([code in source_totals for code in codes])
    wanted = np.array([float(target_totals.get(code, 0.0)) for code in others])
    matrix = links.matrix()
    matrix[~known] = 0
    # Few of the cells hold anything.
    first, second = np.nonzero(matrix * rows[:, None])
    cells = matrix[first, second] * rows[first]
    shape = (len(rows), len(wanted))
    empty = np.flatnonzero((wanted > 0) & (np.bincount(second, cells, shape[1]) == 0))
    if len(empty):
        raise UserError(
            f'{len(empty)} codes of {links.target} have a total, but no code of {links.source} '
            f'with one belongs to them, such as {others[empty[0]]}'
        )
    wanted, scaled = _agreeing(first, second, cells, rows, wanted)
    gap, done = np.inf, 0
    while done < ITERATIONS and gap > TOLERANCE:
        cells = cells * _ratio(wanted, np.bincount(second, cells, shape[1]))[second]
        cells = cells * _ratio(rows, np.bincount(first, cells, shape[0]))[first]
        off = np.abs(np.bincount(second, cells, shape[1]) - wanted)
        gap = float(np.max(_ratio(off, wanted), initial=0.0))
        done += 1
    joint = np.zeros(shape)
    joint[first, second] = cells
    fitted = links.leaf_links()
    column = {code: j for j, code in enumerate(others)}
    for i, code in enumerate(codes):
        total = joint[i].sum()
        if total > 0 and len(fitted[code]) > 1:
            found = {one: (float(joint[i, column[one]] / total), FITTED) for one in fitted[code]}
            fitted[code] = {one: part for one, part in found.items() if part[0] > 0}
            if len(fitted[code]) == 1:
                fitted[code] = dict.fromkeys(fitted[code], (1.0, FITTED))
    links.replace(fitted)
    lacking = tuple(
        code
        for code, has in zip(codes, known, strict=True)
        if not has and any(how != EXACT for _, how in fitted.get(code, {}).values())
    )
    return Fit(done, gap, scaled, lacking)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return quotients, 0 where the lower value is."""
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)


def _agreeing(
    first: np.ndarray, second: np.ndarray, cells: np.ndarray, rows: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the totals of the target, scaled to those of the source in each connected part."""
    count, size = len(rows), len(rows) + len(wanted)
    graph = csr_array((np.ones(len(first)), (first, count + second)), (size, size))
    parts, part = connected_components(graph, directed=False)
    has = np.bincount(part[first], cells, parts)
    asked = np.bincount(part[count:], wanted, parts)
    factor = _ratio(has, asked)
    both = (has > 0) & (asked > 0)
    return wanted * factor[part[count:]], float(np.max(np.abs(factor[both] - 1), initial=0.0))
