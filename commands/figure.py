"""``run.py figure``: images, gaze, predictions of several runs and truth side by side, for a paper."""

import argparse
from pathlib import Path

from commands.options import MULTIPLE_VALUES, SHARE, Parser, add_data, add_shared, settings_from_args, words
from commands.outputs import Output
from evaluation.metrics import THRESHOLD
from evaluation.per_case import PER_CASE_FILE
from evaluation.run_names import named_paths
from inference.figure import draw_figure, ranking_table
from inference.qualitative import COLUMNS, RANKINGS, FigureRequest, choose_cases
from reporting.publication import FORMATS, MADE_BY
from utils.inputs import plain_id
from utils.settings import POSITIVE_INT, number, numbers


def add_options(parser: Parser) -> None:
    add_data(parser)
    parser.add_argument("--fixations", metavar="CSV", help="fixation table, for the column fixations")
    cases = parser.add_argument_group("cases, a row each").add_mutually_exclusive_group(required=True)
    cases.add_argument("--ids", **MULTIPLE_VALUES, metavar="ID", help="these")
    for option, meaning in (
        ("--worst", "those of the lowest Dice"),
        ("--best", "those of the highest Dice"),
        ("--spread", "from the lowest Dice to the highest at even steps"),
    ):
        cases.add_argument(option, type=POSITIVE_INT, metavar="N", help=f"{meaning}, see --by")
    parser.add_argument("--by", metavar="RUN", help="whose per_case.csv ranks the cases (default: the first of --runs)")
    parser.add_argument(
        "--runs",
        **MULTIPLE_VALUES,
        default=[],
        metavar="[NAME=]RUN",
        help="results folders with predictions/, or checkpoints (.pth), which are run on the cases (default: none)",
    )
    parser.add_argument(
        "--to", **MULTIPLE_VALUES, required=True, metavar="FILE", help="files to write: .pdf, .svg (vector text), .png"
    )
    add_shared(parser, "overwrite")
    _add_figure_look(parser)
    group = parser.add_argument_group("levels and checkpoints")
    group.add_argument(
        "--level_thresholds",
        type=numbers(float),
        metavar="T,T,...",
        help="on the CRF map, a pseudo-mask each (default: the data set's)",
    )
    group.add_argument("--threshold", type=SHARE, default=THRESHOLD, help="on a checkpoint's probability")
    group.add_argument("--device", help="CUDA index or cpu (default: the GPU if there is one)")


def _add_figure_look(parser: Parser) -> None:
    group = parser.add_argument_group("look")
    group.add_argument(
        "--columns",
        type=words(COLUMNS),
        metavar="C,C,...",
        help=(
            f"of {', '.join(COLUMNS)}, in the order wanted (default: all but crf, as far as they are there; one "
            "that is named must be)"
        ),
    )
    group.add_argument("--width_mm", type=number(float, 20, 1000), default=174.0, help="of the whole figure")
    group.add_argument("--dpi", type=number(float, 36, 2400), default=300.0, help="finest that pictures are kept at")
    style = group.add_mutually_exclusive_group()
    style.add_argument(
        "--contours",
        dest="style",
        action="store_const",
        const="contours",
        default="contours",
        help="predictions and truth as outlines on the image (default: these)",
    )
    style.add_argument("--masks", dest="style", action="store_const", const="masks", help="as black and white masks")
    group.add_argument("--dice", action="store_true", help="Dice in per cent below every prediction")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [Output("--to", Path(path), tuple(f".{name}" for name in FORMATS), MADE_BY) for path in args.to]


def main(args: argparse.Namespace) -> int:
    """Choose the cases, draw and write the figure, print what it shows."""
    if args.by and args.ids:
        raise ValueError("--by: expected with --worst, --best or --spread, found with --ids, which names the cases")
    names, notes = ([*map(plain_id, args.ids)], []) if args.ids else _chosen(args)
    wanted = settings_from_args(FigureRequest, args, names=names)
    layout, further_notes = draw_figure(wanted, args.to, width_mm=args.width_mm, dpi=args.dpi)
    print(f"cases: {', '.join(wanted.names)}")
    for note in (*notes, *further_notes):
        print(note)
    print(f"{', '.join(args.to)}: {layout.width:g} x {layout.height:.1f} mm")
    return 0


def _chosen(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """The ids by rank in a run's per-case table, and notes on them."""
    how, number = next((how, n) for how in RANKINGS if (n := getattr(args, how)))
    table = ranking_table(args.by, named_paths(args.runs, "--runs"))
    if table is None:
        raise ValueError(
            f"--{how}: expected a run with {PER_CASE_FILE} in --runs to rank cases by, found none; add --by"
        )
    names = choose_cases(table, how, number)
    notes = [f"--{how}: by the Dice in {table}"]
    if len(names) < number:
        notes.append(f"--{how} {number}: expected as many cases with a Dice, found {len(names)}")
    return names, notes
