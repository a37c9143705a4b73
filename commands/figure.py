"""``run.py figure``: images, gaze, predictions of several runs and truth side by side, for a paper."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path

from commands.outputs import Output
from datasets.gaze.levels import default_thresholds
from datasets.specs import get_spec
from evaluation.per_case import PER_CASE_FILE, SUMMARY_FILE
from evaluation.run_names import NamedPath, named_paths
from inference.qualitative import Wanted, choose_cases, contents
from reporting.publication import FORMATS, MADE_BY
from reporting.qualitative_figure import write_qualitative
from training.run_folder import LATEST_FILE
from utils.files import replacing


def outputs(args: argparse.Namespace) -> list[Output]:
    """What is written: the figure, in every format asked for."""
    return [Output("--to", Path(path), tuple(f".{name}" for name in FORMATS), MADE_BY) for path in args.to]


def main(args: argparse.Namespace) -> int:
    """Choose the cases, draw and write the figure, say what it shows; returns 0."""
    if args.by and args.ids:
        raise ValueError("--by: expected with --worst, --best or --spread, found with --ids, which names the cases")
    runs = named_paths(args.runs, "--runs")
    spec = get_spec(args.data, args.root)
    wanted = Wanted(
        spec=spec,
        root=Path(args.root),
        names=args.ids or _chosen(args, runs),
        runs=runs,
        columns=args.columns,
        fixations=args.fixations,
        thresholds=args.level_thresholds or default_thresholds(spec.end_thresholds, len(spec.end_thresholds)),
        style=args.style,
        with_dice=args.dice,
        threshold=args.threshold,
        device=args.device,
    )
    shown = contents(wanted)
    # None of the files gets its name before all are whole.
    with contextlib.ExitStack() as stack:
        files = [(stack.enter_context(replacing(path)), Path(path).suffix[1:].lower()) for path in args.to]
        layout = write_qualitative(shown.rows, shown.titles, files, width_mm=args.width_mm, dpi=args.dpi)
    print(f"cases: {', '.join(wanted.names)}")
    for note in shown.notes:
        print(note)
    print(f"{', '.join(args.to)}: {layout.width:g} x {layout.height:.1f} mm")
    return 0


def _chosen(args: argparse.Namespace, runs: Sequence[NamedPath]) -> list[str]:
    """The ids by rank in a run's table of cases."""
    how, number = next((how, n) for how in ("worst", "best", "spread") if (n := getattr(args, how)))
    folders = [run.path for run in runs if (run.path / PER_CASE_FILE).is_file()]
    if args.by is None and not folders:
        raise ValueError(
            f"--{how}: expected a run with {PER_CASE_FILE} in --runs to rank cases by, found none; add --by"
        )
    names = choose_cases(_table_of(args.by or folders[0], runs), how, number)
    if len(names) < number:
        print(f"--{how} {number}: expected as many cases with a Dice, found {len(names)}")
    return names


def _table_of(run: str | Path, drawn: Sequence[NamedPath]) -> Path:
    """The table of a run to rank cases by: that of its checkpoint which is drawn, where one is, else its headline's."""
    folder = Path(run)
    checkpoints = [
        one.path for one in drawn if one.path.suffix == ".pth" and one.path.parent.resolve() == folder.resolve()
    ]
    if not checkpoints or not (folder / SUMMARY_FILE).is_file():
        return folder
    # Here, as it brings torch along.
    from evaluation.summary import read_summary

    summary = read_summary(folder)
    selected = [label for label in summary["results"] if label.endswith("_selected")]
    label = "last" if checkpoints[0].name == LATEST_FILE or not selected else selected[0]
    return folder if label == summary["headline"] else folder / f"per_case_{label}.csv"
