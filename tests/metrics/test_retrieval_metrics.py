import math

import numpy as np
import pytest
import torch
from sklearn.metrics import label_ranking_average_precision_score, top_k_accuracy_score

from naics_embed.metrics.retrieval import (
    mean_and_error,
    per_query,
    retrieval_metrics,
    score_queries,
)
from naics_embed.metrics.validation import MetricError


@pytest.fixture
def scored(noise):
    generator = torch.Generator().manual_seed(5)
    truth = torch.randint(0, 40, (300,), generator=generator)
    scores = noise(300, 40)
    scores[torch.arange(300), truth] += 1.5
    return scores, truth


def test_metrics_without_ties_are_scikit_learns(scored):
    scores, truth = scored
    result = retrieval_metrics(score_queries(scores, truth))
    assert result['queries'] == 300
    for name, k in (('top1', 1), ('hit_at_5', 5), ('hit_at_10', 10)):
        expected = top_k_accuracy_score(truth, scores, k=k, labels=range(40))
        assert result[name] == pytest.approx(expected), name
    one_hot = np.eye(40)[truth]
    # With one right label, label ranking average precision is the mean reciprocal rank.
    expected = label_ranking_average_precision_score(one_hot, scores)
    assert result['mrr'] == pytest.approx(expected)


def test_ties_are_broken_at_random_in_expectation(scored):
    scores, truth = scored
    coarse = scores.round()
    result = retrieval_metrics(score_queries(coarse, truth))
    draws = []
    for seed in range(300):
        jitter = torch.rand(scores.shape, generator=torch.Generator().manual_seed(seed))
        draws.append(retrieval_metrics(score_queries(coarse + 0.5 * jitter, truth)))
    for name in ('top1', 'hit_at_5', 'mrr'):
        values = [draw[name] for draw in draws]
        error = np.std(values) / math.sqrt(len(values))
        assert abs(result[name] - np.mean(values)) < 4 * error, name


def test_blocks_give_what_the_whole_gives(scored, naics_tree):
    scores, truth = scored
    candidates = naics_tree.leaves[::25][:40]
    whole = score_queries(scores, truth, tree=naics_tree, candidates=candidates)
    for size in (1, 7, 299, 300):
        blocks = (scores[i : i + size] for i in range(0, 300, size))
        result = score_queries(blocks, truth, tree=naics_tree, candidates=candidates)
        assert retrieval_metrics(result) == retrieval_metrics(whole)


def test_level_of_the_top_answer(naics_tree, noise):
    candidates = naics_tree.leaves
    m = len(candidates)
    truth = torch.arange(0, m, 50)
    scores = noise(len(truth), m)
    result = per_query(score_queries(scores, truth, tree=naics_tree, candidates=candidates))
    top = scores.argmax(dim=1)
    for q, (a, b) in enumerate(zip(top.tolist(), truth.tolist(), strict=True)):
        edges = int(naics_tree.tree_distance[candidates[a], candidates[b]])
        level = 6 - edges // 2
        assert result['lca_level'][q] == level
        for k in (2, 3, 4, 5):
            assert result[f'right_at_level_{k}'][q] == (level >= k)
    assert 'right_at_level_6' not in result
    assert 'right_at_level_1' not in result


def test_tied_top_answers_share_their_level(naics_tree):
    leaves = naics_tree.leaves
    # The right leaf ties with one of another sector.
    candidates = torch.stack([leaves[0], leaves[-1]])
    outcomes = score_queries(
        torch.tensor([[1.0, 1.0]]), torch.tensor([0]), tree=naics_tree, candidates=candidates
    )
    result = per_query(outcomes)
    assert result['lca_level'].tolist() == [(6 + 1) / 2]
    assert result['right_at_level_2'].tolist() == result['top1'].tolist() == [0.5]


