"""Where a code lies that only its texts place."""

import torch
from torch import Tensor

from naics_embed.text.ridge import ridge_weights


def follow_known_codes(
    by_text: Tensor, tangents: Tensor, level: Tensor, known: Tensor, *, ridge: float
) -> Tensor:
    """Place codes as the texts of known codes of their level say that they lie.

    The head puts a text where queries like it lie. A learned code does not lie among its queries:
    its kin and the tree hold it. A code left where its own text puts it is thus nearer to queries
    of its family than any learned code can be. A ridge regression from the known codes' own texts
    to where they were learned carries the difference over.

    Args:
        by_text: ``(n, dim)`` tangents at the origin where the head puts the texts of each code.
        tangents: ``(n, dim)`` learned ones.
        level: int64 ``(n,)``.
        known: bool ``(n,)``, codes whose tangents were learned.
        ridge: penalty relative to the mean squared coordinate.

    Returns:
        ``(n, dim)``: known codes as they are; others where the regression of their level puts them,
        or by their text where no code of the level is known.
    """
    result = torch.where(known[:, None], tangents, by_text.to(tangents.dtype))
    for value in level[~known].unique().tolist():
        own, learned = (level == value) & ~known, (level == value) & known
        if not bool(learned.any()):
            continue
        x, y = by_text[learned].to(tangents.dtype), tangents[learned]
        weight = ridge_weights(x - x.mean(0), y - y.mean(0), ridge)
        result[own] = (result[own] - x.mean(0)) @ weight + y.mean(0)
    return result


def at_level_radius(tangents: Tensor, level: Tensor, known: Tensor) -> Tensor:
    """Put codes that were placed by text alone at the usual radius of their level.

    A text says in which direction a code lies; how deep, its digits say. Left where its text puts
    it, such a code lies farther in than learned ones, nearer to every query of its family, and
    takes the place of the right answer.

    Args:
        tangents: ``(n, dim)`` at the origin.
        level: int64 ``(n,)``.
        known: bool ``(n,)``, codes whose radius was learned.

    Returns:
        ``(n, dim)``: known codes as they are; the others with the median radius of the known codes
        of their level, or as they are where there is none.
    """
    result = tangents.clone()
    radius = tangents.norm(dim=-1)
    for value in level[~known].unique().tolist():
        own = level == value
        if bool((own & known).any()):
            usual = radius[own & known].median()
            moved = own & ~known & (radius > 0)
            result[moved] = tangents[moved] * (usual / radius[moved])[:, None]
    return result
