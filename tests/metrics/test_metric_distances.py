import math

import pytest
import torch

from naics_embed.metrics.distances import DistanceRows
from naics_embed.metrics.validation import MetricError


def whole(distances, chunk=4):
    return torch.cat([block for _, block in distances.blocks(chunk)])


@pytest.mark.parametrize('c', [0.5, 1.0, 3.0])
def test_lorentz_distances_are_the_textbook_ones(noise, c):
    space = noise(11, 3)
    time = (1 / c + space.square().sum(1)).sqrt()
    product = time[:, None] * time[None, :] - space @ space.T
    expected = torch.acosh((c * product).clamp(min=1)) / math.sqrt(c)
    assert torch.allclose(whole(DistanceRows.of_space(space, c=c)), expected, atol=1e-6)


@pytest.mark.parametrize('chunk', [1, 2, 9, 50])
def test_chunk_does_not_change_distances(noise, chunk):
    distances = DistanceRows.of_space(noise(9, 4), c=1.0)
    assert torch.allclose(whole(distances, chunk), whole(distances, 9), rtol=1e-12, atol=1e-15)


def test_blocks_of_chosen_rows_and_columns(noise):
    matrix = noise(6, 6).abs()
    rows = torch.tensor([5, 0])
    positions, block = next(DistanceRows.of_matrix(matrix).blocks(10, rows))
    assert positions.tolist() == [5, 0]
    assert torch.equal(block, matrix[rows])
    columns = torch.tensor([1, 4])
    part = DistanceRows.of_matrix(matrix).block(rows, columns)
    assert torch.equal(part, matrix[rows][:, columns])


def test_matrix_is_never_written_to(noise):
    matrix = noise(4, 4).abs()
    before = matrix.clone()
    for _, block in DistanceRows.of_matrix(matrix).blocks(4):
        block.fill_(7)
    assert torch.equal(matrix, before)


def test_distances_that_cannot_be_are_refused():
    with pytest.raises(MetricError, match='square'):
        DistanceRows.of_matrix(torch.zeros(2, 3))
    with pytest.raises(MetricError, match='NaN or infinite'):
        whole(DistanceRows.of_matrix(torch.tensor([[0.0, math.nan], [1.0, 0.0]])))
    with pytest.raises(MetricError, match='must not be negative'):
        whole(DistanceRows.of_matrix(torch.tensor([[0.0, -0.1], [0.1, 0.0]])))
    with pytest.raises(MetricError, match='coordinates: 1 of 4'):
        DistanceRows.of_space(torch.tensor([[0.0, math.inf], [1.0, 0.0]]), c=1.0)
    with pytest.raises(MetricError, match='chunk must be at least 1'):
        whole(DistanceRows.of_matrix(torch.zeros(2, 2)), chunk=0)


def test_negative_rounding_counts_as_zero():
    matrix = torch.tensor([[0.0, -1e-7], [-1e-7, 0.0]], dtype=torch.float32)
    assert whole(DistanceRows.of_matrix(matrix)).tolist() == [[0.0, 0.0], [0.0, 0.0]]
