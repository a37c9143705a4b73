"""Experiments as tables: Markdown to be read, CSV to be computed with."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from evaluation.experiments import Experiment, OverSeeds, labels, levels, metrics_of, over_seeds
from evaluation.metrics import HEADLINE, MEASURES
from evaluation.per_case import ENSEMBLE
from reporting.markdown import NOTHING, markdown_table

# What training reports, side by side; any other result has a row of its own.
TRAINING_RESULTS = {
    "last": "last iteration",
    "validation_selected": "validation selected",
    "test_selected": "test selected (optimistic, as released)",
}
TITLES = {metric: f"{MEASURES[metric].title} {MEASURES[metric].unit}" for metric in HEADLINE}
LEGEND = (
    "Mean over seeds ± standard deviation over seeds (n-1); in brackets the standard deviation over images, its mean "
    "over seeds."
)
CSV_COLUMNS = ("experiment", "result", "metric", "level", *OverSeeds._fields)


def experiments_table(experiments: Sequence[Experiment], unfinished: Sequence[Path] = ()) -> str:
    """Markdown: a table of training's results, a table of all others, and what is missing in either.

    Args:
        experiments: as ``group_runs`` makes them. Each has a row for Dice and one for IoU of the ensemble, in per cent.
        unfinished: run folders to name as left out.
    """
    shown = [label for label in TRAINING_RESULTS if any(label in labels(experiment) for experiment in experiments)]
    trained = [row for experiment in experiments for row in _training_rows(experiment, shown)]
    others = [row for experiment in experiments for row in _other_rows(experiment)]
    parts = []
    if trained:
        titles = [TRAINING_RESULTS[label] for label in shown]
        parts += [
            markdown_table([("run", "what", "seeds", "cases", "iterations", "metric", *titles), *trained]),
            LEGEND,
        ]
    if others:
        metrics = [f"{TITLES[metric]} (std over images)" for metric in HEADLINE]
        parts.append(markdown_table([("run", "what", "result", "iteration", "cases", *metrics), *others]))
    notes = [note for experiment in experiments for note in _notes(experiment)]
    if unfinished:
        notes.append(f"Without a summary yet, left out: {', '.join(map(str, unfinished))}.")
    return "\n\n".join([*parts, *notes]) + "\n"


def experiments_csv(experiments: Sequence[Experiment]) -> str:
    """CSV with the columns ``CSV_COLUMNS``: a row an experiment, result, metric and level.

    Means and standard deviations are described in ``OverSeeds``: overlaps in 0..1, distances in the unit that their
    names end with. Without a value the cell is empty.
    """
    rows = [
        (experiment.name, label, metric, level, *over_seeds(experiment, label, level, metric))
        for experiment in experiments
        for label in labels(experiment)
        for metric in metrics_of(experiment, label)
        for level in levels(experiment, label)
    ]
    return pd.DataFrame(rows, columns=CSV_COLUMNS).to_csv(index=False, lineterminator="\n")


def _training_rows(experiment: Experiment, shown: Sequence[str]) -> list[tuple]:
    found = [label for label in shown if label in labels(experiment)]
    if not found:
        return []
    seeds = experiment.seeds
    first = (
        experiment.name,
        experiment.runs[0].summary.get("what", ""),
        f"{len(seeds)} ({', '.join(map(str, seeds))})" if seeds else NOTHING,
        over_seeds(experiment, found[0], ENSEMBLE, HEADLINE[0]).num_cases,
        _iterations(experiment, found[0]),
    )
    rows = []
    for metric in HEADLINE:
        cells = [_cell(over_seeds(experiment, label, ENSEMBLE, metric), len(experiment.runs)) for label in shown]
        rows.append((*first, TITLES[metric], *cells))
    return rows


def _other_rows(experiment: Experiment) -> list[tuple]:
    what = experiment.runs[0].summary.get("what", "")
    rows = []
    for label in labels(experiment):
        if label in TRAINING_RESULTS:
            continue
        numbers = [over_seeds(experiment, label, ENSEMBLE, metric) for metric in HEADLINE]
        cells = ["none" if n.mean is None else f"{_percent(n.mean)} ({_percent(n.std_over_images)})" for n in numbers]
        first = (experiment.name, what, label.replace("_", " "), _iterations(experiment, label), numbers[0].num_cases)
        rows.append((*first, *cells))
    return rows


def _cell(numbers: OverSeeds | None, num_runs: int) -> str:
    if numbers is None:
        return NOTHING
    if numbers.mean is None:
        return "none"
    over = "" if numbers.n_seeds == num_runs else f", {numbers.n_seeds} of {num_runs} seeds"
    spread = f"± {_percent(numbers.std_over_seeds)} ({_percent(numbers.std_over_images)})"
    return f"{_percent(numbers.mean)} {spread}{over}"


def _notes(experiment: Experiment) -> list[str]:
    found = labels(experiment)
    if not found:
        return [f"{experiment.name}: nothing was evaluated."]
    notes = []
    for label in found:
        undefined = over_seeds(experiment, label, ENSEMBLE, HEADLINE[0]).num_undefined
        if undefined:
            over = f" in {len(experiment.runs)} runs" if len(experiment.runs) > 1 else ""
            notes.append(
                f"{experiment.name}, {label.replace('_', ' ')}: {undefined} empty cases with empty predictions{over}, "
                "left out."
            )
    return notes


def _iterations(experiment: Experiment, label: str) -> str:
    results = [run.summary["results"].get(label, {}) for run in experiment.runs]
    found = {result.get("iteration") for result in results} - {None}
    return ", ".join(f"{iteration:,}" for iteration in sorted(found))


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.2f}"
