"""Feature propagation as fused CUDA kernels, written in Triton: one launch forward, two backward.

Sums are gathered, never scattered: no atomics, hence the same bits in every run. Tensors of any strides are read
in place. A program works on a tile of pixels of one image; tiles have pixels as their last axis, so that
neighbouring threads read neighbouring pixels, unless the channels lie together (channels_last), where each thread
reads 16 bytes of them. All sums are of float32, or of float64 for such inputs.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from models.propagation_torch import accumulation_dtype


def forward(key: Tensor, value: Tensor, kernel_size: int, dilation: int) -> tuple[Tensor, Tensor]:
    """As ``propagation_torch.forward``."""
    batch, _, height, width = key.shape
    out = torch.empty_like(value)
    similarities = key.new_empty(batch, kernel_size**2, height, width, dtype=accumulation_dtype(key))
    tile = _map_tile(key, value, kernel_size)
    if out.numel():
        with torch.cuda.device_of(key):
            _forward_kernel[_tiles(key, tile["PIXELS"])](
                *_with_strides(key), *_with_strides(value), *_with_strides(out), similarities,
                height, width, CHANNELS=key.shape[1], DEPTH=value.shape[1],
                **_window(kernel_size, dilation, key, value, out, similarities), **tile,
            )  # fmt: skip
    return out, similarities


def backward(
    grad_out: Tensor, key: Tensor, value: Tensor, similarities: Tensor, kernel_size: int, dilation: int
) -> tuple[Tensor, Tensor]:
    """As ``propagation_torch.backward``."""
    grad_key, grad_value = torch.empty_like(key), torch.empty_like(value)
    if not similarities.numel():
        return grad_key, grad_value
    channels, depth, (height, width) = key.shape[1], value.shape[1], key.shape[2:]
    weights, grad_similarities = torch.empty_like(similarities), torch.empty_like(similarities)
    window = _window(kernel_size, dilation, grad_out, key, value, grad_key, grad_value, similarities)
    tile = _map_tile(grad_out, value, kernel_size)
    with torch.cuda.device_of(key):
        _softmax_gradient_kernel[_tiles(key, tile["PIXELS"])](
            *_with_strides(grad_out), *_with_strides(value), similarities, weights, grad_similarities,
            height, width, DEPTH=depth, **window, **tile,
        )  # fmt: skip
        tile = _gather_tile(key, grad_out)
        groups = [triton.cdiv(channels, tile["KEY_CHANNELS"]), triton.cdiv(depth, tile["VALUE_CHANNELS"])]
        _gather_kernel[*_tiles(key, tile["PIXELS"]), sum(groups)](
            *_with_strides(key), *_with_strides(grad_out), *_with_strides(grad_key), *_with_strides(grad_value),
            weights, grad_similarities, height, width, groups[0],
            CHANNELS=channels, DEPTH=depth, **window, **tile,
        )  # fmt: skip
    return grad_key, grad_value


def _with_strides(x: Tensor) -> tuple:
    return x, *x.stride()


def _tiles(x: Tensor, pixels: int) -> tuple[int, int]:
    return triton.cdiv(x.shape[2] * x.shape[3], pixels), x.shape[0]


def _window(kernel_size: int, dilation: int, *tensors: Tensor) -> dict:
    """What every kernel must know of the window, and whether a place within an image outgrows 32 bits."""
    spans = [sum((n - 1) * abs(step) for n, step in zip(x.shape[1:], x.stride()[1:], strict=True)) for x in tensors]
    return {
        "SIDE": kernel_size,
        "DILATION": dilation,
        "WIDE": max(spans) >= 2**31,
        "SUM": tl.float64 if any(x.dtype == torch.float64 for x in tensors) else tl.float32,
    }


def _map_tile(a: Tensor, b: Tensor, kernel_size: int) -> dict:
    """Tile (OFFSETS, channels, PIXELS) of the kernels that make the K maps of products of a and b."""
    together = [_channels_together(x) for x in (a, b)]
    offsets = triton.next_power_of_2(kernel_size**2)
    # About 32 sums a thread; where each thread reads several channels, about 8 that many times.
    pixels = max(16, (4096 if max(together) == 1 else 1024) // offsets)
    return {"OFFSETS": offsets, "PIXELS": pixels, "A_CHANNELS": together[0], "B_CHANNELS": together[1], "num_warps": 4}


def _gather_tile(key: Tensor, value: Tensor) -> dict:
    """Tile (channels, PIXELS) of the kernel that sums over weighted neighbours: 16 sums a thread."""
    together = max(_channels_together(x) for x in (key, value)) > 1
    most, pixels = (64, 32) if together else (16, 128)
    key_channels, value_channels = (min(most, triton.next_power_of_2(x.shape[1])) for x in (key, value))
    return {"KEY_CHANNELS": key_channels, "VALUE_CHANNELS": value_channels, "PIXELS": pixels, "num_warps": 4}


def _channels_together(x: Tensor) -> int:
    """How many channels of a pixel one load of 16 bytes brings."""
    return 16 // x.element_size() if x.stride(1) == 1 and x.shape[1] > 1 else 1


@triton.jit
def _forward_kernel(
    key, key_b, key_c, key_y, key_x, value, value_b, value_c, value_y, value_x, out, out_b, out_c, out_y, out_x,
    similarities, height, width,
    CHANNELS: tl.constexpr, DEPTH: tl.constexpr,
    SIDE: tl.constexpr, DILATION: tl.constexpr, OFFSETS: tl.constexpr, PIXELS: tl.constexpr,
    A_CHANNELS: tl.constexpr, B_CHANNELS: tl.constexpr, WIDE: tl.constexpr, SUM: tl.constexpr,
):  # fmt: skip
    """Writes the similarities (B,K,H,W) and the propagated value; A_CHANNELS of key, B_CHANNELS of value at a time."""
    image = tl.program_id(1).to(tl.int64)
    y, x, inside = _pixels(height, width, PIXELS, WIDE)
    offset = tl.arange(0, OFFSETS)
    there_y, there_x, reached = _neighbours(offset[:, None], y[None], x[None], inside, height, width, SIDE, DILATION)

    here, there = y * key_y + x * key_x, there_y * key_y + there_x * key_x
    key += image * key_b
    similarity = _products(key, key_c, here, inside, key, key_c, there, reached, CHANNELS, A_CHANNELS, SUM)
    similarity = tl.where(similarity < 0, 0, similarity)  # unlike a maximum, keeps NaN
    maps = (image * (SIDE * SIDE) + offset[:, None]) * height * width + (y * width + x)[None]
    tl.store(similarities + maps, similarity, mask=(offset < SIDE * SIDE)[:, None] & inside[None])

    weights = _softmax(similarity, offset, SIDE)
    here, there = y * out_y + x * out_x, there_y * value_y + there_x * value_x
    value += image * value_b
    out += image * out_b
    group = tl.arange(0, B_CHANNELS)
    for first in range(0, DEPTH, B_CHANNELS):
        there_value = _load_channels(value, value_c, there, reached, first, DEPTH, B_CHANNELS)
        total = tl.sum(weights[:, None, :] * there_value.to(SUM), axis=0)
        place = out + (first + group).to(tl.int64)[:, None] * out_c + here[None]
        tl.store(place, total, mask=(first + group < DEPTH)[:, None] & inside[None])


@triton.jit
def _softmax_gradient_kernel(
    grad_out, grad_b, grad_c, grad_y, grad_x, value, value_b, value_c, value_y, value_x,
    similarities, weights, grad_similarities, height, width,
    DEPTH: tl.constexpr, SIDE: tl.constexpr, DILATION: tl.constexpr, OFFSETS: tl.constexpr, PIXELS: tl.constexpr,
    A_CHANNELS: tl.constexpr, B_CHANNELS: tl.constexpr, WIDE: tl.constexpr, SUM: tl.constexpr,
):  # fmt: skip
    """Writes the weights and the gradient of the products before the rectifier, both (B,K,H,W)."""
    image = tl.program_id(1).to(tl.int64)
    y, x, inside = _pixels(height, width, PIXELS, WIDE)
    offset = tl.arange(0, OFFSETS)
    there_y, there_x, reached = _neighbours(offset[:, None], y[None], x[None], inside, height, width, SIDE, DILATION)
    maps = (image * (SIDE * SIDE) + offset[:, None]) * height * width + (y * width + x)[None]
    written = (offset < SIDE * SIDE)[:, None] & inside[None]

    similarity = tl.load(similarities + maps, mask=written, other=0)
    weight = _softmax(similarity, offset, SIDE)
    here, there = y * grad_y + x * grad_x, there_y * value_y + there_x * value_x
    a, b = grad_out + image * grad_b, value + image * value_b
    # The smaller group of channels serves both.
    GROUP: tl.constexpr = A_CHANNELS if A_CHANNELS < B_CHANNELS else B_CHANNELS
    grad = _products(a, grad_c, here, inside, b, value_c, there, reached, DEPTH, GROUP, SUM)
    # Differences from the pixel's own entry, as in propagation_torch.
    grad -= tl.sum(tl.where(offset[:, None] == SIDE * SIDE // 2, grad, 0), axis=0)[None]
    grad = weight * (grad - tl.sum(weight * grad, axis=0)[None])
    # Zeros outside the image are cut off by the rectifier too.
    grad = tl.where(similarity <= 0, 0, grad)
    tl.store(weights + maps, weight, mask=written)
    tl.store(grad_similarities + maps, grad, mask=written)


@triton.jit
def _gather_kernel(
    key, key_b, key_c, key_y, key_x, grad_out, grad_b, grad_c, grad_y, grad_x,
    grad_key, gk_b, gk_c, gk_y, gk_x, grad_value, gv_b, gv_c, gv_y, gv_x,
    weights, grad_similarities, height, width, key_groups,
    CHANNELS: tl.constexpr, DEPTH: tl.constexpr,
    SIDE: tl.constexpr, DILATION: tl.constexpr, KEY_CHANNELS: tl.constexpr, VALUE_CHANNELS: tl.constexpr,
    PIXELS: tl.constexpr, WIDE: tl.constexpr, SUM: tl.constexpr,
):  # fmt: skip
    """Writes the gradients of key and value: a program does one group of channels of one of the two."""
    image = tl.program_id(1).to(tl.int64)
    maps = image * SIDE * SIDE * height * width
    group = tl.program_id(2)
    if group < key_groups:
        _gather(
            key + image * key_b, key_c, key_y, key_x, grad_key + image * gk_b, gk_c, gk_y, gk_x,
            grad_similarities + maps, height, width, group * KEY_CHANNELS,
            True, CHANNELS, KEY_CHANNELS, SIDE, DILATION, PIXELS, WIDE, SUM,
        )  # fmt: skip
    else:
        _gather(
            grad_out + image * grad_b, grad_c, grad_y, grad_x, grad_value + image * gv_b, gv_c, gv_y, gv_x,
            weights + maps, height, width, (group - key_groups) * VALUE_CHANNELS,
            False, DEPTH, VALUE_CHANNELS, SIDE, DILATION, PIXELS, WIDE, SUM,
        )  # fmt: skip


@triton.jit
def _gather(
    a, a_c, a_y, a_x, out, out_c, out_y, out_x, maps, height, width, first,
    BOTH: tl.constexpr, CHANNELS: tl.constexpr, GROUP: tl.constexpr,
    SIDE: tl.constexpr, DILATION: tl.constexpr, PIXELS: tl.constexpr, WIDE: tl.constexpr, SUM: tl.constexpr,
):  # fmt: skip
    """Writes the sum over k of map_{K-1-k}(p + offset_k) a(p + offset_k); BOTH adds map_k(p) to the weight.

    A pair (p, q) feeds f(q) into the gradient of f(p) twice: as p's neighbour and as the one who has p for one.
    """
    y, x, inside = _pixels(height, width, PIXELS, WIDE)
    channel = (first + tl.arange(0, GROUP))[:, None]
    exists = channel < CHANNELS
    channel = channel.to(tl.int64)
    area = tl.cast(height, tl.int64) * width
    total = tl.zeros((GROUP, PIXELS), SUM)
    for k in range(SIDE * SIDE):
        there_y, there_x, reached = _neighbours(k, y, x, inside, height, width, SIDE, DILATION)
        opposite = maps + (SIDE * SIDE - 1 - k) * area
        weight = tl.load(opposite + there_y * width + there_x, mask=reached, other=0)
        if BOTH:
            weight += tl.load(maps + k * area + y * width + x, mask=reached, other=0)
        place = a + channel * a_c + (there_y * a_y + there_x * a_x)[None]
        total += weight[None] * tl.load(place, mask=exists & reached[None], other=0).to(SUM)
    place = out + channel * out_c + (y * out_y + x * out_x)[None]
    tl.store(place, total, mask=exists & inside[None])


@triton.jit
def _pixels(height, width, PIXELS: tl.constexpr, WIDE: tl.constexpr):
    """Rows and columns of the pixels of this program's tile, and which of them exist."""
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    y, x = pixel // width, pixel % width
    if WIDE:
        y, x = y.to(tl.int64), x.to(tl.int64)
    return y, x, pixel < height * width


