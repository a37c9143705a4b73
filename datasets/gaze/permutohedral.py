"""The permutohedral lattice of an image: every pixel a weighted mean of the six corners of a simplex.

A pixel is a point of five dimensions (x, y, red, green, blue, each over its standard deviation). Projected onto
the plane of six coordinates that add up to zero it lies in one simplex of the lattice; a Gaussian filter over all
pixels is then: splat the pixels' values on the corners, blur the corners along six axes, slice back.

The arithmetic is float32 in the order of the package pydensecrf2 1.1 (SSE2 build), so that weights are equal to the
last bit; the order in which corners are numbered changes no sum. What differs is how corners are found: a corner
is one integer, on which a step along an axis is an addition, and pixels of one simplex share one search.

Source: Adams, Baek and Davis, Eurographics 2010; Kraehenbuehl and Koltun, NIPS 2011.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from utils.compiled import compiled

AXES = 6
# Pixels at a time: their temporaries stay in the first-level cache.
BLOCK = 256
MEMO_BITS = 14
FIRST_SLOTS = 2**12
LANES = 4
# Room around the coordinates for rounding, the corners of a simplex and their neighbours.
MARGIN = 24
HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Lattice(NamedTuple):
    """N pixels on M corners; corner 0 is the one that stands for "none".

    ``corner`` (N,6), 1..M, uint16 where that is enough, else int32; ``weight`` (N,6) float32, which adds up to 1;
    ``before`` and ``after`` (6,M+1), the neighbours of every corner along every axis, of corner's type.
    """

    corner: np.ndarray
    weight: np.ndarray
    before: np.ndarray
    after: np.ndarray


def build_lattice(image: np.ndarray, sxy: float, srgb: float) -> Lattice:
    """The lattice of an (H,W,3) uint8 image, at least one pixel.

    Time grows with the pixels; memory is at most 70 bytes a pixel and 90 a corner (a photograph has about one
    corner to 20 pixels).

    Raises:
        ValueError: if sxy or srgb is not above 0, or so small that coordinates leave the lattice's 16 bits.
    """
    # A copy of one type: arrays that are read-only or not contiguous would each be compiled for.
    pixels = np.array(image, order="C").reshape(-1, 3)
    deviation = np.array([sxy, sxy, srgb, srgb, srgb], dtype=np.float32)
    scale = _scale()
    low, stride = _packing(image.shape, deviation, scale)
    step = stride.sum() - AXES * np.append(stride, 0)
    corner, weight, table, count = _locate(
        pixels, image.shape[1], deviation, scale, low, stride.astype(np.uint64), step.astype(np.uint64)
    )
    index_type = np.uint16 if count < 2**16 else np.int32
    before, after = np.zeros((2, AXES, count + 1), index_type)
    _join(table, step.astype(np.uint64), before, after)
    return Lattice(corner.astype(index_type), weight, before, after)


def _scale() -> np.ndarray:
    """What brings each feature to the lattice's unit: a filter of standard deviation 1 (Adams, p. 5 and 6)."""
    deviation = float(np.float32(math.sqrt(2 / 3) * AXES))
    return np.array([1 / math.sqrt((i + 2) * (i + 1)) * deviation for i in range(AXES - 1)], dtype=np.float32)


