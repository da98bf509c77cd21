"""Formulas of the terms, each against a plain computation, and what each pulls on."""

import math

import numpy as np
import pytest
import scipy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from naics_embed.geometry.lorentz import exp0
from naics_embed.losses.anchor import embedding_anchor
from naics_embed.losses.cone import entailment
from naics_embed.losses.contrastive import decoupled_contrast
from naics_embed.losses.distillation import distillation, mix_texts
from naics_embed.losses.hierarchy import hierarchy_preservation
from naics_embed.losses.offset import offset_penalty
from naics_embed.losses.radial import radial
from naics_embed.losses.rank import rank_order
from naics_embed.losses.retrieval import (
    ancestor_cross_entropy,
    candidate_weights,
    level_cross_entropy,
    redirected_from,
)
from naics_embed.losses.teacher import teacher
from naics_embed.objective.term import Schedule


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)).double()


def grad(loss: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
    (result,) = torch.autograd.grad(loss, of)
    return result


def test_dcl_leaves_the_positive_out_of_the_sum():
    away = random(2, 4).requires_grad_()
    weights = torch.tensor([[0.0, 1.0, 2.0, 0.0], [0.0, 0.0, 1.0, 0.5]])
    loss = decoupled_contrast(away, torch.tensor([0, 1]), weights, 3.0)
    d = away.detach().numpy()
    one = 3 * d[0, 0] + math.log(math.exp(-3 * d[0, 1]) + 2 * math.exp(-3 * d[0, 2]))
    two = 3 * d[1, 1] + math.log(math.exp(-3 * d[1, 2]) + 0.5 * math.exp(-3 * d[1, 3]))
    assert float(loss.detach()) == pytest.approx((one + two) / 2)
    slope = grad(loss, away)
    assert slope[0, 0] == pytest.approx(1.5), 'the pull on the positive does not die out'
    assert bool((slope[0, 1:3] < 0).all())
    assert slope[0, 3] == 0


def test_dcl_attracts_false_negatives_and_skips_anchors_without_negatives():
    away = random(2, 4).requires_grad_()
    weights = torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.0] * 4])
    attracted = torch.tensor([[False, False, True, False], [False] * 4])
    slope = grad(decoupled_contrast(away, torch.tensor([0, 0]), weights, 2.0, attracted), away)
    assert slope[0, 2] > 0
    assert slope[0, 1] < 0
    assert bool((slope[1] == 0).all())
    none = decoupled_contrast(away, torch.tensor([0, 0]), torch.zeros(2, 4), 2.0)
    assert float(none.detach()) == 0
    assert bool((grad(none, away) == 0).all())


def test_hierarchy_is_one_less_the_correlation_of_each_row():
    away, tree = random(3, 6), 1 + (9 * random(3, 6, seed=1)).floor()
    expected = np.mean([1 - np.corrcoef(a, t)[0, 1] for a, t in zip(away, tree, strict=True)])
    assert float(hierarchy_preservation(away, tree)) == pytest.approx(expected)
    assert float(hierarchy_preservation(3 * tree + 1, tree)) == pytest.approx(0, abs=1e-12)
    with_self = torch.cat([tree.new_zeros(3, 1), tree], 1)
    padded = torch.cat([away.new_zeros(3, 1), away], 1)
    assert float(hierarchy_preservation(padded, with_self)) == pytest.approx(expected)
    flat = torch.ones(1, 4, dtype=torch.float64, requires_grad=True)
    assert bool((grad(hierarchy_preservation(flat, tree[:1, :4]), flat) == 0).all())


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 10), st.integers(0, 40)), min_size=2, max_size=12),
    st.floats(0.05, 5),
)
def test_rank_order_moves_every_inverted_pair_the_right_way(codes, temperature):
    tree = torch.tensor([[edges for edges, _ in codes]])
    away = torch.tensor([[place / 10 for _, place in codes]], dtype=torch.float64)
    away.requires_grad_()
    slope = grad(rank_order(away, tree, temperature), away)[0]
    values = away.detach()[0]
    for j in range(len(codes)):
        for k in range(len(codes)):
            if tree[0, j] < tree[0, k] and values[j] > values[k]:
                # A step down the gradient changes d_j − d_k by −(slope_j − slope_k).
                assert slope[j] > slope[k]


def test_descending_rank_order_sorts_a_toy():
    tree = torch.tensor([[1, 2, 3, 4, 5, 6]])
    away = torch.tensor([[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]], requires_grad=True)
    optimizer = torch.optim.SGD([away], lr=0.5)
    inversions = []
    for _ in range(80):
        optimizer.zero_grad()
        rank_order(away, tree, 0.5).backward()
        optimizer.step()
        row = away.detach()[0]
        inversions.append(int((row[:, None] > row[None, :]).triu(1).sum()))
    assert inversions[-1] == 0
    assert inversions == sorted(inversions, reverse=True), 'never one more than before'


def test_radial_pulls_towards_the_level():
    radius = torch.tensor([1.0, 5.0], requires_grad=True)
    slope = grad(radial(radius, torch.tensor([2.0, 2.0]), 0.5), radius)
    assert slope[0] < 0 < slope[1]
    assert float(radial(radius.detach(), radius.detach(), 0.5)) == 0


