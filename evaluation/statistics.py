"""Intervals and tests over cases."""

from collections.abc import Sequence

import numpy as np

NUM_RESAMPLES = 10_000
BATCH = 500


def bootstrap_interval(
    values: Sequence[float], groups: Sequence[str] | None = None, *, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float] | None:
    """The percentile bootstrap interval of a mean over cases.

    Args:
        values: one a case, all of them numbers.
        groups: the group (patient) of each case. Groups are drawn whole, since cases of one are alike; the mean is
            over the cases of the groups drawn. None: every case is a group.
        confidence: share of the resampled means inside, in 0..1.
        seed: of the draws; the same values give the same interval.

    Returns:
        (low, high), in the unit of the values; None for fewer than two groups, from which nothing can be said.
    """
    values = np.asarray(values, np.float64)
    number = np.arange(len(values)) if groups is None else np.unique(np.asarray(groups, object), return_inverse=True)[1]
    counts = np.bincount(number)
    if len(counts) < 2:
        return None
    sums = np.bincount(number, values)
    rng, means = np.random.default_rng(seed), []
    # In parts, for memory.
    for _ in range(NUM_RESAMPLES // BATCH):
        drawn = rng.integers(len(counts), size=(BATCH, len(counts)))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    below = (1 - confidence) / 2
    low, high = np.percentile(np.concatenate(means), [100 * below, 100 * (1 - below)])
    return float(low), float(high)
