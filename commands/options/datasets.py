"""Options of the commands that make data sets: ``split``, ``prepare-nci``, ``demo``."""

from __future__ import annotations

from commands.options.types import NATURAL, POSITIVE_INT, Parser, number
from datasets.nci_isbi.geometry import MASK_GEOMETRY
from datasets.specs import DATASETS

DEMO_DATA = ("kvasir", "prostate")


def add_split_command(parser: Parser) -> None:
    """Options of ``split``."""
    share = number(float, 0, 1)
    parser.add_argument("--data", choices=tuple(DATASETS), default="folder", help="data set")
    parser.add_argument("--root", required=True, help="its folder, with images/")
    parser.add_argument("--val", type=share, default=0.1, help="share of the cases for val.txt; 0 for none")
    parser.add_argument("--test", type=share, default=0.1, help="share of the cases for test.txt")
    parser.add_argument(
        "--by", choices=("case", "image"), default="case", help="keep the images of a case together, or not"
    )
    parser.add_argument("--seed", type=NATURAL, default=0, help="of the draw")
    parser.add_argument("--overwrite", action="store_true", help="replace split files that are already there")


def add_prepare_nci(parser: Parser) -> None:
    """Options of ``prepare-nci``."""
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


def add_demo(parser: Parser) -> None:
    """Options of ``demo``."""
    parser.add_argument(
        "--data", choices=DEMO_DATA, default="kvasir", help="pictures of polyps, or MR slices of prostates"
    )
    parser.add_argument("--root", default="data/demo", help="where the made data set goes")
    parser.add_argument("--num_train", type=POSITIVE_INT, default=240, help="training images")
    parser.add_argument("--num_test", type=POSITIVE_INT, default=60, help="test images")
    parser.add_argument("--seed", type=NATURAL, default=0, help="of images and gaze")
