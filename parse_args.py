"""The command line: ``run.py [train|evaluate|prepare|demo|baseline|summarize|prepare-nci] options``."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence

from datasets.nci_isbi.geometry import MASK_GEOMETRY
from datasets.specs import DATASETS
from losses.objectives import OBJECTIVES, SEGMENTATION_LOSSES
from models import MODELS, RELEASED_FEATURES
from models.multi_level import CONS_MODES, INITS
from models.propagation import SIMILARITIES
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


POSITIVE_INT = _number(int, 1)
NATURAL = _number(int, 0)
POSITIVE = _number(float, 0, open_low=True)
NOT_NEGATIVE = _number(float, 0)


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
            "test set read once, at the end. With 0 it is chosen on the test set, as released, and labelled so"
        ),
    )


def _add_train(parser: Parser) -> None:
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
    group = parser.add_argument_group("levels and consistency")
    group.add_argument(
        "--num_levels",
        type=POSITIVE_INT,
        default=None,
        help="pseudo-mask levels (default: 2 for gaze_sup, 1 for full_sup)",
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
    parser.add_argument("--seed", type=NATURAL, default=0, help="of the validation split")
    _add_split(parser)
    _add_loading(parser)


def _add_prepare(parser: Parser) -> None:
    _add_data(parser)
    parser.add_argument("--fixations", required=True, metavar="CSV", help="fixation table")
    parser.add_argument(
        "--sigma_px",
        type=POSITIVE,
        default=None,
        help="Gaussian of the heatmap, canvas pixels (default: the data set's)",
    )
    parser.add_argument("--num_levels", type=POSITIVE_INT, default=2, help="whose thresholds the report scores")
    parser.add_argument("--workers", type=_number(int, -1), default=-1, help="processes; -1 for one a core")


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
    "prepare": (_add_prepare, "fixations to heatmaps and CRF maps"),
    "demo": (_add_demo, "make a small data set with simulated gaze"),
    "baseline": (_add_baseline, "score the trivial predictors: everything, and the mean training map"),
    "summarize": (_add_summarize, "a table of several runs"),
    "prepare-nci": (_add_prepare_nci, "the NCI-ISBI 2013 downloads to a prostate data set"),
}


# ---- defaults that depend on each other, and contradictions ------------------------------------------------


def _complete_training(parser: Parser, args: argparse.Namespace) -> None:
    if args.test:
        if not args.ckpt_path:
            parser.error("--test: expected --ckpt_path, the checkpoint to evaluate, found none")
        args.split = "test"
        return
    if args.num_levels is None:
        given = len(args.level_thresholds) if args.level_thresholds else 2
        args.num_levels = given if args.mode == "gaze_sup" else 1
    for message in _contradictions(args):
        parser.error(message)
    args.in_channels = DATASETS[args.data].in_channels
    args.spatial_size = args.spatial_size or RELEASED_SPATIAL_SIZE
    if args.exp_path is None:
        parts = (args.data, args.mode, f"{args.num_levels}level", args.cons_mode, f"seed{args.seed}")
        args.exp_path = os.path.join("exp", "_".join(parts))


def _contradictions(args: argparse.Namespace):
    channels = DATASETS[args.data].in_channels
    if args.in_channels not in (None, channels):
        yield f"--in_channels {args.in_channels}: expected {channels}, the channels of --data {args.data}"
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
