"""Options of the commands that score and compare: ``evaluate``, ``baseline``, ``summarize``."""

from __future__ import annotations

from commands.options.shared import add_data, add_loading, add_split
from commands.options.types import NATURAL, Parser, number, spacing


def add_evaluate(parser: Parser) -> None:
    """Options of ``evaluate``."""
    add_data(parser, required=False)
    parser.add_argument(
        "--ckpt_path",
        required=True,
        nargs="+",
        metavar="FILE",
        help="checkpoint of this project or of the reference; several are averaged",
    )
    parser.add_argument("--exp_path", default=None, help="where the results go (default: beside the checkpoint)")
    parser.add_argument("--split", choices=("test", "val", "train"), default="test", help="which cases")
    parser.add_argument(
        "--spatial_size",
        type=number(int, 16),
        default=None,
        help="side of the network input (default: as trained; 224 if the checkpoint does not say)",
    )
    add_averaging(parser)
    parser.add_argument("--save_pred", action="store_true", help="write the predicted masks as PNG")
    parser.add_argument(
        "--save_prob", action="store_true", help="write the probabilities of ensemble and levels as 16-bit PNG"
    )
    add_spacing(parser)
    add_report(parser)
    parser.add_argument("--seed", type=NATURAL, default=None, help="of the validation split (default: as trained)")
    add_split(parser)
    add_loading(parser)


def add_averaging(parser: Parser) -> None:
    """What is averaged, and where a mask begins."""
    # Here, as the registry brings torch along.
    from models.multi_level import ENSEMBLES

    parser.add_argument(
        "--ensemble",
        choices=tuple(ENSEMBLES),
        default=None,
        help="what the prediction averages over levels, checkpoints and flips (default: as trained; logits if the "
        "checkpoint does not say)",
    )
    parser.add_argument(
        "--tta", action="store_true", help="average over the image and its three mirror images; four times the work"
    )
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
    add_loading(parser)


def add_summarize(parser: Parser) -> None:
    """Options of ``summarize``."""
    parser.add_argument("runs", nargs="+", metavar="EXP", help="run folders, or folders of seeds")
    parser.add_argument("--to", default=None, metavar="FILE", help="write the Markdown table there too")
    parser.add_argument(
        "--csv", default=None, metavar="FILE", help="the numbers, also of every level: a row a result, metric and level"
    )
