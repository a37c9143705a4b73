"""Mean-field inference of a two-class dense CRF with one bilateral Potts term.

The arithmetic is float32 in the order of the package pydensecrf2 1.1, so that the marginals are equal to the last
bit. What differs: slice, softmax and splat of one iteration are one pass over blocks of pixels, and the softmax of
two classes takes one exponential, since the other is exp(0) = 1.

Source: Kraehenbuehl and Koltun, NIPS 2011, Algorithm 1.
"""

import math

import numpy as np

from datasets.gaze.dense_crf.compiled import compiled
from datasets.gaze.dense_crf.lattice import Lattice
from datasets.gaze.dense_crf.packing import AXES

# Pixels at a time: corners, weights and temporaries of a block stay in the cache.
BLOCK = 512
# Undoes the gain of the blur along all axes.
ALPHA = np.float32(1) / np.float32(1 + 2.0 ** -(AXES - 1))


def foreground_marginal(lattice: Lattice, unary: np.ndarray, *, compat: float, iterations: int) -> np.ndarray:
    """Marginal of class 1, (N,) float32 in 0..1.

    Args:
        lattice: of N pixels.
        unary: (2,N) float32, the energy of either class.
        compat: weight of the Potts term.
        iterations: of mean field; 0 gives the softmax of minus the unary.
    """
    # Copies and casts: every other type or layout would be compiled for again.
    unary = np.array(unary, dtype=np.float32, order="C")
    marginal = np.empty(len(lattice.corner), np.float32)
    _infer(lattice, unary, np.float32(-compat), int(iterations), marginal)
    return marginal


@compiled
def _infer(lattice, unary, potts, iterations, marginal):
    total = len(marginal)
    norm = _normalisation(lattice)
    first, second = np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32)
    values, splatted, spare = _values(lattice), _values(lattice), _values(lattice)
    for iteration in range(iterations + 1):
        for start in range(0, total, BLOCK):
            stop = min(start + BLOCK, total)
            corner, weight = lattice.corner[start:stop], lattice.weight[start:stop]
            if iteration > 0:
                _slice(corner, weight, values, first, second)
            else:
                first[:], second[:] = 0, 0
            _update(unary[0, start:stop], unary[1, start:stop], norm[start:stop], potts, first, second)
            if iteration < iterations:
                _splat(corner, weight, norm[start:stop], first, second, splatted)
            else:
                for b in range(stop - start):
                    marginal[start + b] = second[b]
        values, splatted = splatted, values
        _blur(lattice, values, spare)
        splatted[:] = 0


@compiled
def _normalisation(lattice):
    """Symmetric normalisation: 1 / sqrt of the filtered ones, applied before and after the filter."""
    norm = np.ones(len(lattice.corner), np.float32)
    first, second = np.ones(BLOCK, np.float32), np.ones(BLOCK, np.float32)
    values = _values(lattice)
    for start in range(0, len(norm), BLOCK):
        stop = min(start + BLOCK, len(norm))
        _splat(lattice.corner[start:stop], lattice.weight[start:stop], norm[start:stop], first, second, values)
    _blur(lattice, values, _values(lattice))
    for start in range(0, len(norm), BLOCK):
        stop = min(start + BLOCK, len(norm))
        _slice(lattice.corner[start:stop], lattice.weight[start:stop], values, first, second)
        for b in range(stop - start):
            norm[start + b] = 1.0 / math.sqrt(np.float64(first[b]) + 1e-20)
    return norm


@compiled
def _values(lattice):
    """Two values a corner; those of corner 0, "none", stay 0."""
    return np.zeros((lattice.before.shape[1], 2), np.float32)


@compiled
def _splat(corner, weight, norm, first, second, values):
    """Add a block's two values of each pixel, normalised, to its corners."""
    for b in range(len(corner)):
        x, y = first[b] * norm[b], second[b] * norm[b]
        for r in range(AXES):
            c, w = corner[b, r], weight[b, r]
            values[c, 0] += w * x
            values[c, 1] += w * y


@compiled
def _blur(lattice, values, spare):
    """Each corner plus half of its neighbours, one axis after the other; in place, since axes are even in number."""
    for axis in range(AXES):
        before, after = lattice.before[axis], lattice.after[axis]
        for c in range(1, len(values)):
            for k in range(2):
                # In float64, as the library: it matters for numbers near float32's smallest.
                half = 0.5 * np.float64(values[before[c], k] + values[after[c], k])
                spare[c, k] = np.float64(values[c, k]) + half
        values, spare = spare, values


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
def _update(unary_first, unary_second, norm, potts, first, second):
    """Filtered marginals of a block, in place, to the next marginals."""
    one = np.float32(1)
    for b in range(len(norm)):
        x = -unary_first[b] - potts * (first[b] * norm[b])
        y = -unary_second[b] - potts * (second[b] * norm[b])
        smaller = math.exp(min(x, y) - max(x, y))
        total = one + smaller
        first[b] = (one if x > y else smaller) / total
        second[b] = (smaller if x > y else one) / total