def test_a_child_outside_the_cone_is_turned_and_one_inside_left():
    parent = exp0(torch.tensor([[1.0, 0.0]]).double(), c=1.0)
    aside = torch.tensor([[0.5, 1.5]]).double().requires_grad_()
    loss = entailment(parent, exp0(aside, c=1.0), c=1.0, aperture=0.1)
    assert float(loss.detach()) > 0
    after = aside.detach() - 0.1 * grad(loss, aside)
    turned = torch.atan2(after[0, 1], after[0, 0]) < torch.atan2(aside[0, 1], aside[0, 0])
    assert bool(turned)
    inside = exp0(torch.tensor([[2.0, 0.0]]).double(), c=1.0)
    assert float(entailment(parent, inside, c=1.0, aperture=0.1)) == 0


def test_penalties():
    offset = torch.tensor([[3.0, 4.0], [1.0, 0.0], [9.0, 9.0]])
    chosen = torch.tensor([True, True, False])
    assert float(offset_penalty(offset, chosen)) == pytest.approx(13)
    assert float(teacher(torch.tensor([0.0, 0.5]), 1.0)) == pytest.approx(0.0625)
    units = torch.eye(3)
    assert float(embedding_anchor(units, units)) == 0
    assert float(embedding_anchor(units, units.roll(1, 0))) == 1


LEVEL = torch.tensor([2, 4, 6, 6, 6, 4])
ANCESTORS = torch.tensor(
    [
        [0, -1, -1, -1, -1],
        [0, -1, 1, -1, -1],
        [0, -1, 1, -1, 2],
        [0, -1, 1, -1, 3],
        [0, -1, 5, -1, 4],
        [0, -1, 5, -1, -1],
    ]
)
ALL = torch.ones(6, dtype=torch.bool)


def test_ancestors_get_credit_at_their_own_level():
    away = random(1, 6).requires_grad_()
    target = torch.tensor([2])
    loss = ancestor_cross_entropy(away, target, ANCESTORS, LEVEL, ALL, 2.0)
    at_four = -torch.log_softmax(-2 * away.detach()[0, [1, 5]], 0)[0]
    # At two digits there is one candidate, and nothing to lose.
    assert float(loss.detach()) == pytest.approx(float(at_four) / 2)
    slope = grad(loss, away)[0]
    assert slope[1] > 0 > slope[5]
    assert bool((slope[[2, 3, 4]] == 0).all())
    sector = ancestor_cross_entropy(away, torch.tensor([0]), ANCESTORS, LEVEL, ALL, 2.0)
    assert float(sector.detach()) == 0


def test_a_forced_negative_counts_whatever_its_level():
    target, against = torch.tensor([2, 3]), torch.tensor([[5, 4], [-1, -1]])
    named = redirected_from(target, against, ALL)
    weights = candidate_weights(target, LEVEL, ALL, named, 3.0)
    assert weights.tolist() == [[0, 0, 1, 1, 3, 3], [0, 0, 1, 1, 1, 0]]
    away = random(2, 6).requires_grad_()
    plain = level_cross_entropy(away, target, LEVEL, ALL, 2.0)
    forced = level_cross_entropy(away, target, LEVEL, ALL, 2.0, weights.log())
    assert grad(forced, away)[0, 4] < grad(plain, away)[0, 4] < 0
    as_is = candidate_weights(target, LEVEL, ALL, named, 0.0)
    same = level_cross_entropy(away, target, LEVEL, ALL, 2.0, as_is.log())
    assert float(same.detach()) == pytest.approx(float(plain.detach()))


def test_the_right_code_and_hidden_ones_are_never_called_wrong():
    target, against = torch.tensor([2, 3]), torch.tensor([[2, 4], [5, -1]])
    known = torch.tensor([True, True, True, True, True, False])
    assert redirected_from(target, against, known).nonzero().tolist() == [[0, 4]]


@pytest.mark.parametrize(
    ('progress', 'expected'),
    [(0.0, 0.0), (0.2, 0.0), (0.3, 0.5), (0.4, 1.0), (0.5, 1.0), (0.7, 0.5), (0.8, 0.0)],
)
def test_a_schedule_rises_and_falls(progress, expected):
    term = Schedule(start=0.2, end=0.8, ramp=0.2, fade=0.2)
    assert term.factor(progress) == pytest.approx(expected)


def test_a_term_of_the_whole_run_acts_at_both_ends():
    whole = Schedule(start=0.0, end=1.0, ramp=0.0, fade=0.0)
    assert [whole.factor(at) for at in (0.0, 0.5, 1.0)] == [1, 1, 1]


def test_distillation_is_the_divergence_from_the_teacher():
    away, logits = random(3, 5).requires_grad_(), 4 * random(3, 5, seed=1)
    own = scipy.special.softmax(-2.5 * away.detach().numpy(), axis=1)
    expected = scipy.special.softmax(logits.numpy(), axis=1)
    loss = distillation(away, logits, 2.5)
    assert float(loss.detach()) == pytest.approx(scipy.stats.entropy(expected, own, axis=1).mean())
    # What the teacher thinks likelier than the space does is drawn nearer.
    nearer = grad(loss, away) > 0
    assert torch.equal(nearer, torch.from_numpy(expected > own))
    assert float(distillation(-logits / 2.5, logits, 2.5)) == pytest.approx(0, abs=1e-12)


def test_student_and_teacher_see_the_same_mixture():
    torch.manual_seed(0)
    texts = torch.nn.functional.normalize(torch.randn(40, 8), dim=-1)
    own, requested = mix_texts(texts, texts, 0.5, 0.3)
    assert torch.equal(own, requested)
    torch.testing.assert_close(own.norm(dim=-1), torch.ones(40))
    assert float((own * texts).sum(-1).mean()) < 0.97
    for same in mix_texts(texts, texts, 0.0, 0.0):
        torch.testing.assert_close(same, texts)
