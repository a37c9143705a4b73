"""Options of what scores and compares: ``evaluate``, ``baseline``, ``summarize``, ``compare``; ``figure``."""

from __future__ import annotations

from commands.options.shared import (
    add_checkpoints,
    add_data,
    add_loading,
    add_overwrite,
    add_skip_missing_gaze,
    add_split,
)
from commands.options.types import NATURAL, POSITIVE, POSITIVE_INT, Parser, number, numbers, spacing, words
from datasets.specs import DATASETS
from evaluation.metrics import MEASURES

FIGURE_COLUMNS = ("image", "fixations", "heatmap", "crf", "levels", "predictions", "truth")


def add_evaluate(parser: Parser) -> None:
    """Options of ``evaluate``."""
    add_data(parser, required=False)
    add_checkpoints(parser)
    parser.add_argument("--exp_path", default=None, help="where the results go (default: beside the checkpoint)")
    parser.add_argument("--split", choices=("test", "val", "train"), default="test", help="which cases")
    add_threshold(parser)
    parser.add_argument("--save_pred", action="store_true", help="write the predicted masks as PNG")
    parser.add_argument(
        "--save_prob", action="store_true", help="write the probabilities of ensemble and levels as 16-bit PNG"
    )
    add_spacing(parser)
    add_report(parser)
    parser.add_argument("--seed", type=NATURAL, default=None, help="of the validation split (default: as trained)")
    add_split(parser)
    add_loading(parser)


def add_threshold(parser: Parser) -> None:
    """Where a mask begins."""
    parser.add_argument(
        "--threshold", type=number(float, 0, 1), default=0.5, help="foreground is where the probability is above it"
    )


def add_spacing(parser: Parser) -> None:
    """The size of pixels."""
    parser.add_argument(
        "--spacing_mm",
        type=spacing,
        default=None,
        metavar="MM",
        help="height,width of a pixel of every image, or one number for both (default: as DICOM headers say)",
    )


def add_report(parser: Parser) -> None:
    """The page to look at."""
    parser.add_argument("--report", action="store_true", help="write report.html: numbers, plots and every case")
    parser.add_argument("--fixations", default=None, metavar="CSV", help="fixation table to show in the report")


def add_baseline(parser: Parser) -> None:
    """Options of ``baseline``."""
    add_data(parser)
    parser.add_argument("--exp_path", default=None, help="where the results go (default: exp/<data>_baseline)")
    parser.add_argument("--spatial_size", type=number(int, 16), default=224, help="side of the mean map, pixels")
    add_skip_missing_gaze(parser)
    add_loading(parser)


def add_summarize(parser: Parser) -> None:
    """Options of ``summarize``."""
    parser.add_argument("runs", nargs="+", metavar="EXP", help="run folders, or folders of seeds")
    parser.add_argument("--to", default=None, metavar="FILE", help="write the Markdown table there too")
    parser.add_argument(
        "--csv", default=None, metavar="FILE", help="the numbers, also of every level: a row a result, metric and level"
    )
    add_overwrite(parser)


def add_compare(parser: Parser) -> None:
    """Options of ``compare``."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="[NAME=]RUN",
        help="results folders or their per_case.csv, with a name or without; the first is the baseline",
    )
    parser.add_argument(
        "--metric",
        type=words(tuple(MEASURES)),
        default=None,
        metavar="M,M,...",
        help=f"of {', '.join(MEASURES)} (default: all that every run has)",
    )
    parser.add_argument("--level", default="ensemble", help="ensemble, or the number of a level")
    parser.add_argument("--to", default=None, metavar="FOLDER", help="write table, numbers, cases and figure there")
    add_report(parser)
    group = parser.add_argument_group("data of the report (default: as the runs' summaries say)")
    group.add_argument("--data", choices=tuple(DATASETS), default=None, help="data set")
    group.add_argument("--root", default=None, help="its folder")
    parser.add_argument("--seed", type=NATURAL, default=0, help="of the bootstrap")


def add_figure(parser: Parser) -> None:
    """Options of ``figure``."""
    add_data(parser)
    parser.add_argument("--fixations", default=None, metavar="CSV", help="fixation table, for the column fixations")
    cases = parser.add_argument_group("cases, a row each").add_mutually_exclusive_group(required=True)
    cases.add_argument("--ids", nargs="+", metavar="ID", help="these")
    for option, meaning in (
        ("--worst", "those of the lowest Dice"),
        ("--best", "those of the highest Dice"),
        ("--spread", "from the lowest Dice to the highest at even steps"),
    ):
        cases.add_argument(option, type=POSITIVE_INT, metavar="N", help=f"{meaning}, see --by")
    parser.add_argument(
        "--by", default=None, metavar="RUN", help="whose per_case.csv ranks the cases (default: the first of --runs)"
    )
    parser.add_argument(
        "--runs",
        nargs="+",
        default=[],
        metavar="[NAME=]RUN",
        help="results folders with predictions/, or checkpoints (.pth), which are run on the cases",
    )
    parser.add_argument(
        "--to", nargs="+", required=True, metavar="FILE", help="files to write: .pdf, .svg (vector text), .png"
    )
    add_overwrite(parser)
    _add_figure_look(parser)
    group = parser.add_argument_group("levels and checkpoints")
    group.add_argument(
        "--level_thresholds",
        type=numbers(float),
        default=None,
        metavar="T,T,...",
        help="on the CRF map, a pseudo-mask each (default: the data set's)",
    )
    group.add_argument("--threshold", type=number(float, 0, 1), default=0.5, help="on a checkpoint's probability")
    group.add_argument("--device", default=None, help="CUDA index or cpu (default: the GPU if there is one)")


def _add_figure_look(parser: Parser) -> None:
    group = parser.add_argument_group("look")
    group.add_argument(
        "--columns",
        type=words(FIGURE_COLUMNS),
        default=None,
        metavar="C,C,...",
        help=(
            f"of {', '.join(FIGURE_COLUMNS)}, in the order wanted (default: all but crf, as far as they are there; one "
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
        help="predictions and truth as outlines on the image (the default)",
    )
    style.add_argument("--masks", dest="style", action="store_const", const="masks", help="as black and white masks")
    group.add_argument("--dice", action="store_true", help="Dice in per cent below every prediction")


def add_hours(parser: Parser) -> None:
    """Options of ``hours``."""
    add_data(parser)
    parser.add_argument("--fixations", required=True, help="the fixation table")
    parser.add_argument("--exp_path", required=True, help="folder of all runs, the table and the figure")
    parser.add_argument("--masks", type=numbers(int), default=(15, 45, 90, 200), metavar="N,N,...", help="masks drawn")
    parser.add_argument("--seeds", type=numbers(int), default=(0, 1, 2), metavar="N,N,...", help="a run each")
    parser.add_argument("--gaze_seconds", type=POSITIVE, default=8.8, help="to look at an image (as published)")
    parser.add_argument("--mask_seconds", type=POSITIVE, default=74.8, help="to draw a mask (as published)")
    group = parser.add_argument_group("training; as of train")
    group.add_argument("--recipe", default="strong", help="of all runs")
    group.add_argument("--rounds", type=POSITIVE_INT, default=3, help="where not every mask is there")
    group.add_argument("--round_ite", type=POSITIVE_INT, default=250, help="iterations of each round before the last")
    group.add_argument("--max_ite", type=POSITIVE_INT, default=400, help="of the last round; all masks have the sum")
    add_loading(parser)
