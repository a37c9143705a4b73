"""Options of the command that writes a network for other programs: ``export``."""

from __future__ import annotations

from commands.options.shared import add_checkpoints, add_overwrite
from commands.options.types import Parser


def add_export(parser: Parser) -> None:
    """Options of ``export``."""
    # Here, as the registry brings torch along.
    from inference.exporting.formats import FORMATS

    add_checkpoints(parser)
    parser.add_argument(
        "--format",
        choices=tuple(FORMATS),
        default=None,
        help="of the file (default: by its ending)",
    )
    parser.add_argument(
        "--to",
        required=True,
        metavar="FILE",
        help="file to write: *.onnx, *.pt2 (torch.export) or *.pth (checkpoint)",
    )
    add_overwrite(parser)
    parser.add_argument(
        "--check_images",
        nargs="+",
        default=(),
        metavar="PATH",
        help="images, or folders of which 8 are taken, to check the file on (default: made ones)",
    )
    parser.add_argument(
        "--results",
        default=None,
        metavar="FOLDER",
        help="of evaluate, for the card (default: the summary beside a single checkpoint, where it fits)",
    )
