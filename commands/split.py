"""``run.py split``: train.txt, val.txt and test.txt for a folder of images, drawn by case."""

import argparse
from pathlib import Path

from commands.options import SHARE, Parser
from commands.outputs import Folder, Output
from datasets.specs import DATASETS
from datasets.split_files import UNITS, write_splits
from utils.settings import NATURAL


def add_options(parser: Parser) -> None:
    parser.add_argument("--data", choices=tuple(DATASETS), default="folder", help="data set")
    parser.add_argument("--root", required=True, help="its folder, with images/")
    parser.add_argument("--val", type=SHARE, default=0.1, help="share of the cases for val.txt; 0 for none")
    parser.add_argument("--test", type=SHARE, default=0.1, help="share of the cases for test.txt")
    parser.add_argument("--by", choices=UNITS, default="case", help="keep the images of a case together, or not")
    parser.add_argument("--seed", type=NATURAL, default=0, help="of the draw")
    parser.add_argument("--overwrite", action="store_true", help="replace split files that are already there")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [Folder("--root", Path(args.root))]


def main(args: argparse.Namespace) -> int:
    """Draw the splits, write and describe them."""
    keys = ("root", "data", "val", "test", "by", "seed", "overwrite")
    write_splits(**{key: getattr(args, key) for key in keys})
    return 0
