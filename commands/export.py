"""``run.py export``: the network for other programs, checked against PyTorch, with its model card."""

import argparse
import time
from pathlib import Path

from commands.options import MULTIPLE_VALUES, Parser, add_checkpoints, add_shared
from commands.outputs import Output
from inference.exporting.export import CARD_ENDINGS, WEIGHTS_ENDING, export
from inference.exporting.formats import FORMATS


def add_options(parser: Parser) -> None:
    add_checkpoints(parser)
    parser.add_argument("--format", choices=tuple(FORMATS), help="of the file (default: by its ending)")
    parser.add_argument(
        "--to", required=True, metavar="FILE", help="file to write: *.onnx, *.pt2 (torch.export) or *.pth (checkpoint)"
    )
    add_shared(parser, "overwrite")
    parser.add_argument(
        "--check_images",
        **MULTIPLE_VALUES,
        default=[],
        metavar="PATH",
        help="images, or folders of which 8 are taken, to check the file on (default: made ones)",
    )
    parser.add_argument(
        "--results",
        metavar="FOLDER",
        help="of evaluate, for the card (default: the summary beside a single checkpoint, where it fits)",
    )


def outputs(args: argparse.Namespace) -> list[Output]:
    return [Output("--to", Path(args.to), beside=(*CARD_ENDINGS, WEIGHTS_ENDING))]


def main(args: argparse.Namespace) -> int:
    """Write the network and its card, and print a summary."""
    start = time.monotonic()
    keys = ("ckpt_path", "to", "format", "check_images", "results", "ensemble", "tta", "spatial_size")
    facts = export(**{key: getattr(args, key) for key in keys})
    check, path, seconds = facts["check"], args.to, time.monotonic() - start
    print(f"{path}: {facts['format']}, {facts['bytes'] / 1e6:.1f} MB, {facts['levels']} level(s), {seconds:.1f} s")
    print(
        f"checked on {check['num_images']} {'real' if check['real_images'] else 'made'} images, "
        f"{len(check['shapes'])} batches: probabilities to {check['probability']:.1e}, logits to "
        f"{check['logits_absolute']:.1e} ({check['logits']:.1e} of the largest)"
    )
    print(f"model card: {path}{CARD_ENDINGS[0]}, {path}{CARD_ENDINGS[1]}")
    return 0
