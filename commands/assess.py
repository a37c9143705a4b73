"""``run.py assess``: quality of fixations and gaze maps against masks."""

import argparse
import functools
from pathlib import Path

from tqdm import tqdm

from commands.options import Parser, add_data, add_shared
from datasets.gaze.assess import assess_gaze
from datasets.gaze.quality import PER_IMAGE_FILE, QUALITY_FILE
from reporting.gaze import print_named, print_quality, write_figure
from utils.interrupt import PARTLY_DONE_CODE


def add_options(parser: Parser) -> None:
    add_data(parser)
    parser.add_argument("--fixations", required=True, metavar="CSV", help="fixation table")
    parser.add_argument(
        "--map_folder", help="maps of a round of training to score in place of the data folder's CRF maps"
    )
    add_shared(parser, "num_levels", "workers")


def main(args: argparse.Namespace) -> int:
    """Score all images, write table and figure, print the means; 1 if an image could not be scored, else 0."""
    report = assess_gaze(
        args.data,
        args.root,
        args.fixations,
        num_levels=args.num_levels,
        map_folder=args.map_folder,
        workers=args.workers,
        progress=functools.partial(tqdm, desc="assess", unit="image", disable=None),
    )
    missing = ", ".join(f"{count} without {kind} map" for kind, count in report["without_map"].items() if count)
    print(f"assessed {report['num_images']} images{missing and f' ({missing})'}, left out {report['num_left_out']}")
    print_named("left out", report["left_out"], QUALITY_FILE)
    print_quality(report["quality"])
    root = Path(args.map_folder).resolve().parent if args.map_folder else Path(args.root)
    print(f"an image a row: {root / PER_IMAGE_FILE}\nmeans: {root / QUALITY_FILE}\nfigure: {write_figure(root)}")
    return PARTLY_DONE_CODE if any(item["broken"] for item in report["left_out"]) else 0
