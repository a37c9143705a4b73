"""``run.py compare``: runs against a baseline, case by case."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from commands.outputs import Folder, Output
from utils.comparison_table import comparisons_csv, comparisons_markdown, paired_csv
from utils.files import replacing
from utils.paired import (
    ComparedRun,
    Comparison,
    check_level,
    check_same_cases,
    choose_metrics,
    compare_runs,
    paired_rows,
)
from utils.per_case import SUMMARY_FILE, find_per_case, read_per_case
from utils.report import REPORT_FILE
from utils.run_names import named_paths

TABLE_FILE, NUMBERS_FILE, PAIRED_FILE = "comparison.md", "comparison.csv", "paired.csv"
FIGURE_FILES = ("comparison.png", "comparison.pdf")
# What should be the same for a difference to say something about the runs.
ALIKE = ("data", "split", "root", "threshold", "spacing_mm", "ignore_value")


class Compared(NamedTuple):
    """Everything that a table, a figure or a report needs.

    Attributes:
        runs: the baseline first.
        comparisons: see ``utils.paired.Comparison``.
        rows: a dict a case, see ``utils.paired.paired_rows``.
        notes: sentences on what differs between the runs besides.
    """

    runs: list[ComparedRun]
    comparisons: list[Comparison]
    rows: list[dict]
    notes: list[str]


def outputs(args: argparse.Namespace) -> list[Output]:
    """What is written: the folder of the comparison, on demand."""
    names = (TABLE_FILE, NUMBERS_FILE, PAIRED_FILE, *FIGURE_FILES, REPORT_FILE)
    form = r"^\| metric \| run \| cases \| baseline \|"
    return [Folder("--to", Path(args.to), ours=form, names=names, sign=TABLE_FILE)] if args.to is not None else []


def main(args: argparse.Namespace) -> int:
    """Print the table, and write it with numbers, cases and figure on demand; returns 0."""
    if args.report and not args.to:
        raise ValueError("--report: expected with --to FOLDER, where it goes, found without")
    if args.fixations and not args.report:
        raise ValueError("--fixations: expected with --report, which shows them, found without")
    compared = compare(args.runs, metrics=args.metric, level=args.level, seed=args.seed)
    table = comparisons_markdown(compared.comparisons, seed=args.seed, notes=compared.notes)
    print(table, end="")
    if args.to:
        if args.report:
            _write_report(args, compared)
        else:
            # It would be of another comparison.
            (Path(args.to) / REPORT_FILE).unlink(missing_ok=True)
        write_comparison(Path(args.to), compared, table)
        print(f"\nresults: {args.to}")
    return 0


def _write_report(args: argparse.Namespace, compared: Compared) -> None:
    # It brings torch along, which nothing else here needs.
    from commands.compare_report import write_report

    path, size = write_report(
        Path(args.to), compared, data=args.data, root=args.root, fixations=args.fixations, seed=args.seed
    )
    print(f"\nreport: {path}, {size / 1e6:.1f} MB")


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
    if len(texts) < 2:
        raise ValueError(f"compare: expected a baseline and one run or more, found {len(texts)}; name two results")
    named = [(name, find_per_case(path)) for name, path in named_paths(texts, "compare")]
    runs = [ComparedRun(name, read_per_case(path)) for name, path in named]
    check_same_cases(runs)
    check_level(runs, level)
    chosen = choose_metrics(runs, metrics)
    return Compared(
        runs=runs,
        comparisons=compare_runs(runs, metrics=chosen, level=level, seed=seed),
        rows=paired_rows(runs, metrics=chosen, level=level),
        notes=_differing_settings(runs),
    )


def write_comparison(folder: Path, compared: Compared, table: str) -> None:
    """Write all files of a comparison; none gets its name before all are whole."""
    # Takes a while to import.
    from utils.comparison_figure import draw_comparison

    texts = {
        TABLE_FILE: table,
        NUMBERS_FILE: comparisons_csv(compared.comparisons),
        PAIRED_FILE: paired_csv(compared.rows),
    }
    with contextlib.ExitStack() as stack:
        for name, text in texts.items():
            stack.enter_context(replacing(folder / name)).write_text(text, encoding="utf-8")
        figures = [stack.enter_context(replacing(folder / name)) for name in FIGURE_FILES]
        draw_comparison(compared.comparisons, compared.rows, figures)


def _differing_settings(runs: Sequence[ComparedRun]) -> list[str]:
    """A sentence for each setting that two summaries tell differently: ids alone do not say which images they are."""
    settings = {run.name: settings_of(run.table.path.parent) for run in runs}
    notes = []
    for key in ALIKE:
        found = {name: values[key] for name, values in settings.items() if values.get(key) is not None}
        if found and key == "ignore_value":
            found = {name: values.get(key, "none") for name, values in settings.items() if values}
        if len({os.path.normpath(str(value)) if key == "root" else str(value) for value in found.values()}) > 1:
            listed = ", ".join(f"{name} {value}" for name, value in found.items())
            notes.append(f"Warning: the runs were evaluated with different {key}: {listed}.")
    return notes


def settings_of(folder: Path) -> dict:
    """The summary in a results folder; empty where there is none. ValueError for one that is none."""
    path = folder / SUMMARY_FILE
    if not path.is_file():
        return {}
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected a summary (JSON), found something else; evaluate again") from error
    if not isinstance(summary, dict):
        raise ValueError(f"{path}: expected a summary with settings, found something else; evaluate again")
    return (_settings_of_training(summary) if "mode" in summary else {}) | summary


def _settings_of_training(summary: dict) -> dict:
    """How training scores, which its summary does not say, and the data folder, which it says in its recipe."""
    recipe = summary.get("recipe")
    known = recipe if isinstance(recipe, dict) else {}
    return {"split": "test", "threshold": 0.5, "root": known.get("root"), "ignore_value": known.get("ignore_value")}
