"""Codes placed by text alone lie at the usual radius of their level."""

import torch

from naics_embed.text.placement import at_level_radius


def test_unknown_codes_take_the_median_radius_of_their_level_and_keep_their_direction():
    tangents = torch.tensor([[3.0, 0], [0, 4], [5, 0], [0.3, 0.4], [1, 0]], dtype=torch.float64)
    level = torch.tensor([6, 6, 6, 6, 2])
    known = torch.tensor([True, True, True, False, False])
    moved = at_level_radius(tangents, level, known)
    torch.testing.assert_close(moved[:3], tangents[:3])
    torch.testing.assert_close(moved[3], torch.tensor([2.4, 3.2], dtype=torch.float64))
    torch.testing.assert_close(moved[4], tangents[4])


def test_a_code_at_the_origin_has_no_direction_and_stays():
    tangents = torch.tensor([[2.0, 0], [0, 0]], dtype=torch.float64)
    moved = at_level_radius(tangents, torch.tensor([3, 3]), torch.tensor([True, False]))
    torch.testing.assert_close(moved, tangents)
