"""The memory bank finds what all distances find, leaves a query itself out, and is renewed."""

import torch

from naics_embed.geometry.lorentz import exp0, pairwise_distance
from naics_embed.text.memory_bank import MemoryBank


def bank_of(count: int = 200, width: int = 6) -> MemoryBank:
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.nn.functional.normalize(torch.randn(count, width, generator=generator))
    codes = torch.arange(count) % 7
    bank = MemoryBank(2 * torch.arange(count) + 1, codes, embeddings)
    bank.refresh(lambda part: exp0(2 * part.double(), c=1.0))
    return bank


def test_a_row_has_a_position_where_the_bank_holds_it():
    bank = bank_of()
    assert bank.positions(torch.tensor([1, 2, 399, 401, 5])).tolist() == [0, -1, 199, -1, 2]


def test_the_nearest_are_those_of_all_distances_without_the_query():
    bank = bank_of()
    queries = bank.points[:5] * 1.01
    own = torch.tensor([0, 1, -1, 3, 4])
    far = pairwise_distance(queries, bank.points, c=1.0)
    far[own >= 0, own[own >= 0]] = torch.inf
    found = bank.nearest(queries, 4, own, c=1.0)
    assert torch.equal(found, far.topk(4, largest=False).indices)
    bank.points *= 2**0.5
    of_half = bank.nearest(queries * 2**0.5, 4, own, c=0.5)
    assert torch.equal(of_half, found), 'the same figure at another curvature'
    assert bank.nearest(queries, 1000, own, c=1.0).shape == (5, 199)


def test_a_step_renews_its_texts_and_a_refresh_all_points():
    bank = bank_of()
    before = bank.points.clone()
    at = torch.tensor([3, 8])
    new = torch.nn.functional.normalize(torch.ones(2, 6), dim=-1)
    bank.renew(at, new, exp0(2 * new.double(), c=1.0))
    changed = (bank.points != before).any(1).nonzero().squeeze(1)
    assert changed.tolist() == at.tolist()
    assert int(bank.age) == 1
    bank.refresh(lambda part: exp0(part.double(), c=1.0))
    assert torch.allclose(bank.points[3], exp0(new[0].double(), c=1.0))
    assert int(bank.age) == 0
