"""Linear maps whose weights lie in memory as the kernels of oneDNN read them.

A plain product brings its weights into that order at every call, which for a single short text
costs as much as the product.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Prepacked:
    """A linear map for inference, with an optional erf-GELU in the same pass.

    Where PyTorch has no such kernel for the processor, it computes the same in plain steps.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        dtype: torch.dtype,
        rows: int,
        *,
        gelu: bool = False,
        pack: bool = True,
    ) -> None:
        """Cast and order the weights.

        Args:
            weight: ``(out, in)``.
            bias: ``(out,)``.
            dtype: of the product: float32 or bfloat16.
            rows: rows that products have at most; decides the order of the weights only.
            gelu: whether GELU follows.
            pack: whether to order the weights for oneDNN, where it has a kernel.
        """
        self.dtype = dtype
        self.gelu = gelu
        self.weight = weight.detach().to(dtype)
        self.bias = bias.detach().to(dtype)
        self.packed = pack and has_kernel(dtype)
        if self.packed:
            # The operators that TorchInductor compiles linear layers to.
            self.weight = torch.ops.mkldnn._reorder_linear_weight(self.weight, rows)

    @classmethod
    def of(
        cls,
        layer: nn.Linear,
        dtype: torch.dtype,
        rows: int,
        *,
        gelu: bool = False,
        pack: bool = True,
    ) -> 'Prepacked':
        """Take the weights of a layer."""
        return cls(layer.weight, layer.bias, dtype, rows, gelu=gelu, pack=pack)

    def __call__(self, x: Tensor) -> Tensor:
        """``(n, in)`` of any float → ``(n, out)`` of ``dtype``."""
        x = x.to(self.dtype)
        if self.packed:
            activation: tuple[str, list[float], str] = ('none', [], '')
            if self.gelu:
                activation = ('gelu', [], 'none')
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, *activation)
        product = functional.linear(x, self.weight, self.bias)
        return functional.gelu(product) if self.gelu else product


def has_kernel(dtype: torch.dtype) -> bool:
    """Whether oneDNN has this product for the processor, and PyTorch gives access to it."""
    available = torch.backends.mkldnn.is_available()
    if not available or not hasattr(torch.ops.mkldnn, '_linear_pointwise'):
        return False
    return dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
