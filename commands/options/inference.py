"""Options of the commands that take a trained network to new images: ``predict``."""

from __future__ import annotations

from commands.options.results import add_spacing, add_threshold
from commands.options.shared import add_checkpoints, add_loading
from commands.options.types import Parser


def add_predict(parser: Parser) -> None:
    """Options of ``predict``."""
    add_checkpoints(parser)
    parser.add_argument(
        "--images", required=True, nargs="+", metavar="PATH", help="images, and folders of images; masks are not needed"
    )
    parser.add_argument("--recursive", action="store_true", help="sub-folders, too; the results keep them")
    _add_output(parser)
    add_threshold(parser)
    add_spacing(parser)
    add_loading(parser)


def _add_output(parser: Parser) -> None:
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
        "--overwrite", action="store_true", help="remove the predictions that are there first, of whatever settings"
    )
