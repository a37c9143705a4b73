"""Mean-field inference of a two-class dense CRF with one bilateral Potts term.

The arithmetic is float32 in the order of the package pydensecrf2 1.1, so that the marginals are equal to the last
bit. What differs: slice, softmax and splat of one iteration are one pass over blocks of pixels, and the softmax of
two classes takes one exponential, since the other is exp(0) = 1.

Source: Kraehenbuehl and Koltun, NIPS 2011, Algorithm 1.
"""

from __future__ import annotations

import numpy as np

from datasets.gaze.permutohedral import AXES, Lattice
from utils.compiled import compiled

# Pixels at a time: corners, weights and temporaries of a block stay in the cache.
BLOCK = 512
# What the blur along all axes makes of a unit, undone.
ALPHA = np.float32(1) / np.float32(1 + 2.0 ** -(AXES - 1))


def foreground_marginal(lattice: Lattice, unary: np.ndarray, *, compat: float, iterations: int) -> np.ndarray:
    """Marginal of class 1, (N,) float32 in 0..1.

    Args:
        lattice: of N pixels.
        unary: (2,N) float32, the energy of either class.
        compat: weight of the Potts term.
        iterations: of mean field; 0 gives the softmax of minus the unary.
    """
    corner, weight, before, after = lattice
    return _infer(corner, weight, before, after, np.array(unary, dtype=np.float32), np.float32(-compat), iterations)


@compiled
def _infer(corner, weight, before, after, unary, potts, iterations):
    total, corners = len(corner), before.shape[1]
    norm = _normalisation(corner, weight, before, after)
    marginal = np.empty(total, np.float32)
    values, spare = np.zeros((corners, 2), np.float32), np.zeros((corners, 2), np.float32)
    first, second = np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32)
    for iteration in range(iterations + 1):
        splatted = np.zeros((corners, 2), np.float32)
        for start in range(0, total, BLOCK):
            part = slice(start, min(start + BLOCK, total))
            if iteration > 0:
                _slice(corner[part], weight[part], values, first, second)
            else:
                first[:], second[:] = 0, 0
            _update(first, second, norm[part], unary[0, part], unary[1, part], potts)
            if iteration == iterations:
                marginal[part] = second[: len(marginal[part])]
            else:
                for b in range(len(norm[part])):
                    first[b] *= norm[start + b]
                    second[b] *= norm[start + b]
                _splat(corner[part], weight[part], first, second, splatted)
        values, spare = _blur(splatted, spare, before, after)
    return marginal


@compiled
def _normalisation(corner, weight, before, after):
    """1 / sqrt of what the filter makes of ones; applied on both sides of it."""
    total, corners = len(corner), before.shape[1]
    first, second = np.ones(BLOCK, np.float32), np.ones(BLOCK, np.float32)
    splatted, spare = np.zeros((corners, 2), np.float32), np.zeros((corners, 2), np.float32)
    for start in range(0, total, BLOCK):
        _splat(corner[start : start + BLOCK], weight[start : start + BLOCK], first, second, splatted)
    values, _ = _blur(splatted, spare, before, after)
    norm = np.empty(total, np.float32)
    for start in range(0, total, BLOCK):
        _slice(corner[start : start + BLOCK], weight[start : start + BLOCK], values, first, second)
        for b in range(min(BLOCK, total - start)):
            norm[start + b] = 1.0 / np.sqrt(np.float64(first[b]) + 1e-20)
    return norm


@compiled
def _splat(corner, weight, first, second, values):
    """Add a block's two values of each pixel to its corners."""
    for b in range(len(corner)):
        x, y = first[b], second[b]
        for r in range(AXES):
            c, w = corner[b, r], weight[b, r]
            values[c, 0] += w * x
            values[c, 1] += w * y


@compiled
def _blur(values, spare, before, after):
    """Each corner plus half of its neighbours, along one axis after the other; the result and the other array."""
    for axis in range(AXES):
        for c in range(1, len(values)):
            one, other = before[axis, c], after[axis, c]
            for k in range(2):
                # In float64, as the library: it matters for numbers near float32's smallest.
                half = 0.5 * np.float64(values[one, k] + values[other, k])
                spare[c, k] = np.float64(values[c, k]) + half
        values, spare = spare, values
    return values, spare


@compiled
def _slice(corner, weight, values, first, second):
    """A block's two values of each pixel, from its corners."""
    for b in range(len(corner)):
        x, y = np.float32(0), np.float32(0)
        for r in range(AXES):
            c, w = corner[b, r], weight[b, r]
            x += w * values[c, 0] * ALPHA
            y += w * values[c, 1] * ALPHA
        first[b], second[b] = x, y


@compiled
def _update(first, second, norm, unary_first, unary_second, potts):
    """Filtered marginals of a block, in place, to the next marginals."""
    one = np.float32(1)
    for b in range(len(norm)):
        x = -unary_first[b] - potts * (first[b] * norm[b])
        y = -unary_second[b] - potts * (second[b] * norm[b])
        smaller = np.exp(min(x, y) - max(x, y))
        total = one + smaller
        first[b] = (one if x > y else smaller) / total
        second[b] = (smaller if x > y else one) / total
