"""The one entry point: parse the command line and hand over. ``python run.py --help`` lists the commands."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Sequence

from utils.printable import printable

EXPECTED_ERROR_CODE = 2
INTERRUPTED_CODE = 130
BROKEN_PIPE_CODE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    Mistakes in what the user gave (ValueError) and in the files around it (OSError) become one line on
    standard error and exit code 2; anything else is a defect of ours and keeps its traceback.
    """
    name = "run.py"
    try:
        # Not above: importing takes long enough to be interrupted.
        from parse_args import parse_args

        args = parse_args(argv)
        name = f"run.py {args.command}"
        # A command imports what it needs and no more: preparing gaze needs no networks, training no CRF.
        command = importlib.import_module(f"commands.{args.command.replace('-', '_')}")
        return command.main(args)
    except BrokenPipeError:
        # Whoever reads the output, such as head, has enough; the interpreter would complain again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE_CODE
    except (ValueError, OSError) as error:
        print(f"{name}: error: {one_line(error)}", file=sys.stderr)
        return EXPECTED_ERROR_CODE
    except KeyboardInterrupt:
        print(f"{name}: stopped", file=sys.stderr)
        return INTERRUPTED_CODE


def one_line(error: Exception) -> str:
    """The message of an error; of one that a loader process passed on, its last line without the type."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if lines[0].startswith("Caught "):
        return printable(re.sub(r"^[\w.]+: ", "", lines[-1]))
    return printable(" ".join(line.strip() for line in lines))


if __name__ == "__main__":
    sys.exit(main())
