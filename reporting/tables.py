"""Tables of experiments: Markdown for readers, CSV for computing."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from evaluation.experiments import KEYS, Experiment, over_seeds
from evaluation.metrics import HEADLINE, MEASURES
from evaluation.per_case import ENSEMBLE
from reporting.markdown import NOTHING, escaped, markdown_table

# Results of training, side by side in columns; any other result has a row of its own.
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
# The first columns of the CSV.
CSV_COLUMNS = ("experiment", *KEYS)


def experiments_table(experiments: Sequence[Experiment], unfinished: Sequence[Path] = ()) -> str:
    """Markdown tables of training's results and of all others, with notes on what is missing.

    Args:
        experiments: as ``group_runs`` makes them. Each has a row for Dice and one for IoU of the ensemble, in per cent.
        unfinished: run folders to name as left out.
    """
    tables = [(experiment, over_seeds(experiment)) for experiment in experiments]
    shown = [label for label in TRAINING_RESULTS if any(label in numbers.index for _, numbers in tables)]
    trained = [row for one in tables for row in _training_rows(*one, shown)]
    others = [row for one in tables for row in _other_rows(*one)]
    parts = []
    if trained:
        titles = [TRAINING_RESULTS[label] for label in shown]
        header = ("run", "what", "seeds", "cases", "iterations", "metric", *titles)
        parts += [markdown_table([header, *trained]), LEGEND]
    if others:
        metrics = [f"{TITLES[metric]} (std over images)" for metric in HEADLINE]
        parts.append(markdown_table([("run", "what", "result", "iteration", "cases", *metrics), *others]))
    notes = [note for one in tables for note in _notes(*one)]
    if unfinished:
        notes.append(f"Without a summary yet, left out: {', '.join(map(str, unfinished))}.")
    return "\n\n".join([*parts, *map(escaped, notes)]) + "\n"


def experiments_csv(experiments: Sequence[Experiment]) -> str:
    """CSV of ``over_seeds`` of all experiments, a row an experiment, result, metric and level.

    Overlaps are in 0..1, distances in the unit at the end of their names; a cell without a value is empty.
    """
    tables, names = map(over_seeds, experiments), [experiment.name for experiment in experiments]
    return pd.concat(tables, keys=names, names=CSV_COLUMNS[:1]).to_csv(lineterminator="\n")


def _training_rows(experiment: Experiment, numbers: pd.DataFrame, shown: Sequence[str]) -> Iterator[tuple]:
    found = [label for label in shown if label in numbers.index]
    if not found:
        return
    seeds = experiment.seeds
    first = (
        experiment.name,
        _what(experiment),
        f"{len(seeds)} ({', '.join(map(str, seeds))})" if seeds else NOTHING,
        numbers.loc[(found[0], HEADLINE[0], ENSEMBLE), "num_cases"],
        _iterations(experiment, found[0]),
    )
    for metric in HEADLINE:
        results = numbers.xs((metric, ENSEMBLE), level=KEYS[1:])
        cells = [_cell(results.loc[label], len(experiment.runs)) if label in found else NOTHING for label in shown]
        yield (*first, TITLES[metric], *cells)


def _other_rows(experiment: Experiment, numbers: pd.DataFrame) -> Iterator[tuple]:
    for label in numbers.index.unique("result").difference(TRAINING_RESULTS, sort=False):
        results = [numbers.loc[label, metric, ENSEMBLE] for metric in HEADLINE]
        cells = [
            f"{_percent(n['mean'])} ({_percent(n['std_over_images'])})" if n["n_seeds"] else "none" for n in results
        ]
        first = (experiment.name, _what(experiment), label.replace("_", " "), _iterations(experiment, label))
        yield (*first, int(results[0]["num_cases"]), *cells)


def _cell(numbers: pd.Series, num_runs: int) -> str:
    seeds = int(numbers["n_seeds"])
    if not seeds:
        return "none"
    over = "" if seeds == num_runs else f", {seeds} of {num_runs} seeds"
    spread = f"± {_percent(numbers['std_over_seeds'])} ({_percent(numbers['std_over_images'])})"
    return f"{_percent(numbers['mean'])} {spread}{over}"


def _notes(experiment: Experiment, numbers: pd.DataFrame) -> Iterator[str]:
    if numbers.empty:
        yield f"{experiment.name}: nothing was evaluated."
    over = f" in {len(experiment.runs)} runs" if len(experiment.runs) > 1 else ""
    for label in numbers.index.unique("result"):
        undefined = int(numbers.loc[(label, HEADLINE[0], ENSEMBLE), "num_undefined"])
        if undefined:
            which = f"{experiment.name}, {label.replace('_', ' ')}"
            yield f"{which}: {undefined} empty cases with empty predictions{over}, left out."


def _what(experiment: Experiment) -> str:
    return experiment.runs[0].summary.get("what", "")


def _iterations(experiment: Experiment, label: str) -> str:
    results = [run.summary["results"].get(label, {}) for run in experiment.runs]
    found = {result.get("iteration") for result in results} - {None}
    return ", ".join(f"{iteration:,}" for iteration in sorted(found))


def _percent(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{100 * value:.2f}"
