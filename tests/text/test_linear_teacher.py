"""The classifier of frozen embeddings that distillation asks."""

import pytest
import torch
from torch.nn import functional as F

from naics_embed.text.linear_settings import LinearTeacherSettings
from naics_embed.text.linear_teacher import fit_linear_teacher

CODES = torch.tensor([2, 5, 7, 9])


@pytest.fixture(scope='module')
def texts():
    generator = torch.Generator().manual_seed(0)
    centres = F.normalize(torch.randn(4, 16, generator=generator), dim=-1)
    label = torch.arange(4).repeat_interleave(30)
    noise = 0.25 * torch.randn(120, 16, generator=generator)
    return F.normalize(centres[label] + noise, dim=-1), CODES[label]


def settings(epochs: int) -> LinearTeacherSettings:
    return LinearTeacherSettings(epochs, batch=16, lr=1e-2, dropout=0.2, scale=10.0)


def test_it_starts_at_the_class_means(texts):
    embeddings, target = texts
    teacher = fit_linear_teacher(embeddings, target, CODES, settings(0), seed=0)
    means = F.normalize(
        torch.stack([embeddings[target == code].mean(0) for code in CODES.tolist()]), dim=-1
    )
    torch.testing.assert_close(teacher(embeddings), 10 * embeddings @ means.T)
    assert torch.equal(teacher.codes, CODES)


def test_fitting_lowers_the_loss_and_is_the_same_again(texts):
    embeddings, target = texts
    label = torch.searchsorted(CODES, target)

    def fitted(epochs: int) -> torch.Tensor:
        return fit_linear_teacher(embeddings, target, CODES, settings(epochs), seed=3)(embeddings)

    assert F.cross_entropy(fitted(5), label) < 0.7 * F.cross_entropy(fitted(0), label)
    assert torch.equal(fitted(5), fitted(5))


def test_texts_of_other_codes_are_left_out(texts):
    embeddings, target = texts
    other = F.normalize(torch.ones(3, 16), dim=-1)
    more = torch.cat([embeddings, other]), torch.cat([target, torch.tensor([0, 3, 11])])
    torch.testing.assert_close(
        fit_linear_teacher(*more, CODES, settings(0), seed=0).weight,
        fit_linear_teacher(embeddings, target, CODES, settings(0), seed=0).weight,
    )
