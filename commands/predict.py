"""``run.py predict``: masks, overlays and a table for images that need no masks of their own."""

import argparse
from pathlib import Path

from commands.options import MULTIPLE_VALUES, Parser, add_checkpoints, add_loading, add_shared, settings_from_args
from commands.outputs import Folder, Output
from inference.folder.images import FOLDERS
from inference.folder.predict import PredictionSettings, predict_folder


def add_options(parser: Parser) -> None:
    add_checkpoints(parser)
    parser.add_argument(
        "--images",
        required=True,
        **MULTIPLE_VALUES,
        metavar="PATH",
        help="images, and folders of images; masks are not needed",
    )
    parser.add_argument("--recursive", action="store_true", help="sub-folders, too; the results keep them")
    group = parser.add_argument_group("results")
    group.add_argument(
        "--out",
        default="predicted",
        metavar="FOLDER",
        help="where they go (default: predicted); the same call continues there",
    )
    group.add_argument(
        "--save_prob", action="store_true", help="write the probabilities, too, as 16-bit PNG: value / 65535"
    )
    group.add_argument("--no_overlay", action="store_true", help="leave out the images with the outline of their masks")
    group.add_argument(
        "--overwrite", action="store_true", help="first remove predictions that are there, whatever their settings"
    )
    add_shared(parser, "threshold", "spacing_mm")
    add_loading(parser)


def outputs(args: argparse.Namespace) -> list[Output]:
    # Existing results are checked when the folder is opened.
    return [Folder("--out", Path(args.out), inside=tuple(f"{name}/**" for name in FOLDERS))]


def main(args: argparse.Namespace) -> int:
    """Predict all images; 0 if all are done, 1 if some were refused, 130 if it was stopped."""
    return predict_folder(settings_from_args(PredictionSettings, args))
