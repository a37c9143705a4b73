"""``run.py baseline``: scores of the trivial predictors on the test set."""

import argparse
from pathlib import Path

from commands.options import SIDE, Parser, add_as_of_train, add_data, add_loading
from commands.outputs import Folder, Output
from datasets.specs import RELEASED_SPATIAL_SIZE
from evaluation.run_names import ARGS_FILE
from evaluation.summary import SUMMARY_FILE
from inference.baseline import PREDICTORS, WHAT, score_trivial, table_file


def add_options(parser: Parser) -> None:
    add_data(parser)
    parser.add_argument("--exp_path", help="where the results go (default: exp/<data>_baseline)")
    parser.add_argument("--spatial_size", type=SIDE, default=RELEASED_SPATIAL_SIZE, help="side of the mean map, pixels")
    add_as_of_train(parser, "skip_missing_gaze")
    add_loading(parser)


def outputs(args: argparse.Namespace) -> list[Output]:
    names = (ARGS_FILE, SUMMARY_FILE, *map(table_file, PREDICTORS))
    return [Folder("--exp_path", _folder(args), ours=f'"what": "{WHAT}"', names=names, sign=SUMMARY_FILE)]


def main(args: argparse.Namespace) -> int:
    """Score both trivial predictors and write their results."""
    keys = ("spatial_size", "skip_missing_gaze", "batch_size", "threads", "num_worker", "device")
    score_trivial(args.data, args.root, _folder(args), **{key: getattr(args, key) for key in keys})
    return 0


def _folder(args: argparse.Namespace) -> Path:
    return Path(args.exp_path or f"exp/{args.data}_baseline")
