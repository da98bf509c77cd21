"""Text features of every code, from the frozen backbone: they set the directions of a family."""

import numpy as np

from naics_embed.taxonomy import Taxonomy


def code_features(taxonomy: Taxonomy, embeddings: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the mean frozen embedding of all texts of a code and of the codes below it.

    Args:
        taxonomy: the tree.
        embeddings: float ``(m, width)``, texts labelled with a code.
        targets: int64 ``(m,)``, positions of their codes.

    Returns:
        float64 ``(n, width)``; zero where neither a code nor its descendants have a text.
    """
    sums = np.zeros((len(taxonomy), embeddings.shape[1]))
    counts = np.zeros(len(taxonomy))
    np.add.at(sums, targets, embeddings)
    np.add.at(counts, targets, 1)
    # A parent comes before its children, so going backwards completes each code first.
    for code in range(len(taxonomy) - 1, -1, -1):
        parent = int(taxonomy.parent[code])
        if parent >= 0:
            sums[parent] += sums[code]
            counts[parent] += counts[code]
    return sums / np.maximum(counts, 1)[:, None]
