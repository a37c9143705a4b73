"""Options of the command that writes a network for other programs: ``export``."""

from __future__ import annotations

from commands.options.types import Parser, number


def add_export(parser: Parser) -> None:
    """Options of ``export``."""
    # Here and below, as the registries bring torch along.
    from commands.exporting.formats import FORMATS

    parser.add_argument(
        "--ckpt_path",
        required=True,
        nargs="+",
        metavar="FILE",
        help="checkpoint of this project or of the reference; several are averaged in one graph",
    )
    parser.add_argument(
        "--format",
        choices=tuple(FORMATS),
        default=None,
        help="of the file (default: by its ending); torchscript is deprecated by torch",
    )
    parser.add_argument(
        "--to", required=True, metavar="FILE", help="file to write: *.onnx, *.pt (TorchScript) or *.pt2"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are already there")
    _add_averaging(parser)
    parser.add_argument(
        "--spatial_size",
        type=number(int, 16),
        default=None,
        help="side of the input that the card names (default: as trained, else 224); the file takes other sizes too",
    )
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


def _add_averaging(parser: Parser) -> None:
    from models.multi_level import ENSEMBLES

    parser.add_argument(
        "--ensemble",
        choices=tuple(ENSEMBLES),
        default=None,
        help="what the prediction averages over levels, checkpoints and views (default: as trained, else logits)",
    )
    parser.add_argument(
        "--tta", action="store_true", help="average over the image's mirror images; four times the work"
    )
