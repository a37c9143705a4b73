"""Paired comparisons against answers by hand and scipy's own."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evaluation.comparison import (
    ComparedRun,
    check_level,
    check_same_cases,
    choose_metrics,
    compare_paired,
    groups_of,
    paired_table,
)


def compare_runs(runs, metric, **more):
    names = [run.name for run in runs]
    return compare_paired(paired_table(runs, metrics=[metric]), names, [metric], **more)


def compared(name, values, groups=None, metric="dice", level="ensemble"):
    """A run with a value a case; the cases are called c0, c1, ..."""
    names = [f"c{index}" for index in range(len(values))]
    table = pd.DataFrame({"name": names, "level": level, metric: np.array(values, float)})
    if groups is not None:
        table["group"] = groups
    return ComparedRun(name, Path(f"{name}/per_case.csv"), table)


def one(baseline, run, **more):
    (comparison,) = compare_runs([baseline, run], baseline.metrics[0], **more)
    return comparison


def test_six_cases_by_hand():
    # Differences 1..6 hundredths with one loss, the smallest: rank sum of losses 1, of 64 signs 4 are as far out.
    before = [0.5] * 6
    after = [0.49, 0.52, 0.53, 0.54, 0.55, 0.56]
    c = one(compared("A", before), compared("B", after))
    assert (c.metric, c.level, c.baseline, c.run) == ("dice", "ensemble", "A", "B")
    assert (c.num_cases, c.num_groups, c.num_left_out) == (6, 6, 0)
    assert (c.wins, c.ties, c.losses) == (5, 0, 1)
    assert c.mean_baseline == 0.5 and c.mean_run == pytest.approx(3.19 / 6)
    assert c.mean_difference == pytest.approx(0.19 / 6) and c.median_difference == pytest.approx(0.035)
    assert c.wilcoxon_p == pytest.approx(4 / 64) and c.tested == "cases" and c.holm_p == c.wilcoxon_p
    assert c.ci95_low < c.mean_difference < c.ci95_high


def test_of_a_distance_smaller_is_better():
    c = one(compared("A", [10, 10, 10], metric="hd95_px"), compared("B", [5, 10, 12], metric="hd95_px"))
    assert (c.wins, c.ties, c.losses) == (1, 1, 1)
    assert c.mean_difference == pytest.approx(-1)


def test_cases_without_a_value_are_left_out_and_counted():
    nan = math.nan
    c = one(compared("A", [nan, nan, 0.5, 0.5, nan]), compared("B", [nan, 0.5, nan, 0.75, nan]))
    assert (c.num_undefined_baseline, c.num_undefined_run, c.num_undefined_both) == (1, 1, 2)
    assert (c.num_cases, c.num_left_out, c.mean_baseline, c.mean_run) == (1, 4, 0.5, 0.75)
    assert c.ci95_low is None and c.wilcoxon_p is None and c.holm_p is None


def test_nothing_to_compare():
    c = one(compared("A", [math.nan] * 3), compared("B", [0.5] * 3))
    assert (c.num_cases, c.num_groups) == (0, 0)
    assert c.mean_difference is c.median_difference is c.mean_run is c.ci95_low is c.wilcoxon_p is None


def test_equal_runs_have_p_1_and_no_width():
    c = one(compared("A", np.linspace(0, 1, 8)), compared("B", np.linspace(0, 1, 8)))
    assert (c.wilcoxon_p, c.ties, c.mean_difference, c.ci95_low, c.ci95_high) == (1, 8, 0, 0, 0)


def test_groups_are_drawn_whole_and_tested_as_one():
    # Two patients of ten cases each: +0.1 and -0.1. As cases the interval would be narrow; as groups it holds
    # nothing but the four draws of two.
    groups = ["p"] * 10 + ["q"] * 10
    c = one(compared("A", [0.5] * 20, groups), compared("B", [0.6] * 10 + [0.4] * 10))
    assert (c.num_cases, c.num_groups, c.tested, c.wilcoxon_p) == (20, 2, "group means", None)
    assert (c.ci95_low, c.ci95_high) == (pytest.approx(-0.1), pytest.approx(0.1))


def test_the_test_of_groups_is_on_their_means():
    rng = np.random.default_rng(0)
    groups = [f"p{index // 3}" for index in range(24)]
    before, after = rng.uniform(0, 1, 24), rng.uniform(0, 1, 24)
    c = one(compared("A", before, groups), compared("B", after, groups))
    means = (after - before).reshape(8, 3).mean(axis=1)
    assert c.wilcoxon_p == pytest.approx(stats.wilcoxon(means).pvalue)
    assert c.wilcoxon_p != pytest.approx(stats.wilcoxon(after - before).pvalue)


def test_rounding_is_no_difference():
    # 0.1 + 0.2 - 0.3 is 6e-17, and is no win.
    c = one(compared("A", [0.3] * 6), compared("B", [0.1 + 0.2] * 6))
    assert (c.wins, c.ties, c.wilcoxon_p) == (0, 6, 1)


def test_holm_counts_the_runs_of_a_metric():
    before = np.full(8, 0.5)
    steps = np.arange(1, 9) / 100
    runs = [compared("A", before), compared("B", before + steps), compared("C", before - steps)]
    of_b, of_c = compare_runs(runs, "dice")
    assert (of_b.run, of_c.run, of_b.wilcoxon_p) == ("B", "C", pytest.approx(2 / 256))
    assert of_b.holm_p == of_c.holm_p == pytest.approx(4 / 256)


def test_the_same_seed_gives_the_same_interval_and_another_hardly_another():
    rng = np.random.default_rng(0)
    pair = compared("A", rng.uniform(0, 1, 50)), compared("B", rng.uniform(0, 1, 50))
    first, again, other = (one(*pair, seed=seed) for seed in (0, 0, 1))
    assert first == again and first.ci95_low != other.ci95_low
    assert first.ci95_low == pytest.approx(other.ci95_low, abs=0.01)


def test_rows_by_case():
    paired = paired_table([compared("A", [0.5, math.nan], ["p", "p"]), compared("B", [0.75, 1])], metrics=["dice"])
    first, second = paired.to_dict("records")
    assert first == {"name": "c0", "group": "p", ("dice", "A"): 0.5, ("dice", "B"): 0.75, ("dice", "B", "A"): 0.25}
    assert math.isnan(second["dice", "B", "A"])


def test_other_cases_are_refused_with_names_and_counts():
    with pytest.raises(ValueError) as error:
        check_same_cases([compared("A", [1] * 6), compared("B", [1])])
    assert str(error.value) == (
        "B/per_case.csv: expected the 6 cases of A/per_case.csv, found 1 cases, 5 only in A/per_case.csv ('c1', 'c2', "
        "'c3', ...); evaluate both on the same cases"
    )
    with pytest.raises(ValueError, match=r"1 only in B/per_case.csv \('c1'\)"):
        check_same_cases([compared("A", [1]), compared("B", [1, 1])])


def test_groups_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="expected 'c1' in the group 'p', as in A/per_case.csv, found 'q'"):
        groups_of([compared("A", [1, 1], ["p", "p"]), compared("B", [1, 1], ["p", "q"])])
    assert groups_of([compared("A", [1]), compared("B", [1])]) == {"c0": "c0"}


def test_metrics_and_levels_that_a_run_lacks_are_refused():
    runs = [compared("A", [1]), compared("B", [1], metric="iou")]
    with pytest.raises(ValueError, match=r"B/per_case.csv: expected the column dice \(--metric\), found iou"):
        choose_metrics(runs, ["dice"])
    with pytest.raises(ValueError, match="expected a metric that all runs have, found none"):
        choose_metrics(runs, None)
    with pytest.raises(ValueError, match=r"B/per_case.csv: expected the level 'ensemble' \(--level\), found 2"):
        check_level([compared("A", [1]), compared("B", [1], level="2")], "ensemble")
