"""``run.py demo``: a small data set with simulated gaze."""

import argparse
from pathlib import Path

from commands.options import Parser
from commands.outputs import Folder, Output
from datasets.demo.pictures import make_demo_dataset
from datasets.demo.prostate import make_demo_prostate
from utils.settings import NATURAL, POSITIVE_INT

DEMO_DATA = {"kvasir": make_demo_dataset, "prostate": make_demo_prostate}


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--data", choices=tuple(DEMO_DATA), default="kvasir", help="synthetic polyps, or MR slices of prostates"
    )
    parser.add_argument("--root", default="data/demo", help="folder to write the data set to")
    parser.add_argument("--num_train", type=POSITIVE_INT, default=240, help="training images")
    parser.add_argument("--num_test", type=POSITIVE_INT, default=60, help="test images")
    parser.add_argument("--seed", type=NATURAL, default=0, help="of images and gaze")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [Folder("--root", Path(args.root), whole=True)]


def main(args: argparse.Namespace) -> int:
    """Make the data set and print the next command."""
    DEMO_DATA[args.data](args.root, num_train=args.num_train, num_test=args.num_test, seed=args.seed)
    print(f"{args.num_train} training and {args.num_test} test images with simulated gaze are in {args.root}")
    print(f"next: python run.py prepare --data {args.data} --root {args.root} --fixations {args.root}/fixations.csv")
    return 0
