"""Feature propagation in plain torch, on any device: sums over shifted views of a few images and rows at a time.

A block of rows is copied into a border of zeros, where every neighbour is a slice without special cases at the image's
border; half types become float32 on the way, a block at a time. On the CPU a block is so small that its products stay
in the cache, which halves the time.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

# 4 MB of float32: fastest, or nearly, with 1 MB of L2 a core and 32 MB of L3; 1 MB took a third longer.
BLOCK_ENTRIES = 2**20


def forward(key: Tensor, value: Tensor, kernel_size: int, dilation: int) -> tuple[Tensor, Tensor]:
    """Propagate ``value`` (B,D,H,W) with the similarities of ``key`` (B,C,H,W) to K = kernel_size**2 neighbours.

    Returns:
        The propagated value, of the type of ``value``, and the similarities (B,K,H,W) for ``backward``:
        max(0, <f(p), f(p + offset_k)>), 0 where the neighbour is outside the image; float32 for half types.
    """
    out, middle = torch.empty_like(value), kernel_size**2 // 2
    similarities = key.new_empty(key.shape[0], kernel_size**2, *key.shape[2:], dtype=accumulation_dtype(key))
    for images in _groups(key):
        similarity = similarities[images]
        _products(key[images], key[images], similarity, dilation, first_offset=middle)
        # The similarity of p and q is that of q and p, so half of them are computed.
        similarity[:, :middle] = _mirrored(similarity, dilation)[:, :middle]
        similarity.clamp_(min=0)
        _weighted_sum(similarity.softmax(dim=1), value[images], out[images], dilation)
    return out, similarities


def backward(
    grad_out: Tensor, key: Tensor, value: Tensor, similarities: Tensor, kernel_size: int, dilation: int
) -> tuple[Tensor, Tensor]:
    """The gradients of key and value, of their shapes and types, from what ``forward`` took and gave."""
    grad_key, grad_value = torch.empty_like(key), torch.empty_like(value)
    for images in _groups(key):
        similarity = similarities[images]
        weights, grad = similarity.softmax(dim=1), torch.empty_like(similarity)
        _products(grad_out[images], value[images], grad, dilation)
        # The softmax takes off the mean anyway; where the pixel itself has nearly all the weight, the mean of
        # differences from its own entry keeps the digits that the mean of the entries would lose.
        grad.sub_(grad[:, kernel_size**2 // 2, None].clone())
        # Softmax, then the rectifier; the zeros outside the image are cut off by the rectifier too.
        grad.sub_((weights * grad).sum(dim=1, keepdim=True)).mul_(weights).masked_fill_(similarity <= 0, 0)
        # Each pair (p, q) feeds f(q) into p's gradient twice: as p's neighbour and as the one who has p for one.
        _weighted_sum(_mirrored(grad, dilation).add_(grad), key[images], grad_key[images], dilation)
        _weighted_sum(_mirrored(weights, dilation), grad_out[images], grad_value[images], dilation)
    return grad_key, grad_value


def _groups(x: Tensor) -> Iterator[slice]:
    """Images of x (B,C,H,W) to be computed together: small ones share the start of an operation."""
    size = max(1, BLOCK_ENTRIES // max(1, x[:1].numel()))
    return (slice(first, first + size) for first in range(0, len(x), size))


def _blocks(x: Tensor, offsets: int, dilation: int) -> Iterator[tuple[slice, list[Tensor]]]:
    """Some rows of x (N,C,H,W), and x(p + offset_k) of all their pixels for each of K offsets, zeros outside x.

    Entries k and K-1-k are opposite; the one in the middle is the pixel itself.
    """
    (images, channels, height, width), margin = x.shape, math.isqrt(offsets) // 2 * dilation
    # Elsewhere than on the CPU, starting many small steps costs more than the cache saves.
    rows = BLOCK_ENTRIES // (images * channels * (width + 2 * margin)) if x.device.type == "cpu" else height
    steps = range(0, 2 * margin + 1, dilation)
    for first in range(0, height, max(1, rows)):
        end = min(height, first + max(1, rows))
        inside = x[:, :, max(0, first - margin) : end + margin].to(accumulation_dtype(x))
        padded = F.pad(inside, (margin, margin, max(0, margin - first), max(0, end + margin - height)))
        yield slice(first, end), [padded[:, :, dy : dy + end - first, dx : dx + width] for dy in steps for dx in steps]


def _products(a: Tensor, x: Tensor, out: Tensor, dilation: int, first_offset: int = 0) -> None:
    """<a(p), x(p + offset_k)> over the channels, for a and x (N,C,H,W) into ``out`` (N,K,H,W)."""
    for rows, there in _blocks(x, out.shape[1], dilation):
        here = a[:, :, rows].to(accumulation_dtype(a))
        for k in range(first_offset, len(there)):
            out[:, k, rows] = (here * there[k]).sum(dim=1)


def _mirrored(x: Tensor, dilation: int) -> Tensor:
    """x_{K-1-k}(p + offset_k): what the neighbour holds for p, 0 if it is outside; for x (N,K,H,W)."""
    out = torch.empty_like(x)
    for rows, there in _blocks(x, x.shape[1], dilation):
        for k, shifted in enumerate(there):
            out[:, k, rows] = shifted[:, -1 - k]
    return out


def _weighted_sum(weights: Tensor, x: Tensor, out: Tensor, dilation: int) -> None:
    """Sum over k of weights_k(p) x(p + offset_k), for weights (N,K,H,W) and x (N,C,H,W), into ``out``."""
    for rows, there in _blocks(x, weights.shape[1], dilation):
        total = torch.zeros_like(there[0])
        for k, neighbour in enumerate(there):
            total.addcmul_(weights[:, k, None, rows], neighbour)
        out[:, :, rows] = total


def accumulation_dtype(x: Tensor) -> torch.dtype:
    """The type that sums over channels are computed in."""
    # Sums of 128 products lose too much in half precision.
    return torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype
