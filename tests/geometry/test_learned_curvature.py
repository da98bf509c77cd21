"""A curvature that is learned."""

import pytest
import torch

from naics_embed.geometry.curvature import CURVATURE_RANGE, LearnedCurvature
from naics_embed.geometry.spaces import LorentzSpace


@pytest.mark.parametrize('start', [0.1, 0.4, 1.0, 10.0])
def test_gradient_is_that_of_the_distance(start):
    learned = LearnedCurvature(start)
    tangents = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).double()

    def spread(c) -> torch.Tensor:
        space = LorentzSpace(c)
        points = space.exp0(tangents)
        return space.pairwise(points, points).sum()

    spread(learned()).backward()
    step = 1e-6
    slope = (spread(start * (1 + step)) - spread(start * (1 - step))) / (2 * step)
    assert float(learned.log_curvature.grad) == pytest.approx(float(slope), rel=1e-5)


def test_it_stays_in_range_and_comes_back():
    learned = LearnedCurvature(1.0)
    optimiser = torch.optim.SGD(learned.parameters(), lr=10.0)
    for sign, bound in ((-1, CURVATURE_RANGE[1]), (1, CURVATURE_RANGE[0])):
        for _ in range(4):
            optimiser.zero_grad()
            (sign * learned()).backward()
            optimiser.step()
        assert float(learned().detach()) == pytest.approx(bound)
