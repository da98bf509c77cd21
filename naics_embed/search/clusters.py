"""Clusters of a table of codes, by their geodesic distances."""

import numpy as np
import polars as pl

from naics_embed.errors import UserError
from naics_embed.geometry.arrays import pairwise_distance
from naics_embed.optional import need_torch
from naics_embed.search.code_table import CodeTable

AGGLOMERATIVE = 'agglomerative'
KMEANS = 'kmeans'
METHODS = (KMEANS, AGGLOMERATIVE)
KMEANS_ITERATIONS = 300


def cluster_codes(
    table: CodeTable, k: int, *, level: int = 6, method: str = KMEANS, seed: int = 0
) -> pl.DataFrame:
    """Cluster the codes of a level.

    Args:
        table: the codes.
        k: clusters.
        level: digits of the codes.
        method: ``kmeans`` with Lorentz centroids, or ``agglomerative`` with average linkage of
            geodesic distances (UPGMA, Sokal & Michener 1958).
        seed: of the starting points of k-means.

    Returns:
        columns ``code``, ``title``, ``cluster`` (0 … k − 1, in the order of their first code).

    Raises:
        MissingPackageError: k-means needs torch, which is not installed.
        UserError: the method is unknown, the level has no codes, or k is out of range.
    """
    rows = table.taxonomy.at_level(level)
    if not len(rows):
        raise UserError(f'there are no codes of {level} digits; choose 2 to 6')
    if not 1 <= k <= len(rows):
        raise UserError(f'k must be from 1 to the {len(rows)} codes of {level} digits, not {k}')
    if method not in METHODS:
        raise UserError(f'method must be one of {", ".join(METHODS)}, not {method}')
    if method == KMEANS:
        need_torch('k-means of codes')
        from naics_embed.geometry.kmeans import lorentz_kmeans

        clusters = lorentz_kmeans(
            table.points[rows.tolist()],
            k,
            c=table.curvature,
            seed=seed,
            iterations=KMEANS_ITERATIONS,
        )
        labels = clusters.label.numpy()
    else:
        from scipy.cluster.hierarchy import cut_tree, linkage
        from scipy.spatial.distance import squareform

        points = table.point_array[rows]
        distances = pairwise_distance(points, points, table.curvature)
        np.fill_diagonal(distances, 0.0)
        tree = linkage(squareform((distances + distances.T) / 2, checks=False), 'average')
        labels = cut_tree(tree, n_clusters=k)[:, 0]
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return (
        table.frame[rows.tolist()]
        .select('code', 'title')
        .with_columns(cluster=pl.Series(rank[inverse], dtype=pl.Int32))
    )
