"""The soft minimum of the distances to a code's texts, against plain sums of exponentials."""

import math

import numpy as np
import pytest
import torch

from naics_embed.geometry.lorentz import exp0, pairwise_distance
from naics_embed.geometry.soft_minimum import nearest_texts, soft_minimum


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def plain(distance, column, codes, sharpness):
    """The formula, term by term."""
    far = [max(d for d in row if math.isfinite(d)) for row in distance]
    result = np.empty((len(distance), codes))
    for i, j in np.ndindex(*result.shape):
        total = math.exp(-sharpness * far[i])
        for value, of in zip(distance[i], column[i], strict=True):
            if of == j and math.isfinite(value):
                total += math.exp(-sharpness * value)
        result[i, j] = -math.log(total) / sharpness
    return result


@pytest.mark.parametrize('sharpness', [0.5, 8.0])
def test_it_is_the_formula(sharpness):
    random = np.random.default_rng(0)
    distance, column = 3 * random.random((6, 9)), random.integers(-1, 5, (6, 9))
    distance[0, 2] = math.inf
    found = soft_minimum(
        torch.from_numpy(distance), torch.from_numpy(column), 5, sharpness=sharpness
    )
    assert found.numpy() == pytest.approx(plain(distance, column, 5, sharpness), abs=1e-12)


def test_a_sharp_one_is_the_nearest_text_or_the_farthest_that_was_looked_at():
    distance = torch.tensor([[0.5, 2.0, 7.0]])
    found = soft_minimum(distance, torch.tensor([[0, 1, 1]]), 3, sharpness=500.0)
    assert found.tolist()[0] == pytest.approx([0.5, 2.0, 7.0])


def test_its_gradient_is_that_of_differences():
    column = torch.tensor([[0, 1, 1, -1], [2, 2, 0, 1]])
    away = draw(2, 4, seed=1).abs()
    away[1, 3] = torch.inf

    def distances(near):
        return soft_minimum(torch.cat([near, away[:, 3:]], 1), column, 3, sharpness=4.0)

    assert torch.autograd.gradcheck(distances, away[:, :3].clone().requires_grad_())


def test_nearest_texts_are_those_of_all_distances_but_for_what_is_left_out():
    queries, texts = exp0(draw(7, 4), c=0.5), exp0(draw(300, 4, seed=1), c=0.5)
    left_out = torch.full((7, 2), -1)
    far = pairwise_distance(queries, texts, c=0.5)
    left_out[::2, 0] = far[::2].argmin(1)
    far[torch.arange(0, 7, 2), left_out[::2, 0]] = torch.inf
    near = nearest_texts(queries, texts, 5, c=0.5, left_out=left_out)
    expected = far.sort(1)
    assert torch.equal(near.row, expected.indices[:, :5])
    assert torch.allclose(near.distance.double(), expected.values[:, :5], rtol=1e-6)
    assert nearest_texts(queries[:0], texts, 5, c=0.5).row.shape == (0, 5)
    assert nearest_texts(queries, texts[:3], 5, c=0.5).row.shape == (7, 3)
