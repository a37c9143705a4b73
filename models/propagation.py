"""Feature propagation: each pixel becomes a similarity-weighted mean of its dilated neighbourhood.

    f'(p) = sum over q in N(p) of softmax_q( max(0, <f(p), f(q)>) ) f(q)

N(p) is a k x k window with dilation, centre included; a neighbour outside the image has similarity 0 (so it
still takes part in the softmax, with weight exp(0)) and value 0. Source: section 2 of the paper, with the
released choices (raw dot product, 5x5, dilation 2).

No unfold: shifted views of the one tensor replace its k*k copies, a similarity is computed once for the two
pixels that share it, and the backward pass is written out so that only the k*k scalar maps are kept.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

SIMILARITIES = ("dot", "cosine")


def propagate_features(feature: Tensor, kernel_size: int = 5, dilation: int = 2, similarity: str = "dot") -> Tensor:
    """Propagate a feature map over its own neighbourhoods.

    Args:
        feature: (B,C,H,W), any floating type; half types are computed in float32.
        kernel_size: side of the window, odd.
        dilation: step between neighbours in pixels, at least 1.
        similarity: ``dot`` as released, or ``cosine`` as the paper's text says.

    Returns:
        (B,C,H,W), of the type of ``feature``.

    Raises:
        ValueError: for an even window, a dilation below 1, or an unknown similarity.
    """
    return propagate(feature, feature, kernel_size=kernel_size, dilation=dilation, similarity=similarity)


def propagate(
    key: Tensor, value: Tensor, *, kernel_size: int = 5, dilation: int = 2, similarity: str = "dot"
) -> Tensor:
    """Propagate ``value`` (B,D,H,W) with the similarities of ``key`` (B,C,H,W).

    A 1x1 convolution commutes with the weighted mean, so propagating its one-channel output gives the same
    logits as propagating all C channels first. Returns (B,D,H,W); raises as ``propagate_features``.
    """
    if kernel_size % 2 == 0 or kernel_size < 1 or dilation < 1:
        raise ValueError(
            f"propagation: expected an odd kernel_size and a dilation of 1 or more, "
            f"found kernel_size={kernel_size}, dilation={dilation}"
        )
    if similarity not in SIMILARITIES:
        raise ValueError(f"propagation: expected a similarity of {', '.join(SIMILARITIES)}, found {similarity!r}")
    dtype = value.dtype
    # Sums of 128 products lose too much in half precision.
    with torch.autocast(key.device.type, enabled=False):
        key, value = _at_least_float32(key), _at_least_float32(value)
        if similarity == "cosine":
            key = F.normalize(key, dim=1)
        return _Propagate.apply(key, value, kernel_size, dilation).to(dtype)


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _window(kernel_size: int, dilation: int) -> list[tuple[int, int]]:
    """Offsets (dy, dx) of the window in pixels; entry k and entry K-1-k are opposite."""
    steps = [dilation * i for i in range(-(kernel_size // 2), kernel_size // 2 + 1)]
    return [(dy, dx) for dy in steps for dx in steps]


def _overlap(height: int, width: int, dy: int, dx: int):
    """Index pairs (p, q = p + offset) over all pixels p for which q lies inside the image."""
    here = (
        ...,
        slice(max(0, -dy), max(0, height - max(0, dy))),
        slice(max(0, -dx), max(0, width - max(0, dx))),
    )
    there = (
        ...,
        slice(max(0, dy), max(0, height - max(0, -dy))),
        slice(max(0, dx), max(0, width - max(0, -dx))),
    )
    return here, there


class _Propagate(torch.autograd.Function):
    """propagate() with gradients to key and value; saves key, value and the K similarity maps."""

    @staticmethod
    def forward(ctx, key: Tensor, value: Tensor, kernel_size: int, dilation: int) -> Tensor:
        window = _window(kernel_size, dilation)
        similarity = _similarities(key.detach(), window)
        ctx.save_for_backward(key, value, similarity)
        ctx.window = window
        weights = similarity.softmax(dim=1)
        out = torch.zeros_like(value)
        for k, offset in enumerate(window):
            here, there = _overlap(*key.shape[-2:], *offset)
            out[here].addcmul_(weights[:, k : k + 1][here], value[there])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_out: Tensor):
        key, value, similarity = ctx.saved_tensors
        weights = similarity.softmax(dim=1)
        grad_value, grad_weights = _value_gradients(grad_out, value, weights, ctx.window)
        grad_key = None
        if ctx.needs_input_grad[0]:
            # Softmax, then the rectifier; the zeros outside the image are cut off by the rectifier too.
            grad_similarity = weights * (grad_weights - (weights * grad_weights).sum(dim=1, keepdim=True))
            grad_similarity.masked_fill_(similarity <= 0, 0)
            grad_key = _key_gradient(key, grad_similarity, ctx.window)
        return grad_key, grad_value, None, None


def _similarities(key: Tensor, window) -> Tensor:
    """max(0, <f(p), f(p + offset_k)>) as (B,K,H,W), 0 where the neighbour is outside the image."""
    batch, _, height, width = key.shape
    similarity = key.new_zeros(batch, len(window), height, width)
    last = len(window) - 1
    for k, offset in enumerate(window[: last // 2 + 1]):
        here, there = _overlap(height, width, *offset)
        product = (key[here] * key[there]).sum(dim=1)
        # <f(p), f(q)> is also what q sees at p, under the opposite offset.
        similarity[:, k][here] = product
        similarity[:, last - k][there] = product
    return similarity.clamp_(min=0)


def _value_gradients(grad_out: Tensor, value: Tensor, weights: Tensor, window) -> tuple[Tensor, Tensor]:
    grad_value, grad_weights = torch.zeros_like(value), torch.zeros_like(weights)
    for k, offset in enumerate(window):
        here, there = _overlap(*value.shape[-2:], *offset)
        grad_weights[:, k][here] = (grad_out[here] * value[there]).sum(dim=1)
        grad_value[there].addcmul_(weights[:, k : k + 1][here], grad_out[here])
    return grad_value, grad_weights


def _key_gradient(key: Tensor, grad_similarity: Tensor, window) -> Tensor:
    """Each pair (p, q) feeds f(q) into p's gradient twice: as p's neighbour and as the one who has p for one."""
    grad_key = torch.zeros_like(key)
    last = len(window) - 1
    for k, offset in enumerate(window):
        here, there = _overlap(*key.shape[-2:], *offset)
        both = grad_similarity[:, k : k + 1][here] + grad_similarity[:, last - k : last - k + 1][there]
        grad_key[here].addcmul_(both, key[there])
    return grad_key
