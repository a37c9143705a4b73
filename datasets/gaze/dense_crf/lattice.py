"""The permutohedral lattice of an image: every pixel a weighted mean of the six corners of a simplex.

A pixel is a point of five dimensions (x, y, red, green, blue, each over its standard deviation). Projected onto
the plane of six coordinates that add up to zero it lies in one simplex of the lattice; a Gaussian filter over all
pixels is then: splat the pixels' values on the corners, blur the corners along six axes, slice back.

The arithmetic is float32 in the order of the package pydensecrf2 1.1 (SSE2 build), so that weights are equal to the
last bit; the order in which corners are numbered changes no sum. What differs is how corners are found: a corner
is one integer, on which a step along an axis is an addition, and pixels of one simplex share one search.

Source: Adams, Baek and Davis, Eurographics 2010; Kraehenbuehl and Koltun, NIPS 2011.
"""

from typing import NamedTuple

import numpy as np

from datasets.gaze.dense_crf.compiled import compiled
from datasets.gaze.dense_crf.packing import AXES, SCALE, lattice_packing

# Pixels at a time: their temporaries stay in the first-level cache.
BLOCK = 256
MEMO_SLOTS = 2**14
FIRST_SLOTS = 2**12
LANES = 4
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


class HashTable(NamedTuple):
    """A hash table from a corner's integer to its number, 0 where a slot is free; the size is a power of 2.

    Half of the slots or more stay free, so that searches are short.
    """

    key: np.ndarray
    corner: np.ndarray


def build_lattice(image: np.ndarray, sxy: float, srgb: float) -> Lattice:
    """The lattice of an (H,W,3) uint8 image, at least one pixel; errors as of ``lattice_packing``."""
    # A copy of one type: arrays that are read-only or not contiguous would each be compiled for.
    pixels = np.array(image, order="C").reshape(-1, 3)
    deviation = np.array([sxy, sxy, srgb, srgb, srgb], dtype=np.float32)
    packing = lattice_packing(image.shape[:2], sxy, srgb)
    weight = np.empty((len(pixels), AXES), np.float32)
    for index_type in (np.uint16, np.int32):
        corner, limit = np.empty((len(pixels), AXES), index_type), np.iinfo(index_type).max
        count, table = _locate(pixels, image.shape[1], deviation, SCALE, packing, limit, corner, weight)
        if count <= limit:
            break
    before, after = np.zeros((AXES, count + 1), index_type), np.zeros((AXES, count + 1), index_type)
    _join(table, packing.step, before, after)
    return Lattice(corner, weight, before, after)


@compiled
def _locate(pixels, width, deviation, scale, packing, limit, corner, weight):
    """Fill in corners and weights of all pixels; the number of corners, and their table.

    Stops where there are more corners than the limit, which is that of corner's type.
    """
    count, first = np.int64(0), np.int64(0)
    table = HashTable(np.empty(FIRST_SLOTS, np.uint64), np.zeros(FIRST_SLOTS, np.int32))
    memo_key, memo_pixel = np.empty(MEMO_SLOTS, np.uint64), np.empty(MEMO_SLOTS, np.int64)
    memo_pixel[:] = -1
    elevated, rounded = np.zeros((AXES, BLOCK), np.float32), np.empty((AXES, BLOCK), np.float32)
    rank, ordered = np.empty((AXES, BLOCK), np.float32), np.empty((AXES, BLOCK), np.float32)
    excess, simplex = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.uint64)
    for start in range(0, len(pixels), BLOCK):
        if count > limit:
            return count, table
        _elevate(pixels, start, width, deviation, scale, elevated)
        _round(elevated, rounded, rank, excess)
        _weigh(start, elevated, rank, ordered, weight)
        _pack(rounded, rank, packing, simplex)
        for b in range(min(BLOCK, len(pixels) - start)):
            slot = simplex[b] * HASH_FACTOR >> np.uint64(40) & np.uint64(MEMO_SLOTS - 1)
            known = memo_pixel[slot]
            if known >= 0 and memo_key[slot] == simplex[b]:
                for r in range(AXES):
                    corner[start + b, r] = corner[known, r]
            else:
                table = _with_room(table, count)
                count = _add(b, rounded, rank, packing, table, count, corner[start + b])
                memo_key[slot], memo_pixel[slot] = simplex[b], start + b
    if len(pixels) % LANES:
        # The library computes four pixels at a time and fills the last four up with zeros. Nothing is splat on
        # their corners, but the blur passes through them.
        table = _with_room(table, count)
        for j in range(AXES):
            rounded[j, 0], rank[j, 0] = 0, j
        count = _add(first, rounded, rank, packing, table, count, np.empty(AXES, corner.dtype))
    return count, table


