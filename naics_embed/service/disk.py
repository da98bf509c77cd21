"""The codes on the Poincaré disk, and the point of a query among them."""

from dataclasses import dataclass

import numpy as np

from naics_embed.atlas.layout import disk_layout
from naics_embed.config.atlas import AtlasConfig
from naics_embed.geometry.arrays import centroid, from_poincare, to_poincare
from naics_embed.search.code_table import CodeTable

CURVATURE = 1.0
"""That of the disk of radius 1."""


@dataclass(frozen=True)
class CodeDisk:
    """Points of all codes.

    Attributes:
        points: float64 ``(n, 2)`` in the unit disk, in the order of the table's taxonomy.
        lifted: the same points on the hyperboloid, space parts float64 ``(n, 2)``.
    """

    points: np.ndarray
    lifted: np.ndarray

    @classmethod
    def of(cls, table: CodeTable, stretch: float) -> 'CodeDisk':
        """Return the map of the bundle, or draw one where it has none.

        Args:
            table: the codes.
            stretch: factor on the radii of a map that is drawn.

        Raises:
            ArtifactError: the map of the bundle lacks a code.
        """
        stored = table.bundle.disk()
        if stored is None:
            # Sectors of even width: to fit them takes seconds.
            even = AtlasConfig(stretch=stretch, steps=0, sample=1, rate=1.0, seed=0)
            points = disk_layout(
                table.taxonomy, table.tangents, curvature=table.curvature, settings=even
            )
        else:
            rows = table.taxonomy.indices(table.bundle.codes()['code'].to_list())
            points = np.empty_like(stored)
            points[rows] = stored
        return cls(points, from_poincare(points, CURVATURE))

    def centre(self, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the Lorentz centroid of weighted codes, as a point of the disk, float64 ``(2,)``.

        Args:
            rows: int ``(k,)``, the codes.
            weights: float ``(k,)``, not negative.
        """
        middle = centroid(self.lifted[rows], weights, CURVATURE)
        return to_poincare(middle, CURVATURE)
