"""Runs compared on the same cases: paired differences, their interval, a test, and who wins."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import scipy

from evaluation.metrics import MEASURES
from evaluation.per_case import GROUP, LEVEL, NAME, listed, metrics_of
from evaluation.statistics import bootstrap_interval
from utils.inputs import shown

# Five differences of one sign give p = 0.0625: below six a test can say nothing.
MIN_TESTED = 6
# Of which all further digits are rounding: equal means of a group must not differ by 1e-17.
DECIMALS = 12


@dataclass(frozen=True)
class ComparedRun:
    """A run by its name and its table of scores, read from a file."""

    name: str
    path: Path
    table: pd.DataFrame

    @property
    def cases(self) -> list[str]:
        """Their names, each once, in the order of the file."""
        return self.table[NAME].unique().tolist()

    @property
    def metrics(self) -> list[str]:
        """Those that the table has."""
        return metrics_of(self.table)

    @property
    def levels(self) -> list[str]:
        """``ensemble``, ``1``, ..., in the order of the file."""
        return self.table[LEVEL].unique().tolist()

    def values(self, level: str, metric: str) -> pd.Series:
        """One a case, by name."""
        return self.table[self.table[LEVEL] == level].set_index(NAME)[metric]


@dataclass(frozen=True)
class Comparison:
    """One metric of one run against the baseline's, over the cases in which both have a value.

    Attributes:
        metric, level: as in the tables.
        baseline, run: their names.
        num_cases, num_groups: that were compared; a group is a patient, or a case where every case is its own.
        num_undefined_baseline, num_undefined_run, num_undefined_both: cases left out, without a value in one alone or
            in both.
        mean_baseline, mean_run: over the cases compared; None where there are none, as all that follow.
        mean_difference: run less baseline.
        ci95_low, ci95_high: its bootstrap interval, groups drawn whole; None for fewer than two groups.
        median_difference: over cases.
        wilcoxon_p: two-sided signed-rank test, differences of zero left out; 1 where all are zero; None for fewer than
            ``MIN_TESTED`` of what is tested.
        tested: ``cases``, or ``group means`` where a group has several cases, which are not independent.
        holm_p: adjusted for the runs that are compared with the baseline on this metric; None as ``wilcoxon_p``.
        wins, ties, losses: cases in which the run is better, equal, worse.
    """

    metric: str
    level: str
    baseline: str
    run: str
    num_cases: int
    num_groups: int
    num_undefined_baseline: int
    num_undefined_run: int
    num_undefined_both: int
    mean_baseline: float | None
    mean_run: float | None
    mean_difference: float | None
    ci95_low: float | None
    ci95_high: float | None
    median_difference: float | None
    wilcoxon_p: float | None
    tested: str
    holm_p: float | None
    wins: int
    ties: int
    losses: int

    @property
    def num_left_out(self) -> int:
        """Cases without a value in one of the runs or both."""
        return self.num_undefined_baseline + self.num_undefined_run + self.num_undefined_both


def check_same_cases(runs: Sequence[ComparedRun]) -> None:
    """Raise ValueError, with the first few names, unless all runs have the cases of the first."""
    first = runs[0]
    for other in runs[1:]:
        parts = [
            f"{len(only)} only in {run.path} ({listed([*map(shown, only)], 3)})"
            for run, without in ((first, other), (other, first))
            if len(only := pd.Index(run.cases).difference(without.cases, sort=False))
        ]
        if parts:
            raise ValueError(
                f"{other.path}: expected the {len(first.cases)} cases of {first.path}, found {len(other.cases)} cases, "
                f"{' and '.join(parts)}; evaluate both on the same cases"
            )


def groups_of(runs: Sequence[ComparedRun]) -> dict[str, str]:
    """The group of every case, from the runs that have groups; a case without one is its own.

    Raises:
        ValueError: if two runs put a case into different groups.
    """
    known = [(run, dict(zip(run.table[NAME], run.table[GROUP], strict=True))) for run in runs if GROUP in run.table]
    if not known:
        return {name: name for name in runs[0].cases}
    first, groups = known[0]
    for run, others in known[1:]:
        for name, group in groups.items():
            if others[name] != group:
                raise ValueError(
                    f"{run.path}: expected {shown(name)} in the group {shown(group)}, as in {first.path}, found "
                    f"{shown(others[name])}; evaluate both with the same data set"
                )
    return groups


def choose_metrics(runs: Sequence[ComparedRun], wanted: Sequence[str] | None) -> list[str]:
    """The metrics to compare: those wanted, or all that every run has; ValueError if a run lacks one."""
    for run in runs:
        missing = [metric for metric in wanted or () if metric not in run.metrics]
        if missing:
            raise ValueError(
                f"{run.path}: expected the column {missing[0]} (--metric), found {', '.join(run.metrics)}; "
                "evaluate that run again, or leave the metric out"
            )
    if wanted:
        return list(dict.fromkeys(wanted))
    common = [metric for metric in runs[0].metrics if all(metric in run.metrics for run in runs)]
    if not common:
        raise ValueError(f"{runs[0].path}: expected a metric that all runs have, found none")
    return common


def check_level(runs: Sequence[ComparedRun], level: str) -> None:
    """Raise ValueError if a run has no such level."""
    for run in runs:
        if level not in run.levels:
            raise ValueError(f"{run.path}: expected the level {shown(level)} (--level), found {', '.join(run.levels)}")


def compare_runs(
    runs: Sequence[ComparedRun], *, metrics: Sequence[str], level: str = "ensemble", seed: int = 0
) -> list[Comparison]:
    """Every run after the first, the baseline, against it: a comparison a metric and run, metrics outside.

    The runs are of the same cases, and all have the metrics and the level; ``seed`` is that of the bootstrap.
    """
    paired, baseline = paired_table(runs, metrics=metrics, level=level), runs[0].name
    comparisons = []
    for metric in metrics:
        of_metric = [_compare(paired, baseline, run.name, metric, level, seed) for run in runs[1:]]
        adjusted = holm([comparison.wilcoxon_p for comparison in of_metric])
        comparisons += [replace(c, holm_p=p) for c, p in zip(of_metric, adjusted, strict=True)]
    return comparisons


def paired_table(runs: Sequence[ComparedRun], *, metrics: Sequence[str], level: str = "ensemble") -> pd.DataFrame:
    """A row a case, in the order of the first run.

    Columns: ``name``, ``group``, and by metric and run tuples: (metric, run) the value, (metric, run, baseline) the
    run's less the baseline's. Not a number where there is none.
    """
    groups, baseline = groups_of(runs), runs[0]
    names = baseline.cases
    columns: dict = {NAME: names, GROUP: [groups[name] for name in names]}
    for metric in metrics:
        values = {run.name: run.values(level, metric)[names].to_numpy() for run in runs}
        columns |= {(metric, run): of_run for run, of_run in values.items()}
        columns |= {(metric, run.name, baseline.name): values[run.name] - values[baseline.name] for run in runs[1:]}
    return pd.DataFrame(columns)


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
    """Holm's adjustment of the p values that there are: the k-th smallest of m times m - k + 1, never falling."""
    known = pd.Series(p_values, dtype=float).dropna().sort_values(kind="stable")
    adjusted = (known * np.arange(len(known), 0, -1)).clip(upper=1).cummax()
    return [None if p is None else float(adjusted[index]) for index, p in enumerate(p_values)]


