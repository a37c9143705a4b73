"""Paired comparison of runs with a baseline, case by case: differences, bootstrap interval, Wilcoxon test, wins."""

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from evaluation.metrics import MEASURES
from evaluation.per_case import GROUP, LEVEL, NAME, SUMMARY_FILE, find_per_case, metrics_of, read_per_case
from evaluation.run_names import named_paths
from evaluation.statistics import DECIMALS, bootstrap_interval, holm, signed_rank_p
from evaluation.summary import scoring_settings
from utils.files import read_json
from utils.inputs import first_few, shown

# Settings that should agree, so that a difference is one of the runs.
SHARED_SETTINGS = ("data", "split", "root", "threshold", "spacing_mm", "ignore_value")
# What a setting is where a summary does not have it.
NOT_GIVEN = {"ignore_value": "none", "spacing_mm": "as DICOM headers say"}


@dataclass(frozen=True)
class ComparedRun:
    """A run by its name and its table of scores, read from a file."""

    name: str
    path: Path
    table: pd.DataFrame

    @functools.cached_property
    def settings(self) -> dict:
        """``scoring_settings`` of the summary beside it; empty where there is none. ValueError for a broken one."""
        return scoring_settings(read_json(self.path.with_name(SUMMARY_FILE), "a summary with settings"))

    @property
    def cases(self) -> list[str]:
        """Names of the cases, each once, in the order of the file."""
        return self.table[NAME].unique().tolist()

    @property
    def metrics(self) -> list[str]:
        """Metrics that the table has."""
        return metrics_of(self.table)

    @property
    def levels(self) -> list[str]:
        """Levels: ``ensemble``, ``1``, ..., in the order of the file."""
        return self.table[LEVEL].unique().tolist()


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


class Compared(NamedTuple):
    """Result of a comparison: everything that a table, a figure or a report needs.

    Attributes:
        runs: the baseline first.
        comparisons: one per metric and run, sorted by metric.
        paired: a row a case, see ``paired_table``.
        notes: warnings of settings that differ between the runs.
    """

    runs: list[ComparedRun]
    comparisons: list[Comparison]
    paired: pd.DataFrame
    notes: list[str]


def compare(
    texts: Sequence[str], *, metrics: Sequence[str] | None = None, level: str = "ensemble", seed: int = 0
) -> Compared:
    """Compare runs, as the command line names them, with the first of them.

    Args:
        texts: two or more results folders or per-case tables, each ``PATH`` or ``NAME=PATH``.
        metrics: None for all that every run has.
        level: ``ensemble``, or the number of a level.
        seed: of the bootstrap.

    Raises:
        OSError, ValueError: for fewer runs, tables that are none, or that cannot be compared.
    """
    level = str(level)
    if len(texts) < 2:
        raise ValueError(f"compare: expected a baseline and one run or more, found {len(texts)}; name two results")
    named = [(name, find_per_case(path)) for name, path in named_paths(texts, "compare")]
    runs = [ComparedRun(name, path, read_per_case(path)) for name, path in named]
    check_same_cases(runs)
    check_level(runs, level)
    chosen = choose_metrics(runs, metrics)
    paired = paired_table(runs, metrics=chosen, level=level)
    return Compared(
        runs=runs,
        comparisons=compare_paired(paired, [run.name for run in runs], chosen, level=level, seed=seed),
        paired=paired,
        notes=_differing_settings(runs),
    )


def check_same_cases(runs: Sequence[ComparedRun]) -> None:
    """Raise ValueError, with the first few names, unless all runs have the cases of the first."""
    first = runs[0]
    for other in runs[1:]:
        parts = [
            f"{len(only)} only in {run.path} ({first_few([*map(shown, only)], 3)})"
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


def compare_paired(
    paired: pd.DataFrame, names: Sequence[str], metrics: Sequence[str], *, level: str = "ensemble", seed: int = 0
) -> list[Comparison]:
    """Compare every run after the first, the baseline, with it: one comparison per metric and run, sorted by metric.

    Args:
        paired: as ``paired_table`` makes it, of this level.
        names: of the runs.
        seed: of the bootstrap.
    """
    comparisons, (baseline, *others) = [], names
    for metric in metrics:
        of_metric = [_compare(paired, baseline, run, metric, level, seed) for run in others]
        adjusted = holm([comparison.wilcoxon_p for comparison in of_metric])
        comparisons += [replace(c, holm_p=p) for c, p in zip(of_metric, adjusted, strict=True)]
    return comparisons


def paired_table(runs: Sequence[ComparedRun], *, metrics: Sequence[str], level: str = "ensemble") -> pd.DataFrame:
    """Table of paired values, a row a case in the order of the first run.

    Columns: ``name``, ``group``, and tuples: (metric, run) has the run's value, (metric, run, baseline) the run's
    value less the baseline's; NaN where there is none.
    """
    groups, names, baseline = groups_of(runs), runs[0].cases, runs[0].name
    of_level = {run.name: run.table[run.table[LEVEL] == level].set_index(NAME).loc[names] for run in runs}
    columns: dict = {NAME: names, GROUP: [groups[name] for name in names]}
    for metric in metrics:
        values = {run: table[metric].to_numpy() for run, table in of_level.items()}
        columns |= {(metric, run): of_run for run, of_run in values.items()}
        columns |= {(metric, run.name, baseline): values[run.name] - values[baseline] for run in runs[1:]}
    return pd.DataFrame(columns)


def _compare(paired: pd.DataFrame, baseline: str, run: str, metric: str, level: str, seed: int) -> Comparison:
    before, after = (paired[metric, name].to_numpy() for name in (baseline, run))
    not_before, not_after = np.isnan(before), np.isnan(after)
    known = ~(not_before | not_after)
    groups = paired[GROUP].to_numpy(object)[known]
    differences = np.round(after - before, DECIMALS)[known]
    better = differences > 0 if MEASURES[metric].larger_is_better else differences < 0
    num_groups = len(set(groups))
    interval = bootstrap_interval(differences, groups, seed=seed) or (None, None)
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
        wilcoxon_p=signed_rank_p(pd.Series(differences).groupby(groups).mean().to_numpy()),
        tested="group means" if num_groups < len(differences) else "cases",
        holm_p=None,
        wins=int(better.sum()),
        ties=int((differences == 0).sum()),
        losses=int((~better & (differences != 0)).sum()),
    )


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _differing_settings(runs: Sequence[ComparedRun]) -> list[str]:
    """Warnings, one for each setting in which summaries differ: equal ids alone do not make equal images."""
    settings = {run.name: run.settings for run in runs}
    notes = []
    for key in SHARED_SETTINGS:
        found = {name: values[key] for name, values in settings.items() if values.get(key) is not None}
        if found and key in NOT_GIVEN:
            found = {name: found.get(name, NOT_GIVEN[key]) for name, values in settings.items() if values}
        if len({os.path.abspath(str(value)) if key == "root" else str(value) for value in found.values()}) > 1:
            listed = ", ".join(f"{name} {value}" for name, value in found.items())
            notes.append(f"Warning: the runs were evaluated with different {key}: {listed}.")
    return notes
