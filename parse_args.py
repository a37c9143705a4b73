"""The command line: ``run.py [COMMAND] options``; train where no command is named."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from collections.abc import Callable, Sequence

from datasets.gaze.crf import CRF_ENGINES
from datasets.gaze.maps import MAP_FORMATS
from datasets.gaze.recordings import COLUMN_ROLES, EYES, FORMATS, METHODS, TIME_UNITS, XY_UNITS
from datasets.nci_isbi.geometry import MASK_GEOMETRY
from datasets.specs import DATASETS
from utils.schedule import SCHEDULERS

RELEASED_SPATIAL_SIZE = 224
DEFAULT_ENCODER = "resnet34"
OPTIMIZERS = ("sgd", "adam", "adamw")


class Parser(argparse.ArgumentParser):
    """Errors are one line; abbreviations are refused, since a new option would change their meaning."""

    def __init__(self, **kwargs):
        super().__init__(allow_abbrev=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter, **kwargs)

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse a command line.

    Args:
        argv: without the program's name; None takes the process's own.

    Returns:
        The options, with ``command``. The first word may be left out: ``train`` is meant then, as the
        reference's command lines have it, and ``--test`` makes it ``evaluate``.

    Exits with code 2 and one line for unknown, missing or contradictory options.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0] in COMMANDS:
        command, argv = argv[0], argv[1:]
    else:
        command = "train"
        if argv and not argv[0].startswith("-"):
            _top_level_parser().error(f"expected a command of {', '.join(COMMANDS)}, found {argv[0]!r}")
        if argv[:1] in (["-h"], ["--help"]):
            _top_level_parser().parse_args(argv)
    parser = Parser(prog=f"run.py {command}", description=COMMANDS[command][1])
    COMMANDS[command][0](parser)
    args = parser.parse_args(argv)
    if command == "train":
        command = "evaluate" if args.test else "train"
        _complete_training(parser, args)
    args.command = command
    return args


def _top_level_parser() -> Parser:
    lines = "\n".join(f"  {name:<12} {summary}" for name, (_, summary) in COMMANDS.items())
    parser = Parser(prog="run.py", usage="run.py [COMMAND] options; run.py COMMAND --help lists them")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = f"Segmentation from eye gaze. Commands (train if none is given):\n{lines}"
    return parser


# ---- types -----------------------------------------------------------------------------------------------


def _number(kind: type, low: float, high: float = math.inf, *, open_low: bool = False) -> Callable[[str], float]:
    """A type for numbers in low..high, with an error that says so."""

    def convert(text: str):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (low < value <= high if open_low else low <= value <= high):
            at_least = f"above {low}" if open_low else f"from {low}"
            up_to = "" if math.isinf(high) else f" to {high}"
            noun = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"expected {noun} {at_least}{up_to}, found {text!r}")
        return value

    return convert


def _numbers(kind: type) -> Callable[[str], tuple]:
    """A type for numbers separated by commas."""

    def convert(text: str) -> tuple:
        try:
            return tuple(kind(part) for part in text.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected numbers separated by commas, found {text!r}") from None

    return convert


def _measures(count: int, *, positive: int) -> Callable[[str], tuple[float, ...]]:
    """A type for ``count`` finite numbers separated by commas, the last ``positive`` of them above 0."""

    def convert(text: str) -> tuple[float, ...]:
        values = _numbers(float)(text)
        if len(values) != count or not all(map(math.isfinite, values)) or min(values[count - positive :]) <= 0:
            above = "" if positive == 0 else f", the last {positive} above 0" if positive < count else " above 0"
            raise argparse.ArgumentTypeError(f"expected {count} numbers separated by commas{above}, found {text!r}")
        return values

    return convert


def _pattern(text: str) -> str:
    """A type for regular expressions."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"expected a regular expression, found {text!r} ({error})") from None
    return text


