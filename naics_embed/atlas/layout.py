"""The point of every code in the Poincaré disk: radius from the table, angle from the taxonomy.

The table's geodesic distance to the origin is kept, times one factor (the stretch): a plane has
less space than the table's many dimensions, so at factor 1 its leaves would crowd. Distances of the
disk are those of curvature −1, ``d = arcosh(1 + 2|u − v|²/((1 − |u|²)(1 − |v|²)))``; a factor s is
the same picture as a plane of curvature −s²c that keeps the table's own radii.

Each subtree owns a sector of the circle, so that no two subtrees interleave, in the spirit of
Sarkar (Low Distortion Delaunay Embedding of Trees in Hyperbolic Plane, 2011); siblings follow each
other as `circular_order` finds them near in the table, and the widths of the sectors are fitted to
the table's distances.
"""

import math
from pathlib import Path

import numpy as np
import polars as pl

from naics_embed.artifacts import atomic_file
from naics_embed.atlas.ordering import circular_order
from naics_embed.config.atlas import AtlasConfig
from naics_embed.errors import ConfigError
from naics_embed.geometry.arrays import exp0, pairwise_distance
from naics_embed.taxonomy import Taxonomy


def disk_layout(
    taxonomy: Taxonomy, tangents: np.ndarray, *, curvature: float, settings: AtlasConfig
) -> np.ndarray:
    """Return the points of all codes in the Poincaré disk, float64 ``(n, 2)`` of norm below 1.

    Args:
        taxonomy: the tree of n codes.
        tangents: float ``(n, dim)`` at the origin, in the order of the taxonomy.
        curvature: c > 0 of the table's space.
        settings: stretch, and how the widths are fitted.

    Raises:
        ConfigError: the shapes do not fit, or a tangent is not finite.
    """
    if tangents.ndim != 2 or len(tangents) != len(taxonomy):
        raise ConfigError(
            f'tangents of shape {tangents.shape} do not fit {len(taxonomy)} codes: one row a code'
        )
    if not np.isfinite(tangents).all():
        raise ConfigError('tangents contain NaN or infinite values; train the table again')
    unit = tangents.astype(np.float64) * math.sqrt(curvature)
    points = exp0(unit, 1.0)
    distances = pairwise_distance(points, points, 1.0)
    radius = settings.stretch * np.linalg.norm(unit, axis=-1)
    first, last = _spans(taxonomy, circular_order(taxonomy, distances))
    leaves = len(taxonomy.leaves)
    if settings.steps == 0:
        angle = math.pi * (first + last) / leaves
    else:
        # A service that draws a map without fitting it needs no torch.
        from naics_embed.atlas.widths import fitted_angles

        angle = fitted_angles(
            first,
            last,
            leaves,
            radius,
            settings.stretch * distances,
            steps=settings.steps,
            sample=settings.sample,
            rate=settings.rate,
            seed=settings.seed,
        )
    return np.tanh(radius / 2)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _spans(taxonomy: Taxonomy, order: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the position of each code's first leaf on the circle, and one past its last."""
    first = np.full(len(taxonomy), len(taxonomy))
    last = np.zeros(len(taxonomy), dtype=np.int64)
    for position, leaf in enumerate(node for node in order if not taxonomy.children[node]):
        node = leaf
        while node >= 0:
            first[node] = min(first[node], position)
            last[node] = max(last[node], position + 1)
            node = int(taxonomy.parent[node])
    return first, last


def write_disk(path: Path, codes: list[str], points: np.ndarray) -> None:
    """Write ``code``, ``x``, ``y`` (float64, in the unit disk) as parquet, whole or not at all."""
    frame = pl.DataFrame({'code': codes, 'x': points[:, 0], 'y': points[:, 1]})
    with atomic_file(path) as temporary:
        frame.write_parquet(temporary)