@compiled
def _elevate(pixels, start, width, deviation, scale, elevated):
    """Features of a block's pixels on the plane of six coordinates with sum zero (Adams, p. 5)."""
    for b in range(min(BLOCK, len(pixels) - start)):
        row = (start + b) // width
        elevated[1, b] = np.float32(start + b - row * width) / deviation[0] * scale[0]
        elevated[2, b] = np.float32(row) / deviation[1] * scale[1]
        for c in range(3):
            elevated[c + 3, b] = np.float32(pixels[start + b, c]) / deviation[c + 2] * scale[c + 2]
    elevated[0] = 0
    for j in range(len(elevated) - 1, 0, -1):
        for b in range(BLOCK):
            feature = elevated[j, b]
            elevated[j, b] = elevated[0, b] - np.float32(j) * feature
            elevated[0, b] += feature


@compiled
def _round(elevated, rounded, rank, excess):
    """The nearest corner of remainder 0, and the rank of each coordinate's distance to it.

    On return ``elevated`` holds the distances, over the number of axes.
    """
    # The loops over axes are not to be unrolled, which would take compilation seconds.
    axes, six, one, zero = len(rank), np.float32(AXES), np.float32(1), np.float32(0)
    excess[:], rank[:] = 0, 0
    for j in range(axes):
        for b in range(BLOCK):
            nearest = np.rint(elevated[j, b] * (one / six))
            excess[b] += nearest
            rounded[j, b] = nearest * six
    for i in range(axes):
        for j in range(i + 1, axes):
            for b in range(BLOCK):
                less = one if elevated[i, b] - rounded[i, b] < elevated[j, b] - rounded[j, b] else zero
                rank[i, b] += less
                rank[j, b] += one - less
    # Back to the plane, where the rounded coordinates do not add up to zero.
    for j in range(axes):
        for b in range(BLOCK):
            moved = rank[j, b] + excess[b]
            shift = six if moved < zero else (-six if moved >= six else zero)
            rank[j, b] = moved + shift
            rounded[j, b] += shift
            elevated[j, b] = (elevated[j, b] - rounded[j, b]) * (one / six)


@compiled
def _weigh(start, distance, rank, ordered, weight):
    """Barycentric coordinates (Adams, p. 10): differences of distances in the order of their ranks."""
    axes = len(rank)
    for r in range(axes):
        for j in range(axes):
            for b in range(BLOCK):
                if rank[j, b] == np.float32(AXES - 1 - r):
                    ordered[r, b] = distance[j, b]
    for b in range(min(BLOCK, len(weight) - start)):
        weight[start + b, 0] = ordered[0, b] + (np.float32(1) - ordered[AXES - 1, b])
        for r in range(1, AXES):
            weight[start + b, r] = ordered[r, b] - ordered[r - 1, b]


@compiled
def _pack(rounded, rank, packing, simplex):
    """One integer a simplex: its corner of remainder 0 plus the ranks, which are below six."""
    simplex[:] = 0
    for j in range(len(packing.low)):
        for b in range(BLOCK):
            simplex[b] += np.uint64(np.int32(rounded[j, b] + rank[j, b] - packing.low[j])) * packing.stride[j]


@compiled
def _add(b, rounded, rank, packing, table, count, corner):
    """The numbers of a simplex's corners, by remainder, into ``corner``; the new count of corners.

    From one corner to the next is a step along one axis, the axis of highest rank first.
    """
    axis = np.empty(AXES, np.int64)
    key = np.uint64(0)
    for j in range(AXES):
        axis[AXES - 1 - int(rank[j, b])] = j
        if j < AXES - 1:
            key += np.uint64(np.int32(rounded[j, b] - packing.low[j])) * packing.stride[j]
    for r in range(AXES):
        slot = _slot(key, table)
        if table.corner[slot] == 0:
            count += 1
            table.key[slot], table.corner[slot] = key, count
        corner[r] = table.corner[slot]
        key += packing.step[axis[r]]
    return count


@compiled
def _slot(key, table):
    """Where a corner is in the table, or would be: linear probing."""
    mask = np.uint64(len(table.key) - 1)
    slot = key * HASH_FACTOR >> np.uint64(32) & mask
    while table.corner[slot] != 0 and table.key[slot] != key:
        slot = slot + np.uint64(1) & mask
    return slot


@compiled
def _with_room(table, count):
    """The hash table, doubled where another simplex would fill more than half of it."""
    if 2 * (count + AXES) <= len(table.key):
        return table
    larger = HashTable(np.empty(2 * len(table.key), np.uint64), np.zeros(2 * len(table.key), np.int32))
    for old in range(len(table.key)):
        if table.corner[old] != 0:
            slot = _slot(table.key[old], larger)
            larger.key[slot], larger.corner[slot] = table.key[old], table.corner[old]
    return larger


@compiled
def _join(table, step, before, after):
    """Neighbours of every corner along every axis; each pair is searched for once."""
    for slot in range(len(table.key)):
        corner = table.corner[slot]
        if corner != 0:
            for j in range(AXES):
                neighbour = table.corner[_slot(table.key[slot] + step[j], table)]
                if neighbour != 0:
                    after[j, corner], before[j, neighbour] = neighbour, corner