@triton.jit
def _neighbours(k, y, x, inside, height, width, SIDE: tl.constexpr, DILATION: tl.constexpr):
    """Rows and columns of p + offset_k, and whether they lie in the image; none do for k of K or more."""
    there_y = y + (k // SIDE - SIDE // 2) * DILATION
    there_x = x + (k % SIDE - SIDE // 2) * DILATION
    reached = (there_y >= 0) & (there_y < height) & (there_x >= 0) & (there_x < width) & (k < SIDE * SIDE)
    return there_y, there_x, reached & inside


@triton.jit
def _load_channels(a, a_c, place, mask, first, CHANNELS: tl.constexpr, GROUP: tl.constexpr):
    """Channels ``first`` and on, GROUP of them, at places (N, PIXELS): (N, GROUP, PIXELS), 0 where there are none."""
    channel = (first + tl.arange(0, GROUP))[None, :, None]
    place = a + channel.to(tl.int64) * a_c + place[:, None, :]
    return tl.load(place, mask=(channel < CHANNELS) & mask[:, None, :], other=0)


@triton.jit
def _products(
    a, a_c, here, inside, b, b_c, there, reached, CHANNELS: tl.constexpr, GROUP: tl.constexpr, SUM: tl.constexpr
):  # fmt: skip
    """<a(here), b(there)> over the channels, for here (PIXELS,) and there (OFFSETS, PIXELS); 0 if not reached."""
    total = tl.zeros(there.shape, SUM)
    for first in range(0, CHANNELS, GROUP):
        at_here = _load_channels(a, a_c, here[None], inside[None], first, CHANNELS, GROUP)
        at_there = _load_channels(b, b_c, there, reached, first, CHANNELS, GROUP)
        total += tl.sum(at_here.to(SUM) * at_there.to(SUM), axis=1)
    return total


@triton.jit
def _softmax(similarity, offset, SIDE: tl.constexpr):
    """Over the K offsets that exist."""
    exists = (offset < SIDE * SIDE)[:, None]
    highest = tl.max(tl.where(exists, similarity, 0), axis=0)  # no similarity is below 0
    shares = tl.where(exists, tl.exp(similarity - highest[None]), 0)
    return shares / tl.sum(shares, axis=0)[None]
