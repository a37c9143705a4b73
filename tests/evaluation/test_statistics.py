"""Bootstrap intervals, and tests against answers by hand."""

import numpy as np
import pytest
import scipy.stats

from evaluation.statistics import bootstrap_interval, holm, signed_rank_p


def test_the_same_draws_and_numbers_as_scipy_has():
    values, groups = np.random.default_rng(2).random(40), np.arange(40) % 13
    sums, counts = np.bincount(groups, values), np.bincount(groups)
    expected = scipy.stats.bootstrap(
        (sums, counts),
        lambda sums, counts, axis: sums.sum(axis=axis) / counts.sum(axis=axis),
        **{"paired": True, "vectorized": True, "confidence_level": 0.9, "n_resamples": 10_000, "batch": 500},
        **{"method": "percentile", "rng": np.random.default_rng(5)},
    ).confidence_interval
    found = bootstrap_interval(values, [str(group) for group in 10 + groups], confidence=0.9, seed=5)
    assert found == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_larger_groups_weigh_more():
    # The mean over cases of the groups drawn: 0, 1/4 (one of each) or 1.
    assert bootstrap_interval([0, 0, 0, 1], list("aaab"), confidence=0.6) == (0, 1)
    assert bootstrap_interval([0, 0, 0, 1], list("aaab"), confidence=0.1) == (0.25, 0.25)


def test_same_values_same_interval_and_another_seed_another():
    values = np.random.default_rng(1).random(30)
    assert bootstrap_interval(values) == bootstrap_interval(values) != bootstrap_interval(values, seed=1)


@pytest.mark.parametrize(("values", "groups"), [([], None), ([0.3], None), ([0.3, 0.4], ["a", "a"])])
def test_nothing_can_be_said_from_fewer_than_two_groups(values, groups):
    assert bootstrap_interval(values, groups) is None


def test_p_with_zeros_is_that_of_the_others():
    assert signed_rank_p([0, 0, 0, 1, 2, 3, 4, 5, 6]) == pytest.approx(2 / 64)


def test_too_few_to_test():
    assert signed_rank_p([1, 2, 3, 4, 5]) is None and signed_rank_p([]) is None
    assert signed_rank_p([1, 2, 3, 4, 5, 6]) == pytest.approx(2 / 64)


def test_holm_by_hand():
    # In order .01, .02, .03 times 3, 2, 1: .03, .04, and .03 may not fall below .04.
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.5, None, 0.9]) == [1, None, 1]
    assert holm([0.2]) == [0.2] and holm([]) == []
