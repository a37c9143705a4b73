"""Bootstrap confidence intervals and significance tests over cases."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy  # its parts are imported when they are first used

NUM_RESAMPLES = 10_000
BATCH = 500
# Five differences of one sign give p = 0.0625: with fewer than six no test can be significant.
MIN_TESTED = 6
# Further digits are rounding errors: equal means of groups must not differ by 1e-17.
DECIMALS = 12


def bootstrap_interval(
    values: Sequence[float], groups: Sequence[str] | None = None, *, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float] | None:
    """The percentile bootstrap interval of a mean over cases.

    Args:
        values: one a case, all of them numbers.
        groups: the group (patient) of each case. Groups are drawn whole, since their cases are correlated; the mean is
            over the cases of the groups drawn. None: every case is a group.
        confidence: share of the resampled means inside, in 0..1.
        seed: of the draws; the same values give the same interval.

    Returns:
        (low, high), in the unit of the values; None for fewer than two groups.
    """
    values = np.asarray(values, np.float64)
    number = np.arange(len(values)) if groups is None else np.unique(np.asarray(groups, object), return_inverse=True)[1]
    counts = np.bincount(number)
    if len(counts) < 2:
        return None
    sums = np.bincount(number, values)
    rng, means = np.random.default_rng(seed), []
    # In batches, to save memory.
    for _ in range(NUM_RESAMPLES // BATCH):
        drawn = rng.integers(len(counts), size=(BATCH, len(counts)))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    below = (1 - confidence) / 2
    low, high = np.percentile(np.concatenate(means), [100 * below, 100 * (1 - below)])
    return float(low), float(high)


def signed_rank_p(differences: Sequence[float]) -> float | None:
    """The p of the two-sided Wilcoxon signed-rank test, as ``scipy.stats.wilcoxon(zero_method="wilcox")`` has it.

    Exact up to 50 differences without ties or zeros, and up to 13 with; the normal approximation otherwise. 1 where
    all differences are zero; None for fewer than ``MIN_TESTED``.
    """
    rounded = np.round(np.asarray(differences, np.float64), DECIMALS)
    if len(rounded) < MIN_TESTED:
        return None
    if not rounded.any():
        return 1.0
    return float(scipy.stats.wilcoxon(rounded, zero_method="wilcox", alternative="two-sided").pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm-Bonferroni correction of the known p values: the k-th smallest of m times m - k + 1, never falling."""
    known = pd.Series(p_values, dtype=float).dropna().sort_values(kind="stable")
    adjusted = (known * np.arange(len(known), 0, -1)).clip(upper=1).cummax()
    return [None if p is None else float(adjusted[index]) for index, p in enumerate(p_values)]