def test_codes_of_several_levels_can_be_candidates(small_tree):
    # Right down to the level of the right answer, where that is above the level asked about.
    candidates = torch.arange(10)
    outcomes = score_queries(
        torch.eye(10).double(), torch.arange(10), tree=small_tree, candidates=candidates
    )
    result = per_query(outcomes)
    assert result['lca_level'].tolist() == small_tree.level.tolist()
    assert all(bool((result[f'right_at_level_{k}'] == 1).all()) for k in (2, 3, 4))


def test_masks_give_the_metrics_of_their_queries(scored):
    scores, truth = scored
    strict = torch.arange(300) % 3 == 0
    result = retrieval_metrics(score_queries(scores, truth), masks={'strict': strict})
    alone = retrieval_metrics(score_queries(scores[strict], truth[strict]))
    assert {k: v for k, v in result.items() if k.startswith('strict_')} == {
        f'strict_{k}': v for k, v in alone.items()
    }
    with pytest.raises(MetricError, match='mask strict: nothing to measure'):
        retrieval_metrics(score_queries(scores, truth), masks={'strict': strict & False})
    with pytest.raises(MetricError, match='must be bool'):
        retrieval_metrics(score_queries(scores, truth), masks={'strict': strict.long()})


def test_standard_error_is_the_textbook_one(noise):
    values = noise(50)
    mean, error = mean_and_error(values)
    assert mean == pytest.approx(float(values.mean()))
    assert error == pytest.approx(float(values.std()) / math.sqrt(50))
    assert math.isnan(mean_and_error(values[:1])[1])


def test_standard_error_allows_for_groups(noise):
    values = noise(40)
    repeated = values.repeat_interleave(5)
    codes = torch.arange(40).repeat_interleave(5) * 7
    # Five copies of each query are no more evidence than one.
    assert mean_and_error(repeated, codes) == pytest.approx(mean_and_error(values))
    assert mean_and_error(repeated)[1] < 0.5 * mean_and_error(values)[1]


def test_standard_error_is_the_spread_of_repeated_samples():
    generator = torch.Generator().manual_seed(0)
    means, errors = [], []
    groups = torch.arange(30).repeat_interleave(4)
    for _ in range(400):
        effect = torch.randn(30, generator=generator).repeat_interleave(4)
        mean, error = mean_and_error(effect + torch.randn(120, generator=generator), groups)
        means.append(mean)
        errors.append(error)
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.1)


def test_paired_difference_has_the_smaller_error(scored):
    scores, truth = scored
    ours = per_query(score_queries(scores, truth))['mrr']
    theirs = per_query(score_queries(scores.round(decimals=1), truth))['mrr']
    assert mean_and_error(ours - theirs)[1] < 0.5 * mean_and_error(ours)[1]


def test_candidates_may_be_ruled_out_but_not_the_right_one(scored):
    scores, truth = scored
    masked = scores.clone()
    wrong = torch.where(truth == 0, 1, 0)
    masked[torch.arange(300), wrong] = -torch.inf
    before, after = (retrieval_metrics(score_queries(s, truth)) for s in (scores, masked))
    assert after['mrr'] > before['mrr']
    masked[7, truth[7]] = -torch.inf
    with pytest.raises(MetricError, match='ruled out'):
        score_queries(masked, truth)


def test_bad_input_is_refused(scored, naics_tree):
    scores, truth = scored
    with pytest.raises(MetricError, match='299 queries do not match 300'):
        score_queries([scores[:299]], truth)
    with pytest.raises(MetricError, match='more queries than the 299'):
        score_queries(scores, truth[:299])
    with pytest.raises(MetricError, match='positions from 0 to 29'):
        score_queries(scores[:, :30], truth)
    with pytest.raises(MetricError, match='together'):
        score_queries(scores, truth, tree=naics_tree)
    with pytest.raises(MetricError, match='candidates must have shape'):
        score_queries(scores, truth, tree=naics_tree, candidates=torch.arange(3))
    scores[3, 3] = math.nan
    with pytest.raises(MetricError, match='hold NaN'):
        score_queries(scores, truth)
    with pytest.raises(MetricError, match='nothing to measure'):
        score_queries([], truth[:0])
