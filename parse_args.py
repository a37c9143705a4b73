"""The command line: ``run.py [COMMAND] options``; train where no command is named."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from commands.options import Parser

COMMANDS = {
    "train": "train from gaze or from masks",
    "evaluate": "score a checkpoint on a split, case by case",
    "predict": "masks, overlays and a table for images without masks",
    "export": "the network as ONNX, torch.export or small checkpoint file, with its model card",
    "fixations": "recordings of an eye tracker to a fixation table",
    "prepare": "fixations to heatmaps and CRF maps",
    "assess": "score fixations and gaze maps against masks",
    "split": "train.txt, val.txt and test.txt for a folder of images",
    "prepare-nci": "the prostate set from its archive's downloads",
    "demo": "make a small data set with simulated gaze",
    "baseline": "score the trivial predictors: everything, and the mean training map",
    "hours": "test Dice against hours of annotation: gaze, masks, both, all masks",
    "summarize": "a table of several runs",
    "compare": "runs against a baseline, case by case: differences, intervals, tests",
    "figure": "a figure for a paper: images, gaze, predictions of several runs, truth",
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse a command line.

    Args:
        argv: without the program's name; None takes the process's own.

    Returns:
        The options, with ``command``. The first word may be left out: ``train`` is meant then, as the
        reference's command lines have it, and ``--test`` makes it ``evaluate``.

    Exits with code 2 and one line for unknown, missing or contradictory options.
    """
    argv = [_with_home(text) for text in (sys.argv[1:] if argv is None else argv)]
    if argv and argv[0] in COMMANDS:
        command, argv = argv[0], argv[1:]
    else:
        command = "train"
        if not argv or not argv[0].startswith("-"):
            found = repr(argv[0]) if argv else "none"
            _top_level_parser().error(f"expected a command of {', '.join(COMMANDS)}, found {found}")
        if argv[:1] in (["-h"], ["--help"]):
            _top_level_parser().parse_args(argv)
    # Only this command's module: many need no networks, which take seconds to import.
    module = importlib.import_module(f"commands.{command.replace('-', '_')}")
    parser = Parser(prog=f"run.py {command}", description=COMMANDS[command])
    module.add_options(parser)
    if hasattr(module, "parse"):
        return module.parse(parser, argv)
    args = parser.parse_args(argv)
    args.command = command
    return args


def _with_home(text: str) -> str:
    """Expand ``~``, which shells leave in ``--exp_path=~/exp``: a folder of that name was made."""
    before, equals, value = text.rpartition("=")
    return f"{before}{equals}{os.path.expanduser(value)}"


def _top_level_parser() -> Parser:
    lines = "\n".join(f"  {name:<12} {summary}" for name, summary in COMMANDS.items())
    parser = Parser(prog="run.py", usage="run.py [COMMAND] options; run.py COMMAND --help lists them")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = f"Segmentation from eye gaze. Commands (train if none is given):\n{lines}"
    return parser
