"""``run.py hours``: test Dice against hours of annotation: gaze, a few masks, both, and every mask."""

import argparse
from pathlib import Path

from commands.options import SIDE, Parser, add_as_of_train, add_data, add_loading, settings_from_args
from commands.outputs import Folder, Output
from training.hours import COLUMNS, FIGURE_FILE, NUMBERS_FILE, TABLE_FILE, HoursSettings, score_hours
from utils.settings import add_settings, declared_settings

TRAINING = ("recipe", "rounds", "round_ite", "max_ite")
FURTHER = ("spatial_size", "skip_missing_gaze", "batch_size", "threads", "num_worker", "device")


def add_options(parser: Parser) -> None:
    add_data(parser)
    own = declared_settings(HoursSettings)
    add_settings(parser, own, [name for name in own if name not in TRAINING])
    group = parser.add_argument_group("training; as of train")
    add_settings(group, own, TRAINING)
    group.add_argument("--spatial_size", type=SIDE, help="side of the network input (default: the recipe's)")
    add_as_of_train(parser, "skip_missing_gaze")
    add_loading(parser)


def outputs(args: argparse.Namespace) -> list[Output]:
    form, names = f"^{','.join(COLUMNS[:4])}", (TABLE_FILE, NUMBERS_FILE, FIGURE_FILE)
    # Each run checks its own folder; ``inside`` clears half-written files of a killed training.
    return [Folder("--exp_path", Path(args.exp_path), ours=form, names=names, sign=NUMBERS_FILE, inside=("**",))]


def main(args: argparse.Namespace) -> int:
    """Train the missing runs; 0, or the code of a run that stopped."""
    training = {key: value for key in FURTHER if (value := getattr(args, key)) is not None}
    return score_hours(settings_from_args(HoursSettings, args, training=training))
