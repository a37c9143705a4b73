"""``run.py evaluate``: score a checkpoint, ours or a released one, or several averaged, case by case."""

import argparse

from commands.options import Parser, add_checkpoints, add_data, add_loading, add_shared, settings_from_args
from commands.outputs import Folder, Output
from evaluation.per_case import PREDICTIONS_FOLDER, PROBABILITIES_FOLDER
from evaluation.summary import SUMMARY_FILE
from inference.evaluate import RESULT_FILES, EvaluationSettings, evaluate, results_folder
from utils.settings import NATURAL, number


def add_options(parser: Parser) -> None:
    add_data(parser, required=False)
    add_checkpoints(parser)
    parser.add_argument("--exp_path", help="folder of the results (default: beside the checkpoint)")
    parser.add_argument("--split", choices=("test", "val", "train"), default="test", help="which cases")
    add_shared(parser, "threshold")
    parser.add_argument("--save_pred", action="store_true", help="write the predicted masks as PNG")
    parser.add_argument(
        "--save_prob", action="store_true", help="write the probabilities of ensemble and levels as 16-bit PNG"
    )
    add_shared(parser, "spacing_mm", "report", "fixations")
    parser.add_argument("--seed", type=NATURAL, help="of the validation split (default: as trained)")
    parser.add_argument_group("splits").add_argument(
        "--val_fraction",
        type=number(float, 0, 0.9),
        help="share of the training cases kept apart for validation (default: as trained)",
    )
    add_loading(parser)


def outputs(args: argparse.Namespace) -> list[Output]:
    names = (
        RESULT_FILES + (f"{PREDICTIONS_FOLDER}/*",) * args.save_pred + (f"{PROBABILITIES_FOLDER}/*",) * args.save_prob
    )
    folder = results_folder(settings_from_args(EvaluationSettings, args))
    return [Folder("--exp_path", folder, ours='"split": ', names=names, sign=SUMMARY_FILE)]


def main(args: argparse.Namespace) -> int:
    """Score the checkpoints, write and print the results."""
    evaluate(settings_from_args(EvaluationSettings, args))
    return 0
