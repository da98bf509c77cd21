"""The prior of codes: how often each is the label of a text."""

import numpy as np

from naics_embed.taxonomy import Taxonomy


def log_prior(counts: np.ndarray, ancestors: np.ndarray, smoothing: float) -> np.ndarray:
    """Estimate the logarithm of the fraction of each leaf, smoothed down the tree.

    At each level, the fraction of a code within its parent is the posterior mean under a Dirichlet
    prior whose mean is the fraction of its leaves (as in MacKay & Bauman Peto 1995): a code that no
    label names gets more where labels name its neighbours.

    Args:
        counts: ``(leaves,)``, labels (or weights of labels) of each leaf.
        ancestors: int ``(leaves, levels)``, ancestor of each leaf at each level, sector first, the
            leaf itself last.
        smoothing: labels that the prior counts for in each code with children.

    Returns:
        float64 ``(leaves,)``, log of the share over that of equal shares; 0 everywhere where there
        are no labels.
    """
    leaves = len(counts)
    log_share = np.zeros(leaves)
    parent = np.zeros(leaves, dtype=np.int64)
    for column in range(ancestors.shape[1]):
        _, child = np.unique(ancestors[:, column], return_inverse=True)
        child_labels = np.bincount(child, counts)[child]
        child_leaves = np.bincount(child)[child]
        parent_labels = np.bincount(parent, counts)[parent]
        parent_leaves = np.bincount(parent)[parent]
        expected = child_leaves / parent_leaves
        share = (child_labels + smoothing * expected) / (parent_labels + smoothing)
        log_share += np.log(share)
        parent = child
    return log_share + np.log(leaves)


def leaf_ancestors(taxonomy: Taxonomy) -> np.ndarray:
    """Return the ancestors of the leaves, int ``(leaves, levels)``, sector first."""
    return taxonomy.ancestors[taxonomy.leaves]