def _packing(shape: tuple[int, ...], deviation: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest value and stride of five coordinates, so that sum((coordinate - low) * stride) tells corners apart."""
    largest = np.array([shape[1] - 1, shape[0] - 1, 255, 255, 255], dtype=np.float64)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        reach = largest / deviation * scale
        rest = np.append(np.cumsum(reach[::-1])[::-1], 0)
        lowest = np.array([0, *(-j * reach[j - 1] for j in range(1, AXES - 1))]) - MARGIN
        span = np.array([rest[j] - lowest[j] + MARGIN for j in range(AXES - 1)])
    cells = np.prod(span + 1)
    if not (np.all(deviation > 0) and np.all(span < 2**15) and cells < 2.0**62):
        raise ValueError(
            f"crf: expected sxy and srgb above 0 and large enough for a lattice of 16-bit coordinates, found "
            f"{deviation[0]:g} and {deviation[2]:g} for an image of {shape[0]}x{shape[1]}; try 80 and 13"
        )
    sizes = np.ceil(span).astype(np.int64) + 1
    return np.floor(lowest).astype(np.float32), np.append(1, np.cumprod(sizes[:-1]))


@compiled
def _locate(pixels, width, deviation, scale, low, stride, step):
    """Corners and weights of all pixels, and the table of corners: keys, numbers, how many."""
    total, count = len(pixels), 0
    corner, weight = np.empty((total, AXES), np.int32), np.empty((total, AXES), np.float32)
    table = np.empty(FIRST_SLOTS, np.uint64), np.zeros(FIRST_SLOTS, np.int32)
    memo_key, memo_pixel = np.empty(2**MEMO_BITS, np.uint64), np.full(2**MEMO_BITS, -1)
    elevated, rounded = np.empty((AXES, BLOCK), np.float32), np.empty((AXES, BLOCK), np.float32)
    rank, simplex = np.empty((AXES, BLOCK), np.float32), np.empty(BLOCK, np.uint64)
    for start in range(0, total, BLOCK):
        size = min(BLOCK, total - start)
        _elevate(pixels, start, size, width, deviation, scale, elevated)
        _round(size, elevated, rounded, rank)
        _weigh(size, elevated, rank, weight[start : start + size])
        _pack(size, rounded, rank, low, stride, simplex)
        for b in range(size):
            key = simplex[b]
            slot = (key * HASH_FACTOR) >> np.uint64(64 - MEMO_BITS)
            known = memo_pixel[slot]
            if known >= 0 and memo_key[slot] == key:
                for r in range(AXES):
                    corner[start + b, r] = corner[known, r]
            else:
                table = _with_room(table, count)
                count = _add(rounded[:, b], rank[:, b], low, stride, step, table, count, corner[start + b])
                memo_key[slot], memo_pixel[slot] = key, start + b
    if total % LANES:
        # The library computes four pixels at a time and fills the last four up with zeros. Nothing is splat on
        # their corners, but the blur passes through them.
        table, nowhere = _with_room(table, count), np.empty(AXES, np.int32)
        zeros, ranks = np.zeros(AXES, np.float32), np.arange(AXES).astype(np.float32)
        count = _add(zeros, ranks, low, stride, step, table, count, nowhere)
    return corner, weight, table, count


@compiled
def _elevate(pixels, start, size, width, deviation, scale, elevated):
    """Features of a block's pixels on the plane of six coordinates with sum zero (Adams, p. 5)."""
    for b in range(size):
        row = (start + b) // width
        column = start + b - row * width
        elevated[1, b] = np.float32(column) / deviation[0] * scale[0]
        elevated[2, b] = np.float32(row) / deviation[1] * scale[1]
    for c in range(2, AXES - 1):
        for b in range(size):
            elevated[c + 1, b] = np.float32(pixels[start + b, c - 2]) / deviation[c] * scale[c]
    for b in range(size):
        total = np.float32(0)
        for j in range(AXES - 1, 0, -1):
            feature = elevated[j, b]
            elevated[j, b] = total - np.float32(j) * feature
            total += feature
        elevated[0, b] = total


@compiled
def _round(size, elevated, rounded, rank):
    """The nearest corner of remainder 0, the rank of each coordinate's distance to it; both brought to the plane.

    On return ``elevated`` holds the distances, over the number of axes.
    """
    six, one, zero = np.float32(AXES), np.float32(1), np.float32(0)
    sixth = one / six
    excess = np.zeros(size, np.float32)
    for j in range(AXES):
        for b in range(size):
            nearest = np.rint(sixth * elevated[j, b])
            excess[b] += nearest
            rounded[j, b] = nearest * six
            rank[j, b] = zero
    for i in range(AXES - 1):
        for j in range(i + 1, AXES):
            for b in range(size):
                less = one if elevated[i, b] - rounded[i, b] < elevated[j, b] - rounded[j, b] else zero
                rank[i, b] += less
                rank[j, b] += one - less
    for j in range(AXES):
        for b in range(size):
            moved = rank[j, b] + excess[b]
            shift = six if moved < zero else (-six if moved >= six else zero)
            rank[j, b] = moved + shift
            rounded[j, b] += shift
            elevated[j, b] = (elevated[j, b] - rounded[j, b]) * sixth


@compiled
def _weigh(size, distance, rank, weight):
    """Barycentric coordinates (Adams, p. 10): differences of distances in the order of their ranks."""
    one = np.float32(1)
    ordered = np.zeros((AXES, size), np.float32)
    for r in range(AXES):
        for j in range(AXES):
            for b in range(size):
                if rank[j, b] == np.float32(AXES - 1 - r):
                    ordered[r, b] = distance[j, b]
    for b in range(size):
        weight[b, 0] = ordered[0, b] + (one - ordered[AXES - 1, b])
        for r in range(1, AXES):
            weight[b, r] = ordered[r, b] - ordered[r - 1, b]


@compiled
def _pack(size, rounded, rank, low, stride, simplex):
    """One integer a simplex: its corner of remainder 0 plus the ranks, which are below six."""
    for b in range(size):
        simplex[b] = 0
    for j in range(AXES - 1):
        for b in range(size):
            simplex[b] += np.uint64(np.int32(rounded[j, b] + rank[j, b] - low[j])) * stride[j]


@compiled
def _add(rounded, rank, low, stride, step, table, count, corner):
    """The numbers of a simplex's corners, by remainder, into ``corner``; the new count of corners.

    From one corner to the next is a step along one axis, the axis of highest rank first.
    """
    slot_key, slot_corner = table
    axis = np.empty(AXES, np.int64)
    key = np.uint64(0)
    for j in range(AXES):
        axis[AXES - 1 - int(rank[j])] = j
        if j < AXES - 1:
            key += np.uint64(np.int32(rounded[j] - low[j])) * stride[j]
    for r in range(AXES):
        slot = _slot(key, slot_key, slot_corner)
        if slot_corner[slot] == 0:
            count += 1
            slot_key[slot], slot_corner[slot] = key, count
        corner[r] = slot_corner[slot]
        key += step[axis[r]]
    return count


@compiled
def _slot(key, slot_key, slot_corner):
    """Where a corner is in the table, or would be: linear probing, 0 marks a free slot."""
    mask = np.uint64(len(slot_corner) - 1)
    slot = (key * HASH_FACTOR) >> np.uint64(32) & mask
    while slot_corner[slot] != 0 and slot_key[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@compiled
def _with_room(table, count):
    """The table, twice as large where another simplex would fill more than half of it."""
    slot_key, slot_corner = table
    if 2 * (count + AXES) <= len(slot_corner):
        return table
    larger_key, larger_corner = np.empty(2 * len(slot_key), np.uint64), np.zeros(2 * len(slot_key), np.int32)
    for old in range(len(slot_corner)):
        if slot_corner[old] != 0:
            slot = _slot(slot_key[old], larger_key, larger_corner)
            larger_key[slot], larger_corner[slot] = slot_key[old], slot_corner[old]
    return larger_key, larger_corner


@compiled
def _join(table, step, before, after):
    """Neighbours of every corner along every axis; each pair is searched for once."""
    slot_key, slot_corner = table
    for slot in range(len(slot_corner)):
        if slot_corner[slot] != 0:
            for j in range(AXES):
                neighbour = slot_corner[_slot(slot_key[slot] + step[j], slot_key, slot_corner)]
                if neighbour != 0:
                    after[j, slot_corner[slot]] = neighbour
                    before[j, neighbour] = slot_corner[slot]
