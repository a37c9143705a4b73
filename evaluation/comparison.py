"""Runs against a baseline, case by case, from their results folders."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from evaluation.paired import (
    ComparedRun,
    Comparison,
    check_level,
    check_same_cases,
    choose_metrics,
    compare_runs,
    paired_table,
)
from evaluation.per_case import SUMMARY_FILE, find_per_case, read_per_case
from evaluation.run_names import named_paths
from utils.files import read_json

# What should be the same for a difference to say something about the runs.
ALIKE = ("data", "split", "root", "threshold", "spacing_mm", "ignore_value")
# What it means that a summary does not tell one of them.
NOT_GIVEN = {"ignore_value": "none", "spacing_mm": "as DICOM headers say"}


class Compared(NamedTuple):
    """Everything that a table, a figure or a report needs.

    Attributes:
        runs: the baseline first.
        comparisons: see ``evaluation.paired.Comparison``.
        paired: a row a case, see ``evaluation.paired.paired_table``.
        notes: sentences on what differs between the runs besides.
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
    return Compared(
        runs=runs,
        comparisons=compare_runs(runs, metrics=chosen, level=level, seed=seed),
        paired=paired_table(runs, metrics=chosen, level=level),
        notes=_differing_settings(runs),
    )


def _differing_settings(runs: Sequence[ComparedRun]) -> list[str]:
    """A sentence for each setting that two summaries tell differently: ids alone do not say which images they are."""
    settings = {run.name: settings_of(run.path.parent) for run in runs}
    notes = []
    for key in ALIKE:
        found = {name: values[key] for name, values in settings.items() if values.get(key) is not None}
        if found and key in NOT_GIVEN:
            found = {name: found.get(name, NOT_GIVEN[key]) for name, values in settings.items() if values}
        if len({os.path.abspath(str(value)) if key == "root" else str(value) for value in found.values()}) > 1:
            listed = ", ".join(f"{name} {value}" for name, value in found.items())
            notes.append(f"Warning: the runs were evaluated with different {key}: {listed}.")
    return notes


def settings_of(folder: Path) -> dict:
    """The summary in a results folder; empty where there is none. ValueError for one that is none."""
    summary = read_json(folder / SUMMARY_FILE, "a summary with settings")
    if "mode" not in summary:
        return summary
    # How training scores, which its summary does not say, and what it says in its recipe.
    recipe = summary.get("recipe")
    known = {key: recipe.get(key) for key in ("root", "ignore_value")} if isinstance(recipe, dict) else {}
    return {"split": "test", "threshold": 0.5, **known, **summary}
