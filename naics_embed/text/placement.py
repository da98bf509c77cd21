"""Points of codes that have texts but no supervision."""

import torch
from torch import Tensor

from naics_embed.text.ridge import ridge_weights


def follow_known_codes(
    by_text: Tensor, tangents: Tensor, level: Tensor, supervised: Tensor, *, ridge: float
) -> Tensor:
    """Move unsupervised codes by the shift between text and trained point of supervised codes.

    The head maps a text to where similar queries lie. A supervised code does not lie among its
    queries: its siblings and the tree hold it. An unsupervised code at the point of its own text is
    thus nearer to queries of its family than any supervised code can be. A ridge regression from
    the supervised codes' texts to their trained tangents corrects for that.

    Args:
        by_text: ``(n, dim)`` tangents at the origin of the texts of each code, by the head.
        tangents: ``(n, dim)`` trained ones.
        level: int64 ``(n,)``.
        supervised: bool ``(n,)``, codes whose tangents were trained.
        ridge: penalty relative to the mean squared coordinate.

    Returns:
        ``(n, dim)``: supervised codes as they are; others by the regression of their level, or by
        their text where no code of the level is supervised.
    """
    result = torch.where(supervised[:, None], tangents, by_text.to(tangents.dtype))
    for value in level[~supervised].unique().tolist():
        others, fitted = (level == value) & ~supervised, (level == value) & supervised
        if not bool(fitted.any()):
            continue
        x, y = by_text[fitted].to(tangents.dtype), tangents[fitted]
        weight = ridge_weights(x - x.mean(0), y - y.mean(0), ridge)
        result[others] = (result[others] - x.mean(0)) @ weight + y.mean(0)
    return result


def at_level_radius(tangents: Tensor, level: Tensor, supervised: Tensor) -> Tensor:
    """Move codes that were embedded by text alone to the usual radius of their level.

    A text gives the direction of a code; its digits give the depth. At the radius of its text, such
    a code lies farther in than supervised ones, nearer to every query of its family, and ranks
    above the right answer.

    Args:
        tangents: ``(n, dim)`` at the origin.
        level: int64 ``(n,)``.
        supervised: bool ``(n,)``, codes whose radius was trained.

    Returns:
        ``(n, dim)``: supervised codes as they are; the others with the median radius of the
        supervised codes of their level, or as they are where there is none.
    """
    result = tangents.clone()
    radius = tangents.norm(dim=-1)
    for value in level[~supervised].unique().tolist():
        at_level = level == value
        if bool((at_level & supervised).any()):
            usual = radius[at_level & supervised].median()
            moved = at_level & ~supervised & (radius > 0)
            result[moved] = tangents[moved] * (usual / radius[moved])[:, None]
    return result