def _columns(text: str) -> dict[str, str]:
    """A type for ``role=NAME,...``; a name may hold an equals sign, but no comma."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(role in COLUMN_ROLES and name for role, _, name in pairs) or len({p[0] for p in pairs}) < len(pairs):
        raise argparse.ArgumentTypeError(
            f"expected role=NAME,... with each role of {', '.join(COLUMN_ROLES)} at most once, found {text!r}"
        )
    return {role: name for role, _, name in pairs}


POSITIVE_INT = _number(int, 1)
NATURAL = _number(int, 0)
POSITIVE = _number(float, 0, open_low=True)
NOT_NEGATIVE = _number(float, 0)


def _workers(text: str) -> int:
    """A type for a number of processes."""
    return -1 if text.strip() == "-1" else POSITIVE_INT(text)


# ---- options by topic ------------------------------------------------------------------------------------


def _add_data(parser: Parser, *, required: bool = True) -> None:
    group = parser.add_argument_group("data")
    group.add_argument("--data", choices=tuple(DATASETS), required=required, help="data set")
    group.add_argument("--root", required=True, help="its folder")


def _add_loading(parser: Parser) -> None:
    group = parser.add_argument_group("loading and device")
    group.add_argument("-bs", "--batch_size", type=POSITIVE_INT, default=8, help="images a batch")
    workers = min(4, os.cpu_count() or 1)
    group.add_argument(
        "--num_worker", type=NATURAL, default=workers, help="loader processes; results do not depend on it"
    )
    group.add_argument("--device", default=None, help="CUDA index or cpu (default: the GPU if there is one)")


def _add_split(parser: Parser) -> None:
    group = parser.add_argument_group("splits")
    group.add_argument(
        "--val_fraction",
        type=_number(float, 0, 0.9),
        default=0.0,
        help=(
            "share of the training cases kept apart for validation; the best checkpoint is then chosen there and the "
            "test set read once, at the end. With 0 and no val.txt it is chosen on the test set, as released, and "
            "labelled so"
        ),
    )


def _add_train(parser: Parser) -> None:
    # Here and below: the registries of models and losses bring torch along, which takes most of the start of
    # commands that train nothing.
    from losses.objectives import OBJECTIVES

    parser.add_argument("-m", "--mode", choices=tuple(OBJECTIVES), default="gaze_sup", help="supervision")
    _add_data(parser)
    parser.add_argument("--exp_path", default=None, help="run folder (default: exp/<data>_<mode>_..., printed)")
    parser.add_argument("--overwrite", action="store_true", help="replace a run that is already in the run folder")
    parser.add_argument("--resume", action="store_true", help="continue the run in the run folder (or at --ckpt_path)")
    parser.add_argument("--ckpt_path", default=None, help="weights to start from, or with --test to evaluate")
    parser.add_argument("--test", action="store_true", help="evaluate --ckpt_path instead of training")
    parser.add_argument("--save_pred", action="store_true", help="write the test predictions as PNG")
    parser.add_argument("--seed", type=NATURAL, default=0, help="of weights, order, flips and validation split")
    _add_model(parser)
    _add_levels(parser)
    _add_recipe(parser)
    _add_split(parser)
    _add_loading(parser)


def _add_model(parser: Parser) -> None:
    from models import MODELS, RELEASED_FEATURES
    from models.multi_level import INITS

    group = parser.add_argument_group("model")
    group.add_argument("--model", choices=MODELS, default="unet", help="network of each level")
    group.add_argument(
        "--in_channels", type=POSITIVE_INT, default=None, help="image channels (default: the data set's)"
    )
    group.add_argument(
        "--features",
        type=_numbers(int),
        default=RELEASED_FEATURES,
        metavar="F,F,F,F,F,F",
        help="channels of the unet: five resolutions and the last stage",
    )
    group.add_argument(
        "--feat_dim",
        type=POSITIVE_INT,
        default=None,
        help="channels of the full-resolution feature (default: the last of --features)",
    )
    group.add_argument("--encoder", default=DEFAULT_ENCODER, help="encoder of the smp-unet")
    group.add_argument("--encoder_weights", default=None, help="imagenet: downloads them if not cached")
    group.add_argument("--init", choices=INITS, default="copy", help="start all levels alike (released) or not (paper)")


def _add_levels(parser: Parser) -> None:
    from models.multi_level import CONS_MODES
    from models.propagation import SIMILARITIES

    group = parser.add_argument_group("levels and consistency")
    group.add_argument(
        "--num_levels",
        type=POSITIVE_INT,
        default=None,
        help="pseudo-mask levels (default: one a threshold of the data set, 2 as released; 1 for full_sup)",
    )
    group.add_argument(
        "--level_thresholds",
        type=_numbers(float),
        default=None,
        metavar="T,T,...",
        help="a threshold on the CRF map for each level (default: the data set's)",
    )
    group.add_argument(
        "--cons_mode",
        choices=CONS_MODES,
        default="prop",
        help="consistency with propagated features or without",
    )
    group.add_argument("--cons_weight", type=NOT_NEGATIVE, default=3.0, help="weight of the consistency")
    group.add_argument(
        "--prop_similarity",
        choices=SIMILARITIES,
        default="dot",
        help="dot as released, cosine as in the paper's text",
    )
    group.add_argument("--prop_kernel_size", type=POSITIVE_INT, default=5, help="side of the window, odd")
    group.add_argument("--prop_dilation", type=POSITIVE_INT, default=2, help="step in the window, pixels")


def _add_recipe(parser: Parser) -> None:
    from losses.objectives import SEGMENTATION_LOSSES

    group = parser.add_argument_group("recipe (defaults: as released)")
    group.add_argument("--max_ite", type=POSITIVE_INT, default=15000, help="iterations")
    group.add_argument(
        "--spatial_size", type=_number(int, 16), default=None, help="side of the network input, pixels (default: 224)"
    )
    group.add_argument("--opt", choices=OPTIMIZERS, default="sgd", help="sgd: Nesterov momentum 0.99")
    group.add_argument("--lr", type=POSITIVE, default=1e-2, help="highest learning rate")
    group.add_argument("--lr_min", type=NOT_NEGATIVE, default=1e-4, help="last learning rate")
    group.add_argument("--lr_scheduler", choices=tuple(SCHEDULERS), default="cosine", help="an epoch at a time")
    group.add_argument(
        "--warmup_ite", type=NATURAL, default=0, help="iterations of linear warm-up, rounded up to epochs"
    )
    group.add_argument("--weight_decay", type=NOT_NEGATIVE, default=4e-4, help="weight decay")
    group.add_argument("--seg_loss", choices=tuple(SEGMENTATION_LOSSES), default="bce", help="loss of each level")
    group.add_argument(
        "--data_size_rate",
        type=_number(float, 0, 1, open_low=True),
        default=1.0,
        help="share of the training images to use",
    )
    group.add_argument("--flip_prob", type=_number(float, 0, 1), default=0.5, help="probability of each flip")
    group.add_argument("--fp16", action="store_true", help="mixed precision: float16 on a GPU, bfloat16 on the CPU")
    group.add_argument("--log_step", type=POSITIVE_INT, default=50, help="iterations between log lines")
    group.add_argument("--val_step", type=POSITIVE_INT, default=1000, help="iterations between validations")
    group.add_argument("--save_step", type=POSITIVE_INT, default=1000, help="iterations between checkpoints")


def _add_evaluate(parser: Parser) -> None:
    _add_data(parser, required=False)
    parser.add_argument("--ckpt_path", required=True, help="checkpoint of this project or of the reference")
    parser.add_argument("--exp_path", default=None, help="where the results go (default: beside the checkpoint)")
    parser.add_argument("--split", choices=("test", "val", "train"), default="test", help="which cases")
    parser.add_argument(
        "--spatial_size",
        type=_number(int, 16),
        default=None,
        help="side of the network input (default: as trained; 224 if the checkpoint does not say)",
    )
    parser.add_argument("--save_pred", action="store_true", help="write the predictions as PNG")
    parser.add_argument("--seed", type=NATURAL, default=None, help="of the validation split (default: as trained)")
    _add_split(parser)
    _add_loading(parser)


def _add_split_command(parser: Parser) -> None:
    share = _number(float, 0, 1)
    parser.add_argument("--data", choices=tuple(DATASETS), default="folder", help="data set")
    parser.add_argument("--root", required=True, help="its folder, with images/")
    parser.add_argument("--val", type=share, default=0.1, help="share of the cases for val.txt; 0 for none")
    parser.add_argument("--test", type=share, default=0.1, help="share of the cases for test.txt")
    parser.add_argument(
        "--by", choices=("case", "image"), default="case", help="keep the images of a case together, or not"
    )
    parser.add_argument("--seed", type=NATURAL, default=0, help="of the draw")
    parser.add_argument("--overwrite", action="store_true", help="replace split files that are already there")


def _add_prepare(parser: Parser) -> None:
    _add_data(parser)
    parser.add_argument("--fixations", required=True, metavar="CSV", help="fixation table")
    parser.add_argument(
        "--sigma_px",
        type=POSITIVE,
        default=None,
        help="Gaussian of the heatmap, canvas pixels (default: the data set's)",
    )
    parser.add_argument("--map_format", choices=MAP_FORMATS, default="as-reference", help="JPEG for Kvasir, or PNG")
    parser.add_argument("--report", action="store_true", help="write the quality figure too, as assess does")
    _add_assessing(parser)
    parser.add_argument(
        "--dask", metavar="ADDRESS", default=None, help="scheduler of a Dask cluster that does the work instead"
    )
    group = parser.add_argument_group("CRF (defaults: as released)")
    group.add_argument("--crf_compat", type=NOT_NEGATIVE, default=1.0, help="weight of the Potts term")
    group.add_argument("--crf_iterations", type=NATURAL, default=10, help="of mean field")
    group.add_argument("--crf_sxy", type=POSITIVE, default=80.0, help="standard deviation of position, pixels")
    group.add_argument("--crf_engine", choices=tuple(CRF_ENGINES), default="compiled", help="both give the same maps")
    group.add_argument("--crf_srgb", type=POSITIVE, default=13.0, help="standard deviation of colour, grey values")


def _add_assess(parser: Parser) -> None:
    _add_data(parser)
    parser.add_argument("--fixations", required=True, metavar="CSV", help="fixation table")
    _add_assessing(parser)


def _add_assessing(parser: Parser) -> None:
    parser.add_argument(
        "--num_levels",
        type=POSITIVE_INT,
        default=None,
        help="whose thresholds are scored too (default: as many as the data set has)",
    )
    parser.add_argument("--workers", type=_workers, default=-1, help="processes; -1 for one a core")


def _add_fixations(parser: Parser) -> None:
    parser.add_argument(
        "recordings", nargs="+", metavar="IN", help="recordings, as the trackers' software exports them"
    )
    parser.add_argument("--to", required=True, metavar="CSV", help="fixation table to write, for prepare --fixations")
    parser.add_argument("--format", choices=tuple(FORMATS), default=None, help="of the files (default: by content)")
    _add_fixations_images(parser)
    _add_fixations_method(parser)
    group = parser.add_argument_group("plain tables")
    group.add_argument(
        "--columns", type=_columns, default=None, metavar="t=NAME,x=NAME,...", help="columns (default: by usual names)"
    )
    group.add_argument("--time_unit", choices=TIME_UNITS, default=None, help="of times (default: by name or step)")
    group.add_argument("--xy_unit", choices=XY_UNITS, default=None, help="of positions (default: by name, else px)")


def _add_fixations_images(parser: Parser) -> None:
    group = parser.add_argument_group("which image, where and when")
    group.add_argument("--image", default=None, help="the image, for recordings of one that do not say")
    group.add_argument(
        "--trials",
        default=None,
        metavar="CSV",
        help=(
            "table of trials with any of recording, trial, image, left, top, width, height (px on the screen), "
            "start_ms, end_ms (the recording's clock), image_width, image_height"
        ),
    )
    group.add_argument(
        "--stimulus_rect",
        type=_measures(4, positive=2),
        default=None,
        metavar="LEFT,TOP,WIDTH,HEIGHT",
        help="where every image is, px of the screen (default: as the recording says, else the whole screen)",
    )
    messages = (
        (
            "--image_message",
            "that names the image, in its first group if it has one (default: TRIAL_VAR, IMGLOAD, TRIALID)",
        ),
        ("--onset_message", "at which the image appears (default: SYNCTIME and the like, else the start of the trial)"),
        ("--offset_message", "at which it vanishes (default: blank_screen and the like, else the end of the trial)"),
    )
    for option, meaning in messages:
        group.add_argument(option, type=_pattern, default=None, metavar="REGEX", help=f"EyeLink message {meaning}")


def _add_fixations_method(parser: Parser) -> None:
    group = parser.add_argument_group("fixations")
    group.add_argument(
        "--method",
        choices=METHODS,
        default=None,
        help="the tracker's own events, or velocity or dispersion of the samples (default: events if any, else ivt)",
    )
    group.add_argument("--eye", choices=EYES, default="auto", help="auto: both if averaged, else that with more data")
    group.add_argument("--min_duration_ms", type=NOT_NEGATIVE, default=50.0, help="shorter fixations are left out")
    group.add_argument("--velocity_deg_s", type=POSITIVE, default=30.0, help="ivt: slower samples are a fixation")
    group.add_argument(
        "--merge_gap_ms",
        type=NOT_NEGATIVE,
        default=75.0,
        help="ivt: fixations no further apart, nor by 0.5 deg, are one",
    )
    group.add_argument(
        "--dispersion_deg", type=POSITIVE, default=1.0, help="idt: extent in x plus extent in y, at most"
    )
    group.add_argument("--screen_px", type=_measures(2, positive=2), default=None, metavar="W,H", help="screen, pixels")
    group.add_argument("--screen_cm", type=_measures(2, positive=2), default=None, metavar="W,H", help="screen, cm")
    group.add_argument("--distance_cm", type=POSITIVE, default=None, help="from the eye to the screen")
    group.add_argument("--sampling_rate_hz", type=POSITIVE, default=None, help="(default: as the recording says)")


def _add_prepare_nci(parser: Parser) -> None:
    parser.add_argument("--raw", required=True, help="folder of the downloads: metadata.csv, series and *.nrrd masks")
    parser.add_argument("--root", required=True, help="folder of the data set to write")
    parser.add_argument(
        "--split_lists",
        default=None,
        metavar="FOLDER",
        help="train.txt and test.txt to follow (default: the archive's names: 01 training, 03 test)",
    )
    parser.add_argument(
        "--mask_geometry",
        choices=MASK_GEOMETRY,
        default="check",
        help="compare a mask's header with its series, or pair by number alone",
    )


def _add_demo(parser: Parser) -> None:
    parser.add_argument("--root", default="data/demo", help="where the made data set goes")
    parser.add_argument("--num_train", type=POSITIVE_INT, default=240, help="training images")
    parser.add_argument("--num_test", type=POSITIVE_INT, default=60, help="test images")
    parser.add_argument("--seed", type=NATURAL, default=0, help="of images and gaze")


def _add_baseline(parser: Parser) -> None:
    _add_data(parser)
    parser.add_argument("--exp_path", default=None, help="where the results go (default: exp/<data>_baseline)")
    parser.add_argument("--spatial_size", type=_number(int, 16), default=224, help="side of the mean map, pixels")
    _add_loading(parser)


def _add_summarize(parser: Parser) -> None:
    parser.add_argument("runs", nargs="+", metavar="EXP", help="run folders")
    parser.add_argument("--to", default=None, metavar="FILE", help="write the Markdown table there too")


COMMANDS = {
    "train": (_add_train, "train from gaze or from masks"),
    "evaluate": (_add_evaluate, "score a checkpoint on a split, case by case"),
    "fixations": (_add_fixations, "recordings of an eye tracker to a fixation table"),
    "prepare": (_add_prepare, "fixations to heatmaps and CRF maps"),
    "assess": (_add_assess, "score fixations and gaze maps against masks"),
    "split": (_add_split_command, "train.txt, val.txt and test.txt for a folder of images"),
    "prepare-nci": (_add_prepare_nci, "the prostate set from its archive's downloads"),
    "demo": (_add_demo, "make a small data set with simulated gaze"),
    "baseline": (_add_baseline, "score the trivial predictors: everything, and the mean training map"),
    "summarize": (_add_summarize, "a table of several runs"),
}


# ---- defaults that depend on each other, and contradictions ------------------------------------------------


def _complete_training(parser: Parser, args: argparse.Namespace) -> None:
    if args.test:
        if not args.ckpt_path:
            parser.error("--test: expected --ckpt_path, the checkpoint to evaluate, found none")
        args.split = "test"
        return
    if args.num_levels is None and args.level_thresholds:
        args.num_levels = len(args.level_thresholds)
    for message in _contradictions(args):
        parser.error(message)
    args.spatial_size = args.spatial_size or RELEASED_SPATIAL_SIZE


def _contradictions(args: argparse.Namespace):
    if args.level_thresholds and args.mode == "full_sup":
        yield "--level_thresholds: expected -m gaze_sup, found -m full_sup, which has no pseudo-masks"
    if args.level_thresholds and len(args.level_thresholds) != args.num_levels:
        yield f"--level_thresholds: expected {args.num_levels} (--num_levels), found {len(args.level_thresholds)}"
    if args.encoder != DEFAULT_ENCODER and args.model != "smp-unet":
        yield "--encoder: expected --model smp-unet, found --model unet, which has an encoder of its own"
    if args.encoder_weights and args.model != "smp-unet":
        yield "--encoder_weights: expected --model smp-unet, found --model unet, which starts from scratch"
    if args.lr_min > args.lr:
        yield f"--lr_min {args.lr_min}: expected at most --lr, found --lr {args.lr}"
    if args.prop_kernel_size % 2 == 0:
        yield f"--prop_kernel_size: expected an odd number, found {args.prop_kernel_size}"
    if args.resume and args.overwrite:
        yield "--resume: expected without --overwrite, found both"
