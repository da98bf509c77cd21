"""Where every code stands in the Poincaré disk: radius from the table, angle from the taxonomy.

The table's geodesic distance to the origin is kept, times one factor (the stretch): a plane has
less room than the table's many dimensions, so at factor 1 its leaves would crowd. Distances of the
disk are those of curvature −1, ``d = arcosh(1 + 2|u − v|²/((1 − |u|²)(1 − |v|²)))``; a factor s is
the same picture as a plane of curvature −s²c that keeps the table's own radii.

Each subtree owns a sector of the circle, so that no two subtrees interleave, in the spirit of
Sarkar (Low Distortion Delaunay Embedding of Trees in Hyperbolic Plane, 2011); siblings follow each
other as `circular_order` finds them near in the table.
"""

from pathlib import Path

import numpy as np
import polars as pl
import torch

from naics_embed.artifacts import atomic_file
from naics_embed.atlas.ordering import circular_order
from naics_embed.errors import ConfigError
from naics_embed.geometry import lorentz
from naics_embed.taxonomy import Taxonomy


def disk_layout(
    taxonomy: Taxonomy, tangents: np.ndarray, *, curvature: float, stretch: float
) -> np.ndarray:
    """Return the points of all codes in the Poincaré disk, float64 ``(n, 2)`` of norm below 1.

    Args:
        taxonomy: the tree of n codes.
        tangents: float ``(n, dim)`` at the origin, in the order of the taxonomy.
        curvature: c > 0 of the table's space.
        stretch: factor on the radii.

    Raises:
        ConfigError: the shapes do not fit, a tangent is not finite, or the stretch not positive.
    """
    if tangents.ndim != 2 or len(tangents) != len(taxonomy):
        raise ConfigError(
            f'tangents of shape {tangents.shape} do not fit {len(taxonomy)} codes: one row a code'
        )
    if not np.isfinite(tangents).all():
        raise ConfigError('tangents contain NaN or infinite values; train the table again')
    if not stretch > 0:
        raise ConfigError(f'stretch must be positive, got {stretch}')
    wide = torch.from_numpy(tangents.astype(np.float64))
    points = lorentz.exp0(wide, c=curvature)
    distances = lorentz.pairwise_distance(points, points, c=curvature).numpy()
    angle = _angles(taxonomy, circular_order(taxonomy, distances))
    radius = stretch * np.sqrt(curvature) * np.linalg.norm(wide.numpy(), axis=1)
    return np.tanh(radius / 2)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _angles(taxonomy: Taxonomy, order: list[int]) -> np.ndarray:
    """Return the middle of each code's sector, radians ``(n,)``: leaves share the circle evenly."""
    start = np.full(len(taxonomy), np.inf)
    end = np.full(len(taxonomy), -np.inf)
    leaves = [node for node in order if not taxonomy.children[node]]
    for place, leaf in enumerate(leaves):
        node = leaf
        while node >= 0:
            start[node] = min(start[node], place)
            end[node] = max(end[node], place + 1)
            node = int(taxonomy.parent[node])
    return np.pi * (start + end) / max(len(leaves), 1)


def write_disk(path: Path, codes: list[str], points: np.ndarray) -> None:
    """Write ``code``, ``x``, ``y`` (float64, in the unit disk) as parquet, whole or not at all."""
    frame = pl.DataFrame({'code': codes, 'x': points[:, 0], 'y': points[:, 1]})
    with atomic_file(path) as temporary:
        frame.write_parquet(temporary)
