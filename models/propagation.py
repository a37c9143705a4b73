"""Feature propagation: each pixel becomes a similarity-weighted mean of its dilated neighbourhood.

    f'(p) = sum over q in N(p) of softmax_q( max(0, <f(p), f(q)>) ) f(q)

N(p) is a k x k window with dilation, centre included; a neighbour outside the image has similarity 0 (so it
still takes part in the softmax, with weight exp(0)) and value 0. Source: section 2 of the paper, with the
released choices (raw dot product, 5x5, dilation 2).

No unfold, which makes k*k copies of the feature: only the k*k scalar maps are kept, and the backward pass is
written out. On a CUDA device it runs as fused kernels (propagation_triton), elsewhere as torch operations in
blocks (propagation_torch); both have the functions ``forward`` and ``backward`` with the same promises.
"""

import warnings
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from models import propagation_torch

SIMILARITIES = ("dot", "cosine")


def propagate(
    key: Tensor, value: Tensor, *, kernel_size: int = 5, dilation: int = 2, similarity: str = "dot"
) -> Tensor:
    """Propagate a map with the similarities of another, or of itself, over each pixel's neighbourhood.

    A 1x1 convolution commutes with the weighted mean, so propagating its one-channel output gives the same
    logits as propagating all C channels first.

    Args:
        key: (B,C,H,W), any floating type and strides; half types are summed in float32.
        value: (B,D,H,W), the same.
        kernel_size: side of the window, odd.
        dilation: step between neighbours in pixels, at least 1.
        similarity: ``dot`` as released, or ``cosine`` as the paper's text says.

    Returns:
        (B,D,H,W), of the type of ``value``.

    Raises:
        ValueError: for an even window, a dilation below 1, or an unknown similarity.
    """
    if kernel_size % 2 == 0 or kernel_size < 1 or dilation < 1:
        raise ValueError(
            f"propagation: expected an odd kernel_size and a dilation of 1 or more, "
            f"found kernel_size={kernel_size}, dilation={dilation}"
        )
    if similarity not in SIMILARITIES:
        raise ValueError(f"propagation: expected a similarity of {', '.join(SIMILARITIES)}, found {similarity!r}")
    with torch.autocast(key.device.type, enabled=False):
        if similarity == "cosine":
            key = F.normalize(key.float() if key.dtype.itemsize < 4 else key, dim=1)
        # torch.compile fails on the written-out backward. Not as a decorator: it would import the compiler, seconds.
        apply = torch.compiler.disable(_Propagate.apply)
        return apply(key, value, kernel_size, dilation)


class _Propagate(torch.autograd.Function):
    """propagate() with gradients to key and value; saves key, value and the K similarity maps."""

    @staticmethod
    def forward(ctx, key: Tensor, value: Tensor, kernel_size: int, dilation: int) -> Tensor:
        ctx.settings = (kernel_size, dilation)
        out, similarities = _run("forward", key.detach(), value.detach(), *ctx.settings)
        ctx.save_for_backward(key, value, similarities)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_out: Tensor):
        key, value, similarities = ctx.saved_tensors
        return *_run("backward", grad_out, key, value, similarities, *ctx.settings), None, None


def _run(step: str, first: Tensor, *others: Tensor | int):
    """``forward`` or ``backward`` by the fused kernels where they work, by torch elsewhere."""
    if _on_cuda(first):
        try:
            return getattr(_kernels(), step)(first, *others)
        except torch.OutOfMemoryError:
            raise  # torch's way needs more memory, not less
        except Exception as error:  # no triton, no C compiler, a device it does not know: the reasons are many
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            # Python shows the same warning once.
            warnings.warn(
                f"propagation: the fused CUDA kernels cannot be used ({reason}), so the slower torch operations are",
                RuntimeWarning,
                stacklevel=2,
            )
    return getattr(propagation_torch, step)(first, *others)


def _on_cuda(x: Tensor) -> bool:
    return x.device.type == "cuda"


def _kernels() -> ModuleType:
    from models import propagation_triton  # only here: triton comes with torch for CUDA alone

    return propagation_triton
