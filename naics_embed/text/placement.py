"""Where a code lies that only its texts place."""

from torch import Tensor


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
