"""How much of the table the disk keeps."""

import numpy as np
import torch

from naics_embed.geometry import lorentz
from naics_embed.geometry.models import from_poincare
from naics_embed.metrics.correlation import spearman
from naics_embed.metrics.distances import DistanceRows
from naics_embed.metrics.placement import parent_metrics
from naics_embed.metrics.tree import Tree
from naics_embed.taxonomy import Taxonomy

CHUNK = 512
NEIGHBOURS = 10


def faithfulness(
    taxonomy: Taxonomy, tangents: np.ndarray, disk: np.ndarray, *, curvature: float
) -> dict[str, float]:
    """Compare distances of the disk with those of the table.

    Args:
        taxonomy: n codes.
        tangents: float ``(n, dim)``, the table at the origin.
        disk: float ``(n, 2)`` in the Poincaré disk of curvature −1.
        curvature: c > 0 of the table's space.

    Returns:
        - ``spearman_table``, ``spearman_tree``: over all pairs, with the table's and the tree's
          distances; ``table_spearman_tree`` is what the table itself reaches;
        - ``parent_at_1``: codes whose parent is the nearest code one level up, as in
          `parent_metrics`; ``table_parent_at_1`` is the table's;
        - ``neighbours_kept``: of a leaf's ten nearest leaves in the table, those among its ten in
          the disk;
        - ``scale``: least-squares factor from the table's distances to the disk's.
    """
    plane = from_poincare(torch.from_numpy(disk), c=1.0)
    space = lorentz.exp0(torch.from_numpy(tangents.astype(np.float64)), c=curvature)
    tree = Tree.of(taxonomy)
    flat = lorentz.pairwise_distance(plane, plane, c=1.0)
    full = lorentz.pairwise_distance(space, space, c=curvature)
    row, column = torch.triu_indices(len(tree), len(tree), 1)
    edges = tree.tree_distance[row, column].double()
    near, far = flat[row, column], full[row, column]
    rows = {
        '': DistanceRows.of_space(plane, c=1.0),
        'table_': DistanceRows.of_space(space, c=curvature),
    }
    return {
        'spearman_table': spearman(near, far),
        'spearman_tree': spearman(near, edges),
        'table_spearman_tree': spearman(far, edges),
        **{
            f'{name}parent_at_1': parent_metrics(distances, tree, chunk=CHUNK)['parent_at_1']
            for name, distances in rows.items()
        },
        'neighbours_kept': _neighbours_kept(flat, full, tree.leaves),
        'scale': float(near @ far / (far @ far)),
    }


def _neighbours_kept(flat: torch.Tensor, full: torch.Tensor, leaves: torch.Tensor) -> float:
    nearest = []
    for distances in (flat, full):
        among = distances[leaves][:, leaves].clone().fill_diagonal_(torch.inf)
        size = min(NEIGHBOURS, len(leaves) - 1)
        mask = torch.zeros_like(among, dtype=torch.bool)
        nearest.append(mask.scatter_(1, among.topk(size, largest=False).indices, value=True))
    both = (nearest[0] & nearest[1]).sum().item()
    return both / max(nearest[1].sum().item(), 1)
