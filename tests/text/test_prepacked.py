"""Linear maps in the order of oneDNN against those of PyTorch."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from naics_embed.text.inference import prepacked
from naics_embed.text.inference.prepacked import Prepacked, has_kernel


@pytest.mark.parametrize('kernel', [True, False])
@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)], ids=str
)
def test_it_is_the_same_map(monkeypatch, kernel, dtype, tolerance):
    if kernel and not has_kernel(dtype):
        pytest.skip(f'oneDNN has no product of {dtype} for this processor')
    if not kernel:
        monkeypatch.setattr(prepacked, 'has_kernel', lambda dtype: False)
    torch.manual_seed(0)
    layer = nn.Linear(48, 96)
    for rows in (1, 7, 300):
        x = torch.randn(rows, 48)
        expected = layer(x).detach()
        result = Prepacked.of(layer, dtype, 64)(x)
        assert result.dtype == dtype
        torch.testing.assert_close(result.float(), expected, rtol=tolerance, atol=tolerance)
        result = Prepacked.of(layer, dtype, 64, gelu=True)(x)
        torch.testing.assert_close(
            result.float(), functional.gelu(expected), rtol=tolerance, atol=tolerance
        )
