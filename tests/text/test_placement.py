"""Codes placed by text alone lie at the usual radius of their level."""

import torch

from naics_embed.text.placement import at_level_radius, follow_known_codes


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


def test_codes_of_text_alone_are_displaced_as_known_codes_of_their_level_are():
    generator = torch.Generator().manual_seed(0)
    by_text = torch.randn(60, 3, generator=generator)
    level = torch.tensor([5] * 20 + [6] * 40)
    known = torch.arange(60) % 4 != 0
    turn = torch.randn(2, 3, 3, generator=generator).double()
    shift = torch.tensor([1.0, 2.0, 3.0]).double()
    moved = torch.stack(
        [row.double() @ turn[int(at) - 5] + shift for row, at in zip(by_text, level, strict=True)]
    )
    tangents = torch.where(known[:, None], moved, torch.zeros_like(moved))
    placed = follow_known_codes(by_text, tangents, level, known, ridge=1e-12)
    torch.testing.assert_close(placed, moved, rtol=1e-6, atol=1e-6)
    heavy = follow_known_codes(by_text, tangents, level, known, ridge=1e12)
    mean = moved[known & (level == 6)].mean(0)
    torch.testing.assert_close(heavy[level == 6][::4], mean.expand(10, 3), rtol=1e-6, atol=1e-6)


def test_without_a_known_code_of_the_level_the_text_alone_decides():
    by_text, tangents = torch.ones(2, 2), torch.zeros(2, 2, dtype=torch.float64)
    placed = follow_known_codes(
        by_text, tangents, torch.tensor([2, 3]), torch.tensor([True, False]), ridge=0.1
    )
    torch.testing.assert_close(placed, torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64))
