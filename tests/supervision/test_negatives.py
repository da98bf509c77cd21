"""Each mechanism of the curriculum acts, on the negatives that it names and on no others."""

import torch

from naics_embed.supervision.negatives import NegativeRules, plan_negatives

TREE = torch.tensor([[0, 2, 2, 4, 8, 10, 10, 6]], dtype=torch.uint8)
AWAY = torch.tensor([[0.0, 9.0, 2.0, 3.0, 1.0, 7.0, 8.0, 4.0]]).double()
ELIGIBLE = torch.tensor([[False, True, True, True, True, True, True, False]])
SIBLINGS = TREE == 2
CLUSTER = torch.tensor([[True, False, False, True, True, False, False, True]])


def plan(**rules):
    return plan_negatives(
        ELIGIBLE,
        TREE,
        AWAY,
        NegativeRules(**rules),
        siblings=SIBLINGS,
        same_cluster=CLUSTER,
        affinity=torch.tensor([[1.0, 0.9, 0.1, 0.2, 0.3, 0.8, 0.1, 1.0]]).double(),
    )


def test_without_rules_all_eligible_negatives_count_alike():
    result = plan()
    assert result.weights.tolist() == ELIGIBLE.double().tolist()
    assert result.attracted is None
    assert result.fractions == {}


def test_weights_fall_with_tree_distance_and_keep_their_mean():
    weights = plan(distance_exponent=1.0).weights[0]
    assert float(weights.sum()) == 6
    assert float(weights[1] / weights[5]) == 5
    steep = plan(distance_exponent=2.0)
    assert float(steep.weights[0, 1] / steep.weights[0, 5]) == 25
    assert float(steep.fractions['weighted']) == 1


def test_siblings_are_masked():
    result = plan(mask_siblings=True)
    assert result.weights[0].nonzero().squeeze(1).tolist() == [3, 4, 5, 6]
    assert float(result.fractions['siblings']) == 2 / 6


def test_the_nearest_are_kept_out_of_all_and_stay_where_they_were():
    result = plan(hard=2)
    assert result.weights[0].nonzero().squeeze(1).tolist() == [2, 4], 'by distance 2 and 1'
    assert float(result.fractions['hard']) == 2 / 6


def test_the_gate_adds_what_it_confuses():
    result = plan(hard=2, router=2)
    assert result.weights[0].nonzero().squeeze(1).tolist() == [1, 2, 4, 5]
    assert float(result.fractions['router']) == 2 / 6


def test_false_negatives_are_masked_attracted_or_both():
    masked = plan(mask_false=True)
    assert masked.weights[0].nonzero().squeeze(1).tolist() == [1, 2, 5, 6]
    assert masked.attracted is None
    attracted = plan(attract_false=True)
    assert attracted.weights[0].nonzero().squeeze(1).tolist() == [1, 2, 3, 4, 5, 6]
    assert attracted.attracted[0].nonzero().squeeze(1).tolist() == [3, 4]
    both = plan(mask_false=True, attract_false=True)
    assert torch.equal(both.weights, masked.weights)
    assert torch.equal(both.attracted, attracted.attracted)
    assert float(both.fractions['false_negatives']) == 2 / 6


def test_a_false_negative_is_never_a_hard_one():
    result = plan(hard=2, mask_false=True)
    assert result.weights[0].nonzero().squeeze(1).tolist() == [2, 5], '4 was nearest, and false'


def test_asking_for_more_than_there_are_keeps_all():
    assert torch.equal(plan(hard=50, router=9).weights, plan().weights)
