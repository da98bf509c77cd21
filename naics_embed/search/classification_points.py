"""The codes of any classification as points of the space of a table of NAICS codes."""

from collections.abc import Sequence

import numpy as np

from naics_embed.classifications.classification import Classification
from naics_embed.classifications.concordance import Concordance, concordance
from naics_embed.classifications.vintages import vintage_of
from naics_embed.errors import CodeError
from naics_embed.geometry.arrays import centroid


def classification_points(
    name: str,
    codes: Sequence[str],
    points: np.ndarray,
    curvature: float,
    links: Concordance | None = None,
) -> np.ndarray:
    """Return a point for each code of a classification.

    It is the Lorentz centroid (Law et al., ICML 2019) of the points of its counterparts in the
    classification of the table, weighted by their fractions. Counterparts are of the level that
    matches: a class has codes of six digits, a division subsectors.

    Args:
        name: of the classification.
        codes: canonical codes of the table, a point each.
        points: float64 ``(n, dim)``, space parts.
        curvature: the space has curvature −c.
        links: from the classification to that of the table; with equal fractions where None.

    Returns:
        float64 ``(codes of the classification, dim)``; NaN for a code without a counterpart.
    """
    tree = Classification.load(name)
    rows = {code: row for row, code in enumerate(codes)}
    if links is None:
        own = vintage_of(codes)
        if name == own:
            return points[[rows[code] for code in tree.codes]]
        links = concordance(name, own)
    result = np.full((len(tree), points.shape[1]), np.nan)
    for position, code in enumerate(tree.codes):
        try:
            found = {one: part for one, part in links.fractions(code).items() if one in rows}
        except CodeError:
            continue
        if found:
            members = points[[rows[one] for one in found]]
            weights = np.array(list(found.values()))
            result[position] = (
                members[0] if len(found) == 1 else centroid(members, weights, curvature)
            )
    return result


def counterparts(code: str, links: Concordance) -> np.ndarray:
    """Return the fractions of a code over the deepest codes of the target, float64 ``(leaves,)``.

    Raises:
        CodeError: it is not a code of the source, or has no counterpart.
    """
    level = links.targets_of.leaf_level
    fractions = links.fractions(code, level)
    tree = links.targets_of
    return np.array([fractions.get(tree.codes[i], 0.0) for i in tree.leaves.tolist()])
