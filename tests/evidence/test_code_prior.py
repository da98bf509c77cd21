import numpy as np
import pytest

from naics_embed.evidence.code_prior import leaf_ancestors, log_prior

SMALL = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3], [1, 2, 4], [1, 2, 5]])
"""Ancestors of six leaves: two sectors, three groups."""


def brute_force(counts, ancestors, smoothing):
    """The product of posterior means of Dirichlet distributions along each path."""
    result = []
    for leaf in range(len(counts)):
        share, inside = 1.0, np.ones(len(counts), dtype=bool)
        for column in range(ancestors.shape[1]):
            child = inside & (ancestors[:, column] == ancestors[leaf, column])
            siblings = sorted(set(ancestors[inside, column]))
            alpha = {
                s: smoothing * (inside & (ancestors[:, column] == s)).sum() / inside.sum()
                for s in siblings
            }
            labels = {s: counts[inside & (ancestors[:, column] == s)].sum() for s in siblings}
            posterior = alpha[ancestors[leaf, column]] + labels[ancestors[leaf, column]]
            share *= posterior / sum(alpha[s] + labels[s] for s in siblings)
            inside = child
        result.append(np.log(share * len(counts)))
    return np.array(result)


@pytest.mark.parametrize('smoothing', [0.1, 5, 100])
@pytest.mark.parametrize('counts', [[3, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 9], [0.5, 1, 2, 0, 0, 4]])
def test_it_is_the_posterior_mean_along_the_path(smoothing, counts):
    found = log_prior(np.array(counts), SMALL, smoothing)
    assert found == pytest.approx(brute_force(np.array(counts), SMALL, smoothing))


def test_on_the_whole_tree(taxonomy):
    ancestors = leaf_ancestors(taxonomy)
    counts = np.random.default_rng(0).poisson(0.3, len(ancestors)).astype(float)
    found = log_prior(counts, ancestors, 5)
    some = np.arange(0, len(ancestors), 53)
    assert found[some] == pytest.approx(brute_force(counts, ancestors, 5)[some])
    assert np.exp(found).mean() == pytest.approx(1), 'shares add up to 1'


def test_without_labels_it_says_nothing(taxonomy):
    ancestors = leaf_ancestors(taxonomy)
    assert log_prior(np.zeros(len(ancestors)), ancestors, 5) == pytest.approx(0)


def test_labels_of_neighbours_count():
    found = log_prior(np.array([4, 0, 0, 0, 0, 0]), SMALL, 5)
    assert found[0] > found[1] > found[2] > found[3] == pytest.approx(found[5])


def test_ancestors_begin_with_the_sector(taxonomy):
    ancestors = leaf_ancestors(taxonomy)
    row = taxonomy.at_level(6).tolist().index(taxonomy.index('111150'))
    named = [taxonomy.codes[i] for i in ancestors[row]]
    assert named == ['11', '111', '1111', '11115', '111150']
