"""Experiments: runs of one recipe that differ in their seed alone, and their mean and deviation over seeds."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from evaluation.run_names import distinct_names
from evaluation.summary import SUMMARY_FILE, TRAIN_LIST, read_summary

SEED_FOLDER = re.compile(r"seed\d+")
KEYS = ("result", "metric", "level")
# In summaries from before 2026-11-30 a unet has settings of the smp-unet, too.
SMP_SETTINGS = ("encoder", "encoder_weights", "decoder_channels", "frozen_stages")
SAME_CASES = (
    "{before} test cases, as in {first}, whose recipe it shares, found {found}; evaluate both on the same cases"
)
SAME_LIST = (
    "the training images of {first}, whose recipe it shares, found that train.txt had other ids; train both on the same"
)


class FinishedRun(NamedTuple):
    """A run that has a summary; ``name`` is what tables call it, for a seed the name of the folder of seeds."""

    name: str
    folder: Path
    summary: dict


class Experiment(NamedTuple):
    """One run or more, in the order of their seeds."""

    name: str
    runs: tuple[FinishedRun, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds; empty where the summary knows none, as that of ``baseline``."""
        return tuple(run.summary["seed"] for run in self.runs if run.summary.get("seed") is not None)


def find_runs(paths: Sequence[str | Path]) -> tuple[list[FinishedRun], list[Path]]:
    """The finished runs at ``paths``, and the folders of seeds in them that have no summary (yet).

    Args:
        paths: run folders, their summaries, or folders of seeds, with a run in each ``seed<N>``.

    Raises:
        FileNotFoundError: for a path without any finished run.
        ValueError: for a summary that is none.
    """
    names = distinct_names(paths)
    runs, unfinished = [], []
    for path, name in zip(map(Path, paths), names, strict=True):
        seeds = _seed_folders(path)
        folders = [folder for folder in seeds if (folder / SUMMARY_FILE).is_file()]
        unfinished += [folder for folder in seeds if folder not in folders]
        if not folders or (path / SUMMARY_FILE).is_file():
            folders = [path, *folders]
        runs += [FinishedRun(name, folder, read_summary(folder)) for folder in folders]
    return runs, unfinished


def group_runs(runs: Iterable[FinishedRun]) -> list[Experiment]:
    """Group runs of the same recipe into experiments; a run whose summary has no recipe is an experiment alone.

    Returns:
        The experiments in the order of their first runs, named by all different names of their runs.

    Raises:
        ValueError: if a recipe has two runs of one seed, runs on different numbers of test cases, or of other lists of
            training images.
    """
    groups: dict[object, list[FinishedRun]] = {}
    for index, run in enumerate(runs):
        recipe = run.summary.get("recipe")
        if recipe is not None and recipe.get("model") == "unet":
            recipe = {key: value for key, value in recipe.items() if key not in SMP_SETTINGS}
        key = index if recipe is None else json.dumps(recipe, sort_keys=True)
        groups.setdefault(key, []).append(run)
    experiments = []
    for group in groups.values():
        _check_different_seeds(group)
        _check_alike(group, _num_cases, SAME_CASES)
        # Earlier summaries lack it.
        _check_alike(group, lambda summary: summary.get(TRAIN_LIST), SAME_LIST)
        name = ", ".join(dict.fromkeys(run.name for run in group))
        experiments.append(Experiment(name, tuple(sorted(group, key=lambda run: run.summary.get("seed") or 0))))
    return experiments


def over_seeds(experiment: Experiment) -> pd.DataFrame:
    """Statistics of an experiment over its seeds, by result (``last``, ...), metric (``dice``, ...) and level.

    Columns, NaN where there is nothing to compute them from:
        n_seeds: runs with a value; the others predicted nothing where nothing is, or lack this result.
        mean: over seeds, of the runs' means over images.
        std_over_seeds: sample standard deviation (n-1) of the runs' means.
        std_over_images: mean over seeds of each run's standard deviation over its images.
        num_cases: images, the same in every run; of distances in mm those whose spacing is known.
        num_undefined: images without a value, summed over seeds.
    """
    rows = [
        (label, metric, level, entry[f"{metric}_mean"], entry.get(f"{metric}_std"), entry.get("num_undefined", 0))
        + ((metric.endswith("_mm") and entry.get("num_cases_mm")) or entry["num_cases"],)
        for run in experiment.runs
        for label, result in run.summary["results"].items()
        for metric in dict.fromkeys(key.removesuffix("_mean") for key in chain(*result["metrics"].values()))
        for level, entry in result["metrics"].items()
        if f"{metric}_mean" in entry
    ]
    table = pd.DataFrame(rows, columns=[*KEYS, "mean", "std", "num_undefined", "num_cases"])
    table[["mean", "std"]] = table[["mean", "std"]].astype(float)
    return table.groupby(list(KEYS), sort=False).agg(
        n_seeds=("mean", "count"),
        mean=("mean", "mean"),
        std_over_seeds=("mean", "std"),
        std_over_images=("std", "mean"),
        num_cases=("num_cases", "first"),
        num_undefined=("num_undefined", "sum"),
    )


def _seed_folders(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    folders = [folder for folder in path.iterdir() if SEED_FOLDER.fullmatch(folder.name) and folder.is_dir()]
    return sorted(folders, key=lambda folder: (int(folder.name.removeprefix("seed")), folder.name))


def _check_different_seeds(group: list[FinishedRun]) -> None:
    first: dict[int, Path] = {}
    for run in group:
        seed = run.summary.get("seed")
        if seed in first:
            raise ValueError(
                f"{run.folder}: expected each seed of a recipe once, found seed {seed} in {first[seed]} too; leave "
                "one of them out"
            )
        first[seed] = run.folder


def _check_alike(group: list[FinishedRun], value_of: Callable[[dict], str | None], expected: str) -> None:
    """Raise ValueError where a summary's value differs from that of the first summary that has one."""
    known = [(run.folder, found) for run in group if (found := value_of(run.summary))]
    for folder, found in known[1:]:
        first, before = known[0]
        if found != before:
            details = expected.format(first=first, before=before, found=found)
            raise ValueError(f"{folder}: expected {details}, or leave one of them out")


def _num_cases(summary: dict) -> str:
    of_levels = chain(*(result["metrics"].values() for result in summary["results"].values()))
    return " and ".join(sorted({str(metrics["num_cases"]) for metrics in of_levels}))
