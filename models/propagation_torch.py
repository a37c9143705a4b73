"""Feature propagation in plain torch, on any device: sums over shifted views of a few images at a time.

A block of rows is copied into a border of zeros and flattened. There every neighbour lies a fixed number of
entries away, so that a shift is a view without special cases at the image's border; half types become float32
on the way, a block at a time. On the CPU a block is so small that its products stay in the cache, which halves
the time.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

# 4 MB of float32: fastest, or nearly, with 1 MB of L2 a core and 32 MB of L3; 1 MB took a third longer.
BLOCK_ENTRIES = 2**20


def forward(key: Tensor, value: Tensor, kernel_size: int, dilation: int) -> tuple[Tensor, Tensor]:
    """Propagate ``value`` (B,D,H,W) with the similarities of ``key`` (B,C,H,W) to K = kernel_size**2 neighbours.

    Returns:
        The propagated value, of the type of ``value``, and the similarities (B,K,H,W) for ``backward``:
        max(0, <f(p), f(p + offset_k)>), 0 where the neighbour is outside the image; float32 for half types.
    """
    window = _Window(kernel_size, dilation, key.shape[3])
    out = torch.empty_like(value)
    similarities = key.new_empty(key.shape[0], kernel_size**2, *key.shape[2:], dtype=sum_type(key))
    for images in window.groups(key):
        similarity = similarities[images]
        _own_products(window, key[images], out=similarity)
        similarity.clamp_(min=0)
        _weighted_sum(window, similarity.softmax(dim=1), value[images], out=out[images])
    return out, similarities


def backward(
    grad_out: Tensor, key: Tensor, value: Tensor, similarities: Tensor, kernel_size: int, dilation: int
) -> tuple[Tensor, Tensor]:
    """The gradients of key and value, of their shapes and types, from what ``forward`` took and gave."""
    window = _Window(kernel_size, dilation, key.shape[3])
    grad_key, grad_value = torch.empty_like(key), torch.empty_like(value)
    for images in window.groups(key):
        similarity = similarities[images]
        weights, grad = similarity.softmax(dim=1), torch.empty_like(similarity)
        _products(window, grad_out[images], value[images], out=grad)
        # The softmax takes off the mean anyway; where the pixel itself has nearly all the weight, the mean of
        # differences from its own entry keeps the digits that the mean of the entries would lose.
        grad.sub_(grad[:, window.middle, None].clone())
        # Softmax, then the rectifier; the zeros outside the image are cut off by the rectifier too.
        grad.sub_((weights * grad).sum(dim=1, keepdim=True)).mul_(weights).masked_fill_(similarity <= 0, 0)
        # Each pair (p, q) feeds f(q) into p's gradient twice: as p's neighbour and as the one who has p for one.
        _weighted_sum(window, _mirrored(window, grad).add_(grad), key[images], out=grad_key[images])
        _weighted_sum(window, _mirrored(window, weights), grad_out[images], out=grad_value[images])
    return grad_key, grad_value


class _Window:
    """Where the neighbours of a pixel lie in flattened rows with a border of zeros."""

    def __init__(self, kernel_size: int, dilation: int, width: int):
        self.margin = kernel_size // 2 * dilation
        self.width, self.stride = width, width + 2 * self.margin
        steps = range(-self.margin, self.margin + 1, dilation)
        # Entries k and K-1-k are opposite; the one in the middle is the pixel itself.
        self.shifts = [dy * self.stride + dx for dy in steps for dx in steps]
        self.middle = len(self.shifts) // 2

    def groups(self, x: Tensor) -> Iterator[slice]:
        """Images of x (B,C,H,W) to be computed together: small ones share the start of an operation."""
        image_entries = x.shape[1] * self.stride * (x.shape[2] + 2 * self.margin)
        size = max(1, BLOCK_ENTRIES // max(1, image_entries))
        for first in range(0, len(x), size):
            yield slice(first, first + size)

    def blocks(self, x: Tensor) -> Iterator[tuple[int, int]]:
        """First row and row after the last, for x (N,C,H,W)."""
        images, channels, height, _ = x.shape
        # Elsewhere than on the CPU, starting many small steps costs more than the cache saves.
        rows = max(1, BLOCK_ENTRIES // (images * channels * self.stride)) if x.device.type == "cpu" else max(1, height)
        for first in range(0, height, rows):
            yield first, min(height, first + rows)

    def padded(self, x: Tensor, first: int, end: int) -> Tensor:
        """Rows of x (N,C,H,W) and a margin of rows and columns on all sides, zeros outside x, as (N,C,entries)."""
        rows = end - first + 2 * self.margin
        out = x.new_zeros(*x.shape[:2], rows, self.stride, dtype=sum_type(x))
        top = first - self.margin
        inside = x[:, :, max(0, top) : top + rows]
        out[:, :, max(0, -top) :][:, :, : inside.shape[2], self.margin : self.margin + self.width] = inside
        return out.flatten(2)

    def neighbours(self, padded: Tensor, k: int) -> Tensor:
        """x(p + offset_k) for all p of the block: W pixels, 2 margins that mean nothing, W pixels ..."""
        corner = self.margin * (self.stride + 1)
        return padded[..., corner + self.shifts[k] : padded.shape[2] - corner + self.shifts[k]]

    def pixels(self, flat: Tensor) -> Tensor:
        """(N, C, rows, W) from (N, C, rows * stride), the end of which means nothing either."""
        return flat.unflatten(2, (-1, self.stride))[..., : self.width]


def _products(window: _Window, a: Tensor, x: Tensor, out: Tensor, first_offset: int = 0) -> None:
    """<a(p), x(p + offset_k)> over the channels, for a and x (N,C,H,W) into ``out`` (N,K,H,W)."""
    for first, end in window.blocks(x):
        padded = window.padded(x, first, end)
        here = window.neighbours(padded if a is x else window.padded(a, first, end), window.middle)
        products = padded.new_empty(*out.shape[:2], (end - first) * window.stride)
        for k in range(first_offset, out.shape[1]):
            products[:, k, : here.shape[2]] = (here * window.neighbours(padded, k)).sum(dim=1)
        out[:, first_offset:, first:end] = window.pixels(products)[:, first_offset:]


def _own_products(window: _Window, x: Tensor, out: Tensor) -> None:
    """As ``_products`` of x and x: what p sees at q, q sees at p, so half of them are computed."""
    _products(window, x, x, out, first_offset=window.middle)
    out[:, : window.middle] = _mirrored(window, out, last=window.middle)


def _mirrored(window: _Window, x: Tensor, last: int | None = None) -> Tensor:
    """x_{K-1-k}(p + offset_k): what the neighbour holds for p, 0 if it is outside; for x (N,K,H,W), k < ``last``."""
    images, offsets, height, _ = x.shape
    padded = window.padded(x, 0, height)
    out = x.new_empty(images, offsets if last is None else last, height * window.stride)
    for k in range(out.shape[1]):
        shifted = window.neighbours(padded[:, offsets - 1 - k :][:, :1], k)[:, 0]
        out[:, k, : shifted.shape[1]] = shifted
    return window.pixels(out)


def _weighted_sum(window: _Window, weights: Tensor, x: Tensor, out: Tensor) -> None:
    """Sum over k of weights_k(p) x(p + offset_k), for weights (N,K,H,W) and x (N,C,H,W), into ``out``."""
    for first, end in window.blocks(x):
        padded = window.padded(x, first, end)
        weights_here = window.neighbours(window.padded(weights, first, end), window.middle)
        total = padded.new_zeros(*x.shape[:2], (end - first) * window.stride)
        for k in range(weights_here.shape[1]):
            weight = weights_here[:, k, None]
            total[..., : weight.shape[2]].addcmul_(weight, window.neighbours(padded, k))
        out[:, :, first:end] = window.pixels(total)


def sum_type(x: Tensor) -> torch.dtype:
    """The type that sums over channels are computed in."""
    # Sums of 128 products lose too much in half precision.
    return torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype
