import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from naics_embed.losses.retrieval import level_cross_entropy, level_losses
from naics_embed.losses.stress import tree_stress


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)).double()


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(1, 10), min_size=1, max_size=30),
    st.floats(1e-3, 1e3),
)
def test_stress_of_proportional_distances_is_zero(edges, unit):
    tree = torch.tensor(edges, dtype=torch.float64)
    distance = (unit * tree).requires_grad_()
    loss = tree_stress(distance, tree)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-20)
    assert float(distance.grad.abs().max()) == pytest.approx(0, abs=1e-8 / unit)


def test_stress_by_hand():
    # s = (1 + 1)/(1/1 + 1/2) = 4/3; ((4/3 − 1)²/1 + (4/3 − 2)²/2)/2 = (1/9 + 2/9)/2
    loss = tree_stress(torch.tensor([1.0, 1.0]), torch.tensor([1.0, 2.0]))
    assert float(loss) == pytest.approx(1 / 6)


@settings(deadline=None, max_examples=20)
@given(st.floats(1e-2, 1e2), st.integers(0, 1000))
def test_stress_depends_on_proportions_only(unit, seed):
    distance, tree = 1 + random(20, seed=seed), 1 + (9 * random(20, seed=seed + 1)).floor()
    assert float(tree_stress(unit * distance, tree)) == pytest.approx(
        float(tree_stress(distance, tree))
    )


def test_the_scale_of_stress_is_the_best_one():
    distance, tree = 1 + random(50), 1 + (9 * random(50, seed=1)).floor()
    best = float(tree_stress(distance, tree))
    scales = torch.linspace(0.1, 10, 2000, dtype=torch.float64)[:, None]
    assert best == pytest.approx(
        float(((scales * distance - tree).square() / tree).mean(dim=1).min()), rel=1e-4
    )


def test_stress_pulls_far_pairs_in_and_near_pairs_out():
    distance = torch.tensor([1.0, 3.0], dtype=torch.float64, requires_grad=True)
    tree_stress(distance, torch.tensor([2.0, 2.0])).backward()
    assert distance.grad[0] < 0 < distance.grad[1]


def test_stress_of_a_collapsed_table_is_finite():
    distance = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    loss = tree_stress(distance, torch.ones(5))
    loss.backward()
    assert math.isfinite(float(loss.detach()))
    assert bool(distance.grad.isfinite().all())


LEVEL = torch.tensor([2, 6, 6, 6, 5, 6])
CANDIDATE = torch.tensor([True, True, False, True, True, True])
TARGET = torch.tensor([1, 5, 4])


def test_cross_entropy_is_over_supervised_codes_of_the_target_s_level():
    distances = random(3, 6)
    loss = level_cross_entropy(distances, TARGET, LEVEL, CANDIDATE, 3.0)
    among = [1, 3, 5]
    expected = [
        -torch.log_softmax(-3 * distances[0, among], 0)[0],
        -torch.log_softmax(-3 * distances[1, among], 0)[2],
        # The only candidate of level five: nothing to tell apart.
        torch.tensor(0.0, dtype=torch.float64),
    ]
    assert float(loss) == pytest.approx(float(torch.stack(expected).mean()))


def test_cross_entropy_moves_neither_hidden_codes_nor_other_levels():
    distances = random(3, 6).requires_grad_()
    temperature = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    level_cross_entropy(distances, TARGET, LEVEL, CANDIDATE, temperature).backward()
    assert bool((distances.grad[:2, [0, 2, 4]] == 0).all())
    assert bool((distances.grad[:2, [1, 3, 5]] != 0).all())
    assert bool((distances.grad[2] == 0).all())
    assert temperature.grad != 0


def test_cross_entropy_brings_the_right_code_nearer():
    distances = random(2, 6).requires_grad_()
    level_cross_entropy(distances, TARGET[:2], LEVEL, CANDIDATE, 2.0).backward()
    assert distances.grad[0, 1] > 0
    assert distances.grad[1, 5] > 0
    assert bool((distances.grad[0, [3, 5]] < 0).all())


def test_cross_entropy_of_guessing_is_the_log_of_the_candidates():
    loss = level_cross_entropy(torch.ones(2, 6), TARGET[:2], LEVEL, CANDIDATE, 7.0)
    assert float(loss) == pytest.approx(math.log(3))


def test_losses_by_level_are_those_among_all_distances_and_move_the_points_alike():
    points, codes = random(3, 4).requires_grad_(), random(6, 4).requires_grad_()
    among_all = level_cross_entropy(torch.cdist(points, codes), TARGET, LEVEL, CANDIDATE, 3.0)
    expected = torch.autograd.grad(among_all, (points, codes))
    by_level = level_losses(torch.cdist, points, codes, TARGET, LEVEL, CANDIDATE, 3.0)
    result = torch.autograd.grad(by_level.mean(), (points, codes))
    assert by_level.shape == (3,)
    assert float(by_level[2].detach()) == 0, 'the only candidate of its level'
    torch.testing.assert_close(by_level.mean(), among_all)
    torch.testing.assert_close(result, expected)