def _compare(paired: pd.DataFrame, baseline: str, run: str, metric: str, level: str, seed: int) -> Comparison:
    before, after = (paired[metric, name].to_numpy() for name in (baseline, run))
    not_before, not_after = np.isnan(before), np.isnan(after)
    known = ~(not_before | not_after)
    of_case = paired[GROUP].to_numpy(object)[known]
    differences = np.round(after - before, DECIMALS)[known]
    better = differences > 0 if MEASURES[metric].larger_is_better else differences < 0
    num_groups = len(set(of_case))
    interval = bootstrap_interval(differences, of_case, seed=seed) or (None, None)
    return Comparison(
        metric=metric,
        level=level,
        baseline=baseline,
        run=run,
        num_cases=len(differences),
        num_groups=num_groups,
        num_undefined_baseline=int((not_before & ~not_after).sum()),
        num_undefined_run=int((not_after & ~not_before).sum()),
        num_undefined_both=int((not_before & not_after).sum()),
        mean_baseline=_mean(before[known]),
        mean_run=_mean(after[known]),
        mean_difference=_mean(differences),
        ci95_low=interval[0],
        ci95_high=interval[1],
        median_difference=float(np.median(differences)) if len(differences) else None,
        wilcoxon_p=signed_rank_p(pd.Series(differences).groupby(of_case).mean().to_numpy()),
        tested="group means" if num_groups < len(differences) else "cases",
        holm_p=None,
        wins=int(better.sum()),
        ties=int((differences == 0).sum()),
        losses=int((~better & (differences != 0)).sum()),
    )


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
